use chrono::{Duration, SubsecRound as _};
use greenlane::{
    domain::{
        application::Status,
        audit::{GENESIS, is_acts_chain},
        batch::{BatchAct, ItemVerdict},
        event::{Actor, ActorKind},
        ids::{ApplicationId, BatchId, LeaseId},
        stage::Stage,
    },
    store::{
        batches::{NewBatch, PendingItem, SettledItem, UnverifiedItem},
        schedules::{RunKind, SweepRun},
        types::{
            AlertKind, ApiKeyRecord, EventFilter, NewAlert, Page, Pause, PinnedWorkflow, QueueLimit, StoredCalendar,
        },
    },
};

use crate::{
    make,
    site::{Site, wants},
};

pub async fn keys_are_kept_and_revoked(site: Site) {
    let now = site.now().await.unwrap();
    let key = |id: &str| ApiKeyRecord {
        id: id.to_owned(),
        digest: make::hash(1),
        name: "upstream key".to_owned(),
        owner: "upstream".to_owned(),
        scopes: vec!["applications:write".to_owned(), "applications:read".to_owned()],
        created_at: now,
        revoked_at: None,
    };
    site.create_key(&key("k1")).await.unwrap();
    site.create_key(&key("k2")).await.unwrap();
    assert!(site.create_key(&key("k1")).await.is_err(), "an id is given once");
    assert_eq!(site.key("k1").await.unwrap(), Some(key("k1")));
    assert_eq!(site.key("k3").await.unwrap(), None);
    assert!(site.revoke_key("k1").await.unwrap());
    assert!(!site.revoke_key("k1").await.unwrap() && !site.revoke_key("k3").await.unwrap());
    let keys = site.keys().await.unwrap();
    assert_eq!(
        keys.iter().map(|key| (key.id.as_str(), key.revoked_at.is_some())).collect::<Vec<_>>(),
        [("k1", true), ("k2", false)]
    );
}

pub async fn pauses_end(site: Site) {
    let now = site.now().await.unwrap();
    let pause =
        |stage, until| Pause { stage, reason: "provider down".to_owned(), actor: "op".to_owned(), since: now, until };
    let open = pause(Stage::Eligibility, None);
    let timed = pause(Stage::FaceVerification, Some(now + Duration::hours(1)));
    let ended = pause(Stage::Generation, Some(now - Duration::seconds(1)));
    for pause in [&open, &timed, &ended] {
        site.pause(pause, &make::action("queue_paused", now)).await.unwrap();
    }
    let mut listed = site.pauses().await.unwrap();
    listed.sort_by_key(|pause| pause.stage);
    assert_eq!(listed, [open.clone(), timed]);
    let changed = Pause { reason: "still down".to_owned(), ..open };
    site.pause(&changed, &make::action("queue_paused", now)).await.unwrap();
    assert!(site.pauses().await.unwrap().contains(&changed));
    let resumed = make::action("queue_resumed", now);
    assert!(site.resume(Stage::Eligibility, &resumed).await.unwrap());
    assert!(!site.resume(Stage::Eligibility, &resumed).await.unwrap());
    assert!(!site.resume(Stage::Generation, &resumed).await.unwrap(), "that pause had ended by itself");
    assert_eq!(
        (acts(&site, "queue_paused").await, acts(&site, "queue_resumed").await),
        (4, 1),
        "an act with its effect"
    );
    assert_eq!(site.pauses().await.unwrap().len(), 1);
}

pub async fn limits_are_set_and_lifted(site: Site) {
    let limit = QueueLimit {
        stage: Stage::Eligibility,
        concurrency: Some(4),
        rate: Some(2.5),
        reason: "slow registry".to_owned(),
        actor: "op".to_owned(),
        since: site.now().await.unwrap(),
    };
    let other = QueueLimit { stage: Stage::Generation, concurrency: None, ..limit.clone() };
    let act = make::action("queue_limited", limit.since);
    for limit in [&limit, &other] {
        site.limit_queue(limit, &act).await.unwrap();
    }
    assert_eq!(site.queue_limits().await.unwrap(), [limit.clone(), other.clone()]);
    let changed = QueueLimit { rate: None, reason: "well again".to_owned(), ..limit.clone() };
    site.limit_queue(&changed, &act).await.unwrap();
    assert_eq!(site.queue_limits().await.unwrap(), [changed, other.clone()]);
    site.limit_queue(&QueueLimit { concurrency: None, rate: None, ..limit }, &act).await.unwrap();
    assert_eq!(site.queue_limits().await.unwrap(), [other]);
    assert_eq!(acts(&site, "queue_limited").await, 4);
}

pub async fn depths_by_stage(site: Site) {
    let now = site.now().await.unwrap();
    let mut batch: Vec<_> = (0..4).map(|_| make::admission(now)).collect();
    batch[0].job.due_at = now - Duration::minutes(3);
    batch[3].job.due_at = now + Duration::hours(1);
    batch[1].job.priority = 9;
    site.admit(&batch).await.unwrap();
    let depth =
        async || site.depths().await.unwrap().into_iter().find(|depth| depth.stage == Stage::Eligibility).unwrap();
    let before = depth().await;
    assert_eq!((before.ready, before.running, before.scheduled), (3, 0, 1));
    assert_eq!(before.oldest_ready, Some(batch[0].job.due_at));
    site.claim(LeaseId::new(), &wants(1)).await.unwrap();
    let after = depth().await;
    assert_eq!((after.ready, after.running, after.scheduled), (2, 1, 1));
    assert_eq!(site.depths().await.unwrap().len(), Stage::ALL.len());
}

pub async fn alerts_are_mailed_once(site: Site) {
    let ids = site.admit_many(2).await;
    let now = site.now().await.unwrap();
    for (id, kind) in ids.iter().zip([AlertKind::DeadlineWarned, AlertKind::NotificationFailed]) {
        site.change(&[*id], |write| {
            make::append(write, "deadline_warned", now);
            write.alerts = vec![kind.into(), AlertKind::Stalled.into()];
        })
        .await;
    }
    let alerts = site.unmailed_alerts(10).await.unwrap();
    let kinds: Vec<&str> = alerts.iter().map(|alert| alert.kind.as_str()).collect();
    assert_eq!(kinds, ["deadline_warned", "stalled", "notification_failed", "stalled"]);
    assert_eq!(site.unmailed_alerts(1).await.unwrap(), alerts[..1]);
    assert!(alerts.iter().all(|alert| alert.application_id.is_some() && alert.detail.is_none()));
    site.mark_alerts_mailed(&[alerts[0].id, alerts[2].id]).await.unwrap();
    site.mark_alerts_mailed(&[]).await.unwrap();
    assert_eq!(site.unmailed_alerts(10).await.unwrap(), [alerts[1].clone(), alerts[3].clone()]);
}

pub async fn alerts_say_what_about(site: Site) {
    let id = site.admit_many(1).await[0];
    let now = site.now().await.unwrap();
    let about = |kind, detail: &str| NewAlert { kind, detail: Some(detail.to_owned()) };
    site.raise_alert(&about(AlertKind::ProviderRefuses, "sms: isv.OUT_OF_SERVICE")).await.unwrap();
    site.change(&[id], |write| {
        make::append(write, "rejected", now);
        write.alerts.push(about(AlertKind::StatusUnknown, "Q?"));
    })
    .await;
    let alerts = site.unmailed_alerts(10).await.unwrap();
    let said: Vec<_> = alerts.iter().map(|a| (a.kind.as_str(), a.application_id, a.detail.as_deref())).collect();
    let refuses = ("provider_refuses", None, Some("sms: isv.OUT_OF_SERVICE"));
    assert_eq!(said, [refuses, ("status_unknown", Some(id), Some("Q?"))]);
    assert!((alerts[0].at - now).abs() < Duration::minutes(1));
}

/// How many acts of a kind are on record.
async fn acts(site: &Site, kind: &str) -> usize {
    let filter = EventFilter { kind: Some(kind.to_owned()), ..EventFilter::default() };
    site.search_events(&filter, &Page { limit: 100, after: None }).await.unwrap().items.len()
}

fn batch_of(applications: &[ApplicationId]) -> NewBatch {
    NewBatch {
        id: BatchId::new(),
        actor: Actor::new(ActorKind::Operator, "op"),
        act: BatchAct::Reject,
        reason: Some("a duplicate".to_owned()),
        applications: applications.iter().map(|id| (*id, Some(Stage::Eligibility))).collect(),
    }
}

async fn items(site: &Site, id: BatchId) -> Vec<(ApplicationId, Option<String>, ItemVerdict)> {
    let mut page = Page { limit: 2, after: None };
    let mut all = Vec::new();
    loop {
        let listed = site.batch_items(id, &page).await.unwrap();
        all.extend(listed.items.into_iter().map(|item| (item.application_id, item.result, item.verdict)));
        page.after = listed.next;
        if page.after.is_none() {
            return all;
        }
    }
}

pub async fn batches_go_item_by_item(site: Site) {
    let now = site.now().await.unwrap();
    let mut applications: Vec<ApplicationId> = (0..3).map(|_| ApplicationId::new()).collect();
    applications.push(applications[0]);
    let new = batch_of(&applications);
    let id = new.id;
    site.create_batch(&new, &make::action("stalled_rejected", now)).await.unwrap();
    site.create_batch(&batch_of(&[]), &make::action("stalled_rejected", now)).await.unwrap();
    assert_eq!(acts(&site, "stalled_rejected").await, 2);
    let batch = site.batch(id).await.unwrap().unwrap();
    assert_eq!((batch.id, &batch.actor, batch.matched), (id, &new.actor, 3));
    assert_eq!((batch.act, batch.reason.as_deref()), (BatchAct::Reject, Some("a duplicate")));
    assert!(batch.created_at >= now - Duration::seconds(5));
    assert_eq!(batch.tallies, [(ItemVerdict::Queued, 3)]);
    let queued = |n: usize| (applications[n], None, ItemVerdict::Queued);
    assert_eq!(items(&site, id).await, [queued(0), queued(1), queued(2)]);
    let pending = |n: usize| PendingItem {
        batch: id,
        application_id: applications[n],
        actor: new.actor.clone(),
        act: BatchAct::Reject,
        reason: new.reason.clone(),
    };
    assert_eq!(site.pending_batch_items(1).await.unwrap(), [pending(0)]);
    let settled = |n: usize, result: &str, verdict| SettledItem {
        batch: id,
        application_id: applications[n],
        result: result.to_owned(),
        verdict,
    };
    let refused = settled(2, "not_stalled", Some(ItemVerdict::Refused));
    site.settle_batch_items(&[settled(0, "rejected", Some(ItemVerdict::Succeeded)), refused]).await.unwrap();
    site.settle_batch_items(&[settled(0, "again", None)]).await.unwrap();
    site.settle_batch_items(&[]).await.unwrap();
    let result = |n: usize, result: &str, verdict| (applications[n], Some(result.to_owned()), verdict);
    assert_eq!(
        items(&site, id).await,
        [result(0, "rejected", ItemVerdict::Succeeded), queued(1), result(2, "not_stalled", ItemVerdict::Refused)],
        "the first result counts"
    );
    let tallies = site.batch(id).await.unwrap().unwrap().tallies;
    assert_eq!(tallies, [(ItemVerdict::Queued, 1), (ItemVerdict::Refused, 1), (ItemVerdict::Succeeded, 1)]);
    assert_eq!(site.pending_batch_items(10).await.unwrap(), [pending(1)]);
    assert!(site.batch(BatchId::new()).await.unwrap().is_none());
}

pub async fn verdicts_are_due_once_the_stage_is_left(site: Site) {
    let applications = site.admit_many(3).await;
    let new = batch_of(&applications);
    site.create_batch(&new, &make::action("stalled_retried", site.now().await.unwrap())).await.unwrap();
    let retried: Vec<SettledItem> = applications
        .iter()
        .map(|id| SettledItem { batch: new.id, application_id: *id, result: "retried".to_owned(), verdict: None })
        .collect();
    let due = async |behind: Option<usize>, limit| {
        let behind = behind.map(|n| (new.id, applications[n]));
        site.unverified_batch_items(behind, limit).await.unwrap()
    };
    assert_eq!(due(None, 10).await, [], "nothing was tried yet");
    site.settle_batch_items(&retried).await.unwrap();
    assert!(due(None, 10).await.iter().all(|item| item.on_its_way), "all are at the stage");
    site.change(&applications[..1], |write| write.after_mut().application.stage = Some(Stage::Generation)).await;
    site.change(&applications[1..2], |write| write.after_mut().application.status = Status::Stalled).await;
    let started_at = site.batch(new.id).await.unwrap().unwrap().created_at;
    let unverified =
        |n: usize| UnverifiedItem { batch: new.id, started_at, application_id: applications[n], on_its_way: n == 2 };
    assert_eq!(due(None, 10).await, [unverified(0), unverified(1), unverified(2)]);
    assert_eq!(due(None, 1).await, [unverified(0)]);
    assert_eq!(due(Some(0), 1).await, [unverified(1)], "one after the other");
    assert_eq!(due(Some(1), 10).await, [unverified(2)]);
    assert_eq!(due(Some(2), 10).await, []);
    site.verify_batch_items(&[(new.id, applications[0], ItemVerdict::Succeeded)]).await.unwrap();
    site.verify_batch_items(&[(new.id, applications[0], ItemVerdict::Failed)]).await.unwrap();
    site.verify_batch_items(&[]).await.unwrap();
    let tallies = site.batch(new.id).await.unwrap().unwrap().tallies;
    assert_eq!(tallies, [(ItemVerdict::Succeeded, 1), (ItemVerdict::Waiting, 2)], "the first verdict counts");
    assert_eq!(due(None, 10).await, [unverified(1), unverified(2)]);
}

pub async fn workflows_are_pinned(site: Site) {
    let pin =
        |id: &str, hash: &str| PinnedWorkflow { id: id.to_owned(), hash: hash.to_owned(), source: format!("# {hash}") };
    let first = [pin("first_issue@1", "a"), pin("reissue@1", "b")];
    assert_eq!(by_id(site.pin_workflows(&first).await.unwrap()), first);
    let edited = [pin("first_issue@1", "edited"), pin("first_issue@2", "c")];
    let known = by_id(site.pin_workflows(&edited).await.unwrap());
    assert_eq!(known, [first[0].clone(), edited[1].clone()]);
    assert_eq!(by_id(site.pinned_workflows().await.unwrap()).len(), 3);
    assert_eq!(site.pin_workflows(&[]).await.unwrap(), []);
}

fn by_id(mut pins: Vec<PinnedWorkflow>) -> Vec<PinnedWorkflow> {
    pins.sort_by(|a, b| a.id.cmp(&b.id));
    pins
}

pub async fn the_newest_calendar_counts(site: Site) {
    let now = site.now().await.unwrap();
    assert_eq!(site.latest_calendar().await.unwrap(), None);
    let calendar =
        |version: &str| StoredCalendar { version: version.to_owned(), source: "# 日历".to_owned(), imported_at: now };
    for version in ["cn@2", "cn@3", "cn@1"] {
        site.import_calendar(&calendar(version)).await.unwrap();
        assert_eq!(site.latest_calendar().await.unwrap(), Some(calendar(version)));
    }
}

pub async fn acts_are_a_part_of_the_log(site: Site) {
    let now = site.now().await.unwrap();
    let id = site.admit_many(1).await[0];
    for n in 0..5 {
        site.record_action(&make::action("queue_paused", now + Duration::seconds(n))).await.unwrap();
    }
    let mut page = Page { limit: 2, after: None };
    let mut found = Vec::new();
    loop {
        let listed = site.search_events(&EventFilter::default(), &page).await.unwrap();
        found.extend(listed.items);
        page.after = listed.next;
        if page.after.is_none() {
            break;
        }
    }
    let (own, acts): (Vec<_>, Vec<_>) = found.iter().partition(|event| event.application_id == id);
    assert_eq!((own.len(), acts.len()), (1, 5), "one list of both");
    let chain = acts[0].application_id;
    assert!(acts.iter().all(|act| is_acts_chain(act.application_id) && act.application_id == chain));
    assert!(found.windows(2).all(|pair| pair[0].at >= pair[1].at), "newest first");
    let chained = site.events(chain).await.unwrap();
    assert_eq!(chained.iter().map(|act| act.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(chained[0].prev_hash, GENESIS);
    assert!(chained.windows(2).all(|pair| pair[1].prev_hash == pair[0].hash));
    assert!(site.audited_applications(None, 10).await.unwrap().contains(&chain));
    assert_eq!(site.heads_between(now - Duration::hours(1), now + Duration::hours(1)).await.unwrap().len(), 2);
    let _ = site.write_figures().await.unwrap();
}

pub async fn the_last_runs_of_reconcilers_are_kept(site: Site) {
    let now = site.now().await.unwrap().trunc_subsecs(6);
    let run = |name: &str, kind, seconds| SweepRun {
        name: name.to_owned(),
        kind,
        at: now + Duration::seconds(seconds),
        took_ms: 7,
        items: 3,
        error: None,
        period_ms: 500,
        process: LeaseId::new(),
    };
    let (last, worked, other) = (run("b", RunKind::Last, 0), run("b", RunKind::Worked, 0), run("a", RunKind::Last, 0));
    site.note_sweeps(&[last.clone(), worked.clone(), other.clone()]).await.unwrap();
    site.note_sweeps(&[run("b", RunKind::Last, -1)]).await.unwrap();
    assert_eq!(site.sweep_runs().await.unwrap(), [other.clone(), last, worked.clone()], "a later one stays");
    let later = SweepRun { error: Some("no answer".to_owned()), ..run("b", RunKind::Last, 1) };
    site.note_sweeps(std::slice::from_ref(&later)).await.unwrap();
    site.note_sweeps(&[]).await.unwrap();
    assert_eq!(site.sweep_runs().await.unwrap(), [other, later, worked]);
}

pub async fn concurrent_acts_follow_each_other(site: Site) {
    let now = site.now().await.unwrap();
    let record = async |_| site.record_action(&make::action("signed_in", now)).await.unwrap();
    futures::future::join_all((0..20).map(record)).await;
    let filter = EventFilter { kind: Some("signed_in".to_owned()), ..EventFilter::default() };
    let listed = site.search_events(&filter, &Page { limit: 100, after: None }).await.unwrap().items;
    let mut seqs: Vec<i64> = listed.iter().map(|act| act.seq).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
}

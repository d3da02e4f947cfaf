use chrono::{Duration, SubsecRound as _};
use greenlane::{
    domain::{
        event::{Actor, ActorKind},
        ids::{ApplicationId, BatchId, LeaseId},
        stage::Stage,
    },
    store::{
        schedules::{RunKind, SweepRun},
        types::{AlertKind, ApiKeyRecord, BatchItem, NewAlert, OperatorAction, Pause, PinnedWorkflow, QueueLimit, StoredCalendar},
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
        site.pause(pause).await.unwrap();
    }
    let mut listed = site.pauses().await.unwrap();
    listed.sort_by_key(|pause| pause.stage);
    assert_eq!(listed, [open.clone(), timed]);
    let changed = Pause { reason: "still down".to_owned(), ..open };
    site.pause(&changed).await.unwrap();
    assert!(site.pauses().await.unwrap().contains(&changed));
    assert!(site.resume(Stage::Eligibility).await.unwrap());
    assert!(!site.resume(Stage::Eligibility).await.unwrap());
    assert!(!site.resume(Stage::Generation).await.unwrap(), "that pause had ended by itself");
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
    for limit in [&limit, &other] {
        site.limit_queue(limit).await.unwrap();
    }
    assert_eq!(site.queue_limits().await.unwrap(), [limit.clone(), other.clone()]);
    let changed = QueueLimit { rate: None, reason: "well again".to_owned(), ..limit.clone() };
    site.limit_queue(&changed).await.unwrap();
    assert_eq!(site.queue_limits().await.unwrap(), [changed, other.clone()]);
    site.limit_queue(&QueueLimit { concurrency: None, rate: None, ..limit }).await.unwrap();
    assert_eq!(site.queue_limits().await.unwrap(), [other]);
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

pub async fn batches_go_item_by_item(site: Site) {
    let actor = Actor::new(ActorKind::Operator, "op");
    let mut applications: Vec<ApplicationId> = (0..3).map(|_| ApplicationId::new()).collect();
    applications.push(applications[0]);
    let id = BatchId::new();
    let before = site.now().await.unwrap();
    site.create_batch(id, &actor, &applications).await.unwrap();
    site.create_batch(BatchId::new(), &actor, &[]).await.unwrap();
    let item = |n: usize, result: Option<&str>| BatchItem {
        application_id: applications[n],
        result: result.map(str::to_owned),
    };
    let batch = site.batch(id).await.unwrap().unwrap();
    assert_eq!((batch.id, &batch.actor, batch.matched), (id, &actor, 3));
    assert!(batch.created_at >= before - Duration::seconds(5));
    assert_eq!(batch.items, [item(0, None), item(1, None), item(2, None)]);
    assert_eq!(site.pending_batch_items(1).await.unwrap(), [(id, applications[0], actor.clone())]);
    let results = [(id, applications[0], "retried".to_owned()), (id, applications[2], "not_stalled".to_owned())];
    site.settle_batch_items(&results).await.unwrap();
    site.settle_batch_items(&[(id, applications[0], "again".to_owned())]).await.unwrap();
    site.settle_batch_items(&[]).await.unwrap();
    let items = site.batch(id).await.unwrap().unwrap().items;
    assert_eq!(
        items,
        [item(0, Some("retried")), item(1, None), item(2, Some("not_stalled"))],
        "the first result counts"
    );
    assert_eq!(site.pending_batch_items(10).await.unwrap(), [(id, applications[1], actor)]);
    assert!(site.batch(BatchId::new()).await.unwrap().is_none());
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

pub async fn acts_are_recorded_for_ever(site: Site) {
    let action = OperatorAction {
        at: site.now().await.unwrap(),
        actor: Actor::new(ActorKind::Operator, "op"),
        kind: "queue_paused".to_owned(),
        data: serde_json::json!({"stage": "generation"}),
    };
    site.record_action(&action).await.unwrap();
    assert_eq!(
        site.raw.number("SELECT count(*) FROM operator_actions WHERE kind = 'queue_paused' AND actor_id = 'op'").await,
        1
    );
    assert!(site.raw.execute("DELETE FROM operator_actions").await.is_err());
    assert!(site.raw.execute("UPDATE operator_actions SET actor_id = 'nobody'").await.is_err());
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
    site.note_sweeps(&[later.clone()]).await.unwrap();
    site.note_sweeps(&[]).await.unwrap();
    assert_eq!(site.sweep_runs().await.unwrap(), [other, later, worked]);
}

use std::collections::BTreeMap;

use chrono::Duration;
use greenlane::{
    domain::{
        application::{Kind, Status},
        decision::NewLicence,
        ids::{ApplicationId, LeaseId},
        job::Slot,
        licence_display::LicenceState,
        review::ReviewState,
        stage::Stage,
    },
    store::{
        StoreError,
        types::{AlertKind, Held, Snapshot, Write},
    },
};

use crate::{
    claiming::held,
    make,
    site::{Plan, Site, wants},
};

pub async fn everything_or_nothing(site: Site) {
    let id = site.admit_many(1).await[0];
    let now = site.now().await.unwrap();
    let before = site.view(id).await;
    let spoilt = site
        .try_change(&[id], |write| {
            write.after_mut().application.status = Status::Stalled;
            write.after_mut().jobs.clear();
            write.alerts.push(AlertKind::Stalled.into());
            make::append(write, "stalled", now);
            write.events[0].seq = 1; // taken
        })
        .await;
    assert!(matches!(spoilt, Err(StoreError::Refused(_))), "{spoilt:?}");
    let after = site.view(id).await;
    assert_eq!((&after.application, &after.jobs), (&before.application, &before.jobs));
    assert_eq!(site.unmailed_alerts(10).await.unwrap(), []);
    assert_eq!(site.status_counts().await.unwrap()[0].status, Status::InProgress);

    site.change(&[id], |write| {
        write.after_mut().application.status = Status::Stalled;
        write.after_mut().jobs.clear();
        write.alerts.push(AlertKind::Stalled.into());
        make::append(write, "stalled", now);
    })
    .await;
    let after = site.view(id).await;
    assert_eq!((after.application.status, after.application.chain.seq), (Status::Stalled, 2));
    assert_eq!(after.jobs, []);
    assert_eq!(site.events(id).await.unwrap().len(), 2);
    let alerts = site.unmailed_alerts(10).await.unwrap();
    assert_eq!((alerts[0].kind.as_str(), alerts[0].application_id, alerts[0].at), ("stalled", Some(id), now));
    assert_eq!(site.status_counts().await.unwrap()[0].status, Status::Stalled);
}

pub async fn jobs_are_written_as_differences(site: Site) {
    let ids = site.admit_many(2).await;
    let now = site.now().await.unwrap();
    let untouched = site.view(ids[1]).await.jobs;
    site.change(&[ids[0]], |write| {
        write.after_mut().jobs =
            vec![make::job(Slot::Sms, Stage::Notification, now), make::job(Slot::App, Stage::Notification, now)];
    })
    .await;
    assert_eq!(slots(&site, ids[0]).await, [(Slot::Sms, 0), (Slot::App, 0)]);
    let lease = LeaseId::new();
    site.change(&[ids[0]], |write| {
        write.after_mut().jobs.retain(|job| job.slot == Slot::App);
        let app = &mut write.after_mut().jobs[0];
        (app.lease, app.fence, app.attempts, app.crashes, app.priority) = (Some(lease), 4, 2, 1, -7);
        app.due_at = now + Duration::minutes(3);
    })
    .await;
    let jobs = site.view(ids[0]).await.jobs;
    let job = &jobs[0];
    assert_eq!((jobs.len(), job.slot, job.lease, job.fence), (1, Slot::App, Some(lease), 4));
    assert_eq!((job.attempts, job.crashes, job.priority, job.due_at), (2, 1, -7, now + Duration::minutes(3)));
    assert_eq!(site.view(ids[1]).await.jobs, untouched);
    site.change(&[ids[0]], |write| write.after_mut().jobs.clear()).await;
    assert_eq!(site.view(ids[0]).await.jobs, []);
    assert_eq!(site.raw.number("SELECT count(*) FROM jobs").await, 1);
}

pub async fn a_review_goes_with_its_application(site: Site) {
    let id = site.admit_many(1).await[0];
    let now = site.now().await.unwrap();
    let review = make::review(id, Some(now + Duration::days(1)));
    site.change(&[id], |write| {
        assert_eq!(write.before.review, None);
        write.after_mut().application.review_id = Some(review.id);
        write.after_mut().review = Some(review.clone());
    })
    .await;
    assert_eq!(site.review(review.id).await.unwrap().as_ref(), Some(&review));
    let expires = now + Duration::minutes(5);
    site.change(&[id], |write| {
        assert_eq!(write.before.review.as_ref(), Some(&review));
        make::lease(write.after_mut().review.as_mut().unwrap(), "li", expires);
        write.note = Some(make::sealed("note"));
    })
    .await;
    let claimed = site.review(review.id).await.unwrap().unwrap();
    assert_eq!(claimed.lease.as_ref().map(|lease| (lease.reviewer.as_str(), lease.expires_at)), Some(("li", expires)));
    site.change(&[id], |write| make::decide(write.after_mut().review.as_mut().unwrap(), now, true)).await;
    let decided = site.review(review.id).await.unwrap().unwrap();
    assert_eq!(
        (decided.state, decided.decision.is_some_and(|decision| decision.effective)),
        (ReviewState::Decided, true)
    );

    // A second round gets a task of its own; the former stays as it was.
    let second = make::review(id, None);
    site.change(&[id], |write| {
        write.after_mut().application.review_id = Some(second.id);
        write.after_mut().review = Some(second.clone());
    })
    .await;
    assert_eq!(site.review(second.id).await.unwrap(), Some(second));
    assert_eq!(site.review(review.id).await.unwrap().unwrap().state, ReviewState::Decided);
    assert_eq!(site.raw.number("SELECT count(*) FROM review_notes").await, 1);
}

pub async fn a_new_licence_supersedes_the_former(site: Site) {
    let now = site.now().await.unwrap();
    let mut issued: Vec<(ApplicationId, NewLicence)> = Vec::new();
    for (kind, classes) in [(Kind::FirstIssue, "C1"), (Kind::PhotoChange, "C1D")] {
        let mut new = make::admission(now);
        new.application.kind = kind;
        new.application.holder = "one holder".to_owned();
        let id = site.admit_one(new).await;
        let former = issued.last().map(|(_, former)| former.id);
        let licence = NewLicence { supersedes: former, ..make::licence(classes) };
        site.change(&[id], |write| {
            write.after_mut().application.status = Status::Issued;
            write.after_mut().application.licence_id = Some(licence.id);
            write.licence = Some(licence.clone());
            make::append(write, "issued", now);
        })
        .await;
        issued.push((id, licence));
    }
    let states = [
        site.licence(issued[0].1.id).await.unwrap().unwrap().state,
        site.licence(issued[1].1.id).await.unwrap().unwrap().state,
    ];
    assert_eq!(states, [LicenceState::Superseded, LicenceState::Current]);
    let current = site.current_licence("one holder").await.unwrap().unwrap();
    let (id, licence) = &issued[1];
    assert_eq!((current.id, current.application_id, current.issued_at), (licence.id, *id, now));
    assert_eq!((&current.facts, &current.status, &current.sealed), (&licence.facts, &licence.status, &licence.sealed));
}

pub async fn what_is_appended_keeps_its_order(site: Site) {
    let ids = site.admit_many(2).await;
    let now = site.now().await.unwrap();
    let mut expected: BTreeMap<ApplicationId, Vec<_>> = BTreeMap::new();
    site.change(&ids, |write| {
        for kind in ["stage_completed", "issued", "completed"] {
            make::append(write, kind, now);
            // The ids say nothing of the order.
            let mut webhook = make::webhook(&write.after.application, now);
            webhook.id.0 = uuid::Uuid::new_v4();
            expected.entry(write.after.application.id).or_default().push(webhook.id);
            write.webhooks.push(webhook);
        }
    })
    .await;
    for id in ids {
        let kinds: Vec<String> = site.events(id).await.unwrap().into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["submitted", "stage_completed", "issued", "completed"]);
        let mut delivered = Vec::new();
        while let Some(webhook) = crate::outbox::next_of(&site, id).await {
            delivered.push(webhook);
        }
        assert_eq!(delivered, expected[&id]);
    }
}

/// Deterministic numbers for a walk that looks random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

pub async fn counters_are_a_real_count(site: Site) {
    let mut running = Vec::new();
    for seed in 0..4 {
        let store = site.store.clone();
        running.push(tokio::spawn(async move {
            let mut dice = Dice(seed);
            let mut mine: Vec<ApplicationId> = Vec::new();
            for _ in 0..30 {
                let now = store.now().await.unwrap();
                let batch: Vec<_> = (0..dice.roll(3)).map(|_| make::admission(now)).collect();
                store.admit(&batch).await.unwrap();
                mine.extend(batch.iter().map(|new| new.application.id));
                let some: Vec<ApplicationId> = mine.iter().copied().filter(|_| dice.roll(3) == 0).collect();
                let mut plan = Plan(|snapshots: Vec<Snapshot>| {
                    let mut writes: Vec<Write> = snapshots.into_iter().map(make::unchanged).collect();
                    for write in &mut writes {
                        let application = &mut write.after_mut().application;
                        application.status = Status::ALL[dice.roll(Status::ALL.len())];
                        application.stage = Stage::ALL.get(dice.roll(Stage::ALL.len() + 1)).copied();
                        application.completed_at = application.stage.is_none().then_some(now);
                    }
                    writes
                });
                store.commit(&some, &mut plan).await.unwrap();
            }
        }));
    }
    for walk in running {
        walk.await.unwrap();
    }
    let counted = site.status_counts().await.unwrap();
    assert!(counted.len() > 5 && counted.iter().all(|count| count.count > 0), "{counted:?}");
    for count in &counted {
        let stage = count.stage.map_or("done", Stage::as_str);
        let sql = format!("SELECT count(*) FROM applications WHERE status = '{}' AND stage = '{stage}'", count.status);
        assert_eq!(site.raw.number(&sql).await, count.count, "{count:?}");
    }
    let all: i64 = counted.iter().map(|count| count.count).sum();
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, all);
}

pub async fn concurrent_commits_follow_each_other(site: Site) {
    let ids = site.admit_many(6).await;
    let mut running = Vec::new();
    for n in 0..8 {
        let store = site.store.clone();
        let mut order = ids.clone();
        order.rotate_left(n % ids.len());
        if n % 2 == 0 {
            order.reverse();
        }
        running.push(tokio::spawn(async move {
            for _ in 0..5 {
                let mut plan = Plan(|snapshots: Vec<Snapshot>| {
                    let add = |snapshot| {
                        let mut write = make::unchanged(snapshot);
                        write.after_mut().application.review_rounds += 1;
                        let at = write.after.application.submitted_at;
                        make::append(&mut write, "resumed", at);
                        write
                    };
                    snapshots.into_iter().map(add).collect()
                });
                store.commit(&order, &mut plan).await.unwrap();
            }
        }));
    }
    for one in running {
        one.await.unwrap();
    }
    for id in ids {
        let application = site.view(id).await.application;
        assert_eq!((application.review_rounds, application.chain.seq), (40, 41));
        assert_eq!(site.events(id).await.unwrap().len(), 41);
    }
}

pub async fn plans_see_what_exists_once(site: Site) {
    let ids = site.admit_many(2).await;
    let mut seen = Vec::new();
    let mut plan = Plan(|snapshots: Vec<Snapshot>| {
        seen = snapshots.iter().map(|snapshot| snapshot.application.id).collect();
        Vec::new()
    });
    site.commit(&[ids[1], ApplicationId::new(), ids[0], ids[1]], &mut plan).await.unwrap();
    seen.sort();
    let mut expected = ids.clone();
    expected.sort();
    assert_eq!(seen, expected);
    let mut calls = 0;
    let mut plan = Plan(|snapshots: Vec<Snapshot>| {
        assert!(snapshots.is_empty());
        calls += 1;
        Vec::new()
    });
    site.commit(&[ApplicationId::new()], &mut plan).await.unwrap();
    assert_eq!(calls, 1, "a planner learns that an application does not exist");
}

pub async fn a_plan_keeps_to_what_it_holds(site: Site) {
    let ids = site.admit_many(2).await;
    let other = site.view(ids[1]).await;
    let mut plan = Plan(|snapshots: Vec<Snapshot>| {
        let foreign = Snapshot { application: other.application.clone(), jobs: other.jobs.clone(), review: None };
        let mut writes: Vec<Write> = snapshots.into_iter().chain([foreign]).map(make::unchanged).collect();
        for write in &mut writes {
            write.after_mut().application.status = Status::Stalled;
        }
        writes
    });
    let refused = site.commit(&[ids[0]], &mut plan).await;
    assert!(matches!(refused, Err(StoreError::NotLocked(id)) if id == ids[1]), "{refused:?}");
    for id in ids {
        assert_eq!(site.view(id).await.application.status, Status::InProgress);
    }
}

pub async fn an_empty_plan_writes_nothing(site: Site) {
    let ids = site.admit_many(2).await;
    let before = [site.view(ids[0]).await.application, site.view(ids[1]).await.application];
    site.commit(&ids, &mut Plan(|_| Vec::new())).await.unwrap();
    site.change(&ids, |_| {}).await;
    site.change(&[], |_| panic!("nothing to plan")).await;
    assert_eq!([site.view(ids[0]).await.application, site.view(ids[1]).await.application], before);
}

pub async fn two_writes_of_one_application_count_as_one(site: Site) {
    let id = site.admit_many(1).await[0];
    let now = site.now().await.unwrap();
    let mut plan = Plan(|snapshots: Vec<Snapshot>| {
        let mut first = make::unchanged(snapshots[0].clone());
        first.after_mut().application.status = Status::Issued;
        first.after_mut().jobs =
            vec![make::job(Slot::Sms, Stage::Notification, now), make::job(Slot::App, Stage::Notification, now)];
        make::append(&mut first, "issued", now);
        let mut second = make::unchanged(first.after.clone());
        second.after_mut().application.stage = None;
        second.after_mut().jobs.retain(|job| job.slot == Slot::App);
        make::append(&mut second, "notification_sent", now);
        vec![first, second]
    });
    site.commit(&[id], &mut plan).await.unwrap();
    let view = site.view(id).await;
    assert_eq!((view.application.status, view.application.stage), (Status::Issued, None));
    assert_eq!(slots(&site, id).await, [(Slot::App, 0)]);
    assert_eq!(site.events(id).await.unwrap().len(), 3);
    let counts = site.status_counts().await.unwrap();
    assert_eq!((counts.len(), counts[0].status, counts[0].stage, counts[0].count), (1, Status::Issued, None, 1));
}

pub async fn an_old_holder_writes_nothing(site: Site) {
    let id = site.admit_many(1).await[0];
    let now = site.now().await.unwrap();
    let claim = async || held(&site.claim(LeaseId::new(), &wants(1)).await.unwrap().claimed[0]);
    let old = claim().await;
    assert_eq!(site.rescue().await.unwrap(), 1, "no process has that lease");
    let new = claim().await;
    assert_eq!((old.fence, new.fence), (1, 2));
    let finish = async |held: Held| {
        let mut wrote = false;
        let mut plan = Plan(|snapshots: Vec<Snapshot>| {
            let mine = snapshots.into_iter().filter(|s| s.job(held.slot).is_some_and(|job| job.fence == held.fence));
            let mut writes: Vec<Write> = mine.map(make::unchanged).collect();
            wrote = !writes.is_empty();
            for write in &mut writes {
                write.after_mut().jobs.clear();
                make::append(write, "stage_completed", now);
            }
            writes
        });
        site.commit(&[held.application_id], &mut plan).await.unwrap();
        wrote
    };
    assert!(!finish(old).await);
    assert!(finish(new).await);
    assert!(!finish(new).await, "once");
    assert_eq!(site.events(id).await.unwrap().len(), 2);
}

async fn slots(site: &Site, id: ApplicationId) -> Vec<(Slot, i64)> {
    let mut slots: Vec<(Slot, i64)> = site.view(id).await.jobs.iter().map(|job| (job.slot, job.fence)).collect();
    slots.sort();
    slots
}

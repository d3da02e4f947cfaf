use std::collections::HashSet;

use chrono::Duration;
use greenlane::{
    domain::{
        ids::{ApplicationId, LeaseId},
        job::Slot,
        stage::Stage,
    },
    store::types::{Claimed, Held, QueueDepth, Want},
};

use crate::{
    make,
    site::{Site, wants},
};

pub async fn most_urgent_first(site: Site) {
    let now = site.now().await.unwrap();
    let mut expected = Vec::new();
    for (priority, seconds_ago) in [(5, 1), (5, 0), (0, 9), (0, 3), (-1, 60)] {
        let mut new = make::admission(now);
        new.job.priority = priority;
        new.job.due_at = now - Duration::seconds(seconds_ago);
        expected.push(new);
    }
    let ids: Vec<ApplicationId> = expected.iter().map(|new| new.application.id).collect();
    expected.reverse();
    site.admit(&expected).await.unwrap();
    let lease = LeaseId::new();
    let first = site.claim(lease, &[Want { stage: Stage::Eligibility, limit: 2 }]).await.unwrap();
    assert_eq!(applications(&first.claimed), ids[..2]);
    assert!(!first.suspects);
    for claim in &first.claimed {
        assert_eq!((claim.job.lease, claim.job.fence), (Some(lease), 1));
        assert_eq!(claim.applicant, make::sealed("applicant"));
        assert_eq!(site.view(claim.application.id).await.jobs, std::slice::from_ref(&claim.job));
    }
    let rest = site.claim(lease, &wants(100)).await.unwrap();
    assert_eq!(applications(&rest.claimed), ids[2..]);
}

pub async fn takes_only_what_is_wanted_due_and_free(site: Site) {
    let now = site.now().await.unwrap();
    let mut later = make::admission(now);
    later.job.due_at = now + Duration::hours(1);
    let mut elsewhere = make::admission(now);
    elsewhere.job.stage = Stage::Generation;
    let mut taken = make::admission(now);
    taken.job.lease = Some(LeaseId::new());
    site.admit(&[later, elsewhere.clone(), taken]).await.unwrap();
    for wanted in
        [vec![], vec![Want { stage: Stage::Eligibility, limit: 10 }], vec![Want { stage: Stage::Generation, limit: 0 }]]
    {
        assert!(site.claim(LeaseId::new(), &wanted).await.unwrap().claimed.is_empty(), "{wanted:?}");
    }
    let claimed = site.claim(LeaseId::new(), &wants(10)).await.unwrap().claimed;
    assert_eq!(applications(&claimed), [elsewhere.application.id]);
    let depth = |stage, ready, running, scheduled| QueueDepth { stage, ready, running, scheduled, oldest_ready: None };
    let depths = site.depths().await.unwrap();
    assert_eq!(depths.len(), Stage::ALL.len());
    assert!(depths.contains(&depth(Stage::Eligibility, 0, 1, 1)), "{depths:?}");
    assert!(depths.contains(&depth(Stage::Generation, 0, 1, 0)), "{depths:?}");
}

pub async fn concurrent_claims_share_nothing(site: Site) {
    let ids = site.admit_many(200).await;
    let claiming: Vec<_> = (0..8)
        .map(|_| {
            let store = site.store.clone();
            tokio::spawn(async move {
                let (lease, mut mine) = (LeaseId::new(), Vec::new());
                loop {
                    let claimed = store.claim(lease, &wants(7)).await.unwrap().claimed;
                    if claimed.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.iter().map(|claim| claim.application.id));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for mine in claiming {
        all.extend(mine.await.unwrap());
    }
    assert_eq!(all.len(), all.iter().collect::<HashSet<_>>().len(), "no job was handed out twice");
    // On PostgreSQL a claim may find everything locked by another one and end early; what it left is still there.
    all.extend(applications(&site.claim(LeaseId::new(), &wants(1000)).await.unwrap().claimed));
    assert_eq!(all.iter().collect::<HashSet<_>>(), ids.iter().collect::<HashSet<_>>());
}

pub async fn an_idle_claim_writes_nothing(site: Site) {
    let now = site.now().await.unwrap();
    let mut later = make::admission(now);
    later.job.due_at = now + Duration::hours(1);
    site.admit_one(later).await;
    let watch = site.raw.watch().await;
    for _ in 0..5 {
        assert!(site.claim(LeaseId::new(), &wants(10)).await.unwrap().claimed.is_empty());
        assert!(site.claim_suspect(LeaseId::new(), Stage::ALL).await.unwrap().is_none());
        assert_eq!(site.rescue().await.unwrap(), 0);
        assert!(site.claim_webhooks(10, std::time::Duration::from_secs(5)).await.unwrap().is_empty());
    }
    assert!(!site.raw.has_written(watch).await);
    site.admit_many(1).await;
    let watch = site.raw.watch().await;
    assert_eq!(site.claim(LeaseId::new(), &wants(10)).await.unwrap().claimed.len(), 1);
    assert!(site.raw.has_written(watch).await, "the watch itself works");
}

pub async fn released_jobs_are_due_again(site: Site) {
    let ids = site.admit_many(3).await;
    let lease = LeaseId::new();
    let claimed = site.claim(lease, &wants(10)).await.unwrap().claimed;
    let held: Vec<Held> = claimed.iter().map(held).collect();
    assert_eq!(by_application(site.held_by(lease).await.unwrap()), by_application(held.clone()));
    site.release(lease, &held[..2]).await.unwrap();
    site.release(lease, &[]).await.unwrap();
    assert_eq!(site.held_by(lease).await.unwrap(), held[2..]);
    let again = site.claim(LeaseId::new(), &wants(10)).await.unwrap().claimed;
    assert_eq!(again.len(), 2);
    for claim in again {
        assert_eq!((claim.job.fence, claim.job.attempts, claim.job.crashes), (2, 0, 0));
        assert!(ids.contains(&claim.application.id));
    }
}

pub async fn what_is_put_off_is_due_later(site: Site) {
    site.admit_many(1).await;
    let (lease, wait) = (LeaseId::new(), std::time::Duration::from_secs(3600));
    let held = held(&site.claim(lease, &wants(1)).await.unwrap().claimed[0]);
    site.put_off(lease, &[Held { fence: held.fence - 1, ..held }], wait).await.unwrap();
    assert_eq!(site.held_by(lease).await.unwrap(), [held]);
    let before = site.now().await.unwrap();
    site.put_off(lease, &[held], wait).await.unwrap();
    let after = site.now().await.unwrap();
    assert_eq!(site.held_by(lease).await.unwrap(), []);
    assert!(site.claim(LeaseId::new(), &wants(1)).await.unwrap().claimed.is_empty());
    let job = site.application(held.application_id).await.unwrap().unwrap().jobs[0].clone();
    assert!(before + Duration::hours(1) <= job.due_at && job.due_at <= after + Duration::hours(1));
    assert_eq!((job.attempts, job.crashes, job.fence), (0, 0, held.fence));
}

pub async fn only_the_holder_releases(site: Site) {
    site.admit_many(1).await;
    let lease = LeaseId::new();
    let claimed = site.claim(lease, &wants(1)).await.unwrap().claimed;
    let held = held(&claimed[0]);
    site.release(LeaseId::new(), &[held]).await.unwrap();
    site.release(lease, &[Held { fence: held.fence - 1, ..held }]).await.unwrap();
    site.release(lease, &[Held { slot: Slot::Sms, ..held }]).await.unwrap();
    assert_eq!(site.held_by(lease).await.unwrap(), [held]);
    assert_eq!(site.held_by(LeaseId::new()).await.unwrap(), []);
}

pub async fn suspects_run_alone(site: Site) {
    let now = site.now().await.unwrap();
    let mut once = make::admission(now);
    once.job.crashes = 1;
    let mut suspect = make::admission(now);
    suspect.job.crashes = 2;
    let mut later = make::admission(now);
    later.job.crashes = 3;
    later.job.due_at = now + Duration::hours(1);
    site.admit(&[once.clone(), suspect.clone(), later]).await.unwrap();
    let lease = LeaseId::new();
    let batch = site.claim(lease, &wants(10)).await.unwrap();
    assert_eq!(applications(&batch.claimed), [once.application.id]);
    assert!(batch.suspects);
    assert!(site.claim_suspect(lease, &[Stage::Generation]).await.unwrap().is_none());
    let claimed = site.claim_suspect(lease, Stage::ALL).await.unwrap().unwrap();
    assert_eq!((claimed.application.id, claimed.job.fence, claimed.job.crashes), (suspect.application.id, 1, 2));
    assert_eq!(claimed.job.lease, Some(lease));
    assert!(site.claim_suspect(lease, Stage::ALL).await.unwrap().is_none());
    assert!(!site.claim(lease, &wants(10)).await.unwrap().suspects, "a suspect that is not due is none to wait for");
}

pub async fn says_when_the_next_is_due(site: Site) {
    let now = site.now().await.unwrap();
    assert_eq!(site.next_due(Stage::ALL).await.unwrap(), None);
    let mut first = make::admission(now);
    first.job.due_at = now + Duration::minutes(5);
    first.job.priority = -3;
    let mut second = make::admission(now);
    second.job.due_at = now + Duration::minutes(9);
    let mut taken = make::admission(now);
    taken.job.lease = Some(LeaseId::new());
    site.admit(&[second, first.clone(), taken]).await.unwrap();
    assert_eq!(site.next_due(Stage::ALL).await.unwrap(), Some(first.job.due_at));
    assert_eq!(site.next_due(&[Stage::Generation]).await.unwrap(), None);
    assert_eq!(site.next_due(&[]).await.unwrap(), None);
}

pub fn held(claim: &Claimed) -> Held {
    Held { application_id: claim.application.id, slot: claim.job.slot, fence: claim.job.fence }
}

fn by_application(mut held: Vec<Held>) -> Vec<Held> {
    held.sort_by_key(|held| held.application_id);
    held
}

fn applications(claimed: &[Claimed]) -> Vec<ApplicationId> {
    claimed.iter().map(|claim| claim.application.id).collect()
}

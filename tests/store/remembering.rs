//! Plans made from remembered states: written if nobody was faster, and otherwise not at all.

use std::sync::Arc;

use chrono::Duration;
use greenlane::{
    domain::{
        application::Status,
        ids::{ApplicationId, LeaseId},
        plan::AlertKind,
        review::ReviewState,
    },
    store::types::{Snapshot, Write},
};

use crate::{
    make,
    site::{Site, wants},
};

/// What a process that holds the only job of each application remembers of them.
async fn claimed(site: &Site, lease: LeaseId, count: usize) -> Vec<Snapshot> {
    site.admit_many(count).await;
    let claimed = site.claim(lease, &wants(count)).await.unwrap().claimed;
    assert_eq!(claimed.len(), count);
    claimed
        .into_iter()
        .map(|claimed| Snapshot { application: claimed.application, jobs: vec![claimed.job], review: None })
        .collect()
}

/// The planner's part: a further event, a further revision, the next fence.
pub async fn advanced(site: &Site, before: &Snapshot) -> Write {
    let now = site.now().await.unwrap();
    let mut write = make::unchanged(before.clone());
    write.after_mut().application.revision += 1;
    write.after_mut().application.upstream_ref = Some(format!("r-{}", write.after.application.revision));
    for job in &mut write.after_mut().jobs {
        job.fence += 1;
    }
    make::append(&mut write, "stage_completed", now);
    write
}

async fn stored(site: &Site, id: ApplicationId) -> (i64, i64, usize) {
    let view = site.view(id).await;
    (view.application.revision, view.jobs.iter().map(|job| job.fence).sum(), site.events(id).await.unwrap().len())
}

pub async fn a_remembered_state_is_written_again_and_again(site: Site) {
    let states = claimed(&site, LeaseId::new(), 3).await;
    let ids: Vec<ApplicationId> = states.iter().map(|state| state.application.id).collect();
    let mut states = states;
    for step in 1..=3 {
        let mut writes = Vec::new();
        for state in &states {
            writes.push(advanced(&site, state).await);
        }
        assert!(site.commit_known(&writes).await.unwrap());
        states = writes.into_iter().map(|write| Arc::unwrap_or_clone(write.after)).collect();
        for id in &ids {
            assert_eq!(stored(&site, *id).await, (step, 1 + step, 1 + usize::try_from(step).unwrap()));
        }
    }
    for state in &states {
        assert_eq!(site.view(state.application.id).await.application, state.application);
    }
}

pub async fn everything_that_a_plan_has_is_written(site: Site) {
    let state = claimed(&site, LeaseId::new(), 1).await.remove(0);
    let id = state.application.id;
    let now = site.now().await.unwrap();
    let mut write = advanced(&site, &state).await;
    let review = make::review(id, Some(now + Duration::hours(3)));
    write.after_mut().application.review_id = Some(review.id);
    write.after_mut().application.status = Status::InReview;
    write.after_mut().jobs.clear();
    write.after_mut().review = Some(review.clone());
    write.webhooks.push(make::webhook(&write.after.application, now));
    write.licence = Some(make::licence("C1"));
    write.note = Some(make::sealed("looks fine"));
    write.alerts.push(AlertKind::DeadlineWarned.into());
    assert!(site.commit_known(std::slice::from_ref(&write)).await.unwrap());

    assert_eq!(stored(&site, id).await, (1, 0, 2));
    assert_eq!(site.review(review.id).await.unwrap().map(|review| review.state), Some(ReviewState::Open));
    assert_eq!(site.claim_webhooks(10, std::time::Duration::from_secs(9)).await.unwrap().len(), 1);
    assert!(site.current_licence(&state.application.holder).await.unwrap().is_some());
    assert_eq!(site.unmailed_alerts(10).await.unwrap().len(), 1);
    let counts = site.status_counts().await.unwrap();
    assert_eq!((counts.len(), counts[0].status, counts[0].count), (1, Status::InReview, 1));
}

pub async fn an_outdated_state_writes_nothing(site: Site) {
    let states = claimed(&site, LeaseId::new(), 3).await;
    let mut writes = Vec::new();
    for state in &states {
        writes.push(advanced(&site, state).await);
    }
    // Somebody else changes one of them; nothing else tells its state from the remembered one.
    let other = states[1].application.id;
    site.change(&[other], |write| write.after_mut().application.revision += 1).await;
    assert!(!site.commit_known(&writes).await.unwrap());
    for state in &states {
        let revision = i64::from(state.application.id == other);
        assert_eq!(stored(&site, state.application.id).await, (revision, 1, 1));
    }
    writes.remove(1);
    assert!(site.commit_known(&writes).await.unwrap(), "the others were not harmed");
    assert!(!site.commit_known(&writes).await.unwrap(), "but not twice");
    assert_eq!(stored(&site, states[0].application.id).await, (1, 2, 2));
}

pub async fn an_old_lease_or_fence_writes_nothing(site: Site) {
    let dead = LeaseId::new();
    let state = claimed(&site, dead, 1).await.remove(0);
    let id = state.application.id;
    let write = advanced(&site, &state).await;
    assert_eq!(site.rescue().await.unwrap(), 1, "no process has that lease");
    assert!(!site.commit_known(std::slice::from_ref(&write)).await.unwrap(), "the lease is gone");
    site.claim(LeaseId::new(), &wants(1)).await.unwrap();
    assert!(!site.commit_known(std::slice::from_ref(&write)).await.unwrap(), "somebody else has it");
    let mut gone = write;
    gone.after_mut().jobs.clear();
    assert!(!site.commit_known(&[gone]).await.unwrap(), "nor is it taken away");
    assert_eq!(stored(&site, id).await, (0, 2, 1));
}

pub async fn an_unknown_application_writes_nothing(site: Site) {
    let mut state = claimed(&site, LeaseId::new(), 1).await.remove(0);
    state.application.id = ApplicationId::new();
    let write = advanced(&site, &state).await;
    assert!(!site.commit_known(&[write]).await.unwrap());
    assert!(site.commit_known(&[]).await.unwrap(), "nothing is always up to date");
}

pub async fn concurrent_plans_of_one_state_are_written_once(site: Site) {
    let state = claimed(&site, LeaseId::new(), 1).await.remove(0);
    let write = advanced(&site, &state).await;
    let tries = (0..8).map(|_| site.commit_known(std::slice::from_ref(&write)));
    let written = futures::future::try_join_all(tries).await.unwrap();
    assert_eq!(written.iter().filter(|written| **written).count(), 1);
    assert_eq!(stored(&site, state.application.id).await, (1, 2, 2));
}

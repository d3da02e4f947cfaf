use std::collections::HashSet;

use greenlane::{
    domain::{
        application::Status,
        ids::{ApplicationId, LeaseId},
        stage::Stage,
    },
    store::types::{Admission, Admitted, StatusCount},
};

use crate::{
    make,
    site::{Site, wants},
};

pub async fn stores_everything_at_once(site: Site) {
    let now = site.now().await.unwrap();
    let mut waiting = make::admission(now);
    waiting.application.upstream_ref = Some("X-1".to_owned());
    let mut leased = make::admission(now);
    leased.job.lease = Some(LeaseId::new());
    leased.job.fence = 1;
    let batch = [waiting, leased];
    assert_eq!(site.admit(&batch).await.unwrap(), [Admitted::Created, Admitted::Created]);
    assert_eq!(site.admit(&[]).await.unwrap(), []);

    for new in &batch {
        let view = site.view(new.application.id).await;
        assert_eq!(view.application, new.application);
        assert_eq!(view.jobs, std::slice::from_ref(&new.job));
        assert_eq!(view.applicant, new.applicant);
        assert_eq!(site.events(new.application.id).await.unwrap(), new.events);
        let by_key = site.by_key("upstream", &new.idempotency_key).await.unwrap();
        assert_eq!(by_key, Some((new.application.id, new.request_hash.clone())));
    }
    let counts = site.status_counts().await.unwrap();
    assert_eq!(counts, [StatusCount { status: Status::InProgress, stage: Some(Stage::Eligibility), count: 2 }]);
    let claimed = site.claim(LeaseId::new(), &wants(10)).await.unwrap().claimed;
    assert_eq!(claimed.iter().map(|claim| claim.application.id).collect::<Vec<_>>(), [batch[0].application.id]);
    assert!(site.application(ApplicationId::new()).await.unwrap().is_none());
    assert!(site.by_key("upstream", "another").await.unwrap().is_none());
}

pub async fn a_repeated_request_is_replayed(site: Site) {
    let now = site.now().await.unwrap();
    let first = make::admission(now);
    let id = site.admit_one(first.clone()).await;
    // The retry comes with an id of its own and of the same, still open holder.
    assert_eq!(site.admit(&[again(&first)]).await.unwrap(), [Admitted::Replayed(id)]);
    site.change(&[id], |write| write.after_mut().application.status = Status::Issued).await;
    assert_eq!(site.admit(&[again(&first)]).await.unwrap(), [Admitted::Replayed(id)]);
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, 1);
    assert_eq!(site.events(id).await.unwrap().len(), 1);
}

pub async fn a_key_with_another_body_is_refused(site: Site) {
    let first = make::admission(site.now().await.unwrap());
    site.admit_one(first.clone()).await;
    let mut other = again(&first);
    other.request_hash = "2".repeat(64);
    other.application.holder = "somebody else".to_owned();
    assert_eq!(site.admit(&[other]).await.unwrap(), [Admitted::KeyReused]);
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, 1);
}

pub async fn keys_belong_to_owners(site: Site) {
    let now = site.now().await.unwrap();
    let first = make::admission(now);
    let mut other = make::admission(now);
    other.idempotency_key.clone_from(&first.idempotency_key);
    other.application.owner = "another upstream".to_owned();
    assert_eq!(site.admit(&[first, other]).await.unwrap(), [Admitted::Created, Admitted::Created]);
}

pub async fn a_second_open_application_is_refused(site: Site) {
    let now = site.now().await.unwrap();
    let first = make::admission(now);
    let id = site.admit_one(first.clone()).await;
    let mut second = make::admission(now);
    second.application.holder.clone_from(&first.application.holder);
    assert_eq!(site.admit(std::slice::from_ref(&second)).await.unwrap(), [Admitted::InProgress]);
    assert!(
        site.by_key("upstream", &second.idempotency_key).await.unwrap().is_none(),
        "a refused request uses up no key"
    );

    site.change(&[id], |write| write.after_mut().application.status = Status::Cancelled).await;
    assert_eq!(site.admit(&[second]).await.unwrap(), [Admitted::Created]);
}

pub async fn duplicates_within_a_batch(site: Site) {
    let now = site.now().await.unwrap();
    let first = make::admission(now);
    let mut other_body = again(&first);
    other_body.request_hash = "2".repeat(64);
    let mut same_holder = make::admission(now);
    same_holder.application.holder.clone_from(&first.application.holder);
    let id = first.application.id;
    let batch =
        [first.clone(), again(&first), other_body, same_holder.clone(), make::admission(now), again(&same_holder)];
    let expected = [
        Admitted::Created,
        Admitted::Replayed(id),
        Admitted::KeyReused,
        Admitted::InProgress,
        Admitted::Created,
        Admitted::InProgress,
    ];
    assert_eq!(site.admit(&batch).await.unwrap(), expected);
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, 2);
    assert_eq!(site.raw.number("SELECT count(*) FROM jobs").await, 2);
    assert_eq!(site.raw.number("SELECT CAST(sum(count) AS BIGINT) FROM counters").await, 2);
}

pub async fn concurrent_requests_with_one_key(site: Site) {
    let first = make::admission(site.now().await.unwrap());
    let requests: Vec<Vec<Admission>> = (0..32).map(|_| vec![again(&first)]).collect();
    let answers = all_at_once(&site, &requests).await;
    let created: Vec<ApplicationId> = created(&requests, &answers);
    assert_eq!(created.len(), 1, "{answers:?}");
    assert_eq!(answers.iter().flatten().filter(|answer| **answer == Admitted::Replayed(created[0])).count(), 31);
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, 1);
}

pub async fn concurrent_requests_of_one_holder(site: Site) {
    let now = site.now().await.unwrap();
    let request = || {
        let mut new = make::admission(now);
        new.application.holder = "one holder".to_owned();
        vec![new]
    };
    let requests: Vec<Vec<Admission>> = (0..32).map(|_| request()).collect();
    let answers = all_at_once(&site, &requests).await;
    assert_eq!(created(&requests, &answers).len(), 1, "{answers:?}");
    assert_eq!(answers.iter().flatten().filter(|answer| **answer == Admitted::InProgress).count(), 31);
    let open = site.raw.number("SELECT count(*) FROM applications WHERE holder = 'one holder'").await;
    assert_eq!(open, 1);
}

pub async fn concurrent_batches_in_any_order(site: Site) {
    let now = site.now().await.unwrap();
    let batch: Vec<Admission> = (0..20).map(|_| make::admission(now)).collect();
    let reversed: Vec<Admission> = batch.iter().rev().map(again).collect();
    let requests: Vec<Vec<Admission>> = (0..8)
        .map(|n| if n % 2 == 0 { batch.iter().map(again).collect() } else { reversed.iter().map(again).collect() })
        .collect();
    let answers = all_at_once(&site, &requests).await;
    let created: HashSet<ApplicationId> = created(&requests, &answers).into_iter().collect();
    assert_eq!(created.len(), 20);
    for answer in answers.iter().flatten() {
        match answer {
            Admitted::Created => {}
            Admitted::Replayed(id) => assert!(created.contains(id)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(site.raw.number("SELECT CAST(sum(count) AS BIGINT) FROM counters").await, 20);
    assert_eq!(site.raw.number("SELECT count(*) FROM events").await, 20);
}

/// The same request, which got an application id of its own.
fn again(first: &Admission) -> Admission {
    let mut again = first.clone();
    again.application.id = ApplicationId::new();
    for event in &mut again.events {
        event.application_id = again.application.id;
    }
    again
}

async fn all_at_once(site: &Site, requests: &[Vec<Admission>]) -> Vec<Vec<Admitted>> {
    let running: Vec<_> = requests
        .iter()
        .map(|request| {
            let (store, request) = (site.store.clone(), request.clone());
            tokio::spawn(async move { store.admit(&request).await.unwrap() })
        })
        .collect();
    let mut answers = Vec::new();
    for answer in running {
        answers.push(answer.await.unwrap());
    }
    answers
}

fn created(requests: &[Vec<Admission>], answers: &[Vec<Admitted>]) -> Vec<ApplicationId> {
    let pairs = requests.iter().flatten().zip(answers.iter().flatten());
    pairs.filter(|(_, answer)| **answer == Admitted::Created).map(|(request, _)| request.application.id).collect()
}

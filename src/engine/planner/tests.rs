//! Batches planned on states as the store would load them.

use std::time::Duration;

use futures::FutureExt;

use super::*;
use crate::{
    domain::{
        application::{Kind, OutcomeCode, Status},
        audit::{ChainEvent, hash},
        cause::ReviewAct,
        decision::{Decision, Failure, Finding, Rejection},
        event::{Actor, ActorKind},
        ids::{LeaseId, PhotoId},
        job::Slot,
        stage::{Stage, outcome},
        workflow::WorkflowId,
    },
    engine::{
        fixture::{Site, applicant},
        places::Places,
    },
    store::types::StoredEvent,
};

/// A process with one place for each stage.
async fn site() -> Site {
    Site::with(Places::new(Stage::ALL.iter().map(|stage| (*stage, 1)))).await
}

/// A fresh application that wants webhooks, its first job leased.
async fn leased(site: &Site) -> Snapshot {
    let mut application = site.admit(1).await;
    application.callback_url = Some("https://upstream.example/hooks/1".to_owned());
    let now = site.engine.shared.clock.now();
    let job = Job::due(Slot::Main, Stage::Eligibility, now, 1, 0);
    Snapshot { application, jobs: vec![Job { lease: Some(LeaseId::new()), ..job }], review: None }
}

fn item(snapshot: &Snapshot, cause: Cause) -> Item {
    Item { application: snapshot.application.id, cause, note: None, applicant: None, began: None }
}

/// The first job ran; the run knows the applicant.
fn ran(snapshot: &Snapshot, decision: Decision) -> Item {
    let cause = Cause::Ran { slot: Slot::Main, fence: 1, decision };
    Item { applicant: Some(Arc::new(applicant(1))), ..item(snapshot, cause) }
}

fn eligible() -> Decision {
    Decision::Advance { outcome: outcome::ELIGIBLE, finding: Finding::Nothing }
}

fn rejected() -> Decision {
    Decision::Reject(Rejection::new(OutcomeCode::NotFiled, "the licence is not filed"))
}

fn cancel() -> Cause {
    Cause::Cancel { actor: Actor::new(ActorKind::Upstream, "upstream"), reason: "no longer wanted".to_owned() }
}

fn viewed() -> Cause {
    Cause::PhotoViewed { actor: Actor::new(ActorKind::Reviewer, "r-1"), photo: Some(PhotoId::new()) }
}

fn one(mut writes: Vec<Write>) -> Write {
    assert_eq!(writes.len(), 1);
    writes.pop().unwrap()
}

/// Each event links to the one before.
fn assert_chained(write: &Write) {
    let mut head = write.before.application.chain.clone();
    for event in &write.events {
        let StoredEvent { application_id, seq, at, ref kind, ref actor, ref stage, ref data, .. } = *event;
        assert_eq!((seq, &event.prev_hash), (head.seq + 1, &head.hash));
        let chained = ChainEvent { application_id, seq, at, kind, actor, stage: stage.as_deref(), data };
        assert_eq!(event.hash, hash(&chained, &head.hash));
        (head.seq, head.hash) = (seq, event.hash.clone());
    }
    assert_eq!(write.after.application.chain, head);
}

fn answers(planner: BatchPlanner<'_>) -> Vec<Answer> {
    planner.committed().into_iter().map(Result::unwrap).collect()
}

fn kinds(write: &Write) -> Vec<&str> {
    write.events.iter().map(|event| event.kind.as_str()).collect()
}

#[tokio::test]
async fn two_causes_of_one_application_are_one_write_with_one_chain() {
    let site = site().await;
    let snapshot = leased(&site).await;
    let items =
        [item(&snapshot, viewed()), ran(&snapshot, eligible()), item(&snapshot, cancel()), item(&snapshot, cancel())];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot.clone()]));
    assert_eq!(kinds(&write), ["photo_viewed", "stage_completed", "cancelled"]);
    assert_chained(&write);
    assert_eq!((&*write.before, write.after.jobs.len()), (&snapshot, 0));
    assert_eq!(write.webhooks.iter().map(|hook| hook.application.status).collect::<Vec<_>>(), [Status::Cancelled]);

    let answers = answers(planner);
    let [Answer::Done(first), Answer::Done(second), Answer::Done(third), Answer::Refused(refusal, fourth)] =
        &answers[..]
    else {
        unreachable!("{answers:?}")
    };
    assert_eq!(refusal, &Refusal::Nothing, "cancelled twice");
    // Every answer tells the state after the whole batch.
    for answer in [first, second, third, fourth] {
        assert_eq!(*answer, write.after);
    }
}

#[tokio::test]
async fn the_applications_of_a_batch_do_not_mix() {
    let site = site().await;
    let first = leased(&site).await;
    let second = Snapshot { application: site.admit(2).await, ..first.clone() };
    let items = [item(&first, viewed()), item(&second, cancel()), item(&first, viewed())];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    // In another order than asked for.
    let writes = planner.plan(vec![second.clone(), first.clone()]);
    writes.iter().for_each(assert_chained);
    let events: Vec<_> = writes.iter().map(|write| (write.after.application.id, write.events.len())).collect();
    assert_eq!(events, [(second.application.id, 1), (first.application.id, 2)]);
    let ids: Vec<_> = answers(planner).into_iter().map(state).map(|state| state.unwrap().application.id).collect();
    assert_eq!(ids, items.map(|item| item.application));
}

fn state(answer: Answer) -> Option<Snapshot> {
    match answer {
        Answer::Done(state) | Answer::Refused(_, state) => Some(Arc::unwrap_or_clone(state)),
        Answer::NotFound => None,
    }
}

#[tokio::test]
async fn a_refused_cause_writes_nothing() {
    let site = site().await;
    let snapshot = leased(&site).await;
    let late = Cause::Ran { slot: Slot::Main, fence: 0, decision: eligible() };
    let items = [item(&snapshot, late), item(&snapshot, Cause::ReviewClock)];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    assert!(planner.plan(vec![snapshot.clone()]).is_empty());
    let answers = answers(planner);
    assert!(matches!(&answers[..], [Answer::Refused(Refusal::Fenced, _), Answer::Refused(Refusal::Nothing, _)]));
    assert!(answers.into_iter().all(|answer| state(answer).as_ref() == Some(&snapshot)));
}

#[tokio::test]
async fn an_application_that_does_not_exist_is_not_found() {
    let site = site().await;
    let snapshot = leased(&site).await;
    let items = [item(&snapshot, viewed())];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    assert!(planner.plan(vec![]).is_empty());
    assert!(matches!(answers(planner)[..], [Answer::NotFound]));
}

#[tokio::test]
async fn a_version_that_is_not_known_changes_nothing() {
    let site = site().await;
    let mut snapshot = leased(&site).await;
    snapshot.application.workflow = WorkflowId::new("first_issue", 99);
    let items = [ran(&snapshot, eligible())];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    assert!(planner.plan(vec![snapshot]).is_empty());
}

#[tokio::test]
async fn what_follows_a_run_is_leased_and_handed_to_its_worker() {
    let site = site().await;
    let shared = &site.engine.shared;
    let mut runs = shared.dispatcher.open(Stage::FaceVerification);
    let snapshot = leased(&site).await;
    let items = [ran(&snapshot, eligible())];
    let mut planner = BatchPlanner::new(shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot]));
    let job = write.after.job(Slot::Main).unwrap();
    assert_eq!((job.stage, job.lease, job.fence), (Stage::FaceVerification, Some(shared.lease), 2));
    assert!(runs.try_recv().is_err() && shared.ledger.is_empty(), "not before the commit");

    answers(planner);
    let run = runs.try_recv().unwrap();
    assert_eq!((run.job(), run.application()), (job, &write.after.application));
    assert_eq!((shared.ledger.len(), shared.places.taken(Stage::FaceVerification)), (1, 1));
    assert!(shared.jobs.notified().now_or_never().is_none(), "nobody else needs to look");
    drop(run);
    assert_eq!((shared.ledger.len(), shared.places.taken(Stage::FaceVerification)), (0, 0));
}

#[tokio::test]
async fn both_notices_follow_a_decision() {
    let site = Site::with(Places::new([(Stage::Notification, 2)])).await;
    let shared = &site.engine.shared;
    let snapshot = leased(&site).await;
    let items = [ran(&snapshot, rejected())];
    let mut planner = BatchPlanner::new(shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot]));
    let leased: Vec<_> = write.after.jobs.iter().map(|job| (job.slot, job.lease, job.fence)).collect();
    assert_eq!(leased, [(Slot::Sms, Some(shared.lease), 2), (Slot::App, Some(shared.lease), 2)]);
    assert_eq!(write.webhooks.len(), 1);
    answers(planner);
    assert!(shared.webhooks.notified().now_or_never().is_some());
}

/// Plans that the first stage passed, commits, and tells whether the next job was leased.
async fn continues(site: &Site, snapshot: Snapshot, item: Item) -> bool {
    let shared = &site.engine.shared;
    let items = [item];
    let mut planner = BatchPlanner::new(shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot]));
    let job = write.after.job(Slot::Main).unwrap();
    assert_eq!(job.fence, if job.lease.is_some() { 2 } else { 1 });
    let leased = job.lease.is_some();
    answers(planner);
    assert_eq!(shared.jobs.notified().now_or_never().is_some(), !leased, "what nobody holds is announced");
    leased
}

#[tokio::test]
async fn nothing_is_leased_without_a_place_or_an_applicant() {
    let site = site().await;
    let shared = &site.engine.shared;
    let snapshot = leased(&site).await;
    let passed = || ran(&snapshot, eligible());
    assert!(continues(&site, snapshot.clone(), passed()).await);
    // A cause from outside does not know the applicant.
    assert!(!continues(&site, snapshot.clone(), Item { applicant: None, ..passed() }).await);
    let places: Vec<_> = std::iter::from_fn(|| shared.places.take(Stage::FaceVerification)).collect();
    assert!(!continues(&site, snapshot.clone(), passed()).await);
    drop(places);
    shared.places.set_paused(vec![Stage::FaceVerification]);
    assert!(!continues(&site, snapshot.clone(), passed()).await);
    shared.places.set_paused(vec![Stage::Generation]);
    assert!(continues(&site, snapshot.clone(), passed()).await);
    shared.places.close();
    assert!(!continues(&site, snapshot.clone(), passed()).await);
}

#[tokio::test]
async fn what_waits_is_not_leased() {
    let site = site().await;
    let snapshot = leased(&site).await;
    let later = Decision::Retry { after: Some(Duration::from_secs(60)), error: Failure::new("http_503", "no") };
    let items = [ran(&snapshot, later)];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot]));
    assert_eq!(write.after.job(Slot::Main).unwrap().lease, None);
    answers(planner);
    assert!(site.engine.shared.jobs.notified().now_or_never().is_none(), "nobody can start it now");
}

/// A job of the table that the batch does not touch stays as it is.
#[tokio::test]
async fn what_another_may_hold_is_left_alone() {
    let site = site().await;
    let mut snapshot = leased(&site).await;
    snapshot.jobs.iter_mut().for_each(|job| job.lease = None);
    let items = [Item { applicant: Some(Arc::new(applicant(1))), ..item(&snapshot, viewed()) }];
    let mut planner = BatchPlanner::new(&site.engine.shared, items.to_vec());
    let write = one(planner.plan(vec![snapshot.clone()]));
    assert_eq!(write.after.jobs, snapshot.jobs);
}

#[tokio::test]
async fn a_repeated_transaction_plans_the_same_and_leaks_no_place() {
    let site = site().await;
    let shared = &site.engine.shared;
    let snapshot = leased(&site).await;
    let items = [ran(&snapshot, eligible()), item(&snapshot, viewed()), item(&snapshot, Cause::ReviewClock)];
    let mut planner = BatchPlanner::new(shared, items.to_vec());
    let first = one(planner.plan(vec![snapshot.clone()]));
    assert_eq!(shared.places.taken(Stage::FaceVerification), 1);
    let second = one(planner.plan(vec![snapshot.clone()]));
    assert_eq!(shared.places.taken(Stage::FaceVerification), 1, "the place of the first plan is taken again");
    assert_eq!(kinds(&first), kinds(&second));
    assert_chained(&second);
    let jobs = |write: &Write| write.after.jobs.iter().map(|job| (job.stage, job.lease, job.fence)).collect::<Vec<_>>();
    assert_eq!(jobs(&first), jobs(&second));
    // Another process was faster: the repeated transaction finds another fence.
    let mut taken = snapshot.clone();
    taken.jobs.iter_mut().for_each(|job| job.fence = 2);
    let third = one(planner.plan(vec![taken.clone()]));
    assert_eq!((kinds(&third), shared.places.taken(Stage::FaceVerification)), (vec!["photo_viewed"], 0));
    let answers = answers(planner);
    assert!(matches!(&answers[..], [Answer::Refused(Refusal::Fenced, _), Answer::Done(_), Answer::Refused(..)]));

    // A transaction that never commits gives its places back.
    let mut planner = BatchPlanner::new(shared, items.to_vec());
    planner.plan(vec![snapshot]);
    assert_eq!(shared.places.taken(Stage::FaceVerification), 1);
    drop(planner);
    assert_eq!((shared.places.taken(Stage::FaceVerification), shared.ledger.len()), (0, 0));
}

#[tokio::test]
async fn a_run_and_a_cancel_in_one_batch_leave_no_job() {
    let site = site().await;
    let shared = &site.engine.shared;
    let snapshot = leased(&site).await;
    assert_eq!(snapshot.application.kind, Kind::FirstIssue);
    for items in [
        [ran(&snapshot, eligible()), item(&snapshot, cancel())],
        [item(&snapshot, cancel()), ran(&snapshot, eligible())],
    ] {
        let mut planner = BatchPlanner::new(shared, items.to_vec());
        let write = one(planner.plan(vec![snapshot.clone()]));
        assert_eq!((write.after.application.status, write.after.jobs.len()), (Status::Cancelled, 0));
        answers(planner);
        assert_eq!((shared.places.taken(Stage::FaceVerification), shared.ledger.len()), (0, 0));
    }
}

/// The `fence`th run of the main job.
fn ran_under(snapshot: &Snapshot, fence: i64, outcome: &'static str) -> Item {
    let decision = Decision::Advance { outcome, finding: Finding::Nothing };
    Item { cause: Cause::Ran { slot: Slot::Main, fence, decision }, ..ran(snapshot, eligible()) }
}

#[tokio::test]
async fn what_only_asks_begins_on_the_plan_and_its_answer_joins_it() {
    let site = site().await;
    let shared = &site.engine.shared;
    let mut faces = shared.dispatcher.open(Stage::FaceVerification);
    let mut generations = shared.dispatcher.open(Stage::Generation);
    let snapshot = leased(&site).await;
    let mut planner = BatchPlanner::new(shared, Vec::new());
    planner.plan_ahead(ran(&snapshot, eligible()), || Some(Arc::new(snapshot.clone()))).unwrap();
    let face = faces.try_recv().unwrap();
    assert_eq!((face.job().fence, face.application().stage), (2, Some(Stage::FaceVerification)));
    planner.plan_ahead(ran_under(&snapshot, 2, outcome::PASSED), || unreachable!("it is planned already")).unwrap();
    let generation = generations.try_recv().unwrap();
    assert_eq!(planner.planned(snapshot.application.id).unwrap().application, *generation.application());

    let write = one(planner.writes().to_vec());
    assert_eq!(kinds(&write), ["stage_completed", "stage_completed", "deadline_set", "stage_completed"]);
    assert_chained(&write);
    assert_eq!((&*write.before, write.after.application.revision), (&snapshot, snapshot.application.revision + 1));
    let job = write.after.job(Slot::Main).unwrap();
    assert_eq!((job, job.stage, job.fence), (generation.job(), Stage::Generation, 3));
    assert!(answers(planner).iter().all(|answer| matches!(answer, Answer::Done(_))));
    assert!(faces.try_recv().is_err() && generations.try_recv().is_err(), "each began once");
}

#[tokio::test]
async fn what_has_effects_or_killed_its_process_begins_after_the_commit() {
    let site = Site::with(Places::new(Stage::ALL.iter().map(|stage| (*stage, 2)))).await;
    let shared = &site.engine.shared;
    let mut notices = shared.dispatcher.open(Stage::Notification);
    let mut faces = shared.dispatcher.open(Stage::FaceVerification);
    let snapshot = leased(&site).await;
    let mut planner = BatchPlanner::new(shared, Vec::new());
    planner.plan_ahead(ran(&snapshot, rejected()), || Some(Arc::new(snapshot.clone()))).unwrap();
    assert!(notices.try_recv().is_err());
    answers(planner);
    assert!(notices.try_recv().is_ok() && notices.try_recv().is_ok());

    let mut suspicious = snapshot.clone();
    suspicious.jobs.iter_mut().for_each(|job| job.crashes = 1);
    let mut planner = BatchPlanner::new(shared, Vec::new());
    planner.plan_ahead(ran(&snapshot, eligible()), || Some(Arc::new(suspicious))).unwrap();
    assert!(faces.try_recv().is_err());
    answers(planner);
    assert!(faces.try_recv().is_ok());
}

#[tokio::test]
async fn only_what_is_remembered_and_needs_no_count_is_planned_ahead() {
    let site = site().await;
    let shared = &site.engine.shared;
    let snapshot = leased(&site).await;
    let mut planner = BatchPlanner::new(shared, Vec::new());
    assert!(planner.plan_ahead(ran(&snapshot, eligible()), || None).is_err());
    let mut strange = snapshot.clone();
    strange.application.workflow = WorkflowId::new("first_issue", 99);
    assert!(planner.plan_ahead(ran(&snapshot, eligible()), || Some(Arc::new(strange))).is_err());
    let act =
        ReviewAct::Claim { reviewer: "li".to_owned(), supervisor: false, document: None, token_hash: String::new() };
    let claim = Cause::Review { review: ReviewId::new(), act };
    assert!(planner.plan_ahead(item(&snapshot, claim), || Some(Arc::new(snapshot.clone()))).is_err());
    assert!(planner.writes().is_empty());

    planner.plan_ahead(item(&snapshot, cancel()), || Some(Arc::new(snapshot.clone()))).unwrap();
    assert!(planner.plan_ahead(item(&snapshot, cancel()), || None).is_err(), "the first one is not durable yet");
    let write = one(planner.writes().to_vec());
    assert_eq!(kinds(&write), ["cancelled"]);
    assert!(matches!(answers(planner)[..], [Answer::Done(_)]));
}

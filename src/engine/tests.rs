//! A process with workers: what it begins, what it leaves, and what it gives back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use apalis_core::task::{Task, builder::TaskBuilder};
use async_trait::async_trait;
use futures::FutureExt;
use tokio::sync::Semaphore;
use tower::{Layer, Service};

use super::{
    backend::{SoloGate, StageBackend},
    commit::ApplyError,
    fixture::{Site, applicant},
    lease::{Identity, first_beat},
    places::Places,
    run::{Run, StageRunner},
};
use crate::{
    config::EngineConfig,
    domain::{
        application::{Application, Status, WaitReason},
        calendar::BUILT_IN,
        cause::Cause,
        decision::{Decision, Finding},
        event::{Actor, ActorKind},
        ids::ApplicationId,
        job::{Job, Slot},
        plan::Snapshot,
        stage::{Stage, outcome},
        workflow::{Workflow, WorkflowId},
    },
    store::types::{OperatorAction, PinnedWorkflow, QueueLimit, StoredCalendar},
};

const STAGE: Stage = Stage::Eligibility;

/// Passes when it is let go; counts how often it began.
#[derive(Default)]
struct Gated {
    begun: AtomicUsize,
    go: Option<Semaphore>,
}

#[async_trait]
impl StageRunner for Gated {
    fn stage(&self) -> Stage {
        STAGE
    }

    async fn run(&self, _: &Run) -> Decision {
        self.begun.fetch_add(1, Ordering::SeqCst);
        if let Some(go) = &self.go {
            go.acquire().await.unwrap().forget();
        }
        eligible()
    }
}

fn eligible() -> Decision {
    Decision::Advance { outcome: outcome::ELIGIBLE, finding: Finding::Nothing }
}

fn cancel() -> Cause {
    Cause::Cancel { actor: Actor::new(ActorKind::Upstream, "upstream"), reason: "no longer wanted".to_owned() }
}

async fn until(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it never came");
}

fn identity() -> Identity {
    Identity {
        roles: vec!["worker".to_owned()],
        host: "test".to_owned(),
        version: "1".to_owned(),
        breakers: Arc::new(Vec::new),
    }
}

/// A process that runs at most `at_once` of the stage.
async fn working(at_once: usize, stage: &Arc<Gated>) -> Site {
    let site = Site::with(Places::new([(STAGE, at_once)])).await;
    site.engine.start(identity()).await.unwrap();
    site.engine.work(vec![Arc::clone(stage) as Arc<dyn StageRunner>]);
    site
}

async fn stored(site: &Site, id: ApplicationId) -> Application {
    site.store().application(id).await.unwrap().unwrap().application
}

#[tokio::test]
async fn a_drain_ends_what_runs_and_gives_back_what_never_began() {
    let stage = Arc::new(Gated { go: Some(Semaphore::new(0)), ..Gated::default() });
    let site = working(2, &stage).await;
    for number in 0..8 {
        site.admit(number).await;
    }
    until(async || stage.begun.load(Ordering::SeqCst) == 2).await;
    let lease = site.engine.shared.lease;
    assert_eq!(site.store().held_by(lease).await.unwrap().len(), 8, "six wait for their turn");

    let let_go = async {
        until(async || site.engine.shared.places.is_closed()).await;
        stage.go.as_ref().unwrap().add_permits(8);
    };
    tokio::join!(site.engine.drain(), let_go);
    assert_eq!(stage.begun.load(Ordering::SeqCst), 2);
    assert_eq!(site.store().held_by(lease).await.unwrap(), []);
    assert!(site.store().processes().await.unwrap().is_empty());
    assert_eq!(site.store().rescue().await.unwrap(), 0, "nobody crashed");
}

#[test]
fn a_process_is_out_in_time_also_without_a_database() {
    assert!(EngineConfig::default().drain_seconds.duration() + super::GIVE_BACK < Duration::from_secs(25));
}

#[tokio::test]
async fn who_waits_for_the_solo_gate_has_not_begun() {
    let site = Site::with(Places::new([(STAGE, 1)])).await;
    let (shared, application) = (&site.engine.shared, site.admit(1).await);
    let place = Places::new([(STAGE, 1)]).take(STAGE).unwrap();
    let job = Job { fence: 1, ..Job::due(Slot::Main, STAGE, shared.clock.now(), 0, 0) };
    let state = Arc::new(Snapshot { application, jobs: vec![job.clone()], review: None });
    let run = Run::new(state, job, Arc::new(applicant(1)), place, Arc::clone(&shared.ledger));

    let gate = SoloGate::default();
    let suspect = gate.write().await;
    let runs = shared.dispatcher.open(STAGE);
    let backend = StageBackend::new(runs, Arc::clone(shared), site.engine.committer.clone(), Arc::clone(&gate));
    let called = Arc::new(AtomicBool::new(false));
    let inner = tower::service_fn({
        let called = Arc::clone(&called);
        move |_: Task<Run>| {
            called.store(true, Ordering::SeqCst);
            std::future::ready(Ok::<_, std::convert::Infallible>(eligible()))
        }
    });
    let mut service = backend.finish.layer(inner);
    let mut running = service.call(TaskBuilder::new(run).build());
    assert!(running.as_mut().now_or_never().is_none());
    assert!(!called.load(Ordering::SeqCst), "a time limit inside would count from here");
    drop(suspect);
    running.await.unwrap();
    assert!(called.load(Ordering::SeqCst));
}

#[tokio::test]
async fn what_is_above_the_rate_waits_without_an_attempt() {
    let stage = Arc::new(Gated::default());
    let site = working(4, &stage).await;
    let limit = QueueLimit {
        stage: STAGE,
        concurrency: Some(2),
        rate: Some(0.001),
        reason: "slow registry".to_owned(),
        actor: "op".to_owned(),
        since: site.engine.shared.clock.now(),
    };
    let act = OperatorAction {
        at: limit.since,
        actor: Actor::new(ActorKind::Operator, "op"),
        kind: "queue_limited".to_owned(),
        data: serde_json::json!({}),
    };
    site.store().limit_queue(&limit, &act).await.unwrap();
    site.engine.shared.follow_operators().await.unwrap();
    assert_eq!(site.engine.shared.places.concurrency(STAGE), 2);

    let first = site.admit(1).await;
    until(async || stored(&site, first.id).await.stage == Some(Stage::FaceVerification)).await;
    let second = site.admit(2).await;
    until(async || stored(&site, second.id).await.waiting.is_some()).await;
    let waiting = stored(&site, second.id).await.waiting.unwrap();
    assert_eq!(waiting.reason, WaitReason::RateLimit);
    let view = site.store().application(second.id).await.unwrap().unwrap();
    assert_eq!(view.jobs[0].attempts, 0);
    assert_eq!(stage.begun.load(Ordering::SeqCst), 1);

    site.store().limit_queue(&QueueLimit { concurrency: None, rate: None, ..limit }, &act).await.unwrap();
    site.engine.shared.follow_operators().await.unwrap();
    assert_eq!((site.engine.shared.places.concurrency(STAGE), site.engine.shared.rate(STAGE)), (4, None));
    site.engine.drain().await;
}

#[tokio::test]
async fn every_process_follows_an_imported_calendar() {
    let site = Site::start().await;
    let shared = &site.engine.shared;
    let beat_after = async |version: &str, source: &str| {
        let (version, imported_at) = (version.to_owned(), shared.clock.now());
        let calendar = StoredCalendar { version, source: source.to_owned(), imported_at };
        site.store().import_calendar(&calendar).await.unwrap();
        first_beat(shared, &identity()).await.unwrap();
        shared.calendar().version().to_owned()
    };
    let built_in = shared.calendar().version().to_owned();
    let newer = format!("{built_in}-corrected");
    assert_eq!(beat_after(&newer, &BUILT_IN.replace(&built_in, &newer)).await, newer);
    assert_eq!(beat_after("later", "of a later program").await, newer, "and works on");
}

/// Somebody else changed the application while its run went on: the run counts, on what the database has, and what begins
/// on the plan that did not hold does not.
#[tokio::test]
async fn a_plan_on_an_outdated_state_is_made_anew() {
    let stage = Arc::new(Gated { go: Some(Semaphore::new(0)), ..Gated::default() });
    let site = Site::with(Places::new([(STAGE, 1), (Stage::FaceVerification, 1)])).await;
    let mut faces = site.engine.shared.dispatcher.open(Stage::FaceVerification);
    site.engine.work(vec![Arc::clone(&stage) as Arc<dyn StageRunner>]);
    let application = site.admit(1).await;
    site.change(application.id, |write| {
        write.after_mut().application.priority = 7;
        write.after_mut().application.revision += 1;
    })
    .await;
    stage.go.as_ref().unwrap().add_permits(1);

    let void = faces.recv().await.unwrap();
    let counts = faces.recv().await.unwrap();
    assert_eq!((void.held(), void.application().priority), (counts.held(), 0));
    assert_eq!(counts.application(), &stored(&site, application.id).await);
    let passed = || Decision::Advance { outcome: outcome::PASSED, finding: Finding::Nothing };
    site.engine.committer.finish(&void, site.engine.shared.clock.now(), passed()).await;
    assert_eq!(stored(&site, application.id).await.stage, Some(Stage::FaceVerification));
    site.engine.committer.finish(&counts, site.engine.shared.clock.now(), passed()).await;
    let after = stored(&site, application.id).await;
    assert_eq!((after.stage, after.priority), (Some(Stage::Generation), 7));
    drop((void, counts));
    site.engine.drain().await;
}

/// The application's workflow is a release that this process has never seen.
async fn of_a_later_release(site: &Site) -> (Application, PinnedWorkflow) {
    let application = site.admit(1).await;
    let workflows = site.engine.shared.workflows();
    let source = workflows.newest(application.kind).source.replace("version = 1", "version = 9");
    let later = Workflow::parse(&source).unwrap();
    let id = WorkflowId::new(later.name.clone(), later.version);
    site.change(application.id, |write| write.after_mut().application.workflow = id.clone()).await;
    (application, PinnedWorkflow { id: id.to_string(), hash: later.hash, source })
}

#[tokio::test]
async fn a_release_that_is_not_known_is_looked_up_and_never_acknowledged_unmade() {
    let site = Site::start().await;
    let (application, later) = of_a_later_release(&site).await;
    let answer = site.engine.committer.apply(application.id, cancel(), None).await;
    assert!(matches!(answer, Err(ApplyError::Unavailable)), "{answer:?}");
    assert_eq!(stored(&site, application.id).await.status, Status::InProgress);

    site.store().pin_workflows(&[later]).await.unwrap();
    let after = site.engine.committer.apply(application.id, cancel(), None).await.unwrap();
    assert_eq!(after.application.status, Status::Cancelled);
}

#[tokio::test]
async fn a_job_of_a_release_that_is_not_known_is_left_to_others_for_a_while() {
    let stage = Arc::new(Gated::default());
    let site = Site::with(Places::new([(STAGE, 1)])).await;
    site.engine.shared.places.set_paused(vec![STAGE]);
    let (application, _) = of_a_later_release(&site).await;
    site.engine.shared.places.set_paused(Vec::new());
    site.engine.work(vec![Arc::clone(&stage) as Arc<dyn StageRunner>]);
    let now = site.engine.shared.clock.now();
    until(async || site.store().next_due(&[STAGE]).await.unwrap().is_some_and(|due_at| due_at > now)).await;
    assert_eq!(site.store().held_by(site.engine.shared.lease).await.unwrap(), []);
    let view = site.store().application(application.id).await.unwrap().unwrap();
    assert_eq!((view.jobs[0].attempts, view.jobs[0].crashes, stage.begun.load(Ordering::SeqCst)), (0, 0, 0));
    site.engine.drain().await;
}

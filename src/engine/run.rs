//! What a stage is given, and what it must implement.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::{
    domain::{
        application::Application, decision::Decision, ids::ApplicationId, job::Job, personal::Applicant,
        plan::Snapshot, stage::Stage,
    },
    store::types::Held,
};
use async_trait::async_trait;

use super::places::Place;

/// A stage of a workflow. It asks the outside, decides, and writes nothing.
#[async_trait]
pub trait StageRunner: Send + Sync + 'static {
    /// Which stage.
    fn stage(&self) -> Stage;

    /// Runs once. May be interrupted and run again at any moment, by another process too.
    async fn run(&self, run: &Run) -> Decision;
}

/// One run of a job under a lease. Cheap to clone; the job's place in the process is free when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Run(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Shared with the plan that leased the job; a claimed one may know no other job.
    state: Arc<Snapshot>,
    job: Job,
    applicant: Arc<Applicant>,
    queued: Instant,
    void: AtomicBool,
    ledger: Arc<Ledger>,
    _place: Place,
}

impl Run {
    /// Enters a leased job into the ledger of this process.
    pub fn new(state: Arc<Snapshot>, job: Job, applicant: Arc<Applicant>, place: Place, ledger: Arc<Ledger>) -> Self {
        ledger.enter(held(state.application.id, &job));
        let (queued, void) = (Instant::now(), AtomicBool::new(false));
        Self(Arc::new(Inner { state, job, applicant, queued, void, ledger, _place: place }))
    }

    /// Which job, under which fence.
    pub fn held(&self) -> Held {
        held(self.0.state.application.id, &self.0.job)
    }

    /// Says that the plan which this run follows from was not committed: whatever it decides is forgotten.
    pub(super) fn make_void(&self) {
        self.0.void.store(true, Ordering::SeqCst);
    }

    /// Whether [`Run::make_void`] was called.
    pub(super) fn is_void(&self) -> bool {
        self.0.void.load(Ordering::SeqCst)
    }

    /// The application as it stood when the job was leased.
    pub fn application(&self) -> &Application {
        &self.0.state.application
    }

    /// The job.
    pub fn job(&self) -> &Job {
        &self.0.job
    }

    /// The applicant's personal data.
    pub fn applicant(&self) -> &Arc<Applicant> {
        &self.0.applicant
    }

    /// When the process got the job.
    pub fn queued(&self) -> Instant {
        self.0.queued
    }

    /// Whether no earlier run of this notification can have reached the provider.
    pub fn is_first_of(&self, planned_at_fence: i64) -> bool {
        self.0.job.attempts == 0 && self.0.job.fence == planned_at_fence + 1
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ledger.leave(held(self.state.application.id, &self.job));
    }
}

fn held(application_id: ApplicationId, job: &Job) -> Held {
    Held { application_id, slot: job.slot, fence: job.fence }
}

/// What this process holds: the other side of the leases in the table. How many runs there are of each: one that is void
/// may go on beside the one that counts.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<HashMap<Held, usize>>);

impl Ledger {
    fn enter(&self, held: Held) {
        *self.lock().entry(held).or_default() += 1;
    }

    fn leave(&self, held: Held) {
        if let Entry::Occupied(mut runs) = self.lock().entry(held) {
            *runs.get_mut() -= 1;
            if *runs.get() == 0 {
                runs.remove();
            }
        }
    }

    /// Everything held now.
    pub fn held(&self) -> Vec<Held> {
        self.lock().keys().copied().collect()
    }

    /// How many jobs are held, each under every fence that a run of it still has: one may wait for its commit while the next
    /// runs.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Held, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::{
        domain::job::Slot,
        engine::{
            fixture::{Site, applicant},
            places::Places,
        },
    };

    fn job(fence: i64, attempts: u32) -> Job {
        Job { fence, attempts, ..Job::due(Slot::Sms, Stage::Notification, Utc::now(), 0, 0) }
    }

    async fn run(ledger: &Arc<Ledger>, application: &Application, job: Job) -> Run {
        let place = Places::new([(job.stage, 1)]).take(job.stage).unwrap();
        let state = Snapshot { application: application.clone(), jobs: vec![job.clone()], review: None };
        Run::new(Arc::new(state), job, Arc::new(applicant(1)), place, Arc::clone(ledger))
    }

    #[tokio::test]
    async fn the_ledger_holds_a_job_until_its_last_clone_is_gone() {
        let application = Site::start().await.admit(1).await;
        let ledger = Arc::new(Ledger::default());
        let first = run(&ledger, &application, job(4, 0)).await;
        let clone = first.clone();
        drop(first);
        let held = Held { application_id: application.id, slot: Slot::Sms, fence: 4 };
        assert_eq!(ledger.held(), [held]);
        drop(clone);
        assert!(ledger.is_empty());
    }

    #[tokio::test]
    async fn a_later_fence_is_not_taken_out_by_the_end_of_an_earlier_one() {
        let application = Site::start().await.admit(1).await;
        let ledger = Arc::new(Ledger::default());
        let first = run(&ledger, &application, job(4, 0)).await;
        let second = run(&ledger, &application, job(5, 0)).await;
        drop(first);
        assert_eq!(ledger.held().iter().map(|held| held.fence).collect::<Vec<_>>(), [5]);
        drop(second);
        assert_eq!(ledger.len(), 0);
    }

    #[tokio::test]
    async fn a_job_is_held_until_the_last_of_its_runs_is_gone() {
        let application = Site::start().await.admit(1).await;
        let ledger = Arc::new(Ledger::default());
        let void = run(&ledger, &application, job(4, 0)).await;
        let again = run(&ledger, &application, job(4, 0)).await;
        void.make_void();
        assert!(void.is_void() && !again.is_void());
        drop(void);
        assert_eq!(ledger.held(), [again.held()]);
        drop(again);
        assert!(ledger.is_empty());
    }

    #[tokio::test]
    async fn only_the_first_fence_of_the_first_attempt_is_the_first_run() {
        let application = Site::start().await.admit(1).await;
        let ledger = Arc::new(Ledger::default());
        for (fence, attempts, planned_at, first) in
            [(5, 0, 4, true), (6, 0, 4, false), (5, 1, 4, false), (1, 0, 0, true), (1, 0, -1, false)]
        {
            let run = run(&ledger, &application, job(fence, attempts)).await;
            assert_eq!(run.is_first_of(planned_at), first, "{fence} {attempts} {planned_at}");
        }
    }
}

//! What every part of the engine looks at: the store, the clock, the definitions, the places.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::sync::{Notify, broadcast};

use crate::{
    domain::{
        application::{OutcomeCode, Status},
        calendar::Calendar,
        decision::SealedRecord,
        ids::{ApplicationId, LeaseId},
        personal::{APPLICANTS, Applicant},
        stage::Stage,
        transition::Timing,
        workflow::{Workflow, WorkflowId, WorkflowSet},
    },
    hints::{RateLimit, SharedHints},
    secrets::{KeyMaterial, SealError},
    store::{self, Store, types::QueueLimit},
};

use super::{
    clock::DbClock, dispatch::Dispatcher, known::Known, places::Places, run::Ledger, stats::Stats, sweep::runs::Runs,
};

/// Wake-up topic: jobs are due.
pub const JOBS: &str = "jobs";
/// Wake-up topic: webhooks are due.
pub const WEBHOOKS: &str = "webhooks";
/// Wake-up topic: operators paused, resumed or limited a queue.
pub const QUEUES: &str = "queues";
/// Starts of a stage that may come at once, as a part of those of a second.
const BURST: f64 = 0.1;

/// Configuration of the engine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a process's lease lasts without renewal.
    pub lease: Duration,
    /// The slow poll behind the wake-ups.
    pub poll: Duration,
    /// Applications per commit at most.
    pub commit_batch: usize,
    /// Commits side by side.
    pub committers: usize,
    /// The longest that a small batch waits for more, and an application for its next answer, while far more runs are under
    /// way than the batch holds.
    pub linger: Duration,
    /// How long running stages may go on after SIGTERM.
    pub drain: Duration,
    /// Times that planning needs.
    pub timing: Timing,
}

/// Said in this process after a commit that changed a status or completed an application.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Which application.
    pub application: ApplicationId,
    /// Its status now.
    pub status: Status,
    /// Its outcome, if this commit decided it.
    pub decided: Option<OutcomeCode>,
    /// Whether everything is settled.
    pub completed: bool,
}

/// How many changes a slow listener may be behind.
const CHANGES: usize = 1 << 16;

/// What every part of the engine looks at.
pub struct Shared {
    /// The truth.
    pub store: Arc<dyn Store>,
    /// The database's clock.
    pub clock: DbClock,
    /// Keys.
    pub secrets: Arc<KeyMaterial>,
    /// Wake-ups between processes.
    pub hints: SharedHints,
    /// This process's lease, new at every start.
    pub lease: LeaseId,
    /// When this process started.
    pub started: Instant,
    /// What this process holds.
    pub ledger: Arc<Ledger>,
    /// What it may hold.
    pub places: Places,
    /// Where runs go.
    pub dispatcher: Dispatcher,
    /// Figures of its runs.
    pub stats: Stats,
    /// Configuration.
    pub settings: Settings,
    /// Told when jobs may be claimable.
    pub jobs: Notify,
    /// Told when webhooks may be due.
    pub webhooks: Notify,
    /// What changed, for live views in this process.
    pub changes: broadcast::Sender<Change>,
    /// How its reconcilers ran last.
    pub runs: Runs,
    /// What it committed last, of applications that it holds.
    pub(super) known: Known,
    /// What operators allow instead of the workflows.
    limits: RwLock<BTreeMap<Stage, QueueLimit>>,
    workflows: RwLock<Arc<WorkflowSet>>,
    calendar: RwLock<Arc<Calendar>>,
}

impl Shared {
    /// Puts the parts together.
    #[expect(clippy::too_many_arguments, reason = "each is a part of its own; the one caller is the composition")]
    pub fn new(
        store: Arc<dyn Store>,
        clock: DbClock,
        secrets: Arc<KeyMaterial>,
        hints: SharedHints,
        places: Places,
        settings: Settings,
        workflows: WorkflowSet,
        calendar: Calendar,
    ) -> Self {
        Self {
            store,
            clock,
            secrets,
            hints,
            lease: LeaseId::new(),
            started: Instant::now(),
            ledger: Arc::default(),
            places,
            dispatcher: Dispatcher::default(),
            stats: Stats::default(),
            settings,
            jobs: Notify::new(),
            webhooks: Notify::new(),
            changes: broadcast::channel(CHANGES).0,
            runs: Runs::default(),
            known: Known::default(),
            limits: RwLock::default(),
            workflows: RwLock::new(Arc::new(workflows)),
            calendar: RwLock::new(Arc::new(calendar)),
        }
    }

    /// The workflow definitions.
    pub fn workflows(&self) -> Arc<WorkflowSet> {
        Arc::clone(&self.workflows.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the definition of a release is known here.
    pub fn knows(&self, workflow: &WorkflowId) -> bool {
        self.workflows().get(workflow).is_some()
    }

    /// Takes in the releases that other processes pinned since this one started; true when there was one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn learn_workflows(&self) -> store::Result<bool> {
        let pinned = self.store.pinned_workflows().await?;
        let mut workflows = self.workflows.write().unwrap_or_else(PoisonError::into_inner);
        let mut set = WorkflowSet::clone(&workflows);
        let mut learned = false;
        for release in pinned {
            match Workflow::parse(&release.source) {
                Ok(workflow) => learned |= set.get(&workflow.id()).is_none() && set.add_pinned(workflow).is_ok(),
                Err(_) => tracing::warn!(workflow = release.id, "a workflow is for a later program"),
            }
        }
        *workflows = Arc::new(set);
        Ok(learned)
    }

    /// The working-day calendar.
    pub fn calendar(&self) -> Arc<Calendar> {
        Arc::clone(&self.calendar.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over the calendar that was imported last. Every process does: due times are shown where they are asked for.
    ///
    /// # Errors
    /// Those of the store, and a calendar that this program cannot read.
    pub async fn follow_calendar(&self) -> anyhow::Result<()> {
        let Some(stored) = self.store.latest_calendar().await? else { return Ok(()) };
        if stored.version == self.calendar().version() {
            return Ok(());
        }
        let calendar = Calendar::parse(&stored.source).context("the imported calendar")?;
        tracing::info!(calendar.version = %calendar.version(), "using an imported calendar");
        *self.calendar.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(calendar);
        Ok(())
    }

    /// Takes over what operators say about the queues.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn follow_operators(&self) -> store::Result<()> {
        let paused = self.store.pauses().await?.into_iter().map(|pause| pause.stage).collect();
        let limits: BTreeMap<Stage, QueueLimit> =
            self.store.queue_limits().await?.into_iter().map(|limit| (limit.stage, limit)).collect();
        let resumed = self.places.set_paused(paused);
        let widened = self.places.set_limits(|stage| limits.get(&stage)?.concurrency);
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
        if resumed || widened {
            self.jobs.notify_one();
        }
        Ok(())
    }

    /// Starts of a stage per second, over all processes: as operators say, else as the workflows say.
    pub fn rate(&self, stage: Stage) -> Option<f64> {
        let said = self.limits.read().unwrap_or_else(PoisonError::into_inner).get(&stage).and_then(|limit| limit.rate);
        said.or_else(|| self.workflows().rate(stage))
    }

    /// The limiter of [`Shared::rate`].
    pub(super) fn rate_limit(&self, stage: Stage) -> Option<RateLimit> {
        let rate = self.rate(stage)?;
        RateLimit::new(rate, (rate * BURST).ceil() as u32).ok()
    }

    /// Says, here and elsewhere, that jobs are due.
    pub fn wake_jobs(&self) {
        self.jobs.notify_one();
        self.hints.publish(JOBS);
    }

    /// Says, here and elsewhere, that webhooks are due.
    pub fn wake_webhooks(&self) {
        self.webhooks.notify_one();
        self.hints.publish(WEBHOOKS);
    }

    /// Opens an applicant's sealed record.
    ///
    /// # Errors
    /// When the record was tampered with or its key is missing.
    pub fn open_applicant(&self, id: ApplicationId, sealed: &SealedRecord) -> Result<Applicant, SealError> {
        let (table, column) = APPLICANTS;
        self.secrets.sealer().open_record(table, column, &id.to_string(), &sealed.clone())
    }

    /// Seals an applicant's record.
    ///
    /// # Errors
    /// Practically never; see [`SealError`].
    pub fn seal_applicant(&self, id: ApplicationId, applicant: &Applicant) -> Result<SealedRecord, SealError> {
        let (table, column) = APPLICANTS;
        self.secrets.sealer().seal_record(table, column, &id.to_string(), applicant)
    }

    /// The widest concurrency and the longest time limit that any known version gives a stage.
    pub fn stage_limits(workflows: &WorkflowSet) -> BTreeMap<Stage, (usize, Duration)> {
        let mut limits = BTreeMap::new();
        for (stage, rule) in workflows.iter().flat_map(|workflow| &workflow.stages) {
            let entry = limits.entry(*stage).or_insert((0, Duration::ZERO));
            entry.0 = entry.0.max(rule.concurrency);
            entry.1 = entry.1.max(rule.timeout);
        }
        limits
    }
}

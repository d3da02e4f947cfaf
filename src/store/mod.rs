//! The `Store` trait and its types; all SQL lives in `postgres` and `sqlite`.
//!
//! Both databases behave the same; the conformance suite in `tests/store` runs every case on both.
//! Leases and due times are judged by the database's clock ([`Lifecycle::now`]).

pub mod batches;
mod ceiling;
mod error;
pub mod forecasts;
pub mod insight;
pub mod licences;
mod migrate;
pub mod notes;
pub mod offers;
pub mod postgres;
mod queues;
pub mod retention;
pub mod rows;
pub mod schedules;
pub mod sqlite;
pub mod types;
pub mod users;
pub mod webhooks;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::{
    application::Kind,
    ids::{ApplicationId, LeaseId, LicenceId, PhotoId, ReviewId},
    review::Review,
    stage::Stage,
};
use batches::Batches;
use forecasts::Forecasts;
use insight::Insight;
use notes::Notes;
use offers::{Claimant, Offer};
use schedules::Schedules;
use types::{
    Admission, Admitted, Alert, ApiKeyRecord, ApplicationFilter, ApplicationView, Backlog, Ceiling, ClaimBatch,
    Claimed, EventFilter, Head, Held, LicenceRecord, Listed, NewAlert, OperatorAction, Page, Pause, PhotoRecord,
    PinnedWorkflow, Planner, Process, QueueDepth, QueueLimit, ReviewFilter, StatusCount, StoredCalendar,
    StoredCheckpoint, StoredEvent, Want, Write,
};
use users::{Sessions, Users};

pub use error::{Result, StoreError};
pub use licences::Licences;
pub use retention::Retention;
pub use webhooks::Webhooks;

/// Schema, clock, processes.
#[async_trait]
pub trait Lifecycle: Send + Sync {
    /// The database's clock.
    async fn now(&self) -> Result<DateTime<Utc>>;
    /// Cheap proof that statements are answered.
    async fn ping(&self) -> Result<()>;
    /// Writes or renews a process and its lease of `hold`. Inserts when the row is gone.
    async fn heartbeat(&self, process: &Process, hold: Duration) -> Result<()>;
    /// Removes a process that ends in order; its jobs must be released before.
    async fn farewell(&self, lease: LeaseId) -> Result<()>;
    /// Frees the jobs of processes whose lease lapsed and forgets the processes. A crash is counted on each job until it
    /// is a suspect, and from then on only if it ran alone ([`Jobs::mark_alone`]).
    /// Answers how many jobs were freed.
    async fn rescue(&self) -> Result<u64>;
    /// Live processes.
    async fn processes(&self) -> Result<Vec<Process>>;
    /// Pins the versions: answers the hash and text under which each id is already known
    /// (the given ones where it was new). Never overwrites.
    async fn pin_workflows(&self, workflows: &[PinnedWorkflow]) -> Result<Vec<PinnedWorkflow>>;
    /// Every pinned version.
    async fn pinned_workflows(&self) -> Result<Vec<PinnedWorkflow>>;
    /// Stores an imported calendar; the newest import counts.
    async fn import_calendar(&self, calendar: &StoredCalendar) -> Result<()>;
    /// The newest import.
    async fn latest_calendar(&self) -> Result<Option<StoredCalendar>>;
}

/// Applications: admission and reading.
#[async_trait]
pub trait Applications: Send + Sync {
    /// Stores new applications in one commit; one refusal never fails the others. Answers in order.
    /// Within one batch the first of several with one key, or of one holder, wins.
    async fn admit(&self, batch: &[Admission]) -> Result<Vec<Admitted>>;
    /// One application.
    async fn application(&self, id: ApplicationId) -> Result<Option<ApplicationView>>;
    /// The application that an owner's key created, with the request's hash.
    async fn by_key(&self, owner: &str, idempotency_key: &str) -> Result<Option<(ApplicationId, String)>>;
    /// Newest first.
    async fn applications(&self, filter: &ApplicationFilter, page: &Page) -> Result<Listed<ApplicationView>>;
    /// How many match, counted up to `cap`.
    async fn count_applications(&self, filter: &ApplicationFilter, cap: u64) -> Result<u64>;
    /// Stores a photo's record; the file is in the blob store already.
    async fn put_photo(&self, photo: &PhotoRecord) -> Result<()>;
    /// A photo's record.
    async fn photo(&self, id: PhotoId) -> Result<Option<PhotoRecord>>;
    /// The application that a photo is under review for or was made with, newest first.
    async fn application_of_photo(&self, id: PhotoId) -> Result<Option<ApplicationId>>;
    /// The holder's current licence.
    async fn current_licence(&self, holder: &str) -> Result<Option<LicenceRecord>>;
    /// A licence.
    async fn licence(&self, id: LicenceId) -> Result<Option<LicenceRecord>>;
    /// When a licence of this kind of application was last issued to the holder.
    async fn last_issued(&self, holder: &str, kind: Kind) -> Result<Option<DateTime<Utc>>>;
}

/// Jobs: claiming, giving back, committing.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Leases due jobs to `lease`, most urgent first (priority, then due time), raising each fence. Never hands out
    /// a suspect. Writes nothing when nothing is due.
    async fn claim(&self, lease: LeaseId, wants: &[Want]) -> Result<ClaimBatch>;
    /// Leases one due suspect of these stages.
    async fn claim_suspect(&self, lease: LeaseId, stages: &[Stage]) -> Result<Option<Claimed>>;
    /// Notes that a suspect starts to run alone now: only a death from here on counts against it. False when the job
    /// is no longer held.
    async fn mark_alone(&self, lease: LeaseId, held: Held) -> Result<bool>;
    /// Gives held jobs back, due at once; no attempt, no crash. Jobs with another fence are left alone.
    async fn release(&self, lease: LeaseId, held: &[Held]) -> Result<()>;
    /// Gives held jobs back, due after `wait`: this process cannot run them and another may. No attempt, no crash; jobs
    /// with another fence are left alone.
    async fn put_off(&self, lease: LeaseId, held: &[Held], wait: Duration) -> Result<()>;
    /// Every job leased to `lease`: a process compares it with what it really runs.
    async fn held_by(&self, lease: LeaseId) -> Result<Vec<Held>>;
    /// Locks the applications, lets the planner plan, writes the plans: one transaction, all or nothing.
    async fn commit(&self, ids: &[ApplicationId], planner: &mut dyn Planner) -> Result<()>;
    /// Writes plans that were made from remembered states: one transaction, all or nothing. False, with nothing written,
    /// when one of the applications has another revision by now, or a changed job another lease or fence.
    async fn commit_known(&self, writes: &[Write]) -> Result<bool>;
    /// When the next job of these stages that is leased to nobody becomes due.
    async fn next_due(&self, stages: &[Stage]) -> Result<Option<DateTime<Utc>>>;
    /// Applications whose deadline must be looked at now.
    async fn due_deadlines(&self, limit: usize) -> Result<Vec<ApplicationId>>;
    /// Applications with an open promise computed with another calendar than `version`.
    async fn outdated_deadlines(&self, version: &str, limit: usize) -> Result<Vec<ApplicationId>>;
}

/// Reviews. Changes go through [`Jobs::commit`].
#[async_trait]
pub trait Reviews: Send + Sync {
    /// A review.
    async fn review(&self, id: ReviewId) -> Result<Option<Review>>;
    /// Least time left first (no due time last), then oldest.
    async fn reviews(&self, filter: &ReviewFilter, page: &Page) -> Result<Listed<Review>>;
    /// How many match, counted up to `cap`.
    async fn count_reviews(&self, filter: &ReviewFilter, cap: u64) -> Result<u64>;
    /// The most urgent ones that the claimant may claim now: highest priority, then least time left, then oldest. Without
    /// those that are put off, given to somebody else, of the claimant's own application, or of one that the claimant
    /// decided on before.
    async fn claimable(&self, who: &Claimant<'_>, offer: Offer, limit: usize) -> Result<Vec<Review>>;
    /// How many unexpired leases a reviewer holds.
    async fn claims_of(&self, reviewer: &str) -> Result<u64>;
    /// Applications whose review lease lapsed.
    async fn lapsed_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>>;
    /// Applications whose review decision takes effect now.
    async fn effective_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>>;
}

/// Keys, queues, alerts, operators' acts.
#[async_trait]
pub trait Operations: Send + Sync {
    /// Stores a key.
    async fn create_key(&self, key: &ApiKeyRecord) -> Result<()>;
    /// The key with this public part.
    async fn key(&self, id: &str) -> Result<Option<ApiKeyRecord>>;
    /// Every key.
    async fn keys(&self) -> Result<Vec<ApiKeyRecord>>;
    /// Revokes; false when there is no such key that works.
    async fn revoke_key(&self, id: &str) -> Result<bool>;
    /// Paused queues; ended ones are not listed.
    async fn pauses(&self) -> Result<Vec<Pause>>;
    /// Pauses a queue, or changes its pause, and records the act.
    async fn pause(&self, pause: &Pause, action: &OperatorAction) -> Result<()>;
    /// Resumes a queue and records the act; false, with nothing recorded, when it was not paused.
    async fn resume(&self, stage: Stage, action: &OperatorAction) -> Result<bool>;
    /// The queues that operators limit otherwise than the workflows do.
    async fn queue_limits(&self) -> Result<Vec<QueueLimit>>;
    /// Limits a queue, or changes its limits, and records the act; one without a number is the workflow's alone again.
    async fn limit_queue(&self, limit: &QueueLimit, action: &OperatorAction) -> Result<()>;
    /// What waits, one per stage.
    async fn depths(&self) -> Result<Vec<QueueDepth>>;
    /// Applications by status and stage, from maintained counters.
    async fn status_counts(&self) -> Result<Vec<StatusCount>>;
    /// Reviews, promises, outbox.
    async fn backlog(&self) -> Result<Backlog>;
    /// Raises an alert that is about no application.
    async fn raise_alert(&self, alert: &NewAlert) -> Result<()>;
    /// Alerts that were not mailed, oldest first.
    async fn unmailed_alerts(&self, limit: usize) -> Result<Vec<Alert>>;
    /// Marks alerts as mailed.
    async fn mark_alerts_mailed(&self, ids: &[i64]) -> Result<()>;
    /// Records an operator's act that belongs to no application.
    async fn record_action(&self, action: &OperatorAction) -> Result<()>;
    /// Bytes written to the write-ahead log so far and commits so far, where the database says so (for the benchmark).
    async fn write_figures(&self) -> Result<Option<(u64, u64)>>;
    /// Writes one state row per application, then [`types::CEILING_STEPS`] times an update of it with an event row, in
    /// batches, as fast as the database takes them; answers how long that took. Its tables are dropped again.
    async fn measure_ceiling(&self, ceiling: &Ceiling) -> Result<Duration>;
}

/// The audit log: append-only, also against the program's own database role.
#[async_trait]
pub trait Audit: Send + Sync {
    /// An application's events, oldest first.
    async fn events(&self, application: ApplicationId) -> Result<Vec<StoredEvent>>;
    /// A page of an application's events, oldest first.
    async fn event_page(&self, application: ApplicationId, page: &Page) -> Result<Listed<StoredEvent>>;
    /// Search over all applications, newest first.
    async fn search_events(&self, filter: &EventFilter, page: &Page) -> Result<Listed<StoredEvent>>;
    /// All applications with events, in ascending id order after `after`.
    async fn audited_applications(&self, after: Option<ApplicationId>, limit: usize) -> Result<Vec<ApplicationId>>;
    /// The last event of each application that has events in `(from, until]`.
    async fn heads_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Head>>;
    /// Appends a checkpoint; refused (false) when its id is taken.
    async fn append_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<bool>;
    /// Checkpoints, oldest first, after `after`.
    async fn checkpoints(&self, after: i64, limit: usize) -> Result<Vec<StoredCheckpoint>>;
    /// Makes room for the coming months' events, where the database keeps them apart by month.
    async fn prepare_partitions(&self) -> Result<()>;
    /// The last checkpoint.
    async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>>;
}

/// Everything that is stored.
pub trait Store:
    Lifecycle
    + Applications
    + Jobs
    + Reviews
    + Notes
    + Webhooks
    + Operations
    + Batches
    + Licences
    + Audit
    + Retention
    + Users
    + Sessions
    + Insight
    + Schedules
    + Forecasts
{
}

impl<T> Store for T where
    T: Lifecycle
        + Applications
        + Jobs
        + Reviews
        + Notes
        + Webhooks
        + Operations
        + Batches
        + Licences
        + Audit
        + Retention
        + Users
        + Sessions
        + Insight
        + Schedules
        + Forecasts
{
}

/// How a database is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether this process must be the only one of its sort (SQLite): a server, not a short command beside it.
    pub exclusive: bool,
    /// At most so many connections (SQLite: that read).
    pub connections: u32,
    /// How long a call waits for a connection, and for another process that writes.
    pub acquire_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            exclusive: false,
            connections: 8,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Opens the database of an address, `sqlite://…` or `postgres://…`.
///
/// # Errors
/// [`StoreError::Unusable`], [`StoreError::Schema`], [`StoreError::Unsafe`] and [`StoreError::Locked`] say what to do;
/// [`StoreError::Unavailable`] may pass.
pub async fn open(url: &str, options: &Options) -> Result<Arc<dyn Store>> {
    match Engine::of(url)? {
        Engine::Sqlite => Ok(Arc::new(sqlite::SqliteStore::open(url, options).await?)),
        Engine::Postgres => Ok(Arc::new(postgres::PostgresStore::connect(url, options).await?)),
    }
}

/// Applies the migrations that the database of an address lacks.
///
/// # Errors
/// As [`open`].
pub async fn migrate(url: &str) -> Result<()> {
    match Engine::of(url)? {
        Engine::Sqlite => sqlite::SqliteStore::migrate(url).await,
        Engine::Postgres => postgres::PostgresStore::migrate(url).await,
    }
}

/// Which database an address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// An embedded file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Engine {
    /// Tells by the scheme.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for any other scheme.
    pub fn of(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(unknown_address()),
        }
    }
}

/// The address itself is not repeated: it may hold a password.
fn unknown_address() -> StoreError {
    StoreError::Unusable("a database address begins with `sqlite://` or `postgres://`".to_owned())
}

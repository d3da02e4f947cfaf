//! What crosses the border between the engine and the databases.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use super::ceiling::{CEILING_STEPS, Ceiling};
pub use super::queues::{Pause, QueueDepth, QueueLimit};
pub use crate::domain::plan::{AlertKind, NewAlert, Snapshot};
use crate::domain::{
    application::{Application, Deadline, Kind, PhotoSource, Status},
    decision::{LicenceFacts, NewLicence, SealedRecord},
    event::Actor,
    ids::{ApplicationId, LeaseId, LicenceId, PhotoId, WebhookId},
    job::{Job, Slot},
    licence_display::LicenceState,
    licence_watch::CardProblem,
    photo_check::FaceBox,
    review::ReviewState,
    stage::Stage,
};

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The application whose chain it belongs to.
    pub application_id: ApplicationId,
    /// 1 for the first event of the application.
    pub seq: i64,
    /// When, by the database's clock, microseconds.
    pub at: DateTime<Utc>,
    /// What happened. Text, because a log outlives the list of event types.
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// At which stage.
    pub stage: Option<String>,
    /// Details as canonical JSON text, exactly as hashed.
    pub data: String,
    /// SHA-256, lower-case hex.
    pub hash: String,
    /// The hash before it, lower-case hex; 64 zeros for the first.
    pub prev_hash: String,
}

/// A new application with its first job and event: one commit.
#[derive(Debug, Clone)]
pub struct Admission {
    /// The application; its chain head is the last of `events`.
    pub application: Application,
    /// Unique with the owner.
    pub idempotency_key: String,
    /// SHA-256 (hex) of the request's canonical body.
    pub request_hash: String,
    /// The applicant's personal data.
    pub applicant: SealedRecord,
    /// The first job, possibly leased already.
    pub job: Job,
    /// The first events.
    pub events: Vec<StoredEvent>,
}

/// What became of an admission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// Stored.
    Created,
    /// The same key and body came before.
    Replayed(ApplicationId),
    /// The same key came before with another body.
    KeyReused,
    /// The holder has another open application.
    InProgress,
}

/// What one application's plan writes: its state before and after, and what is appended.
#[derive(Debug, Clone)]
pub struct Write {
    /// The state that the plan was made from.
    pub before: Arc<Snapshot>,
    /// The state to store. Jobs and review are written as differences to `before`.
    pub after: Arc<Snapshot>,
    /// Appended to the log.
    pub events: Vec<StoredEvent>,
    /// Appended to the outbox.
    pub webhooks: Vec<NewWebhook>,
    /// Written as current; the holder's former current licence becomes superseded.
    pub licence: Option<NewLicence>,
    /// A reviewer's note for colleagues, encrypted.
    pub note: Option<SealedRecord>,
    /// For the operators' digest.
    pub alerts: Vec<NewAlert>,
}

impl Write {
    /// Nothing changes yet.
    pub fn of(before: Arc<Snapshot>) -> Self {
        let after = Arc::clone(&before);
        Self { before, after, events: vec![], webhooks: vec![], licence: None, note: None, alerts: vec![] }
    }

    /// The state to store, to be changed.
    pub fn after_mut(&mut self) -> &mut Snapshot {
        Arc::make_mut(&mut self.after)
    }
}

/// Makes plans inside the store's transaction.
pub trait Planner: Send {
    /// Reviewers whose leases the plans count: until the transaction ends no other one counts theirs.
    fn claimants(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
    /// How many unexpired leases each claimant holds (none without an entry); told before each plan.
    fn counted(&mut self, claims: &HashMap<String, u64>) {
        debug_assert!(claims.is_empty(), "nobody asked");
    }
    /// Turns the locked states (of those applications that exist, in no order) into writes.
    /// Called again from the start when the transaction has to be repeated.
    fn plan(&mut self, snapshots: Vec<Snapshot>) -> Vec<Write>;
}

/// How many jobs of a stage a process can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// The stage.
    pub stage: Stage,
    /// At most so many.
    pub limit: usize,
}

/// A job that now belongs to the claiming process.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The application as it stood at the claim.
    pub application: Application,
    /// The job with its raised fence.
    pub job: Job,
    /// The applicant's personal data.
    pub applicant: SealedRecord,
}

/// Names one held job with its fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Held {
    /// The application.
    pub application_id: ApplicationId,
    /// Which of its jobs.
    pub slot: Slot,
    /// The fence of the claim.
    pub fence: i64,
}

/// What a claim brought.
#[derive(Debug, Clone, Default)]
pub struct ClaimBatch {
    /// The jobs.
    pub claimed: Vec<Claimed>,
    /// Whether due suspects exist (see [`Job::is_suspect`]), which only [`Jobs::claim_suspect`](super::Jobs::claim_suspect) hands out.
    pub suspects: bool,
}

/// An application as a reader sees it.
#[derive(Debug, Clone)]
pub struct ApplicationView {
    /// The application.
    pub application: Application,
    /// Its jobs.
    pub jobs: Vec<Job>,
    /// The applicant's personal data.
    pub applicant: SealedRecord,
}

/// Which applications a list shows. Absent fields do not restrict.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApplicationFilter {
    /// Of this owner only.
    pub owner: Option<String>,
    /// With this status.
    pub status: Option<Status>,
    /// At this stage; with `needs_operator`, at which something went wrong: a failed notification is at `notification`.
    pub stage: Option<Stage>,
    /// Only those that are done: past every stage.
    pub done: bool,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// With the upstream system's reference.
    pub upstream_ref: Option<String>,
    /// Of this holder (blind index).
    pub holder: Option<String>,
    /// With this last error.
    pub error_code: Option<String>,
    /// Only those where an operator must act: stalled, or with a notification that failed.
    pub needs_operator: bool,
}

/// One page of a list; `after` is the `next_cursor` of the page before.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At most so many items.
    pub limit: usize,
    /// Opaque to callers of the API.
    pub after: Option<String>,
}

/// Items and where to go on.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass as [`Page::after`]; none at the end.
    pub next: Option<String>,
}

/// A process under a lease.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// New at every start.
    pub lease: LeaseId,
    /// The roles that it runs.
    pub roles: Vec<String>,
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Program version.
    pub version: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Its last heartbeat.
    pub seen_at: DateTime<Utc>,
    /// What it says of itself at each heartbeat (in flight, per-stage figures).
    pub stats: serde_json::Value,
}

/// A change of status to be posted to an upstream system.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWebhook {
    /// The `webhook-id` of every try.
    pub id: WebhookId,
    /// Where to post.
    pub url: String,
    /// The application's state at the change, as [`Application`] JSON.
    pub application: Application,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

/// An uploaded photo.
#[derive(Debug, Clone, PartialEq)]
pub struct PhotoRecord {
    /// The photo's id.
    pub id: PhotoId,
    /// Who uploaded it.
    pub owner: String,
    /// Camera or album.
    pub source: PhotoSource,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// SHA-256 (hex) of the re-encoded file.
    pub sha256: String,
    /// The automatic checks, as the API shows them.
    pub checks: serde_json::Value,
    /// The face that was found; none where there was none, or where nobody looked.
    pub face: Option<FaceBox>,
    /// Version of the thresholds that the checks used.
    pub thresholds: String,
    /// Key of the file in the blob store; empty once it is erased.
    pub blob: String,
    /// Whether its time is over: no new application may name it, and its file is erased now or soon.
    pub condemned: bool,
    /// When it was uploaded.
    pub created_at: DateTime<Utc>,
}

impl PhotoRecord {
    /// Whether the picture is still there.
    pub fn has_file(&self) -> bool {
        !self.blob.is_empty()
    }
}

/// An API key as stored; never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Public part.
    pub id: String,
    /// SHA-256 (hex) of the whole key.
    pub digest: String,
    /// Name for people and the audit log.
    pub name: String,
    /// Owner of what the key creates.
    pub owner: String,
    /// Wire names of the scopes.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A maintained count of applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCount {
    /// The status.
    pub status: Status,
    /// The stage; none for completed ones.
    pub stage: Option<Stage>,
    /// How many.
    pub count: i64,
}

/// How the review backlog and the deadlines stand. Counts are capped at 10,000.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Reviews that wait for a person.
    pub open: u64,
    /// Reviews under a lease.
    pub claimed: u64,
    /// People whose lease on a review holds: who is at work.
    pub reviewers: u64,
    /// Due time of the most urgent one.
    pub next_due: Option<DateTime<Utc>>,
    /// The earliest due time of all open promises, whatever their applications wait for.
    pub next_promise: Option<DateTime<Utc>>,
    /// Open promises that were warned of.
    pub at_risk: u64,
    /// Open promises whose due time passed.
    pub breached: u64,
    /// Webhooks waiting to be delivered.
    pub webhooks_pending: u64,
    /// When the oldest of them happened.
    pub oldest_webhook: Option<DateTime<Utc>>,
}

/// Which reviews a list shows.
#[derive(Debug, Clone, Default)]
pub struct ReviewFilter {
    /// In this state.
    pub state: Option<ReviewState>,
    /// Of this issuing authority.
    pub authority: Option<String>,
    /// Under a lease of this reviewer, lapsed or not.
    pub reviewer: Option<String>,
}

/// An alert that was not mailed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Row number, for [`Operations::mark_alerts_mailed`](super::Operations::mark_alerts_mailed).
    pub id: i64,
    /// Wire name of the kind.
    pub kind: String,
    /// Which application; none when it is about none.
    pub application_id: Option<ApplicationId>,
    /// What the kind does not say.
    pub detail: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A licence that was issued.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenceRecord {
    /// The licence's id.
    pub id: LicenceId,
    /// The application that it was issued for.
    pub application_id: ApplicationId,
    /// Blind index of the holder's document.
    pub holder: String,
    /// How it stands.
    pub state: LicenceState,
    /// The licence data at issue.
    pub facts: LicenceFacts,
    /// Letters of the licence status at issue.
    pub status: String,
    /// The encrypted record.
    pub sealed: SealedRecord,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When its service was ended; none also of those that an earlier version ended.
    pub terminated_at: Option<DateTime<Utc>>,
    /// When the status sweep had its last answer about it.
    pub seen_at: Option<DateTime<Utc>>,
    /// Letters of the status in that answer.
    pub seen_status: Option<String>,
    /// Why its card cannot be drawn; none while it can, or nobody knows.
    pub card_problem: Option<CardProblem>,
}

/// A workflow version that is in use: released, never edited again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedWorkflow {
    /// E.g. `first_issue@1`.
    pub id: String,
    /// SHA-256 (hex) of its meaning.
    pub hash: String,
    /// The file's text.
    pub source: String,
}

/// Which events an audit search shows.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// By this actor (id).
    pub actor: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// The last event of an application in some span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The application.
    pub application_id: ApplicationId,
    /// Its last event.
    pub seq: i64,
    /// That event's hash, hex.
    pub hash: String,
}

/// A signed checkpoint as stored: opaque to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// 1 for the first.
    pub id: i64,
    /// Covers events up to this moment.
    pub until: DateTime<Utc>,
    /// The checkpoint as JSON text, signature included.
    pub document: String,
}

/// What an operator did that belongs to no application (pause, resume, import, bulk action).
#[derive(Debug, Clone, PartialEq)]
pub struct OperatorAction {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: Actor,
    /// What, e.g. `queue_paused`.
    pub kind: String,
    /// Details.
    pub data: serde_json::Value,
}

/// An imported working-day calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCalendar {
    /// The calendar's own version.
    pub version: String,
    /// The file's text.
    pub source: String,
    /// When it was imported.
    pub imported_at: DateTime<Utc>,
}

/// What the columns beside an application's document say; the one place that derives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationColumns {
    /// Whether the application counts as the holder's open one.
    pub open: bool,
    /// The status.
    pub status: Status,
    /// The stage, `done` when everything is.
    pub stage: &'static str,
    /// Why an operator must act, if one must.
    pub error_code: Option<String>,
    /// The due time.
    pub due_at: Option<DateTime<Utc>>,
    /// When the deadline reconciler looks again.
    pub deadline_check_at: Option<DateTime<Utc>>,
    /// How many of the deadline's moments have passed, while the promise is open: 0 none, then warnings, then breached.
    pub deadline_level: i16,
    /// Whether that level means breached.
    pub breached: bool,
    /// The calendar version that an open promise was computed with.
    pub calendar: Option<String>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
}

/// The text of the stage column when there is none.
pub const DONE: &str = "done";

impl ApplicationColumns {
    /// Derives the columns.
    pub fn of(application: &Application) -> Self {
        let promise = application.open_promise();
        let needs_operator = application.status == Status::Stalled || application.has_failed_notice();
        Self {
            open: !application.status.is_decided(),
            status: application.status,
            stage: application.stage.map_or(DONE, Stage::as_str),
            error_code: application
                .last_error
                .as_ref()
                .filter(|_| needs_operator)
                .map(|error| error.failure.code.clone()),
            due_at: application.deadline.as_ref().and_then(|deadline| deadline.due_at),
            deadline_check_at: application.next_deadline_check(),
            deadline_level: promise.map_or(0, |deadline| i16::try_from(deadline.passed).unwrap_or(i16::MAX)),
            breached: promise.is_some_and(Deadline::is_breached),
            calendar: promise.map(|deadline| deadline.calendar.clone()),
            completed_at: application.completed_at,
        }
    }
}

//! What an application (申请) is, as far as every part of the program must agree on it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    decision::{Failure, LicenceFacts},
    ids::{ApplicationId, LicenceId, PhotoId, ReviewId},
    job::{Purpose, Slot},
    licence_watch::LicenceWatch,
    photo_reason::PhotoReason,
    stage::Stage,
    wire::wire_enum,
    workflow::WorkflowId,
};

wire_enum! {
    /// What is applied for.
    pub enum Kind as "kind" {
        /// 首次申领.
        FirstIssue = "first_issue",
        /// 重新申领, after the licence data changed.
        Reissue = "reissue",
        /// 换照片 on an issued licence.
        PhotoChange = "photo_change",
    }
}

wire_enum! {
    /// Where an application stands.
    pub enum Status as "status" {
        /// A stage runs or waits to retry.
        InProgress = "in_progress",
        /// A person must decide.
        InReview = "in_review",
        /// Retries are exhausted; an operator must act. Nothing is lost.
        Stalled = "stalled",
        /// Decided: the licence is issued.
        Issued = "issued",
        /// Decided: refused.
        Rejected = "rejected",
        /// Withdrawn by the upstream system before a decision.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Whether the decision is made, so that nothing but notification can follow.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Issued | Self::Rejected | Self::Cancelled)
    }
}

wire_enum! {
    /// Where the photo comes from.
    pub enum PhotoSource as "photo source" {
        /// 留存照片: the one the registry holds.
        Retained = "retained",
        /// The photo of the licence that is issued now; reissue only.
        Previous = "previous",
        /// 拍照.
        Camera = "camera",
        /// 相册选择.
        Album = "album",
    }
}

impl PhotoSource {
    /// Whether the source is allowed for the kind of application (R07, R13, R18, R32).
    pub const fn allowed_for(self, kind: Kind) -> bool {
        match self {
            Self::Retained => !matches!(kind, Kind::PhotoChange),
            Self::Previous => matches!(kind, Kind::Reissue),
            Self::Camera | Self::Album => true,
        }
    }

    /// Whether the applicant uploads a new photo, which always meets a person.
    pub const fn is_upload(self) -> bool {
        matches!(self, Self::Camera | Self::Album)
    }
}

wire_enum! {
    /// How an application ended.
    pub enum OutcomeCode as "outcome" {
        /// The licence was issued.
        Issued = "issued",
        /// 未备案.
        NotFiled = "not_filed",
        /// The registry knows no such licence.
        LicenceNotFound = "licence_not_found",
        /// Holder name or file number is another one.
        IdentityMismatch = "identity_mismatch",
        /// The licence status forbids an electronic licence.
        StatusNotEligible = "status_not_eligible",
        /// A reissue although nothing changed.
        Unchanged = "unchanged",
        /// A photo change without an issued licence.
        NotIssued = "not_issued",
        /// The last approved photo change is less than six months ago.
        PhotoChangeTooSoon = "photo_change_too_soon",
        /// There is no suitable retained photo.
        RetainedPhotoUnsuitable = "retained_photo_unsuitable",
        /// 实人认证未通过.
        FaceNotVerified = "face_not_verified",
        /// A reviewer rejected the photo.
        PhotoRejected = "photo_rejected",
        /// An operator rejected a stalled application.
        RejectedByOperator = "rejected_by_operator",
        /// The upstream system withdrew it.
        CancelledByUpstream = "cancelled_by_upstream",
    }
}

wire_enum! {
    /// Why nothing is running for an application right now.
    pub enum WaitReason as "wait reason" {
        /// A failed attempt is repeated later.
        Retry = "retry",
        /// A person must decide on the photo.
        Review = "review",
        /// A provider's rate limit.
        RateLimit = "rate_limit",
        /// A provider's circuit breaker is open.
        CircuitOpen = "circuit_open",
        /// The stage's queue is paused by an operator.
        Paused = "paused",
        /// The face verification has no answer yet.
        FacePending = "face_pending",
        /// An operator must act.
        Operator = "operator",
    }
}

wire_enum! {
    /// A way to tell the applicant.
    pub enum Channel as "channel" {
        /// 短信.
        Sms = "sms",
        /// 交管12123 APP.
        App = "app",
    }
}

wire_enum! {
    /// How a notification stands.
    pub enum NoticeState as "notification state" {
        /// Not yet settled.
        Pending = "pending",
        /// Accepted by the provider.
        Sent = "sent",
        /// Refused for good, or given up; operations can send it again.
        Failed = "failed",
        /// Nothing is sent: the upstream system cancelled.
        NotNeeded = "not_needed",
    }
}

/// How an application ended, as stored; the API adds the texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The stable code.
    pub code: OutcomeCode,
    /// Replaces the code's usual Chinese message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_zh: Option<String>,
    /// Reasons of a rejected photo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<PhotoReason>,
}

/// A notification of the result by one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// By which way.
    pub channel: Channel,
    /// How it stands.
    pub state: NoticeState,
    /// Tries that reached a result, good or bad.
    pub attempts: u32,
    /// The job's first run has the fence after this one; any later run asks the provider first whether an
    /// earlier one got through.
    #[serde(default)]
    pub planned_at_fence: i64,
}

/// Why nothing is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The reason.
    pub reason: WaitReason,
    /// Until when, if a moment is known.
    pub until: Option<DateTime<Utc>>,
    /// One sentence.
    pub detail: String,
}

/// The last failure of a stalled application, for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// The stage that failed.
    pub stage: Stage,
    /// What went wrong.
    #[serde(flatten)]
    pub failure: Failure,
    /// Attempts used in the stage.
    pub attempts: u32,
    /// When.
    pub at: DateTime<Utc>,
}

/// The one-working-day promise (一个工作日) of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// When face verification passed.
    pub started_at: DateTime<Utc>,
    /// The due time; none while the calendar has no data for the year.
    pub due_at: Option<DateTime<Utc>>,
    /// When warnings are due, ascending, then the due time itself.
    pub checks: Vec<DateTime<Utc>>,
    /// How many of `checks` have passed.
    pub passed: usize,
    /// The calendar that it was computed with.
    pub calendar: String,
}

impl Deadline {
    /// The next moment at which something must be said, if any is left.
    pub fn next_check(&self) -> Option<DateTime<Utc>> {
        self.checks.get(self.passed).copied()
    }

    /// Whether the due time has passed unkept.
    pub fn is_breached(&self) -> bool {
        !self.checks.is_empty() && self.passed == self.checks.len()
    }
}

/// The head of an application's audit chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainHead {
    /// Sequence number of the last event, 1 for the first.
    pub seq: i64,
    /// Its hash, lower-case hex.
    pub hash: String,
}

/// The photo that an application is made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// Where it comes from.
    pub source: PhotoSource,
    /// The upload, for camera and album.
    pub photo_id: Option<PhotoId>,
}

/// An application as the engine sees and stores it: everything but personal data, which is sealed elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Application {
    /// The application's id.
    pub id: ApplicationId,
    /// Who owns it (the owner of the API key that submitted it).
    pub owner: String,
    /// What is applied for.
    pub kind: Kind,
    /// The workflow version that it started with and keeps.
    pub workflow: WorkflowId,
    /// Where it stands.
    pub status: Status,
    /// The present stage; none when everything is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// The photo.
    pub photo: Photo,
    /// The licence that was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence_id: Option<LicenceId>,
    /// Blind index of the holder's document.
    pub holder: String,
    /// The licence data at eligibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<LicenceFacts>,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// The promise, once face verification passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Deadline>,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<DateTime<Utc>>,
    /// When the first channel accepted the result: the promise's clock stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified_at: Option<DateTime<Utc>>,
    /// When both notifications were settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime<Utc>>,
    /// One per channel once decided; pending before.
    pub notices: Vec<Notice>,
    /// Why nothing runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
    /// Higher first.
    pub priority: i16,
    /// Review rounds so far.
    pub review_rounds: u32,
    /// The current review task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_id: Option<ReviewId>,
    /// Who decided a review of it, in any round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewed_by: Vec<String>,
    /// Where changes of status are posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// The upstream system's own reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ref: Option<String>,
    /// The highest fence that any of its ended jobs had: fences never repeat, so an old holder never matches.
    #[serde(default)]
    pub last_fence: i64,
    /// What became of the issued licence; none while there is nothing to remember.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<LicenceWatch>,
    /// The audit chain's head.
    pub chain: ChainHead,
    /// How often it was changed: a plan that was made from another revision is never written.
    #[serde(default)]
    pub revision: i64,
}

impl Application {
    /// 发证机关, once the registry has answered.
    pub fn authority(&self) -> Option<&str> {
        self.licence.as_ref().map(|licence| licence.authority.as_str())
    }

    /// The promise while it is open: until the applicant is told the result, or withdraws.
    pub fn open_promise(&self) -> Option<&Deadline> {
        self.deadline.as_ref().filter(|_| self.notified_at.is_none() && self.status != Status::Cancelled)
    }

    /// The moment at which the deadline reconciler must look again, while the promise is open.
    pub fn next_deadline_check(&self) -> Option<DateTime<Utc>> {
        self.open_promise().and_then(Deadline::next_check)
    }

    /// Whether a notification was given up and waits for an operator.
    pub fn has_failed_notice(&self) -> bool {
        self.notices.iter().any(|notice| notice.state == NoticeState::Failed)
    }

    /// The stage that went wrong, of one that waits for an operator: the stage that it stalled at, or the notification that
    /// was given up, however far the application came.
    pub fn stalled_stage(&self) -> Option<Stage> {
        self.last_error.as_ref().map(|last| last.stage).or(self.stage)
    }

    /// The key of a slot's notification at its provider, the same on every try: `{id}:{purpose}`. There is one result and
    /// one need of a reissue, but a status may change often: each change has its number in the key.
    pub fn notice_key(&self, slot: Slot) -> String {
        match slot.purpose() {
            purpose @ (Purpose::Result | Purpose::Reapply) => format!("{}:{purpose}", self.id),
            purpose @ Purpose::Status => {
                let round = self.watch.as_ref().map_or(0, |watch| watch.status_round);
                format!("{}:{purpose}-{round}", self.id)
            }
        }
    }

    /// The notice that a slot settles: of the result, that a reissue is needed, or that the licence is shown otherwise.
    pub fn notice(&self, slot: Slot) -> Option<&Notice> {
        let notices = match slot.purpose() {
            Purpose::Result => &self.notices,
            Purpose::Reapply => &self.watch.as_ref()?.notices,
            Purpose::Status => &self.watch.as_ref()?.status_notices,
        };
        notices.iter().find(|notice| Some(notice.channel) == slot.channel())
    }

    /// [`Application::notice`], to be changed.
    pub fn notice_mut(&mut self, slot: Slot) -> Option<&mut Notice> {
        let notices = match slot.purpose() {
            Purpose::Result => &mut self.notices,
            Purpose::Reapply => &mut self.watch.as_mut()?.notices,
            Purpose::Status => &mut self.watch.as_mut()?.status_notices,
        };
        notices.iter_mut().find(|notice| Some(notice.channel) == slot.channel())
    }
}

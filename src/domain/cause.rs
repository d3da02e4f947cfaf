//! What can change an application: everything enters the one commit path as a [`Cause`].

use chrono::{DateTime, Utc};
use std::time::Duration;

use super::{
    decision::{Decision, Failure},
    event::Actor,
    ids::{BatchId, LicenceId, PhotoId, ReviewId},
    job::Slot,
    licence_watch::CardProblem,
    photo_reason::PhotoReason,
    presentation::{Purpose, Refused},
    review::Verdict,
    wire::wire_enum,
};

/// Something that happened to an application.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// A stage ran and decided.
    Ran {
        /// The job that ran.
        slot: Slot,
        /// The fence under which it ran.
        fence: i64,
        /// What the stage answered.
        decision: Decision,
    },
    /// The job killed its process when it ran alone.
    Quarantined {
        /// The job.
        slot: Slot,
        /// The fence under which it was found.
        fence: i64,
    },
    /// The upstream system withdraws the application.
    Cancel {
        /// Who.
        actor: Actor,
        /// Why.
        reason: String,
    },
    /// An operator acts on a stalled application.
    Operator {
        /// Who.
        actor: Actor,
        /// What.
        act: OperatorAct,
        /// The batch that it is a part of.
        batch: Option<BatchId>,
    },
    /// A person acts on a review.
    Review {
        /// The review meant; another one than the current is a refusal.
        review: ReviewId,
        /// What.
        act: ReviewAct,
    },
    /// A moment of the current review has come: its lease lapsed, or its decision takes effect.
    ReviewClock,
    /// A moment of the deadline has come.
    DeadlineReached,
    /// The calendar changed, or data that was missing is there.
    CalendarChanged,
    /// The registry was asked about the issued licence.
    RegistrySaw {
        /// Letters of the status at issue.
        issued: String,
        /// Letters of the status now.
        status: String,
        /// What the registry wrote, when nobody knows it ([`LicenceStatus::unknown`](super::licence_status::LicenceStatus::unknown)).
        unknown: Option<String>,
        /// Whether class, validity or authority are other ones than at issue.
        reissue_needed: bool,
    },
    /// An operator ends the service of the issued licence (R30).
    Terminate {
        /// Who.
        actor: Actor,
        /// The licence meant.
        licence: LicenceId,
        /// Why.
        reason: String,
    },
    /// A presentation of the issued licence was checked.
    Verified {
        /// The verifier's key, or the person.
        actor: Actor,
        /// Which of the keys of that name; none for a person.
        key_id: Option<String>,
        /// Whose key that is.
        verifier: String,
        /// What for.
        purpose: Purpose,
        /// Why it was not good; none when it was.
        refused: Option<Refused>,
    },
    /// Somebody looked at a photo.
    PhotoViewed {
        /// Who.
        actor: Actor,
        /// Which photo; without, the one that the registry retains.
        photo: Option<PhotoId>,
    },
    /// The card (驾驶证电子版) of the licence could not be drawn from its data, for example for want of a glyph.
    CardRefused {
        /// Why.
        problem: CardProblem,
    },
    /// The card was drawn.
    CardDrawn,
}

impl Cause {
    /// The reviewer who would hold one more task.
    pub fn claimant(&self) -> Option<&str> {
        match self {
            Self::Review { act: ReviewAct::Claim { reviewer, .. }, .. } => Some(reviewer),
            _ => None,
        }
    }
}

/// What an operator does with a stalled application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperatorAct {
    /// Try again from the stage that stalled.
    Retry,
    /// Refuse it.
    Reject {
        /// Why.
        reason: String,
    },
    /// The identity was checked at the counter; only for a face verification that answered `manual`.
    Accept {
        /// Why.
        reason: String,
    },
}

wire_enum! {
    /// A fact of the applicant that reviewers see masked.
    pub enum MaskedFact as "fact" {
        /// 姓名.
        Name = "name",
        /// 证件号码.
        DocumentNumber = "document_number",
        /// 手机号.
        Mobile = "mobile",
        /// 档案编号.
        FileNumber = "file_number",
    }
}

/// What happens to a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewAct {
    /// A reviewer takes it.
    Claim {
        /// Who.
        reviewer: String,
        /// Whether that is a supervisor, who may take what was escalated.
        supervisor: bool,
        /// Blind index (hex) of the reviewer's own document, where it is known.
        document: Option<String>,
        /// SHA-256 (hex) of the new lease token.
        token_hash: String,
    },
    /// A reviewer takes up again what they hold, or a supervisor takes it from its holder.
    TakeOver {
        /// Who.
        reviewer: String,
        /// Whether that is a supervisor.
        supervisor: bool,
        /// Blind index (hex) of the reviewer's own document, where it is known.
        document: Option<String>,
        /// SHA-256 (hex) of the new lease token.
        token_hash: String,
    },
    /// A supervisor gives it to somebody, or takes that back.
    Reassign {
        /// Who.
        supervisor: String,
        /// To whom; to nobody in particular without.
        to: Option<String>,
        /// Why, for the log.
        reason: String,
    },
    /// A supervisor opens a decided review again, before the result reaches the applicant.
    Reopen {
        /// Who.
        supervisor: String,
        /// Why, for the log.
        reason: String,
    },
    /// A supervisor wants a second person to look.
    DemandSecond {
        /// Who.
        supervisor: String,
        /// Why, for the log.
        reason: String,
    },
    /// The reviewer gives it back for later.
    Postpone {
        /// Hash of the token.
        token_hash: String,
        /// Not offered for so long.
        wait: Duration,
        /// Why, for the log.
        reason: String,
    },
    /// The reviewer looks at a fact that is masked.
    Reveal {
        /// Hash of the token.
        token_hash: String,
        /// Which.
        fact: MaskedFact,
    },
    /// The reviewer is still there.
    Heartbeat {
        /// Hash of the token.
        token_hash: String,
    },
    /// The reviewer gives it back.
    Release {
        /// Hash of the token.
        token_hash: String,
        /// Why, for the log.
        reason: Option<String>,
    },
    /// The reviewer decides.
    Decide {
        /// Hash of the token.
        token_hash: String,
        /// Approve or reject.
        verdict: Verdict,
        /// Reasons of a rejection.
        reasons: Vec<PhotoReason>,
        /// The evidence that the reviewer saw, if given.
        evidence_hash: Option<String>,
        /// How long it can be undone.
        undo: Duration,
        /// Whether it is a person with a session, of whose decisions a share is looked at twice.
        signed_in: bool,
    },
    /// The reviewer takes the decision back.
    Undo {
        /// Hash of the token.
        token_hash: String,
    },
    /// The reviewer passes it to a supervisor.
    Escalate {
        /// Hash of the token.
        token_hash: String,
    },
}

/// Why a cause changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else owns the job by now; its holder stops silently.
    #[error("the job belongs to somebody else")]
    Fenced,
    /// The application is decided.
    #[error("the application is already decided")]
    AlreadyDecided,
    /// The application does not wait for an operator.
    #[error("the application is not stalled")]
    NotStalled,
    /// Only a face verification that answered `manual` can be accepted.
    #[error("only a face verification that asked for a manual check can be accepted")]
    NotAcceptable,
    /// Another reviewer holds it, or it is no longer open.
    #[error("the review is not open")]
    AlreadyClaimed,
    /// The reviewer holds as many tasks as they may.
    #[error("the reviewer holds as many tasks as one may")]
    ClaimLimit,
    /// The task is a supervisor's.
    #[error("the review was escalated to a supervisor")]
    SupervisorOnly,
    /// The reviewer decided this application before, or it is their own.
    #[error("the reviewer has a conflict of interest")]
    ConflictOfInterest,
    /// A supervisor gave it to somebody else.
    #[error("the review is assigned to somebody else")]
    AssignedToOther,
    /// There is no decision that could be opened again.
    #[error("the review is not decided")]
    NotDecided,
    /// The licence is issued: the decision on its photo is not opened again.
    #[error("the licence is issued: an operator can end its service, and the holder applies again")]
    AlreadyIssued,
    /// The applicant may know of the rejection.
    #[error("the applicant is being told of the rejection, and can apply again")]
    AlreadyTold,
    /// The lease token is not the present one, or its lease lapsed.
    #[error("the review lease is lost")]
    LeaseLost,
    /// The review is decided, otherwise than now asked or for good.
    #[error("the review is already decided")]
    ReviewDecided,
    /// The reviewer saw other evidence than the present one.
    #[error("the evidence changed")]
    StaleEvidence,
    /// The licence is not the application's, or its service is ended already.
    #[error("the licence is not current")]
    LicenceNotCurrent,
    /// There is no such review, or it is not the application's current one.
    #[error("no such review")]
    NoSuchReview,
    /// Nothing to do: the moment has passed or has not come.
    #[error("nothing to do")]
    Nothing,
    /// A stage answered what its workflow does not know: a defect, which stalls the application.
    #[error("stage `{stage}` answered `{answer}`, which the workflow does not know")]
    Unknown {
        /// The stage.
        stage: String,
        /// Its answer.
        answer: String,
    },
}

impl Refusal {
    /// The stable code of the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::AlreadyDecided | Self::ReviewDecided => "already_decided",
            Self::NotStalled => "not_stalled",
            Self::NotAcceptable => "not_acceptable",
            Self::AlreadyClaimed => "already_claimed",
            Self::ClaimLimit => "claim_limit_reached",
            Self::SupervisorOnly => "supervisor_only",
            Self::ConflictOfInterest => "conflict_of_interest",
            Self::AssignedToOther => "assigned_to_other",
            Self::NotDecided => "not_decided",
            Self::AlreadyIssued => "already_issued",
            Self::AlreadyTold => "already_told",
            Self::LeaseLost => "lease_lost",
            Self::StaleEvidence => "stale_evidence",
            Self::LicenceNotCurrent => "licence_not_current",
            Self::NoSuchReview => "review_not_found",
            Self::Nothing => "nothing_to_do",
            Self::Unknown { .. } => "unknown_outcome",
        }
    }
}

/// The failure that a quarantined job leaves behind.
pub fn quarantine_failure(at: DateTime<Utc>) -> Failure {
    Failure::new(
        "process_killed",
        format!("its process died again and again while it ran, last found at {}", at.to_rfc3339()),
    )
}

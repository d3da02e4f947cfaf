//! What a stage answers. A stage writes nothing itself; the engine turns its decision into a plan.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    application::{OutcomeCode, WaitReason},
    ids::LicenceId,
    licence_watch::CardProblem,
    photo_reason::PhotoReason,
    review::Evidence,
    vehicle_class::VehicleClasses,
};
use std::time::Duration;

/// A failure, without personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable, snake_case: `http_503`, `timeout`, `face_manual`.
    pub code: String,
    /// One sentence for operators.
    pub detail: String,
}

impl Failure {
    /// A failure with its code and one sentence for operators.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into() }
    }
}

/// The licence data (without personal data) whose change makes a reissue necessary (R16, R21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceFacts {
    /// 准驾车型, e.g. `C1D`.
    pub classes: String,
    /// 有效期始.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止; none for 长期.
    pub valid_until: Option<NaiveDate>,
    /// 发证机关, e.g. 蒙C.
    pub authority: String,
}

impl LicenceFacts {
    /// Whether nothing changed that makes a reissue necessary. The same classes in another order are no change.
    pub fn same_as(&self, other: &Self) -> bool {
        let classes = match (VehicleClasses::parse(&self.classes), VehicleClasses::parse(&other.classes)) {
            (Ok(these), Ok(those)) => these == those,
            _ => self.classes == other.classes,
        };
        classes
            && (self.valid_from, self.valid_until, &self.authority)
                == (other.valid_from, other.valid_until, &other.authority)
    }
}

/// What a stage learnt that later stages, the record or the audit log need. No personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Nothing to remember.
    Nothing,
    /// The registry's answer at eligibility.
    Eligible {
        /// Letters of the licence status.
        status: String,
        /// The licence data.
        licence: LicenceFacts,
    },
    /// The face verification's answer.
    Face {
        /// The provider's sub code.
        sub_code: Option<String>,
        /// The provider's score.
        score: Option<f64>,
    },
    /// The photo was approved by this reviewer.
    Approved {
        /// The reviewer's name.
        reviewer: String,
    },
}

/// A licence record that generation wants written. The sealed part is encrypted by the stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLicence {
    /// The licence's id.
    pub id: LicenceId,
    /// Letters of the licence status at issue.
    pub status: String,
    /// The licence data at issue.
    pub facts: LicenceFacts,
    /// The encrypted record.
    pub sealed: SealedRecord,
    /// The holder's current licence, whose place it takes: written only while that one is current still.
    pub supersedes: Option<LicenceId>,
    /// Why its card cannot be drawn, as far as that is known before anybody asks for it.
    pub card_problem: Option<CardProblem>,
}

/// An encrypted record with its wrapped data key.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRecord {
    /// Id of the master key that wraps the data key.
    pub key_id: String,
    /// The data key under the master key.
    pub wrapped_key: Vec<u8>,
    /// Nonce and ciphertext.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for SealedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedRecord(key `{}`, {} bytes)", self.key_id, self.ciphertext.len())
    }
}

/// Why an application is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The outcome that it gets.
    pub code: OutcomeCode,
    /// Replaces the outcome's usual Chinese message, e.g. the exact text for 锁定.
    pub message_zh: Option<String>,
    /// Reasons of a rejected photo.
    pub reasons: Vec<PhotoReason>,
    /// For the audit log, without personal data.
    pub detail: String,
    /// The licence status that nobody knows, for operations ([`LicenceStatus::unknown`](super::licence_status::LicenceStatus::unknown)).
    pub unknown_status: Option<String>,
}

impl Rejection {
    /// A refusal with the outcome's usual message.
    pub fn new(code: OutcomeCode, detail: impl Into<String>) -> Self {
        Self { code, message_zh: None, reasons: Vec::new(), detail: detail.into(), unknown_status: None }
    }
}

/// A stage's answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The stage is done; the workflow says what follows the outcome.
    Advance {
        /// One of [`Stage::outcomes`](super::stage::Stage::outcomes).
        outcome: &'static str,
        /// What to remember.
        finding: Finding,
    },
    /// The licence is generated: advances with `issued` and writes the record.
    Issue(Box<NewLicence>),
    /// A channel accepted the notification.
    Sent {
        /// The provider's message id, or what stands for it where that cannot be kept.
        message_id: String,
    },
    /// A channel refused the notification for good.
    Undeliverable(Failure),
    /// Not yet: uses no attempt.
    Wait {
        /// How long.
        until: Until,
        /// Why.
        reason: WaitReason,
        /// One sentence for whoever asks.
        detail: String,
    },
    /// A person must decide on this evidence.
    Await(Evidence),
    /// The attempt failed; the workflow's schedule says when to try again.
    Retry {
        /// A provider's own wish, never shortened.
        after: Option<Duration>,
        /// What went wrong.
        error: Failure,
    },
    /// The application is refused.
    Reject(Rejection),
    /// An operator must act, however many attempts are left.
    Stall(Failure),
}

impl Decision {
    /// What was decided, in a word, for metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Advance { .. } | Self::Issue(_) | Self::Sent { .. } => "advance",
            Self::Wait { .. } => "wait",
            Self::Await(_) => "await",
            Self::Retry { .. } => "retry",
            Self::Reject(_) | Self::Undeliverable(_) => "reject",
            Self::Stall(_) => "stall",
        }
    }
}

/// The end of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// This long from the moment of the commit.
    After(Duration),
    /// A moment.
    At(DateTime<Utc>),
}

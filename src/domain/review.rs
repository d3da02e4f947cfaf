//! A photo review (照片审核): the task that a person claims, decides, releases or escalates.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    ids::{ApplicationId, PhotoId, ReviewId},
    photo_reason::PhotoReason,
    wire::wire_enum,
};

wire_enum! {
    /// Where a review stands.
    pub enum ReviewState as "review state" {
        /// Anybody may claim it.
        Open = "open",
        /// A reviewer holds the lease.
        Claimed = "claimed",
        /// The decision is made (and may still be undone until it takes effect).
        Decided = "decided",
        /// The application was cancelled meanwhile.
        Withdrawn = "withdrawn",
    }
}

wire_enum! {
    /// What a reviewer says of a photo.
    pub enum Verdict as "decision" {
        /// The photo is good.
        Approve = "approve",
        /// The photo is refused for one or more reasons.
        Reject = "reject",
    }
}

/// The lease of a reviewer on a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewLease {
    /// The reviewer's name.
    pub reviewer: String,
    /// SHA-256 (hex) of the lease token; the token itself is known to the holder alone.
    pub token_hash: String,
    /// The lease lapses at this moment.
    pub expires_at: DateTime<Utc>,
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewDecision {
    /// Approve or reject.
    pub verdict: Verdict,
    /// Reasons of a rejection, none of an approval.
    pub reasons: Vec<PhotoReason>,
    /// Who decided.
    pub reviewer: String,
    /// SHA-256 (hex) of the lease token that the decision was made under.
    pub token_hash: String,
    /// When it was made durable.
    pub decided_at: DateTime<Utc>,
    /// When it takes effect; later than `decided_at` only with an undo window.
    pub takes_effect_at: DateTime<Utc>,
    /// Whether it has taken effect.
    pub effective: bool,
    /// Whether it is of the share that a second person looks at although nothing demands it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sampled: bool,
}

impl ReviewDecision {
    /// Whether it says unlawful or improper content, which has consequences beyond the photo.
    fn is_grave(&self) -> bool {
        self.reasons.iter().any(|reason| reason.needs_second_look())
    }

    fn agrees_with(&self, other: &Self) -> bool {
        self.verdict == other.verdict && self.is_grave() == other.is_grave()
    }

    /// Whether it says the same; the order of reasons says nothing.
    pub fn says(&self, verdict: Verdict, reasons: &[PhotoReason]) -> bool {
        let all_in = |some: &[PhotoReason], others: &[PhotoReason]| some.iter().all(|reason| others.contains(reason));
        self.verdict == verdict && all_in(&self.reasons, reasons) && all_in(reasons, &self.reasons)
    }
}

/// A round of a review that a supervisor opened again: what was decided in it, and why that does not stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerRound {
    /// Its number.
    pub round: u32,
    /// The decisions made in it, oldest first.
    pub decisions: Vec<ReviewDecision>,
    /// The supervisor.
    pub reopened_by: String,
    /// When.
    pub reopened_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// What a reviewer is shown, and its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The photo under review.
    pub photo_id: PhotoId,
    /// The automatic checks, as the API shows them.
    pub checks: serde_json::Value,
    /// SHA-256 (hex) over photo, checks, threshold and workflow versions.
    pub hash: String,
}

/// A review task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// The task's id.
    pub id: ReviewId,
    /// The application under review.
    pub application_id: ApplicationId,
    /// 1 for the first review of the application; a reopened one begins the next round.
    pub round: u32,
    /// Where it stands.
    pub state: ReviewState,
    /// The promise of one working day; none when the calendar has no data.
    pub due_at: Option<DateTime<Utc>>,
    /// Higher first.
    pub priority: i16,
    /// 发证机关, the queue that it belongs to.
    pub authority: Option<String>,
    /// What the reviewer is shown.
    pub evidence: Evidence,
    /// The present lease.
    pub lease: Option<ReviewLease>,
    /// Whether only a supervisor may take it (escalated).
    pub supervisor_only: bool,
    /// How often a lease lapsed unused.
    pub lapsed_leases: u32,
    /// The decision, once made.
    pub decision: Option<ReviewDecision>,
    /// When the task was opened.
    pub opened_at: DateTime<Utc>,
    /// What others decided before in this round, where a second person has to look (四眼原则).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<ReviewDecision>,
    /// Rounds before this one, oldest first: a supervisor opened the task again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<FormerRound>,
    /// Whether a supervisor wants a second person to look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_demanded: bool,
    /// The only reviewer who may claim it: a supervisor gave it to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
    /// Not offered before this moment; it can still be claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postponed_until: Option<DateTime<Utc>>,
}

/// Whose look a decision still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextLook {
    /// Nobody's: the decision stands, with the reasons of all who agree.
    Nobody(Vec<PhotoReason>),
    /// A second person's.
    SecondPerson,
    /// A supervisor's: two people disagree.
    Supervisor,
}

impl Review {
    /// Whether a second person is to look, who does not see what the first one decided.
    pub fn is_second_look(&self) -> bool {
        self.earlier.len() == 1
    }

    /// Whether two people disagreed, so that a supervisor settles it.
    pub fn is_disputed(&self) -> bool {
        self.earlier.len() > 1
    }

    /// Whether the person decided on it before.
    pub fn was_decided_by(&self, name: &str) -> bool {
        self.earlier.iter().any(|decision| decision.reviewer == name)
    }

    /// Every decision on it that was not undone, also those of former rounds.
    pub fn decisions(&self) -> impl Iterator<Item = &ReviewDecision> {
        let former = self.former.iter().flat_map(|round| &round.decisions);
        former.chain(&self.earlier).chain(&self.decision)
    }

    /// Whose look a decision needs: of unlawful or improper content always a second one, of the rest where a supervisor
    /// wants it or chance has it, and a supervisor's where two people disagree.
    pub fn next_look(&self, decision: &ReviewDecision) -> NextLook {
        match self.earlier.as_slice() {
            [] if decision.is_grave() || self.second_demanded || decision.sampled => NextLook::SecondPerson,
            [first] if !first.agrees_with(decision) => NextLook::Supervisor,
            [first] => {
                let more = first.reasons.iter().filter(|reason| !decision.reasons.contains(reason));
                NextLook::Nobody(decision.reasons.iter().chain(more).copied().collect())
            }
            _ => NextLook::Nobody(decision.reasons.clone()),
        }
    }

    /// Whether it is of a share, 0 to 1, of all tasks: by the random end of its id, which nobody can steer.
    pub fn is_sampled(&self, share: f64) -> bool {
        let [.., a, b, c, d] = *self.id.0.as_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) < share * 2_f64.powi(32)
    }

    /// Whether the holder of `token_hash` holds a lease at `now`.
    pub fn is_held_by(&self, token_hash: &str, now: DateTime<Utc>) -> bool {
        self.state == ReviewState::Claimed
            && self.lease.as_ref().is_some_and(|lease| lease.token_hash == token_hash && lease.expires_at > now)
    }
}

//! A review task as reviewers see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    ids::{ApplicationId, PhotoId, ReviewId},
    photo_check::Check,
    photo_reason::PhotoReason,
    review::{Review, ReviewDecision, ReviewState, Verdict},
};

/// A review task.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Review)]
pub struct ReviewBody {
    /// The task's id.
    pub id: ReviewId,
    /// The application under review.
    pub application_id: ApplicationId,
    /// Where it stands.
    pub state: ReviewState,
    /// The promise of one working day; null when the calendar has no data.
    pub due_at: Option<DateTime<Utc>>,
    /// Higher first.
    pub priority: i16,
    /// 发证机关.
    #[schema(example = "蒙C")]
    pub authority: Option<String>,
    /// The photo under review.
    pub photo_id: PhotoId,
    /// Who holds the lease.
    pub claimed_by: Option<String>,
    /// When the lease lapses.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// The automatic checks.
    #[schema(value_type = Vec<Check>)]
    pub checks: serde_json::Value,
    /// 1 for the first review of the application.
    pub round: u32,
    /// SHA-256 over what the reviewer is shown.
    pub evidence_hash: String,
    /// Whether only a supervisor may take it.
    pub supervisor_only: bool,
    /// When the task was opened.
    pub opened_at: DateTime<Utc>,
    /// The decision, once made.
    pub decision: Option<DecisionBody>,
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ReviewDecision)]
pub struct DecisionBody {
    /// Approve or reject.
    pub decision: Verdict,
    /// Reasons of a rejection.
    pub reasons: Vec<PhotoReason>,
    /// Who decided.
    pub reviewer: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// Until this moment it can be undone.
    pub takes_effect_at: DateTime<Utc>,
}

/// A claimed task with the token that every later call needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ClaimedReview)]
pub struct ClaimedBody {
    /// The task.
    #[serde(flatten)]
    pub review: ReviewBody,
    /// Told this once.
    pub lease_token: String,
}

impl ReviewBody {
    /// From the stored task.
    pub fn of(review: Review) -> Self {
        let (claimed_by, lease_expires_at) = review.lease.map(|lease| (lease.reviewer, lease.expires_at)).unzip();
        Self {
            id: review.id,
            application_id: review.application_id,
            state: review.state,
            due_at: review.due_at,
            priority: review.priority,
            authority: review.authority,
            photo_id: review.evidence.photo_id,
            claimed_by,
            lease_expires_at,
            checks: review.evidence.checks,
            round: review.round,
            evidence_hash: review.evidence.hash,
            supervisor_only: review.supervisor_only,
            opened_at: review.opened_at,
            decision: review.decision.map(DecisionBody::of),
        }
    }
}

impl DecisionBody {
    fn of(decision: ReviewDecision) -> Self {
        Self {
            decision: decision.verdict,
            reasons: decision.reasons,
            reviewer: decision.reviewer,
            decided_at: decision.decided_at,
            takes_effect_at: decision.takes_effect_at,
        }
    }
}

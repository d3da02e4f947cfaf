//! A review task as reviewers see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::promise::Promise;
use crate::{
    domain::{
        ids::{ApplicationId, PhotoId, ReviewId},
        photo_check::Check,
        photo_reason::PhotoReason,
        review::{Review, ReviewDecision, ReviewState, Verdict},
        time_left::Urgency,
    },
    http::auth::Scope,
    store::users::User,
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
    /// The decision, once made; to others than supervisors and whoever decided only once it has taken effect.
    pub decision: Option<DecisionBody>,
    /// Working time until the due time, in seconds; below zero since it. Null without a due time.
    pub working_seconds_left: Option<i64>,
    /// How urgent that is.
    pub urgency: Urgency,
    /// Whether a second person is to look. For supervisors; null for others, to whom it would tell of the first decision.
    pub second_look: Option<bool>,
    /// Whether a supervisor wants a second person to look once it is decided. For supervisors; null for others.
    pub second_demanded: Option<bool>,
    /// For supervisors: what two people decided who disagree, which a supervisor settles.
    pub disputed: Vec<DecisionBody>,
    /// The only reviewer who may claim it.
    pub assigned_to: Option<String>,
    /// Not offered before this moment.
    pub postponed_until: Option<DateTime<Utc>>,
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

/// Who looks at a task: four eyes see what two of them must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// The name.
    pub name: String,
    /// Whether that is a supervisor.
    pub supervisor: bool,
}

impl Viewer {
    /// A person with a session.
    pub fn person(user: &User) -> Self {
        Self { name: user.name.clone(), supervisor: user.role.may(Scope::ReviewsSupervise) }
    }

    /// Whether the decision on a task may be seen: what has not taken effect is nobody's business who might look next.
    fn sees(&self, decision: &ReviewDecision) -> bool {
        self.supervisor || decision.effective || decision.reviewer == self.name
    }
}

impl ReviewBody {
    /// From the stored task, for a viewer.
    pub fn of(review: Review, promise: &Promise, viewer: &Viewer) -> Self {
        let left = promise.left(&review);
        // One earlier decision is the first person's, which the second one must not know.
        let disputed = if viewer.supervisor && review.is_disputed() { review.earlier.clone() } else { Vec::new() };
        let for_supervisors = |flag: bool| viewer.supervisor.then_some(flag);
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
            second_look: for_supervisors(review.earlier.len() == 1),
            second_demanded: for_supervisors(review.second_demanded),
            decision: review.decision.filter(|decision| viewer.sees(decision)).map(DecisionBody::of),
            working_seconds_left: left.seconds,
            urgency: left.urgency,
            disputed: disputed.into_iter().map(DecisionBody::of).collect(),
            assigned_to: review.assigned_to,
            postponed_until: review.postponed_until,
        }
    }
}

impl DecisionBody {
    /// From the stored decision.
    pub(super) fn of(decision: ReviewDecision) -> Self {
        Self {
            decision: decision.verdict,
            reasons: decision.reasons,
            reviewer: decision.reviewer,
            decided_at: decision.decided_at,
            takes_effect_at: decision.takes_effect_at,
        }
    }
}

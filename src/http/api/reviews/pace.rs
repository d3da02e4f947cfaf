//! A reviewer's own figures: for themselves, never a league table.

use std::collections::HashMap;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        calendar::{self, local_date},
        event::EventType,
    },
    http::{body::Json, problem::Problem, reviewer::AsReviewer, state::AppState},
    store::types::StoredEvent,
};

/// How far back a rate looks.
const DAYS: i64 = 30;
/// Events of one kind that are counted at most.
const MOST: usize = 2000;

/// A reviewer's own figures.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ReviewerPace)]
pub struct PaceBody {
    /// Whose.
    pub reviewer: String,
    /// Decisions today that were not undone, counted up to 2000.
    pub decided_today: usize,
    /// From claim to decision, in the middle of today's; null without any.
    pub median_seconds: Option<i64>,
    /// Decisions of the last 30 days that were not undone, counted up to 2000.
    pub decided_30_days: u64,
    /// How many of them did not stand when somebody else looked.
    pub overturned_30_days: u64,
}

/// See one's own pace, and how often one was overturned.
#[utoipa::path(get, path = "/v1/reviews/pace", operation_id = "get_reviewer_pace", tag = "reviews", security(("key" = ["reviews"])),
    params(("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses((status = 200, description = "The figures", body = PaceBody)))]
pub(super) async fn pace(State(state): State<AppState>, reviewer: AsReviewer) -> Result<Json<PaceBody>, Problem> {
    pace_of(&state, &reviewer.name).await.map(Json)
}

/// The figures of a reviewer.
///
/// # Errors
/// Those of the store.
pub async fn pace_of(state: &AppState, name: &str) -> Result<PaceBody, Problem> {
    let now = state.engine.shared.clock.now();
    let month = now - TimeDelta::days(DAYS);
    let today = local_date(now).and_hms_opt(0, 0, 0).and_then(calendar::instant).unwrap_or(now);
    let store = &state.engine.shared.store;
    let of_today = |kind| store.review_events(kind, name, today, MOST);
    let in_a_month = |kind| store.count_review_events(kind, name, month, MOST);
    let undone = of_today(EventType::ReviewUndone).await?;
    let decided = standing(of_today(EventType::ReviewDecided).await?, &undone);
    let mut begun = of_today(EventType::ReviewClaimed).await?;
    begun.extend(of_today(EventType::ReviewTakenOver).await?);
    let undone_in_a_month = in_a_month(EventType::ReviewUndone).await?;
    Ok(PaceBody {
        reviewer: name.to_owned(),
        decided_today: decided.len(),
        median_seconds: median(&decided, &begun),
        decided_30_days: in_a_month(EventType::ReviewDecided).await?.saturating_sub(undone_in_a_month),
        overturned_30_days: store.count_overturned(name, month, MOST).await?,
    })
}

/// The decisions, newest first, without those that were undone.
fn standing(decided: Vec<StoredEvent>, undone: &[StoredEvent]) -> Vec<StoredEvent> {
    let mut taken_back: Vec<&StoredEvent> = undone.iter().collect();
    let mut is_undone = |decision: &StoredEvent| {
        let of = |undo: &&StoredEvent| undo.application_id == decision.application_id && undo.at >= decision.at;
        let place = taken_back.iter().rposition(of);
        place.map(|place| taken_back.remove(place)).is_some()
    };
    decided.into_iter().filter(|decision| !is_undone(decision)).collect()
}

/// From each decision's last claim, or take-over, before it to the decision.
fn median(decided: &[StoredEvent], begun: &[StoredEvent]) -> Option<i64> {
    let mut claims: HashMap<_, Vec<DateTime<Utc>>> = HashMap::new();
    for claim in begun {
        claims.entry(claim.application_id).or_default().push(claim.at);
    }
    let mut taken: Vec<i64> = decided
        .iter()
        .filter_map(|event| {
            let since = claims.get(&event.application_id)?.iter().filter(|at| **at <= event.at).max()?;
            Some((event.at - *since).num_seconds())
        })
        .collect();
    taken.sort_unstable();
    taken.get(taken.len() / 2).copied()
}

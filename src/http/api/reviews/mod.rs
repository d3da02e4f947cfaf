//! `/v1/reviews`: the tasks of reviewers.

pub mod body;
mod claim;
pub mod detail;
pub mod history;
pub mod pace;
pub mod promise;
mod supervise;

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{
        authority::IssuingAuthority,
        cause::{Cause, Refusal, ReviewAct},
        decision::SealedRecord,
        ids::ReviewId,
        photo_reason::PhotoReason,
        review::{Review, ReviewState, Verdict},
    },
    http::{
        auth::{self, Authorised, Caller, Scope},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::{Fault, Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
    store::types::ReviewFilter,
};

use body::{ReviewBody, Viewer};
use claim::token_hash;
use history::sealed_note;
use promise::Promise;

use super::{change, written, written_field};

/// The longest note and reason, in characters.
const LONGEST_NOTE: usize = 2000;
/// The longest undo window.
const LONGEST_UNDO: u64 = 60;
/// The longest time that a task is put off, in minutes.
const LONGEST_PAUSE: u64 = 480;

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(claim::claim_next))
        .routes(routes!(claim::claim))
        .routes(routes!(heartbeat))
        .routes(routes!(release))
        .routes(routes!(decide))
        .routes(routes!(escalate))
        .routes(routes!(undo))
        .routes(routes!(postpone))
        .routes(routes!(pace::pace))
        .routes(routes!(detail::get))
        .routes(routes!(detail::reveal))
        .routes(routes!(detail::comparison))
        .routes(routes!(supervise::take_over))
        .routes(routes!(supervise::reassign))
        .routes(routes!(supervise::reopen))
        .routes(routes!(supervise::second_look))
}

/// Which tasks, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// In this state.
    state: Option<ReviewState>,
    /// Of this issuing authority.
    #[param(value_type = Option<String>, example = "蒙C")]
    authority: Option<IssuingAuthority>,
    /// Claimed by this reviewer.
    claimed_by: Option<String>,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List tasks, least time left first.
#[utoipa::path(get, path = "/v1/reviews", operation_id = "list_reviews", tag = "reviews", security(("key" = ["reviews"])),
    params(ListParams, ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses((status = 200, description = "One page", body = ListBody<ReviewBody>)))]
async fn list(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<ReviewBody>>, Problem> {
    let filter = ReviewFilter {
        state: params.state,
        authority: params.authority.map(String::from),
        reviewer: params.claimed_by,
    };
    let listed = state.engine.shared.store.reviews(&filter, &page(params.limit, params.cursor)).await?;
    let (promise, viewer) = (Promise::of(&state), reviewer.viewer());
    Ok(Json(ListBody::of(listed, |review| ReviewBody::of(review, &promise, &viewer))))
}

/// The token that a claim gave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    lease_token: String,
}

/// A lease that goes on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewLease)]
struct LeaseBody {
    /// When it lapses now.
    lease_expires_at: Option<DateTime<Utc>>,
}

/// Keep a task.
#[utoipa::path(post, path = "/v1/reviews/{id}/heartbeat", operation_id = "keep_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = TokenBody,
    responses(
        (status = 200, description = "The lease begins anew", body = LeaseBody),
        (status = 409, description = "`lease_lost`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn heartbeat(
    State(state): State<AppState>,
    _caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<TokenBody>,
) -> Result<Json<LeaseBody>, Problem> {
    let review = act(&state, id, ReviewAct::Heartbeat { token_hash: token_hash(&body.lease_token) }, None).await?;
    Ok(Json(LeaseBody { lease_expires_at: review.lease.map(|lease| lease.expires_at) }))
}

/// Why a task is given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    lease_token: String,
    /// At most 2000 characters, without personal data: it stands in the audit log.
    reason: Option<String>,
}

/// Give a task back.
#[utoipa::path(post, path = "/v1/reviews/{id}/release", operation_id = "release_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = ReleaseBody,
    responses(
        (status = 204, description = "The task is open again"),
        (status = 409, description = "`lease_lost`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn release(
    State(state): State<AppState>,
    _caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReleaseBody>,
) -> Result<StatusCode, Problem> {
    if let Some(reason) = &body.reason {
        written_field("/reason", reason, LONGEST_NOTE)?;
    }
    let token_hash = token_hash(&body.lease_token);
    act(&state, id, ReviewAct::Release { token_hash, reason: body.reason }, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewReviewDecision)]
struct NewDecision {
    lease_token: String,
    decision: Verdict,
    /// At least one for a rejection, none for an approval.
    #[serde(default)]
    reasons: Vec<PhotoReason>,
    /// For colleagues, at most 2000 characters; stored encrypted.
    note: Option<String>,
    /// The task's, as the reviewer saw it.
    evidence_hash: Option<String>,
    /// How long it can be undone: 0 to 60.
    #[serde(default)]
    #[schema(maximum = 60)]
    undo_seconds: u64,
}

impl NewDecision {
    fn check(&self) -> Result<(), Problem> {
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, code, detail| faults.push(Fault::new(pointer, code, detail));
        match self.decision {
            Verdict::Reject if self.reasons.is_empty() => fault("/reasons", "missing", "a rejection needs a reason"),
            Verdict::Approve if !self.reasons.is_empty() => {
                fault("/reasons", "reasons_not_expected", "an approval has no reasons");
            }
            _ => {}
        }
        if self
            .reasons
            .iter()
            .enumerate()
            .any(|(index, reason)| self.reasons.iter().take(index).any(|other| other == reason))
        {
            fault("/reasons", "duplicate_value", "each reason must be given once");
        }
        if self.undo_seconds > LONGEST_UNDO {
            fault("/undo_seconds", "out_of_range", "must be 0 to 60");
        }
        if let Some(Err(error)) = self.note.as_deref().map(|note| written(note, LONGEST_NOTE)) {
            faults.push(Fault::at("/note", error));
        }
        if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
    }
}

/// Decide on a photo.
#[utoipa::path(post, path = "/v1/reviews/{id}/decision", operation_id = "decide_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = NewDecision,
    responses(
        (status = 200, description = "Decided, now or before in the same way", body = ReviewBody),
        (status = 409, description = "`lease_lost`, `already_decided`, `stale_evidence`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn decide(
    State(state): State<AppState>,
    caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<NewDecision>,
) -> Result<Json<ReviewBody>, Problem> {
    body.check()?;
    let note = sealed_note(&state, &task(&state, id).await?, &body.lease_token, body.note.as_deref())?;
    let token_hash = token_hash(&body.lease_token);
    let decided = ReviewAct::Decide {
        token_hash: token_hash.clone(),
        verdict: body.decision,
        reasons: body.reasons,
        evidence_hash: body.evidence_hash,
        undo: Duration::from_secs(body.undo_seconds),
        signed_in: caller.person.is_some(),
    };
    let review = act(&state, id, decided, note).await?;
    Ok(Json(to_holder(&state, &caller, &token_hash, review)))
}

/// Why a task is passed on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EscalateBody {
    lease_token: String,
    /// For the supervisor, 1 to 2000 characters; stored encrypted.
    note: String,
}

/// Pass a task to a supervisor.
#[utoipa::path(post, path = "/v1/reviews/{id}/escalate", operation_id = "escalate_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = EscalateBody,
    responses(
        (status = 200, description = "A supervisor's from now on", body = ReviewBody),
        (status = 409, description = "`lease_lost`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn escalate(
    State(state): State<AppState>,
    caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<EscalateBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/note", &body.note, LONGEST_NOTE)?;
    let note = sealed_note(&state, &task(&state, id).await?, &body.lease_token, Some(&body.note))?;
    let token_hash = token_hash(&body.lease_token);
    let review = act(&state, id, ReviewAct::Escalate { token_hash: token_hash.clone() }, note).await?;
    Ok(Json(to_holder(&state, &caller, &token_hash, review)))
}

/// Take a decision back within its undo window.
#[utoipa::path(post, path = "/v1/reviews/{id}/undo", operation_id = "undo_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = TokenBody,
    responses(
        (status = 200, description = "Claimed again under the same token", body = ReviewBody),
        (status = 409, description = "`already_decided` after the window", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn undo(
    State(state): State<AppState>,
    caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<TokenBody>,
) -> Result<Json<ReviewBody>, Problem> {
    let token_hash = token_hash(&body.lease_token);
    let review = act(&state, id, ReviewAct::Undo { token_hash: token_hash.clone() }, None).await?;
    Ok(Json(to_holder(&state, &caller, &token_hash, review)))
}

/// Why a task is put off, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PostponeBody {
    lease_token: String,
    /// 1 to 480; never beyond the due time.
    #[schema(minimum = 1, maximum = 480)]
    minutes: u64,
    /// At most 2000 characters, without personal data: it stands in the audit log.
    reason: String,
}

/// Give a task back for later: it is offered to nobody before.
#[utoipa::path(post, path = "/v1/reviews/{id}/postpone", operation_id = "postpone_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = PostponeBody,
    responses(
        (status = 200, description = "Open, and not offered for now", body = ReviewBody),
        (status = 409, description = "`lease_lost`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn postpone(
    State(state): State<AppState>,
    caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<PostponeBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    if !(1..=LONGEST_PAUSE).contains(&body.minutes) {
        return Err(Problem::field("/minutes", "out_of_range", format!("must be 1 to {LONGEST_PAUSE}")));
    }
    let wait = Duration::from_secs(body.minutes * 60);
    let token_hash = token_hash(&body.lease_token);
    let later = ReviewAct::Postpone { token_hash: token_hash.clone(), wait, reason: body.reason };
    let review = act(&state, id, later, None).await?;
    Ok(Json(to_holder(&state, &caller, &token_hash, review)))
}

/// A task for whoever acts by a token: that is whose it was, whatever the header says.
fn to_holder(state: &AppState, caller: &Caller, token_hash: &str, review: Review) -> ReviewBody {
    let decided = review.decisions().find(|made| made.token_hash == token_hash).map(|made| made.reviewer.clone());
    let viewer = Viewer { name: decided.unwrap_or_default(), supervisor: caller.has(Scope::ReviewsSupervise) };
    ReviewBody::of(review, &Promise::of(state), &viewer)
}

/// A task; 404 when there is none.
async fn task(state: &AppState, id: ReviewId) -> Result<Review, Problem> {
    state.engine.shared.store.review(id).await?.ok_or_else(Problem::not_found)
}

/// Acts on a task and gives its state. What was done before in the same way is done.
async fn act(state: &AppState, id: ReviewId, act: ReviewAct, note: Option<SealedRecord>) -> Result<Review, Problem> {
    let review = task(state, id).await?;
    let (after, refusal) = change(state, review.application_id, Cause::Review { review: id, act }, note).await?;
    match refusal {
        None | Some(Refusal::Nothing) => Ok(after.review.filter(|review| review.id == id).unwrap_or(review)),
        Some(refusal) => Err(refusal.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::strict;

    fn check(body: &Value) -> Result<(), Vec<(String, &'static str)>> {
        let mut body = body.clone();
        body["lease_token"] = json!("token");
        let decision = strict::decode::<NewDecision>(body.to_string().as_bytes());
        let problem = match decision.map(|decision| decision.check()) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(problem)) | Err(problem) => problem,
        };
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
        Err(problem.errors().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect())
    }

    #[test]
    fn decisions_must_make_sense() {
        assert_eq!(check(&json!({ "decision": "approve" })), Ok(()));
        assert_eq!(check(&json!({ "decision": "reject", "reasons": ["hat_worn"], "undo_seconds": 60 })), Ok(()));
        for (body, pointer, code) in [
            (json!({ "decision": "reject" }), "/reasons", "missing"),
            (json!({ "decision": "approve", "reasons": ["hat_worn"] }), "/reasons", "reasons_not_expected"),
            (json!({ "decision": "reject", "reasons": ["hat_worn", "hat_worn"] }), "/reasons", "duplicate_value"),
            (json!({ "decision": "reject", "reasons": ["hat_worn", "ugly"] }), "/reasons/1", "unknown_value"),
            (json!({ "decision": "perhaps" }), "/decision", "unknown_value"),
            (json!({ "decision": "approve", "undo_seconds": 61 }), "/undo_seconds", "out_of_range"),
            (json!({ "decision": "approve", "undo_seconds": -1 }), "/undo_seconds", "invalid_value"),
            (json!({ "decision": "approve", "note": " " }), "/note", "blank"),
            (json!({ "decision": "approve", "extra": true }), "/extra", "unknown_field"),
        ] {
            assert_eq!(check(&body), Err(vec![(pointer.to_owned(), code)]), "{body}");
        }
    }
}

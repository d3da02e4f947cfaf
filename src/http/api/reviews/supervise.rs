//! What supervisors do with other people's tasks, and everybody with their own in another tab.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        cause::{Cause, Refusal, ReviewAct},
        ids::ReviewId,
        user::check_name,
    },
    http::{
        auth::{Authorised, Supervise},
        body::Json,
        params::Named,
        problem::{Fault, Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
};

use super::{
    super::{change, written_field},
    LONGEST_NOTE, act,
    body::{ClaimedBody, ReviewBody},
    claim::fresh_token,
    promise::Promise,
    task,
};

/// Take a claimed task over: one's own in another tab, or, with the scope `reviews:supervise`, anybody's. The token
/// before it is worth nothing from then on.
#[utoipa::path(post, path = "/v1/reviews/{id}/take-over", operation_id = "take_over_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses(
        (status = 200, description = "The task is the reviewer's", body = ClaimedBody),
        (status = 403, description = "`conflict_of_interest`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_claimed` by somebody else, `lease_lost` when nobody holds it", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn take_over(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Named(id): Named<ReviewId>,
) -> Result<Json<ClaimedBody>, Problem> {
    let review = task(&state, id).await?;
    let (lease_token, token_hash) = fresh_token();
    let taken = ReviewAct::TakeOver {
        document: reviewer.document(),
        reviewer: reviewer.name,
        supervisor: reviewer.supervisor,
        token_hash,
    };
    let (after, refusal) =
        change(&state, review.application_id, Cause::Review { review: id, act: taken }, None).await?;
    if let Some(refusal) = refusal {
        return Err(refusal.into());
    }
    let review = after.review.ok_or_else(Problem::not_found)?;
    Ok(Json(ClaimedBody { review: ReviewBody::of(review, &Promise::of(&state)), lease_token }))
}

/// To whom a task is given, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReassignBody {
    /// The reviewer's name.
    to: String,
    /// 1 to 2000 characters, without personal data: it stands in the audit log.
    reason: String,
}

/// Give a task to somebody: only they, or a supervisor, may claim it then.
#[utoipa::path(post, path = "/v1/reviews/{id}/reassign", operation_id = "reassign_review", tag = "reviews", security(("key" = ["reviews:supervise"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = ReassignBody,
    responses(
        (status = 200, description = "Open, for that person", body = ReviewBody),
        (status = 403, description = "`conflict_of_interest` of that person", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_decided`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reassign(
    State(state): State<AppState>,
    by: AsSupervisor,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReassignBody>,
) -> Result<Json<ReviewBody>, Problem> {
    check_name(&body.to).map_err(|error| Problem::invalid(vec![Fault::at("/to", error)]))?;
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    if let Some(user) = state.engine.shared.store.user(&body.to).await? {
        let review = task(&state, id).await?;
        let view =
            state.engine.shared.store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
        if user.document.as_ref() == Some(&view.application.holder) {
            return Err(Refusal::ConflictOfInterest.into());
        }
    }
    let given = ReviewAct::Reassign { supervisor: by.0, to: body.to, reason: body.reason };
    act(&state, id, given, None).await.map(|review| Json(ReviewBody::of(review, &Promise::of(&state))))
}

/// Why a supervisor does it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SupervisorReason)]
pub(super) struct ReopenBody {
    /// 1 to 2000 characters, without personal data: it stands in the audit log.
    reason: String,
}

/// Open a decided task again, as long as its decision has not taken effect.
#[utoipa::path(post, path = "/v1/reviews/{id}/reopen", operation_id = "reopen_review", tag = "reviews", security(("key" = ["reviews:supervise"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = ReopenBody,
    responses(
        (status = 200, description = "Open again; the log keeps the decision", body = ReviewBody),
        (status = 409, description = "`already_decided` once it took effect, `not_decided`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reopen(
    State(state): State<AppState>,
    by: AsSupervisor,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReopenBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    let opened = ReviewAct::Reopen { supervisor: by.0, reason: body.reason };
    act(&state, id, opened, None).await.map(|review| Json(ReviewBody::of(review, &Promise::of(&state))))
}

/// Want a second person to look, before the decision takes effect.
#[utoipa::path(post, path = "/v1/reviews/{id}/second-look", operation_id = "demand_second_look", tag = "reviews", security(("key" = ["reviews:supervise"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = ReopenBody,
    responses(
        (status = 200, description = "A second person will look", body = ReviewBody),
        (status = 409, description = "`already_decided`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn second_look(
    State(state): State<AppState>,
    by: AsSupervisor,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReopenBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    let wanted = ReviewAct::DemandSecond { supervisor: by.0, reason: body.reason };
    act(&state, id, wanted, None).await.map(|review| Json(ReviewBody::of(review, &Promise::of(&state))))
}

/// The supervisor's name.
pub(super) struct AsSupervisor(String);

impl axum::extract::FromRequestParts<AppState> for AsSupervisor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authorised::<Supervise>::from_request_parts(parts, state).await?;
        Ok(Self(crate::http::reviewer::name_of(&caller, &parts.headers)?))
    }
}

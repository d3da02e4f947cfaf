//! What supervisors do with other people's tasks, and everybody with their own in another tab.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::Status,
        cause::{Cause, Refusal, ReviewAct},
        ids::{ApplicationId, ReviewId},
    },
    http::{
        auth::{Authorised, Scope, Supervise},
        body::Json,
        params::Named,
        problem::{Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
    store::types::{ApplicationFilter, Page},
};

use super::{
    super::{change, written_field},
    LONGEST_NOTE, act,
    body::{ClaimedBody, ReviewBody, Viewer},
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
    let viewer = reviewer.viewer();
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
    Ok(Json(ClaimedBody { review: ReviewBody::of(review, &Promise::of(&state), &viewer), lease_token }))
}

/// To whom a task is given, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReassignBody {
    /// The name of a user who reviews, of the task's issuing authority if of one; null takes the assignment back.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    to: Option<String>,
    /// 1 to 2000 characters, without personal data: it stands in the audit log.
    reason: String,
}

/// Give a task to somebody: only they, or a supervisor, may claim it then. Or take that back.
#[utoipa::path(post, path = "/v1/reviews/{id}/reassign", operation_id = "reassign_review", tag = "reviews", security(("key" = ["reviews:supervise"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = ReassignBody,
    responses(
        (status = 200, description = "Open, for that person or for everybody", body = ReviewBody),
        (status = 403, description = "`conflict_of_interest` of that person", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_decided`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation_failed`: at `/to` `reviewer_unknown` or `authority_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reassign(
    State(state): State<AppState>,
    by: AsSupervisor,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReassignBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    if let Some(to) = &body.to {
        may_be_given(&state, id, to).await?;
    }
    let given = ReviewAct::Reassign { supervisor: by.name(), to: body.to, reason: body.reason };
    by.act(&state, id, given).await
}

/// Whether somebody is there to review the task, and may.
async fn may_be_given(state: &AppState, id: ReviewId, to: &str) -> Result<(), Problem> {
    let store = &state.engine.shared.store;
    let reviewer = store.user(to).await?.filter(|user| user.disabled_at.is_none() && user.role.may(Scope::Reviews));
    let Some(reviewer) = reviewer else {
        return Err(Problem::field("/to", "reviewer_unknown", "must be an enabled user who reviews"));
    };
    let review = task(state, id).await?;
    if !reviewer.takes(review.authority.as_deref()) {
        return Err(Problem::field("/to", "authority_not_allowed", "must take tasks of this issuing authority"));
    }
    let view = store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
    if reviewer.document.as_ref() == Some(&view.application.holder) {
        return Err(Refusal::ConflictOfInterest.into());
    }
    Ok(())
}

/// Why a supervisor does it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SupervisorReason)]
pub(super) struct ReopenBody {
    /// 1 to 2000 characters, without personal data: it stands in the audit log.
    reason: String,
}

/// Open a decided task again, as long as nothing has reached the applicant: another round begins, for people who have not
/// decided on it.
#[utoipa::path(post, path = "/v1/reviews/{id}/reopen", operation_id = "reopen_review", tag = "reviews", security(("key" = ["reviews:supervise"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = ReopenBody,
    responses(
        (status = 200, description = "Open again; the log keeps the decision", body = ReviewBody),
        (status = 409, description = "`not_decided`; `already_issued`: an operator can end the licence's service, and the holder applies again; `already_told`: a notification of the rejection was taken up; `application_in_progress`: the holder has applied again; `already_decided` by a stage, an operator or upstream", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reopen(
    State(state): State<AppState>,
    by: AsSupervisor,
    Named(id): Named<ReviewId>,
    Json(body): Json<ReopenBody>,
) -> Result<Json<ReviewBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_NOTE)?;
    let review = task(&state, id).await?;
    has_not_applied_again(&state, review.application_id).await?;
    by.act(&state, id, ReviewAct::Reopen { supervisor: by.name(), reason: body.reason }).await
}

/// One open application a holder: what was rejected stays so once another one is under way. The database has the last
/// word when both happen at the same moment.
async fn has_not_applied_again(state: &AppState, id: ApplicationId) -> Result<(), Problem> {
    let store = &state.engine.shared.store;
    let view = store.application(id).await?.ok_or_else(Problem::not_found)?;
    if view.application.status != Status::Rejected {
        return Ok(());
    }
    let filter = ApplicationFilter { holder: Some(view.application.holder), ..ApplicationFilter::default() };
    let newest = store.applications(&filter, &Page { limit: 1, after: None }).await?.items;
    if newest.iter().any(|other| other.application.id != id && !other.application.status.is_decided()) {
        return Err(Problem::conflict("application_in_progress", "the holder has another open application"));
    }
    Ok(())
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
    by.act(&state, id, ReviewAct::DemandSecond { supervisor: by.name(), reason: body.reason }).await
}

/// A supervisor, as they see tasks.
pub(super) struct AsSupervisor(Viewer);

impl AsSupervisor {
    fn name(&self) -> String {
        self.0.name.clone()
    }

    async fn act(&self, state: &AppState, id: ReviewId, what: ReviewAct) -> Result<Json<ReviewBody>, Problem> {
        let review = act(state, id, what, None).await?;
        Ok(Json(ReviewBody::of(review, &Promise::of(state), &self.0)))
    }
}

impl axum::extract::FromRequestParts<AppState> for AsSupervisor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authorised::<Supervise>::from_request_parts(parts, state).await?;
        let name = crate::http::reviewer::name_of(&caller, &parts.headers)?;
        Ok(Self(Viewer { name, supervisor: true }))
    }
}

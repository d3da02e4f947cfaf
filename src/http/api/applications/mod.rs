//! `/v1/applications`: submitting, reading and withdrawing applications.

pub mod batch;
pub mod events;
mod intake;
mod submission;

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{
        application::{Kind, Status},
        cause::{Cause, Refusal},
        decision::SealedRecord,
        event::ActorKind,
        ids::ApplicationId,
        plan::Snapshot,
        stage::Stage,
    },
    engine::view::{ApplicationBody, waiting_for},
    http::{
        auth::{Authorised, Caller, ReadApplications, WriteApplications},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    store::types::{ApplicationFilter, ApplicationView, Pause},
};

use intake::{Accepted, IdempotencyKey};
use submission::Submission;

use super::{change, written_field};

/// The longest reason of a withdrawal, in characters.
const LONGEST_REASON: usize = 500;

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(batch::submit_batch))
        .routes(routes!(get_one))
        .routes(routes!(events::list_events))
        .routes(routes!(cancel))
}

/// Submit an application.
#[utoipa::path(post, path = "/v1/applications", operation_id = "submit_application", tag = "applications", security(("key" = ["applications:write"])),
    params(("Idempotency-Key" = String, Header, description = "1 to 255 visible ASCII characters; the same key with the same body gives the same application")),
    request_body = Submission,
    responses(
        (status = 201, description = "Accepted and stored", body = ApplicationBody),
        (status = 200, description = "The same key and body came before (`Idempotency-Replayed: true`)", body = ApplicationBody),
        (status = 409, description = "`application_in_progress`: the holder has another open application", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn submit(
    State(state): State<AppState>,
    caller: Authorised<WriteApplications>,
    key: IdempotencyKey,
    Json(submission): Json<Submission>,
) -> Result<Response, Problem> {
    match intake::admit(&state, &caller, submission, key).await? {
        Accepted::Created(application, applicant) => {
            let location = format!("/v1/applications/{}", application.id);
            let body = ApplicationBody::of(&application, Some(&applicant), None);
            Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(body)).into_response())
        }
        Accepted::Replayed(id) => {
            let view = state.engine.shared.store.application(id).await?.ok_or_else(Problem::not_found)?;
            let replayed = [(HeaderName::from_static("idempotency-replayed"), "true")];
            Ok((StatusCode::OK, replayed, Json(show(&state, &view).await?)).into_response())
        }
    }
}

/// Which applications, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListParams {
    /// With this status.
    status: Option<Status>,
    /// At this stage; `done` for completed ones.
    #[param(inline)]
    stage: Option<StageOrDone>,
    /// Of this kind.
    kind: Option<Kind>,
    /// With the upstream system's reference.
    upstream_ref: Option<String>,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before. A page reads 10,000 applications at most, so that one with `status`, `stage`
    /// or `kind` may have fewer items than `limit`, even none: the list ends where `next_cursor` is null.
    cursor: Option<String>,
}

/// A stage, or none any more.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StageOrDone {
    Eligibility,
    FaceVerification,
    PhotoReview,
    Generation,
    Notification,
    Done,
}

impl StageOrDone {
    const fn stage(self) -> Option<Stage> {
        match self {
            Self::Eligibility => Some(Stage::Eligibility),
            Self::FaceVerification => Some(Stage::FaceVerification),
            Self::PhotoReview => Some(Stage::PhotoReview),
            Self::Generation => Some(Stage::Generation),
            Self::Notification => Some(Stage::Notification),
            Self::Done => None,
        }
    }
}

/// List applications, newest first: one's own, or all with the scope `ops:read`.
#[utoipa::path(get, path = "/v1/applications", operation_id = "list_applications", tag = "applications", security(("key" = ["applications:read"]), ("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<ApplicationBody>)))]
async fn list(
    State(state): State<AppState>,
    caller: Authorised<ReadApplications>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<ApplicationBody>>, Problem> {
    let owner = caller.confined_to().map(str::to_owned);
    let filter = ApplicationFilter {
        owner,
        status: params.status,
        stage: params.stage.and_then(StageOrDone::stage),
        done: params.stage == Some(StageOrDone::Done),
        kind: params.kind,
        upstream_ref: params.upstream_ref,
        ..ApplicationFilter::default()
    };
    let store = &state.engine.shared.store;
    let listed = store.applications(&filter, &page(params.limit, params.cursor)).await?;
    let pauses = state.pauses().await?;
    Ok(Json(ListBody::of(listed, |view| shown(&state, &view, &pauses))))
}

/// Read an application.
#[utoipa::path(get, path = "/v1/applications/{id}", operation_id = "get_application", tag = "applications", security(("key" = ["applications:read"]), ("key" = ["ops:read"])),
    params(("id" = ApplicationId, Path)), responses((status = 200, description = "The application", body = ApplicationBody)))]
async fn get_one(
    State(state): State<AppState>,
    caller: Authorised<ReadApplications>,
    Named(id): Named<ApplicationId>,
) -> Result<Json<ApplicationBody>, Problem> {
    let view = visible(&state, &caller, id).await?;
    Ok(Json(show(&state, &view).await?))
}

/// Why an application is withdrawn.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CancelBody {
    /// 1 to 500 characters, without personal data: it stands in the audit log.
    #[schema(example = "the applicant asked for it")]
    reason: String,
}

/// Withdraw an application that is not decided yet.
#[utoipa::path(post, path = "/v1/applications/{id}/cancel", operation_id = "cancel_application", tag = "applications", security(("key" = ["applications:write"])),
    params(("id" = ApplicationId, Path)), request_body = CancelBody,
    responses(
        (status = 200, description = "Withdrawn, now or before", body = ApplicationBody),
        (status = 409, description = "`already_decided`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn cancel(
    State(state): State<AppState>,
    caller: Authorised<WriteApplications>,
    Named(id): Named<ApplicationId>,
    Json(body): Json<CancelBody>,
) -> Result<Json<ApplicationBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_REASON)?;
    let view = state.engine.shared.store.application(id).await?;
    // Seeing all owners is no right to act for them.
    let view = view.filter(|view| view.application.owner == caller.owner).ok_or_else(Problem::not_found)?;
    let cause = Cause::Cancel { actor: caller.actor(ActorKind::Upstream), reason: body.reason };
    match change(&state, id, cause, None).await? {
        (after, None | Some(Refusal::Nothing)) => Ok(Json(show_after(&state, after, view.applicant).await?)),
        (_, Some(refusal)) => Err(refusal.into()),
    }
}

/// An application that the caller may see; 404 otherwise.
async fn visible(state: &AppState, caller: &Caller, id: ApplicationId) -> Result<ApplicationView, Problem> {
    let view = state.engine.shared.store.application(id).await?;
    view.filter(|view| caller.sees(&view.application.owner)).ok_or_else(Problem::not_found)
}

async fn show(state: &AppState, view: &ApplicationView) -> Result<ApplicationBody, Problem> {
    let pauses = state.pauses().await?;
    Ok(shown(state, view, &pauses))
}

/// An application after a change of it.
pub(super) async fn show_after(
    state: &AppState,
    after: Snapshot,
    applicant: SealedRecord,
) -> Result<ApplicationBody, Problem> {
    let Snapshot { application, jobs, .. } = after;
    show(state, &ApplicationView { application, jobs, applicant }).await
}

fn shown(state: &AppState, view: &ApplicationView, pauses: &[Pause]) -> ApplicationBody {
    let shared = &state.engine.shared;
    let application = &view.application;
    let applicant = shared.open_applicant(application.id, &view.applicant).inspect_err(|error| {
        tracing::error!(application.id = %application.id, %error, "the applicant's record does not open");
    });
    let waiting = waiting_for(application, &view.jobs, pauses, shared.clock.now());
    ApplicationBody::of(application, applicant.ok().as_ref(), waiting)
}

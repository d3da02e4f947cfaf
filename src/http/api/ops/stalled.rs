//! Applications that wait for an operator.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        application::{Application, Kind, Status},
        cause::{Cause, OperatorAct},
        event::ActorKind,
        ids::ApplicationId,
        stage::Stage,
    },
    engine::view::ApplicationBody,
    http::{
        api::{
            applications::show_after,
            change,
            reviews::promise::{DueBody, Promise},
            written_field,
        },
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    store::insight::StalledGroup,
    store::types::{ApplicationFilter, ApplicationView, DONE},
};

/// The longest reason, in characters.
pub(in crate::http) const LONGEST_REASON: usize = 500;

/// An application that waits for an operator.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Stalled)]
pub struct StalledBody {
    /// The application.
    pub application_id: ApplicationId,
    /// Who owns it.
    pub owner: String,
    /// What is applied for.
    pub kind: Kind,
    /// `stalled`; or the decision, when a notification of it could not be delivered.
    pub status: Status,
    /// The stage that stalled.
    #[schema(value_type = Stage)]
    pub stage: &'static str,
    /// The code of the last error.
    pub error_code: Option<String>,
    /// The last error.
    pub last_error: Option<LastErrorBody>,
    /// Attempts used in the stage.
    pub attempts: u32,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// The promise.
    #[serde(flatten)]
    pub due: DueBody,
}

/// An error.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = LastError)]
pub struct LastErrorBody {
    /// Stable, snake_case.
    pub code: String,
    /// One sentence.
    pub detail: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl StalledBody {
    /// From the application.
    pub fn of(application: &Application, promise: &Promise) -> Self {
        let last = application.last_error.as_ref();
        Self {
            application_id: application.id,
            owner: application.owner.clone(),
            kind: application.kind,
            status: application.status,
            stage: application.stalled_stage().map_or(DONE, Stage::as_str),
            error_code: last.map(|last| last.failure.code.clone()),
            last_error: last.map(|last| LastErrorBody {
                code: last.failure.code.clone(),
                detail: last.failure.detail.clone(),
                at: last.at,
            }),
            attempts: last.map_or(0, |last| last.attempts),
            submitted_at: application.submitted_at,
            due: promise.due(application),
        }
    }
}

/// Which applications, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// That stalled at this stage.
    stage: Option<Stage>,
    /// With this last error.
    error_code: Option<String>,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List applications that wait for an operator.
#[utoipa::path(get, path = "/v1/ops/stalled", operation_id = "list_stalled", tag = "operations", security(("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<StalledBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<StalledBody>>, Problem> {
    let filter = ApplicationFilter {
        stage: params.stage,
        error_code: params.error_code,
        needs_operator: true,
        ..ApplicationFilter::default()
    };
    let listed = state.engine.shared.store.applications(&filter, &page(params.limit, params.cursor)).await?;
    let promise = Promise::of(&state);
    Ok(Json(ListBody::of(listed, |view| StalledBody::of(&view.application, &promise))))
}

/// Applications that wait because of the same error at the same stage.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = StalledGroup)]
pub(in crate::http) struct GroupBody {
    /// The stage that stalled.
    pub(in crate::http) stage: String,
    /// The code of the last error.
    pub(in crate::http) error_code: String,
    /// How many; the newest 4,000 of all are counted.
    pub(in crate::http) count: u64,
    /// When the first of them failed.
    pub(in crate::http) first_seen_at: DateTime<Utc>,
    /// When the last of them failed.
    pub(in crate::http) last_seen_at: DateTime<Utc>,
}

/// See what applications wait for an operator for, grouped by stage and error.
#[utoipa::path(get, path = "/v1/ops/stalled/groups", operation_id = "list_stalled_groups", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "The greatest group first", body = ListBody<GroupBody>)))]
pub(super) async fn groups(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<ListBody<GroupBody>>, Problem> {
    grouped(&state).await.map(ListBody::whole).map(Json)
}

/// The groups, the greatest first.
pub(in crate::http) async fn grouped(state: &AppState) -> Result<Vec<GroupBody>, Problem> {
    let body = |group: StalledGroup| GroupBody {
        stage: group.stage,
        error_code: group.error_code,
        count: group.count,
        first_seen_at: group.first_at,
        last_seen_at: group.last_at,
    };
    Ok(state.engine.shared.store.stalled_groups().await?.into_iter().map(body).collect())
}

/// Why an operator decides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorReason)]
pub(super) struct ReasonBody {
    /// 1 to 500 characters, without personal data: it stands in the audit log.
    pub(super) reason: String,
}

/// Try again from the stage that stalled, or send a failed notification again.
#[utoipa::path(post, path = "/v1/ops/stalled/{application_id}/retry", operation_id = "retry_stalled", tag = "operations", security(("key" = ["ops:write"])),
    params(("application_id" = ApplicationId, Path)),
    responses(
        (status = 200, description = "It goes on", body = ApplicationBody),
        (status = 409, description = "`not_stalled`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn retry(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<ApplicationId>,
) -> Result<Json<ApplicationBody>, Problem> {
    act(&state, &caller, id, OperatorAct::Retry).await
}

/// Reject a stalled application.
#[utoipa::path(post, path = "/v1/ops/stalled/{application_id}/reject", operation_id = "reject_stalled", tag = "operations", security(("key" = ["ops:write"])),
    params(("application_id" = ApplicationId, Path)), request_body = ReasonBody,
    responses(
        (status = 200, description = "Rejected", body = ApplicationBody),
        (status = 409, description = "`not_stalled`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reject(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<ApplicationId>,
    Json(body): Json<ReasonBody>,
) -> Result<Json<ApplicationBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_REASON)?;
    act(&state, &caller, id, OperatorAct::Reject { reason: body.reason }).await
}

/// Accept a face verification that asked for a manual check: the identity was checked at the counter.
#[utoipa::path(post, path = "/v1/ops/stalled/{application_id}/accept", operation_id = "accept_stalled", tag = "operations", security(("key" = ["ops:write"])),
    params(("application_id" = ApplicationId, Path)), request_body = ReasonBody,
    responses(
        (status = 200, description = "It goes on", body = ApplicationBody),
        (status = 409, description = "`not_stalled`, `not_acceptable`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn accept(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<ApplicationId>,
    Json(body): Json<ReasonBody>,
) -> Result<Json<ApplicationBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_REASON)?;
    act(&state, &caller, id, OperatorAct::Accept { reason: body.reason }).await
}

/// Acts on a stalled application in somebody's name.
pub(in crate::http) async fn act(
    state: &AppState,
    caller: &Caller,
    id: ApplicationId,
    act: OperatorAct,
) -> Result<Json<ApplicationBody>, Problem> {
    let view = state.engine.shared.store.application(id).await?;
    let ApplicationView { applicant, .. } = view.ok_or_else(Problem::not_found)?;
    let cause = Cause::Operator { actor: caller.actor(ActorKind::Operator), act, batch: None };
    match change(state, id, cause, None).await? {
        (after, None) => Ok(Json(show_after(state, after, applicant).await?)),
        (_, Some(refusal)) => Err(refusal.into()),
    }
}

//! Why an application is due when it is.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{application::Application, ids::ApplicationId},
    http::{
        api::reviews::{
            detail::{PromiseBody, promise},
            promise::{DueBody, Promise},
        },
        auth::{Authorised, ReadOperations},
        body::Json,
        params::Named,
        problem::Problem,
        state::AppState,
    },
};

/// The promise of an application, and how its due time was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DueTimeExplained)]
pub(in crate::http) struct ExplainedBody {
    /// How it stands.
    #[serde(flatten)]
    pub(in crate::http) due: DueBody,
    /// Every day that was looked at; null while there is no due time.
    pub(in crate::http) why: Option<PromiseBody>,
}

/// See when an application is due, and why.
#[utoipa::path(get, path = "/v1/ops/applications/{id}/deadline", operation_id = "explain_deadline", tag = "operations", security(("key" = ["ops:read"])),
    params(("id" = ApplicationId, Path)), responses((status = 200, description = "The due time with the calendar's days", body = ExplainedBody)))]
pub(super) async fn deadline(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Named(id): Named<ApplicationId>,
) -> Result<Json<ExplainedBody>, Problem> {
    let view = state.engine.shared.store.application(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(explained(&state, &view.application)))
}

/// When an application is due, and why.
pub(in crate::http) fn explained(state: &AppState, application: &Application) -> ExplainedBody {
    ExplainedBody { due: Promise::of(state).due(application), why: promise(state, application) }
}

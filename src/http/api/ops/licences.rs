//! Ending the service of an issued licence (R30).

use axum::extract::State;

use crate::{
    domain::{cause::Cause, event::ActorKind, ids::LicenceId, licence_display::LicenceState},
    http::{
        api::{change, licences::body::LicenceBody, written_field},
        auth::{Authorised, WriteOperations},
        body::Json,
        params::Named,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
};

use super::stalled::{LONGEST_REASON, ReasonBody};

/// End the service of a current licence, for good. Its holder may apply again.
#[utoipa::path(post, path = "/v1/ops/licences/{id}/terminate", operation_id = "terminate_licence", tag = "operations", security(("key" = ["ops:write"])),
    params(("id" = LicenceId, Path)), request_body = ReasonBody,
    responses(
        (status = 200, description = "Terminated", body = LicenceBody),
        (status = 409, description = "`licence_not_current`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn terminate(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<LicenceId>,
    Json(body): Json<ReasonBody>,
) -> Result<Json<LicenceBody>, Problem> {
    written_field("/reason", &body.reason, LONGEST_REASON)?;
    let licence = state.engine.shared.store.licence(id).await?.ok_or_else(Problem::not_found)?;
    if licence.state != LicenceState::Current {
        let detail = format!("the licence is `{}`", licence.state);
        return Err(Problem::conflict("licence_not_current", detail));
    }
    let cause = Cause::Terminate { actor: caller.actor(ActorKind::Operator), licence: id, reason: body.reason };
    if let (_, Some(refusal)) = change(&state, licence.application_id, cause, None).await? {
        return Err(refusal.into());
    }
    let shown = state.licences.show(id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(LicenceBody::of(&shown)))
}

//! Who checked a licence, and when: for its holder.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::LicenceId,
        presentation::{Purpose, Refused},
    },
    http::{
        auth::{Authorised, PresentLicences},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::licences::Verification,
};

use super::shown_to;

/// A check of a licence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verification)]
pub(super) struct VerificationBody {
    /// The check's id.
    id: uuid::Uuid,
    /// When.
    at: DateTime<Utc>,
    /// Who: the owner of the verifier's key.
    verifier: String,
    /// What for.
    purpose: Purpose,
    /// Whether it was found good.
    valid: bool,
    /// Why not; null when it was.
    reason: Option<Refused>,
}

impl VerificationBody {
    fn of(verification: Verification) -> Self {
        Self {
            id: verification.id,
            at: verification.at,
            verifier: verification.verifier,
            purpose: verification.purpose,
            valid: verification.refused.is_none(),
            reason: verification.refused,
        }
    }
}

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List who checked a licence, newest first.
#[utoipa::path(get, path = "/v1/licences/{id}/verifications", operation_id = "list_verifications", tag = "licences", security(("key" = ["licences:present"])),
    params(("id" = LicenceId, Path), ListParams),
    responses((status = 200, description = "One page", body = ListBody<VerificationBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Named(id): Named<LicenceId>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<VerificationBody>>, Problem> {
    let shown = shown_to(&state, &caller, id).await?;
    let listed = state.licences.verifications(shown.id, &page(params.limit, params.cursor)).await?;
    Ok(Json(ListBody::of(listed, VerificationBody::of)))
}

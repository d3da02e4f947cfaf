//! `/v1/licences` and `/v1/presentations`: showing an issued licence, presenting it, checking what is presented.

pub mod body;
mod card;
mod keys;
mod presentations;
mod verifications;

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{
        applicant::FieldError,
        calendar::local_date,
        identity::{DocumentNumber, DocumentType},
        ids::LicenceId,
    },
    http::{
        auth::{Authorised, Caller, PresentLicences},
        body::Json,
        params::Named,
        problem::{Fault, Problem, ProblemBody},
        state::AppState,
    },
    licences::desk::Shown,
};

use body::LicenceBody;

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_licence))
        .routes(routes!(query))
        .routes(routes!(card::card_svg))
        .routes(routes!(card::card_png))
        .routes(routes!(presentations::present))
        .routes(routes!(presentations::verify))
        .routes(routes!(verifications::list))
        .routes(routes!(keys::keys))
}

/// A licence that the caller may see, as it is shown now.
///
/// # Errors
/// 404, also for another owner's.
pub(in crate::http) async fn shown_to(state: &AppState, caller: &Caller, id: LicenceId) -> Result<Shown, Problem> {
    let shown = state.licences.show(id).await?;
    shown.filter(|shown| caller.sees(&shown.owner)).ok_or_else(Problem::not_found)
}

/// Get a licence as it is shown at this moment.
#[utoipa::path(get, path = "/v1/licences/{id}", operation_id = "get_licence", tag = "licences", security(("key" = ["licences:present"])),
    params(("id" = LicenceId, Path)), responses((status = 200, description = "The licence", body = LicenceBody)))]
async fn get_licence(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Named(id): Named<LicenceId>,
) -> Result<Json<LicenceBody>, Problem> {
    Ok(Json(LicenceBody::of(&shown_to(&state, &caller, id).await?)))
}

/// Whose licence.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicenceQuery)]
struct QueryBody {
    /// 证件类型.
    #[schema(value_type = DocumentType)]
    document_type: String,
    /// 证件号码.
    document_number: String,
}

/// Find the licence that was issued last to the holder of a document.
#[utoipa::path(post, path = "/v1/licences/query", operation_id = "query_licence", tag = "licences", security(("key" = ["licences:present"])),
    request_body = QueryBody,
    responses(
        (status = 200, description = "The licence", body = LicenceBody),
        (status = 404, description = "The holder has none of this owner", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn query(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Json(body): Json<QueryBody>,
) -> Result<Json<LicenceBody>, Problem> {
    let document_type: DocumentType = body.document_type.parse().map_err(|_| {
        Problem::field("/document_type", "unknown_value", "must be one of the letters of an identity document")
    })?;
    let today = local_date(state.engine.shared.clock.now());
    let document = DocumentNumber::parse(document_type, &body.document_number, today)
        .map_err(|error| Problem::invalid(vec![Fault::at("/document_number", FieldError::from(error))]))?;
    let shown = state.licences.find(&document, caller.confined_to()).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(LicenceBody::of(&shown)))
}

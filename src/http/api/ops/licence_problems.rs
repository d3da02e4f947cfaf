//! Issued licences with which something is wrong that an operator can mend.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::{ApplicationId, LicenceId},
        wire::wire_enum,
    },
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::{Limit, ListBody, Params, page},
        problem::Problem,
        state::AppState,
    },
    licences::record::Record,
    store::types::Page,
};

use super::licences::CardRefusedBody;

wire_enum! {
    /// What is wrong with a licence.
    pub enum LicenceProblem as "licence problem" {
        /// Its card cannot be drawn.
        CardRefused = "card_refused",
    }
}

/// A licence with which something is wrong.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemLicence)]
pub(in crate::http) struct ProblemLicenceBody {
    /// The licence.
    pub(in crate::http) id: LicenceId,
    /// The application that it was issued for.
    pub(in crate::http) application_id: ApplicationId,
    /// When it was issued.
    pub(in crate::http) issued_at: DateTime<Utc>,
    /// What is wrong.
    pub(in crate::http) problem: LicenceProblem,
    /// Why.
    #[serde(flatten)]
    pub(in crate::http) card: CardRefusedBody,
}

/// Which licences, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// What is wrong with them.
    problem: LicenceProblem,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List current licences with which something is wrong, newest first.
#[utoipa::path(get, path = "/v1/ops/licences", operation_id = "list_problem_licences", tag = "operations", security(("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<ProblemLicenceBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<ProblemLicenceBody>>, Problem> {
    match params.problem {
        LicenceProblem::CardRefused => card_refused(&state, &page(params.limit, params.cursor)).await.map(Json),
    }
}

/// Current licences whose card cannot be drawn.
///
/// # Errors
/// Those of the store.
pub(in crate::http) async fn card_refused(
    state: &AppState,
    page: &Page,
) -> Result<ListBody<ProblemLicenceBody>, Problem> {
    let shared = &state.engine.shared;
    let mut listed = shared.store.licences_without_card(page).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    for licence in listed.items.drain(..) {
        let Some(reason) = licence.card_problem else { continue };
        let record =
            Record::open(&shared.secrets, licence.id, &licence.sealed).map_err(|error| Problem::internal(&error))?;
        items.push(ProblemLicenceBody {
            id: licence.id,
            application_id: licence.application_id,
            issued_at: licence.issued_at,
            problem: LicenceProblem::CardRefused,
            card: CardRefusedBody::of(state, reason, &record),
        });
    }
    Ok(ListBody { items, next_cursor: listed.next })
}

//! `/v1/audit`: searching what happened, over all applications.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{audit::is_acts_chain, ids::ApplicationId},
    http::{
        auth::{Authorised, ReadAudit},
        body::Json,
        params::{Limit, ListBody, Moment, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::types::EventFilter,
};

use super::applications::events::EventBody;

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(search))
}

/// An event with its application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundEvent)]
struct FoundBody {
    /// The application; null for an act that belongs to none, such as a paused queue. Such acts have hash chains of their own.
    application_id: Option<ApplicationId>,
    /// The event.
    #[serde(flatten)]
    event: EventBody,
}

/// Which events, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchParams {
    /// By this actor (id).
    actor: Option<String>,
    /// Of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Not before.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    from: Option<Moment>,
    /// Before.
    #[param(value_type = Option<chrono::DateTime<chrono::Utc>>)]
    to: Option<Moment>,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Search the audit log, newest first: what happened to applications, and what people did that belongs to none.
#[utoipa::path(get, path = "/v1/audit", operation_id = "search_audit", tag = "audit", security(("key" = ["audit:read"])),
    params(SearchParams), responses((status = 200, description = "One page", body = ListBody<FoundBody>)))]
async fn search(
    State(state): State<AppState>,
    _caller: Authorised<ReadAudit>,
    Params(params): Params<SearchParams>,
) -> Result<Json<ListBody<FoundBody>>, Problem> {
    let SearchParams { actor, kind, from, to, limit, cursor } = params;
    let filter = EventFilter { actor, kind, from: from.map(|from| from.0), to: to.map(|to| to.0) };
    let listed = state.engine.shared.store.search_events(&filter, &page(limit, cursor)).await?;
    let found = |event: crate::store::types::StoredEvent| {
        let application_id = Some(event.application_id).filter(|id| !is_acts_chain(*id));
        FoundBody { application_id, event: EventBody::of(event) }
    };
    Ok(Json(ListBody::of(listed, found)))
}

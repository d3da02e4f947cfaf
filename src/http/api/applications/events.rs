//! `/v1/applications/{id}/events`: what happened to an application.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    domain::{event::Actor, ids::ApplicationId},
    http::{
        auth::{Authorised, ReadApplications},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::types::StoredEvent,
};

use super::visible;

/// An event of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// 1 for the first event of the application.
    pub seq: i64,
    /// When, to the microsecond.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "stage_completed")]
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// At which stage; null once everything is done.
    pub stage: Option<String>,
    /// Details, exactly as hashed. No personal data.
    #[schema(value_type = Object)]
    pub data: Option<Box<RawValue>>,
    /// SHA-256 over the event and `prev_hash`, lower-case hex.
    pub hash: String,
    /// The hash of the event before; 64 zeros for the first.
    pub prev_hash: String,
}

impl EventBody {
    /// From the log.
    pub fn of(event: StoredEvent) -> Self {
        Self {
            seq: event.seq,
            at: event.at,
            kind: event.kind,
            actor: event.actor,
            stage: event.stage,
            // Null only when somebody else wrote into the log, which `audit verify` finds.
            data: RawValue::from_string(event.data).ok(),
            hash: event.hash,
            prev_hash: event.prev_hash,
        }
    }
}

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParams {
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List what happened to an application, oldest first.
#[utoipa::path(get, path = "/v1/applications/{id}/events", tag = "applications", security(("key" = ["applications:read"]), ("key" = ["ops:read"])),
    params(("id" = ApplicationId, Path), EventParams), responses((status = 200, description = "One page", body = ListBody<EventBody>)))]
pub(super) async fn list_events(
    State(state): State<AppState>,
    caller: Authorised<ReadApplications>,
    Named(id): Named<ApplicationId>,
    Params(params): Params<EventParams>,
) -> Result<Json<ListBody<EventBody>>, Problem> {
    visible(&state, &caller, id).await?;
    let listed = state.engine.shared.store.event_page(id, &page(params.limit, params.cursor)).await?;
    Ok(Json(ListBody::of(listed, EventBody::of)))
}

//! Changes of issued licences that nobody asked about.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        event::EventType,
        ids::{ApplicationId, LicenceId},
        licence_status::DisplayMode,
        licence_watch::shown_as,
    },
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::{Limit, ListBody, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::types::{EventFilter, Page, StoredEvent},
};

/// The registry's word on an issued licence changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LicenceChange)]
pub(in crate::http) struct ChangeBody {
    /// When it was noticed: by the sweep, or by whoever looked.
    pub(in crate::http) at: DateTime<Utc>,
    /// The application that the licence was issued for.
    pub(in crate::http) application_id: ApplicationId,
    /// The licence; null in what an earlier version noticed.
    pub(in crate::http) licence_id: Option<LicenceId>,
    /// Letters of the status before, or `not_found`.
    #[schema(example = "A")]
    pub(in crate::http) from: String,
    /// Letters of the status after.
    #[schema(example = "S")]
    pub(in crate::http) to: String,
    /// How it was shown.
    pub(in crate::http) from_mode: DisplayMode,
    /// How it is shown after.
    pub(in crate::http) to_mode: DisplayMode,
    /// Whether class, validity or authority are other ones than at issue.
    pub(in crate::http) reissue_needed: bool,
}

/// What an event of a change says.
#[derive(Deserialize)]
struct Noted {
    licence_id: Option<LicenceId>,
    from: String,
    to: String,
    reissue_needed: bool,
}

impl ChangeBody {
    fn of(event: &StoredEvent) -> Result<Self, Problem> {
        let noted: Noted = serde_json::from_str(&event.data).map_err(|error| Problem::internal(&error))?;
        Ok(Self {
            at: event.at,
            application_id: event.application_id,
            licence_id: noted.licence_id,
            from_mode: shown_as(&noted.from),
            to_mode: shown_as(&noted.to),
            from: noted.from,
            to: noted.to,
            reissue_needed: noted.reissue_needed,
        })
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

/// List what changed in the registry about issued licences, newest first.
#[utoipa::path(get, path = "/v1/ops/licences/changes", operation_id = "list_licence_changes", tag = "operations", security(("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<ChangeBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<ChangeBody>>, Problem> {
    changes(&state, &page(params.limit, params.cursor)).await.map(Json)
}

/// What changed, newest first.
///
/// # Errors
/// Those of the store.
pub(in crate::http) async fn changes(state: &AppState, page: &Page) -> Result<ListBody<ChangeBody>, Problem> {
    let kind = Some(EventType::LicenceStatusChanged.to_string());
    let filter = EventFilter { kind, ..EventFilter::default() };
    let listed = state.engine.shared.store.search_events(&filter, page).await?;
    let items = listed.items.iter().map(ChangeBody::of).collect::<Result<_, _>>()?;
    Ok(ListBody { items, next_cursor: listed.next })
}

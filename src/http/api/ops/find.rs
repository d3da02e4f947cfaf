//! Finding applications by what somebody has at hand.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        application::{Kind, Status},
        calendar::local_date,
        identity::{DocumentNumber, DocumentType},
        ids::ApplicationId,
        personal::{HOLDER_INDEX, holder_key},
    },
    http::{
        api::{
            reviews::promise::{DueBody, Promise},
            written_field,
        },
        auth::{Authorised, ReadOperations},
        body::Json,
        params::ListBody,
        problem::Problem,
        state::AppState,
    },
    store::types::{ApplicationFilter, ApplicationView, DONE, Page},
};

/// The longest text that can be looked for, in characters.
const LONGEST: usize = 200;
/// The most that are shown of one way to find.
const MOST: usize = 50;

/// What somebody looks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FindRequest {
    /// An application's id, an upstream system's reference, or a document number. In the body, as addresses stand in logs.
    query: String,
}

/// A found application.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = FoundApplication)]
pub(in crate::http) struct FoundBody {
    /// The application.
    pub(in crate::http) application_id: ApplicationId,
    /// Who owns it.
    pub(in crate::http) owner: String,
    /// What is applied for.
    pub(in crate::http) kind: Kind,
    /// Where it stands.
    pub(in crate::http) status: Status,
    /// The present stage; `done` when everything is.
    #[schema(value_type = String)]
    pub(in crate::http) stage: &'static str,
    /// The upstream system's own reference.
    pub(in crate::http) upstream_ref: Option<String>,
    /// When it was accepted.
    pub(in crate::http) submitted_at: DateTime<Utc>,
    /// The promise.
    #[serde(flatten)]
    pub(in crate::http) due: DueBody,
}

impl FoundBody {
    /// From the application.
    fn of(view: &ApplicationView, promise: &Promise) -> Self {
        let application = &view.application;
        Self {
            application_id: application.id,
            owner: application.owner.clone(),
            kind: application.kind,
            status: application.status,
            stage: application.stage.map_or(DONE, |stage| stage.as_str()),
            upstream_ref: application.upstream_ref.clone(),
            submitted_at: application.submitted_at,
            due: promise.due(application),
        }
    }
}

/// Find applications by id, upstream reference or document number.
#[utoipa::path(post, path = "/v1/ops/find", operation_id = "find_applications", tag = "operations", security(("key" = ["ops:read"])),
    request_body = FindRequest, responses((status = 200, description = "At most 50 for each way to find, newest first", body = ListBody<FoundBody>)))]
pub(super) async fn find(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Json(body): Json<FindRequest>,
) -> Result<Json<ListBody<FoundBody>>, Problem> {
    look(&state, &body.query).await.map(ListBody::whole).map(Json)
}

/// The applications that a text names in any way.
pub(in crate::http) async fn look(state: &AppState, text: &str) -> Result<Vec<FoundBody>, Problem> {
    written_field("/query", text, LONGEST)?;
    let (shared, text) = (&state.engine.shared, text.trim());
    let promise = Promise::of(state);
    let body = |view: &ApplicationView| FoundBody::of(view, &promise);
    if let Ok(id) = text.parse::<ApplicationId>() {
        let view = shared.store.application(id).await?;
        return Ok(view.iter().map(body).collect());
    }
    let by = async |filter: ApplicationFilter| {
        shared.store.applications(&filter, &Page { limit: MOST, after: None }).await.map(|listed| listed.items)
    };
    let reference = Some(text.to_owned());
    let mut views = by(ApplicationFilter { upstream_ref: reference, ..ApplicationFilter::default() }).await?;
    let today = local_date(shared.clock.now());
    for kind in DocumentType::ALL {
        let Ok(document) = DocumentNumber::parse(*kind, text, today) else { continue };
        let holder = Some(shared.secrets.blind_index_hex(HOLDER_INDEX, &holder_key(&document)));
        views.extend(by(ApplicationFilter { holder, ..ApplicationFilter::default() }).await?);
    }
    views.sort_by_key(|view| std::cmp::Reverse(view.application.id));
    views.dedup_by_key(|view| view.application.id);
    Ok(views.iter().map(body).collect())
}

//! Bulk retries: many stalled applications at once, each an ordinary audited act.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::Kind,
        event::{Actor, ActorKind},
        ids::{ApplicationId, BatchId},
        stage::Stage,
    },
    http::{
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::Named,
        problem::Problem,
        state::AppState,
    },
    store::types::{ApplicationFilter, Page},
};

use super::{record, stalled::StalledBody};

/// The most applications of one bulk retry. What is left is matched by the next one.
const MOST: usize = 10_000;
/// Applications that are looked up in one go.
const CHUNK: usize = 200;
/// Applications that a dry run shows.
const SAMPLE: usize = 10;

/// Which applications to retry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BulkRetry {
    pub(in crate::http) filter: BulkFilter,
    /// Only count and show.
    #[serde(default)]
    pub(in crate::http) dry_run: bool,
}

/// Absent fields do not restrict.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BulkFilter {
    /// That stalled at this stage.
    pub(in crate::http) stage: Option<Stage>,
    /// With this last error.
    pub(in crate::http) error_code: Option<String>,
    /// Of this kind.
    pub(in crate::http) kind: Option<Kind>,
    /// Of this owner.
    pub(in crate::http) owner: Option<String>,
}

/// A bulk retry that was started, or tried out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkRetryStarted)]
pub(in crate::http) struct StartedBody {
    /// Null for a dry run.
    pub(in crate::http) batch_id: Option<BatchId>,
    /// How many applications it is about, at most 10,000.
    pub(in crate::http) matched: u64,
    /// Whether more would match; repeat the call for them.
    pub(in crate::http) more: bool,
    /// The first ones.
    pub(in crate::http) sample: Vec<StalledBody>,
}

/// Retry many stalled applications.
#[utoipa::path(post, path = "/v1/ops/stalled/retry", operation_id = "retry_many_stalled", tag = "operations", security(("key" = ["ops:write"])),
    request_body = BulkRetry, responses((status = 202, description = "Started, unless it is a dry run", body = StartedBody)))]
pub(super) async fn retry_many(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Json(body): Json<BulkRetry>,
) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(start(&state, &caller, body).await?)))
}

/// Starts a bulk retry in somebody's name, or tries it out.
pub(in crate::http) async fn start(state: &AppState, caller: &Caller, body: BulkRetry) -> Result<StartedBody, Problem> {
    let store = &state.engine.shared.store;
    let BulkFilter { stage, error_code, kind, owner } = &body.filter;
    let filter = ApplicationFilter {
        owner: owner.clone(),
        stage: *stage,
        kind: *kind,
        error_code: error_code.clone(),
        needs_operator: true,
        ..ApplicationFilter::default()
    };
    if body.dry_run {
        // Counted, not read: a preview has to come at once.
        let most = u64::try_from(MOST).unwrap_or(u64::MAX);
        let matched = store.count_applications(&filter, most + 1).await?;
        let listed = store.applications(&filter, &Page { limit: SAMPLE, after: None }).await?;
        let sample = listed.items.iter().map(|view| StalledBody::of(&view.application)).collect();
        return Ok(StartedBody { batch_id: None, matched: matched.min(most), more: matched > most, sample });
    }
    let (ids, sample, more) = matching(state, &filter).await?;
    let matched = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let id = BatchId::new();
    store.create_batch(id, &caller.actor(ActorKind::Operator), &ids).await?;
    let data = json!({ "batch_id": id, "filter": body.filter, "matched": matched });
    record(state, caller, "stalled_retried", data).await?;
    Ok(StartedBody { batch_id: Some(id), matched, more, sample })
}

/// The ids of up to [`MOST`] applications, the first few as operators see them, and whether there are more.
async fn matching(
    state: &AppState,
    filter: &ApplicationFilter,
) -> Result<(Vec<ApplicationId>, Vec<StalledBody>, bool), Problem> {
    let (mut ids, mut sample, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let listed = state.engine.shared.store.applications(filter, &Page { limit: CHUNK, after }).await?;
        for view in &listed.items {
            if sample.len() < SAMPLE {
                sample.push(StalledBody::of(&view.application));
            }
            ids.push(view.application.id);
        }
        after = listed.next;
        if after.is_none() || ids.len() >= MOST {
            return Ok((ids, sample, after.is_some()));
        }
    }
}

/// How a bulk retry goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(in crate::http) struct BatchBody {
    /// The batch's id.
    pub(in crate::http) id: BatchId,
    /// Who asked.
    pub(in crate::http) actor: Actor,
    /// When.
    pub(in crate::http) created_at: DateTime<Utc>,
    /// How many applications it is about.
    pub(in crate::http) matched: u64,
    /// How many have a result.
    pub(in crate::http) done: u64,
    /// Each one.
    pub(in crate::http) items: Vec<ItemBody>,
}

/// One application of a bulk retry.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchItem)]
pub(in crate::http) struct ItemBody {
    /// The application.
    pub(in crate::http) application_id: ApplicationId,
    /// Null while waiting; `retried`, or the code of the refusal.
    pub(in crate::http) result: Option<String>,
}

/// See how a bulk retry goes.
#[utoipa::path(get, path = "/v1/ops/batches/{id}", tag = "operations", security(("key" = ["ops:read"])),
    params(("id" = BatchId, Path)), responses((status = 200, description = "Progress and results", body = BatchBody)))]
pub(super) async fn get_batch(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Named(id): Named<BatchId>,
) -> Result<Json<BatchBody>, Problem> {
    progress(&state, id).await.map(Json)
}

/// How a bulk retry goes.
pub(in crate::http) async fn progress(state: &AppState, id: BatchId) -> Result<BatchBody, Problem> {
    let batch = state.engine.shared.store.batch(id).await?.ok_or_else(Problem::not_found)?;
    let done = batch.items.iter().filter(|item| item.result.is_some()).count();
    Ok(BatchBody {
        id: batch.id,
        actor: batch.actor,
        created_at: batch.created_at,
        matched: batch.matched,
        done: u64::try_from(done).unwrap_or(u64::MAX),
        items: batch
            .items
            .into_iter()
            .map(|item| ItemBody { application_id: item.application_id, result: item.result })
            .collect(),
    })
}

//! Bulk acts: many stalled applications at once retried or rejected, each by an ordinary audited act.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::{Kind, Status},
        batch::{BatchAct, ItemVerdict},
        event::{Actor, ActorKind},
        ids::{ApplicationId, BatchId},
        stage::Stage,
    },
    http::{
        api::{reviews::promise::Promise, written_field},
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::{Limit, Named, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::{
        batches::{Batch, BatchItem, NewBatch},
        types::{ApplicationFilter, Page},
    },
};

use super::{
    action,
    stalled::{LONGEST_REASON, StalledBody},
};

/// The most applications of one bulk act. What is left is matched by the next one.
const MOST: usize = 10_000;
/// Applications that are looked up in one go.
const CHUNK: usize = 200;
/// Applications that a dry run shows.
const SAMPLE: usize = 10;

/// Which applications to retry.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkRetry {
    filter: BulkFilter,
    /// Only count and show.
    #[serde(default)]
    dry_run: bool,
}

/// Which applications to reject, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkReject {
    filter: BulkFilter,
    /// 1 to 500 characters, without personal data: it stands in the audit log of every application.
    reason: String,
    /// Only count and show.
    #[serde(default)]
    dry_run: bool,
}

/// What is to be done to which applications.
pub(in crate::http) struct Bulk {
    pub(in crate::http) act: BatchAct,
    /// Why; asked for when something is rejected.
    pub(in crate::http) reason: Option<String>,
    pub(in crate::http) filter: BulkFilter,
    /// Only count and show.
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

/// A bulk act that was started, or tried out.
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
    let BulkRetry { filter, dry_run } = body;
    let bulk = Bulk { act: BatchAct::Retry, reason: None, filter, dry_run };
    Ok((StatusCode::ACCEPTED, Json(start(&state, &caller, bulk).await?)))
}

/// Reject many stalled applications. A failed notification cannot be rejected, because its application is decided.
#[utoipa::path(post, path = "/v1/ops/stalled/reject", operation_id = "reject_many_stalled", tag = "operations", security(("key" = ["ops:write"])),
    request_body = BulkReject, responses((status = 202, description = "Started, unless it is a dry run", body = StartedBody)))]
pub(super) async fn reject_many(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Json(body): Json<BulkReject>,
) -> Result<(StatusCode, Json<StartedBody>), Problem> {
    let BulkReject { filter, reason, dry_run } = body;
    let bulk = Bulk { act: BatchAct::Reject, reason: Some(reason), filter, dry_run };
    Ok((StatusCode::ACCEPTED, Json(start(&state, &caller, bulk).await?)))
}

/// Starts a bulk act in somebody's name, or tries it out.
pub(in crate::http) async fn start(state: &AppState, caller: &Caller, bulk: Bulk) -> Result<StartedBody, Problem> {
    let store = &state.engine.shared.store;
    let Bulk { act, reason, filter: asked, dry_run } = bulk;
    let filter = applications(&asked, act);
    if dry_run {
        // Counted, not read: a preview has to come at once.
        let most = u64::try_from(MOST).unwrap_or(u64::MAX);
        let matched = store.count_applications(&filter, most + 1).await?;
        let listed = store.applications(&filter, &Page { limit: SAMPLE, after: None }).await?;
        let promise = Promise::of(state);
        let sample = listed.items.iter().map(|view| StalledBody::of(&view.application, &promise)).collect();
        return Ok(StartedBody { batch_id: None, matched: matched.min(most), more: matched > most, sample });
    }
    let kind = match act {
        BatchAct::Retry => "stalled_retried",
        BatchAct::Reject => {
            written_field("/reason", reason.as_deref().unwrap_or_default(), LONGEST_REASON)?;
            "stalled_rejected"
        }
    };
    let (applications, sample, more) = matching(state, &filter).await?;
    let matched = u64::try_from(applications.len()).unwrap_or(u64::MAX);
    let (id, actor) = (BatchId::new(), caller.actor(ActorKind::Operator));
    let data = json!({ "batch_id": id, "filter": asked, "matched": matched, "reason": reason });
    let batch = NewBatch { id, actor, act, reason, applications };
    store.create_batch(&batch, &action(state, caller, kind, data)).await?;
    Ok(StartedBody { batch_id: Some(id), matched, more, sample })
}

/// The applications that a bulk act is about: whoever is decided cannot be rejected.
fn applications(filter: &BulkFilter, act: BatchAct) -> ApplicationFilter {
    let BulkFilter { stage, error_code, kind, owner } = filter.clone();
    let status = (act == BatchAct::Reject).then_some(Status::Stalled);
    ApplicationFilter { owner, status, stage, kind, error_code, needs_operator: true, ..ApplicationFilter::default() }
}

/// Up to [`MOST`] applications with the stage that stalled, the first few as operators see them, and whether there are more.
async fn matching(
    state: &AppState,
    filter: &ApplicationFilter,
) -> Result<(Vec<(ApplicationId, Option<Stage>)>, Vec<StalledBody>, bool), Problem> {
    let promise = Promise::of(state);
    let (mut found, mut sample, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let listed = state.engine.shared.store.applications(filter, &Page { limit: CHUNK, after }).await?;
        for view in &listed.items {
            if sample.len() < SAMPLE {
                sample.push(StalledBody::of(&view.application, &promise));
            }
            found.push((view.application.id, view.application.stalled_stage()));
        }
        after = listed.next;
        if after.is_none() || found.len() >= MOST {
            return Ok((found, sample, after.is_some()));
        }
    }
}

/// How a bulk act goes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub(in crate::http) struct BatchBody {
    /// The batch's id.
    pub(in crate::http) id: BatchId,
    /// Who asked.
    pub(in crate::http) actor: Actor,
    /// What is done to each application.
    pub(in crate::http) act: BatchAct,
    /// Why; null for a retry.
    pub(in crate::http) reason: Option<String>,
    /// When.
    pub(in crate::http) created_at: DateTime<Utc>,
    /// How many applications it is about.
    pub(in crate::http) matched: u64,
    /// How many have a result.
    pub(in crate::http) done: u64,
    /// How many of all have which verdict.
    #[schema(value_type = BTreeMap<ItemVerdict, u64>)]
    pub(in crate::http) verdicts: BTreeMap<ItemVerdict, u64>,
    /// One page of the applications, in the order of their ids.
    pub(in crate::http) items: Vec<ItemBody>,
    /// The `cursor` of the next page; null at the end.
    pub(in crate::http) next_cursor: Option<String>,
}

/// One application of a bulk act.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchItem)]
pub(in crate::http) struct ItemBody {
    /// The application.
    pub(in crate::http) application_id: ApplicationId,
    /// The stage that had stalled.
    pub(in crate::http) stage: Option<Stage>,
    /// Null while waiting; `retried`, `rejected`, or the code of the refusal.
    pub(in crate::http) result: Option<String>,
    /// What became of it. A retried one has `succeeded` once the stage that had stalled is done, the failed notification is
    /// sent, or it is decided; `failed` when it stalled again; and `waiting` until then.
    pub(in crate::http) verdict: ItemVerdict,
}

/// Which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ItemParams {
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// See how a bulk act goes.
#[utoipa::path(get, path = "/v1/ops/batches/{id}", tag = "operations", security(("key" = ["ops:read"])),
    params(("id" = BatchId, Path), ItemParams), responses((status = 200, description = "Progress, and one page of results", body = BatchBody)))]
pub(super) async fn get_batch(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Named(id): Named<BatchId>,
    Params(params): Params<ItemParams>,
) -> Result<Json<BatchBody>, Problem> {
    progress(&state, id, &page(params.limit, params.cursor)).await.map(Json)
}

/// How a bulk act goes, with one page of its applications.
pub(in crate::http) async fn progress(state: &AppState, id: BatchId, page: &Page) -> Result<BatchBody, Problem> {
    let store = &state.engine.shared.store;
    let Batch { id, actor, act, reason, created_at, matched, tallies } =
        store.batch(id).await?.ok_or_else(Problem::not_found)?;
    let listed = store.batch_items(id, page).await?;
    let item =
        |BatchItem { application_id, stage, result, verdict }| ItemBody { application_id, stage, result, verdict };
    let tally: BTreeMap<ItemVerdict, u64> = tallies.into_iter().collect();
    Ok(BatchBody {
        id,
        actor,
        act,
        reason,
        created_at,
        matched,
        done: tally.iter().filter(|(verdict, _)| **verdict != ItemVerdict::Queued).map(|(_, count)| count).sum(),
        verdicts: ItemVerdict::ALL
            .iter()
            .map(|&verdict| (verdict, tally.get(&verdict).copied().unwrap_or(0)))
            .collect(),
        items: listed.items.into_iter().map(item).collect(),
        next_cursor: listed.next,
    })
}

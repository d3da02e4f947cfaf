//! What operators allow a queue instead of what its workflow says.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::stage::Stage,
    http::{
        api::written_field,
        auth::{Authorised, Caller, WriteOperations},
        body::Json,
        params::Named,
        problem::Problem,
        state::AppState,
    },
    store::types::QueueLimit,
};

use super::{
    action,
    queues::{LONGEST_REASON, tell_processes},
};

/// Runs at once in each process, at most.
const MOST_AT_ONCE: usize = 10_000;
/// Starts per second, from the slowest to the fastest.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;

/// What operators allow a queue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = QueueLimits)]
pub struct LimitsBody {
    /// The stage.
    pub name: Stage,
    /// Runs at once in each process; null: as the workflow says.
    pub concurrency: Option<usize>,
    /// Starts per second over all processes; null: as the workflow says.
    pub rate: Option<f64>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl From<&QueueLimit> for LimitsBody {
    fn from(limit: &QueueLimit) -> Self {
        let QueueLimit { stage, concurrency, rate, reason, actor, since } = limit.clone();
        Self { name: stage, concurrency, rate, reason, actor, since }
    }
}

/// How much a queue may do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct LimitsRequest {
    /// Runs at once in each process, 1 to 10,000; null or left out: as the workflow says.
    #[schema(example = 4)]
    pub(in crate::http) concurrency: Option<usize>,
    /// Starts per second over all processes, 0.001 to 10,000; null or left out: as the workflow says.
    #[schema(example = 2.5)]
    pub(in crate::http) rate: Option<f64>,
    /// 1 to 500 characters.
    #[schema(example = "the provider asked us to slow down")]
    pub(in crate::http) reason: String,
}

/// Limit a queue; without both numbers its workflow's count again. Processes follow within seconds, what runs goes on.
#[utoipa::path(post, path = "/v1/ops/queues/{name}/limits", operation_id = "limit_queue", tag = "operations", security(("key" = ["ops:write"])),
    params(("name" = Stage, Path)), request_body = LimitsRequest,
    responses((status = 200, description = "What counts now", body = LimitsBody)))]
pub(super) async fn limit(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(stage): Named<Stage>,
    Json(body): Json<LimitsRequest>,
) -> Result<Json<LimitsBody>, Problem> {
    limit_queue(&state, &caller, stage, body).await.map(Json)
}

/// Limits a queue in somebody's name.
pub(in crate::http) async fn limit_queue(
    state: &AppState,
    caller: &Caller,
    stage: Stage,
    body: LimitsRequest,
) -> Result<LimitsBody, Problem> {
    let LimitsRequest { concurrency, rate, reason } = body;
    written_field("/reason", &reason, LONGEST_REASON)?;
    if concurrency.is_some_and(|most| !(1..=MOST_AT_ONCE).contains(&most)) {
        return Err(Problem::field("/concurrency", "out_of_range", "must be 1 to 10000; to stop a queue pause it"));
    }
    if rate.is_some_and(|rate| !RATES.contains(&rate)) {
        return Err(Problem::field("/rate", "out_of_range", "must be 0.001 to 10000; to stop a queue pause it"));
    }
    let shared = &state.engine.shared;
    let limit = QueueLimit { stage, concurrency, rate, reason, actor: caller.name.clone(), since: shared.clock.now() };
    let data = json!({ "queue": stage, "concurrency": concurrency, "rate": rate, "reason": limit.reason });
    shared.store.limit_queue(&limit, &action(state, caller, "queue_limited", data)).await?;
    tell_processes(state).await?;
    Ok(LimitsBody::from(&limit))
}

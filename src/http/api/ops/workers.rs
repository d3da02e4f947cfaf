//! The live processes.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::ids::LeaseId,
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::ListBody,
        problem::Problem,
        state::AppState,
    },
    store::types::Process,
};

/// A live process.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub(super) struct WorkerBody {
    /// New at every start.
    id: LeaseId,
    /// What it does.
    roles: Vec<String>,
    /// Program version.
    version: String,
    /// Host name.
    host: String,
    /// Process id.
    pid: u32,
    /// When it started.
    started_at: DateTime<Utc>,
    /// Its last heartbeat.
    heartbeat_at: DateTime<Utc>,
    /// Jobs that it holds.
    in_flight: u64,
    /// Its figures by stage.
    #[schema(value_type = Object)]
    stages: Value,
}

impl WorkerBody {
    fn of(process: Process) -> Self {
        let Process { lease, roles, host, pid, version, started_at, seen_at, stats } = process;
        let in_flight = stats.get("in_flight").and_then(Value::as_u64).unwrap_or_default();
        let stages = stats.get("stages").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        Self { id: lease, roles, version, host, pid, started_at, heartbeat_at: seen_at, in_flight, stages }
    }
}

/// See the live processes.
#[utoipa::path(get, path = "/v1/ops/workers", operation_id = "list_workers", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Every live process", body = ListBody<WorkerBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<ListBody<WorkerBody>>, Problem> {
    let processes = state.engine.shared.store.processes().await?;
    Ok(Json(ListBody::whole(processes.into_iter().map(WorkerBody::of).collect())))
}

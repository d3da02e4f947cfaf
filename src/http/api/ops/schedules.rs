//! The reconcilers: what each does, and how it ran last.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::ids::LeaseId,
    engine::sweep::Reconciler,
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::ListBody,
        problem::Problem,
        state::AppState,
    },
    store::{
        schedules::{RunKind, SweepRun},
        types::Process,
    },
};

/// A reconciler.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(in crate::http) struct ScheduleBody {
    /// Which one.
    pub(in crate::http) name: Reconciler,
    /// What it does.
    pub(in crate::http) does: &'static str,
    /// The role of the processes that run it.
    pub(in crate::http) role: &'static str,
    /// How long it may sleep between two runs, in milliseconds; null before its first run.
    pub(in crate::http) period_ms: Option<u64>,
    /// The last run.
    pub(in crate::http) last: Option<RunBody>,
    /// The last run that found something to do.
    pub(in crate::http) worked: Option<RunBody>,
    /// The last run that failed.
    pub(in crate::http) failed: Option<RunBody>,
    /// Whether the last run failed.
    pub(in crate::http) failing: bool,
}

/// A run that ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleRun)]
pub(in crate::http) struct RunBody {
    /// When it ended.
    pub(in crate::http) at: DateTime<Utc>,
    /// How long it took.
    pub(in crate::http) took_ms: u64,
    /// How much it found to do.
    pub(in crate::http) items: u64,
    /// What went wrong; the log has the causes.
    pub(in crate::http) error: Option<String>,
    /// The process, as in the list of workers.
    pub(in crate::http) process: LeaseId,
    /// Its host and process id, while it lives.
    pub(in crate::http) host: Option<String>,
}

/// See the reconcilers, and how each ran last; written every few seconds.
#[utoipa::path(get, path = "/v1/ops/schedules", operation_id = "list_schedules", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Every reconciler", body = ListBody<ScheduleBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<ListBody<ScheduleBody>>, Problem> {
    Ok(Json(ListBody::whole(all(&state).await?)))
}

/// Every reconciler.
pub(in crate::http) async fn all(state: &AppState) -> Result<Vec<ScheduleBody>, Problem> {
    let store = &state.engine.shared.store;
    let (runs, processes) = (store.sweep_runs().await?, store.processes().await?);
    Ok(Reconciler::ALL.iter().map(|reconciler| schedule(*reconciler, &runs, &processes)).collect())
}

fn schedule(name: Reconciler, runs: &[SweepRun], processes: &[Process]) -> ScheduleBody {
    let find = |kind| runs.iter().find(|run| run.name == name.as_str() && run.kind == kind);
    let body = |kind| find(kind).map(|run| RunBody::of(run, processes));
    ScheduleBody {
        name,
        does: name.does(),
        role: name.role(),
        period_ms: find(RunKind::Last).map(|run| run.period_ms),
        last: body(RunKind::Last),
        worked: body(RunKind::Worked),
        failed: body(RunKind::Failed),
        failing: find(RunKind::Last).is_some_and(|run| run.error.is_some()),
    }
}

impl RunBody {
    fn of(run: &SweepRun, processes: &[Process]) -> Self {
        let process = processes.iter().find(|process| process.lease == run.process);
        Self {
            at: run.at,
            took_ms: run.took_ms,
            items: run.items,
            error: run.error.clone(),
            process: run.process,
            host: process.map(|process| format!("{} · {}", process.host, process.pid)),
        }
    }
}

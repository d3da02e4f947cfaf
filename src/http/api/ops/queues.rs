//! The queues: one per stage.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    domain::{
        breaker::{self, BreakerReport, BreakerState},
        provider_error::Provider,
        stage::Stage,
        workflow::WorkflowSet,
    },
    engine::{
        shared::QUEUES,
        stats::{Percentiles, StageFigures},
    },
    http::{
        api::written_field,
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::{ListBody, Moment, Named},
        problem::Problem,
        state::AppState,
    },
    store::types::{Pause, Process, QueueDepth, QueueLimit},
};

use super::{action, limits::LimitsBody, stalled_counts};

/// The longest reason of a pause or limit, in characters.
pub(super) const LONGEST_REASON: usize = 500;

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Queue)]
pub struct QueueBody {
    /// The stage.
    pub name: Stage,
    /// Due jobs that no worker has; counted up to 10,000.
    pub ready: u64,
    /// Jobs that a worker has.
    pub running: u64,
    /// Jobs that are not due yet.
    pub scheduled: u64,
    /// Applications that wait for an operator because of the stage; failed notifications are counted up to 10,000.
    pub stalled: i64,
    /// Whether it is paused.
    pub paused: bool,
    /// Why, by whom and until when.
    pub pause: Option<PauseBody>,
    /// How long the oldest due job has waited.
    pub oldest_ready_seconds: Option<i64>,
    /// Runs in the last minute, all processes together.
    pub per_minute: u64,
    /// From due to started; of the slowest process.
    pub wait_ms: Percentiles,
    /// From started to decided; of the slowest process.
    pub run_ms: Percentiles,
    /// Runs that are possible at once, all processes together.
    pub concurrency: usize,
    /// Starts per second, all processes together; null: no limit.
    pub rate: Option<f64>,
    /// What operators allow instead of the workflow, who and why; null: nothing.
    pub limits: Option<LimitsBody>,
    /// How the circuit breaker of the stage's provider stands, the worst of all processes and providers; null for a
    /// stage that calls none, and while no process runs the stage.
    pub breaker: Option<BreakerState>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Pause)]
pub struct PauseBody {
    /// The stage.
    pub name: Stage,
    /// Why.
    pub reason: String,
    /// Who paused it.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Ends by itself at this moment.
    pub until: Option<DateTime<Utc>>,
}

impl From<&Pause> for PauseBody {
    fn from(pause: &Pause) -> Self {
        let Pause { stage, reason, actor, since, until } = pause.clone();
        Self { name: stage, reason, actor, since, until }
    }
}

/// See the queues.
#[utoipa::path(get, path = "/v1/ops/queues", operation_id = "list_queues", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Every queue", body = ListBody<QueueBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<ListBody<QueueBody>>, Problem> {
    all(&state).await.map(ListBody::whole).map(Json)
}

/// Every queue.
pub(in crate::http) async fn all(state: &AppState) -> Result<Vec<QueueBody>, Problem> {
    let shared = &state.engine.shared;
    let store = &shared.store;
    let processes = store.processes().await?;
    let seen = Seen {
        now: shared.clock.now(),
        depths: store.depths().await?,
        stalled: stalled_counts(state, &store.status_counts().await?).await?,
        pauses: store.pauses().await?,
        limits: store.queue_limits().await?,
        workflows: shared.workflows(),
        figures: figures(&processes),
        breakers: breakers(&processes),
    };
    Ok(Stage::ALL.iter().map(|&stage| seen.queue(stage)).collect())
}

/// Everything that the list is made of.
struct Seen {
    now: DateTime<Utc>,
    depths: Vec<QueueDepth>,
    stalled: BTreeMap<Stage, i64>,
    pauses: Vec<Pause>,
    limits: Vec<QueueLimit>,
    workflows: Arc<WorkflowSet>,
    figures: BTreeMap<Stage, Figures>,
    breakers: Vec<BreakerReport>,
}

impl Seen {
    fn queue(&self, stage: Stage) -> QueueBody {
        let depth = self.depths.iter().find(|depth| depth.stage == stage);
        let figures = self.figures.get(&stage).copied().unwrap_or_default();
        let pause = self.pauses.iter().find(|pause| pause.stage == stage);
        let limit = self.limits.iter().find(|limit| limit.stage == stage);
        QueueBody {
            name: stage,
            ready: depth.map_or(0, |depth| depth.ready),
            running: depth.map_or(0, |depth| depth.running),
            scheduled: depth.map_or(0, |depth| depth.scheduled),
            stalled: self.stalled.get(&stage).copied().unwrap_or(0),
            paused: pause.is_some(),
            pause: pause.map(PauseBody::from),
            oldest_ready_seconds: depth
                .and_then(|depth| depth.oldest_ready)
                .map(|since| (self.now - since).num_seconds().max(0)),
            per_minute: figures.per_minute,
            wait_ms: figures.wait_ms,
            run_ms: figures.run_ms,
            concurrency: figures.concurrency,
            rate: limit.and_then(|limit| limit.rate).or_else(|| self.workflows.rate(stage)),
            limits: limit.map(LimitsBody::from),
            breaker: breaker::worst(&self.breakers, providers(stage)).map(|report| report.state),
        }
    }
}

/// Whom a stage calls.
const fn providers(stage: Stage) -> &'static [Provider] {
    match stage {
        Stage::Eligibility | Stage::Generation => &[Provider::Registry],
        Stage::FaceVerification => &[Provider::Face],
        Stage::PhotoReview => &[],
        Stage::Notification => &[Provider::Sms, Provider::Push],
    }
}

/// A stage's figures of all processes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) per_minute: u64,
    pub(super) wait_ms: Percentiles,
    pub(super) run_ms: Percentiles,
    concurrency: usize,
}

/// Adds up what the processes say of themselves. Percentiles cannot be added: the slowest process's count.
pub(super) fn figures(processes: &[Process]) -> BTreeMap<Stage, Figures> {
    let mut all: BTreeMap<Stage, Figures> = BTreeMap::new();
    for process in processes {
        let stages = process.stats.get("stages").cloned().unwrap_or_default();
        // A process of another version may say it differently; it is left out.
        let Ok(stages) = serde_json::from_value::<BTreeMap<Stage, StageFigures>>(stages) else { continue };
        for (stage, figures) in stages {
            let sum = all.entry(stage).or_default();
            sum.per_minute += figures.per_minute;
            sum.concurrency += figures.concurrency;
            sum.wait_ms = slower(sum.wait_ms, figures.wait_ms);
            sum.run_ms = slower(sum.run_ms, figures.run_ms);
        }
    }
    all
}

/// What the processes say of their circuit breakers.
pub(in crate::http) fn breakers(processes: &[Process]) -> Vec<BreakerReport> {
    let reports = |process: &Process| process.stats.get("breakers").cloned().unwrap_or_default();
    let read = |process| serde_json::from_value::<Vec<BreakerReport>>(reports(process)).unwrap_or_default();
    processes.iter().flat_map(read).collect()
}

fn slower(one: Percentiles, other: Percentiles) -> Percentiles {
    Percentiles { p50: one.p50.max(other.p50), p95: one.p95.max(other.p95), p99: one.p99.max(other.p99) }
}

/// Why a queue is paused.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct PauseRequest {
    /// 1 to 500 characters.
    #[schema(example = "maintenance of the provider")]
    pub(in crate::http) reason: String,
    /// Ends by itself at this moment.
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub(in crate::http) until: Option<Moment>,
}

/// Pause a queue: its jobs wait. What runs goes on.
#[utoipa::path(post, path = "/v1/ops/queues/{name}/pause", operation_id = "pause_queue", tag = "operations", security(("key" = ["ops:write"])),
    params(("name" = Stage, Path)), request_body = PauseRequest,
    responses((status = 200, description = "Paused", body = PauseBody)))]
pub(super) async fn pause(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(stage): Named<Stage>,
    Json(body): Json<PauseRequest>,
) -> Result<Json<PauseBody>, Problem> {
    pause_queue(&state, &caller, stage, body).await.map(Json)
}

/// Pauses a queue in somebody's name.
pub(in crate::http) async fn pause_queue(
    state: &AppState,
    caller: &Caller,
    stage: Stage,
    body: PauseRequest,
) -> Result<PauseBody, Problem> {
    let shared = &state.engine.shared;
    let since = shared.clock.now();
    written_field("/reason", &body.reason, LONGEST_REASON)?;
    let until = body.until.map(|Moment(until)| until);
    if until.is_some_and(|until| until <= since) {
        return Err(Problem::field("/until", "in_the_past", "must be in the future"));
    }
    let pause = Pause { stage, reason: body.reason, actor: caller.name.clone(), since, until };
    let data = json!({ "queue": stage, "reason": pause.reason, "until": pause.until });
    shared.store.pause(&pause, &action(state, caller, "queue_paused", data)).await?;
    tell_processes(state).await?;
    Ok(PauseBody::from(&pause))
}

/// A queue that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResumedBody {
    /// The stage.
    name: Stage,
    /// Always false.
    paused: bool,
}

/// Resume a queue. One that is not paused stays as it is.
#[utoipa::path(post, path = "/v1/ops/queues/{name}/resume", operation_id = "resume_queue", tag = "operations", security(("key" = ["ops:write"])),
    params(("name" = Stage, Path)), responses((status = 200, description = "Not paused", body = ResumedBody)))]
pub(super) async fn resume(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(stage): Named<Stage>,
) -> Result<Json<ResumedBody>, Problem> {
    resume_queue(&state, &caller, stage).await?;
    Ok(Json(ResumedBody { name: stage, paused: false }))
}

/// Resumes a queue in somebody's name.
pub(in crate::http) async fn resume_queue(state: &AppState, caller: &Caller, stage: Stage) -> Result<(), Problem> {
    let act = action(state, caller, "queue_resumed", json!({ "queue": stage }));
    state.engine.shared.store.resume(stage, &act).await?;
    tell_processes(state).await
}

/// This process knows at once, the others by hint or by their next heartbeat.
pub(super) async fn tell_processes(state: &AppState) -> Result<(), Problem> {
    let shared = &state.engine.shared;
    state.forget_pauses().await;
    shared.follow_operators().await?;
    shared.hints.publish(QUEUES);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::LeaseId;

    fn process(stats: serde_json::Value) -> Process {
        Process {
            lease: LeaseId::new(),
            roles: Vec::new(),
            host: String::new(),
            pid: 1,
            version: String::new(),
            started_at: Utc::now(),
            seen_at: Utc::now(),
            stats,
        }
    }

    #[test]
    fn processes_are_added_up() {
        let stats = |per_minute: u64, p99: u32| {
            let figures = StageFigures {
                per_minute,
                run_ms: Percentiles { p50: 1, p95: 2, p99 },
                concurrency: 4,
                ..StageFigures::default()
            };
            json!({ "in_flight": 0, "stages": { "eligibility": figures } })
        };
        let all = figures(&[
            process(stats(10, 30)),
            process(stats(5, 90)),
            process(json!({ "stages": "of tomorrow" })),
            process(json!(null)),
        ]);
        let sum = all[&Stage::Eligibility];
        assert_eq!((sum.per_minute, sum.concurrency, sum.run_ms.p99), (15, 8, 90));
    }

    #[test]
    fn what_is_shown_is_the_worst_of_the_processes_and_the_word_of_the_operators() {
        let report = |provider, state| BreakerReport { provider, state, opened_at: None };
        let process = |reports: &[BreakerReport]| process(json!({ "breakers": reports }));
        let workflows = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows");
        let seen = Seen {
            now: Utc::now(),
            depths: Vec::new(),
            stalled: BTreeMap::from([(Stage::Eligibility, 3)]),
            pauses: Vec::new(),
            limits: vec![QueueLimit {
                stage: Stage::Generation,
                concurrency: Some(2),
                rate: Some(0.5),
                reason: "slow registry".to_owned(),
                actor: "op".to_owned(),
                since: Utc::now(),
            }],
            workflows: Arc::new(crate::config::workflow_files::load(workflows.as_ref()).unwrap()),
            figures: BTreeMap::new(),
            breakers: breakers(&[
                process(&[
                    report(Provider::Registry, BreakerState::Closed),
                    report(Provider::Sms, BreakerState::Closed),
                ]),
                process(&[report(Provider::Sms, BreakerState::Open), report(Provider::Push, BreakerState::HalfOpen)]),
            ]),
        };
        assert_eq!(seen.queue(Stage::Notification).breaker, Some(BreakerState::Open));
        assert_eq!(seen.queue(Stage::FaceVerification).breaker, None, "no process says anything");
        let eligibility = seen.queue(Stage::Eligibility);
        assert_eq!((eligibility.breaker, eligibility.stalled), (Some(BreakerState::Closed), 3));
        assert_eq!((eligibility.rate, eligibility.limits), (None, None));
        let generation = seen.queue(Stage::Generation);
        assert_eq!((generation.rate, generation.limits.and_then(|limits| limits.concurrency)), (Some(0.5), Some(2)));
    }
}

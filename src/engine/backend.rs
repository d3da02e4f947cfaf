//! Our own apalis `Backend`: leased runs come in by a channel, decisions go out through the committer.
//!
//! The worker never sees a database error and never decides what happens to a job: claiming, renewing and
//! committing are tasks of their own, so a busy worker cannot delay them.

use std::{
    convert::Infallible,
    fmt, mem,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    error::BoxDynError,
    task::{Task, builder::TaskBuilder},
    worker::context::WorkerContext,
};
use futures::future::BoxFuture;
use tokio::sync::{RwLock, mpsc::UnboundedReceiver};
use tower::{Layer, Service};

use crate::{
    domain::{
        application::WaitReason,
        decision::{Decision, Failure, Until},
        stage::Stage,
    },
    hints::take_patiently,
    store::types::Held,
    telemetry::metrics::{ATTEMPTS, STAGE_DURATION, STAGE_WAIT},
};

use super::{commit::Committer, run::Run, shared::Shared};

/// Suspects run alone: everybody else runs under a shared guard of this gate.
pub type SoloGate = Arc<RwLock<()>>;

/// The queue of one stage in one process.
pub struct StageBackend {
    runs: UnboundedReceiver<Run>,
    pub(super) finish: FinishLayer,
}

impl StageBackend {
    /// Reads runs from the channel and commits what they decide.
    pub fn new(runs: UnboundedReceiver<Run>, shared: Arc<Shared>, committer: Committer, gate: SoloGate) -> Self {
        Self { runs, finish: FinishLayer { shared, committer, gate } }
    }
}

impl Backend for StageBackend {
    type Task = Task<Run>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let run = ready!(self.runs.poll_recv(cx));
        Poll::Ready(run.map(|run| Ok(TaskBuilder::new(run).build())))
    }

    /// What was not started stays leased until the process gives back everything that it holds.
    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.runs.close();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for StageBackend {
    type Args = Run;
    type Id = u64;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = FinishLayer;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> FinishLayer {
        self.finish.clone()
    }
}

/// Outermost layer: sees time-outs and caught panics as errors, and is done only when the commit is durable.
#[derive(Clone)]
pub struct FinishLayer {
    shared: Arc<Shared>,
    committer: Committer,
    gate: SoloGate,
}

impl<S> Layer<S> for FinishLayer {
    type Service = FinishService<S>;

    fn layer(&self, inner: S) -> FinishService<S> {
        FinishService { inner, finish: self.clone() }
    }
}

/// The service of [`FinishLayer`].
#[derive(Clone)]
pub struct FinishService<S> {
    inner: S,
    finish: FinishLayer,
}

impl<S> fmt::Debug for FinishService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinishService")
    }
}

impl<S> Service<Task<Run>> for FinishService<S>
where
    S: Service<Task<Run>, Response = Decision> + Clone + Send + 'static,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Run>) -> Self::Future {
        let run = task.args.clone();
        let finish = self.finish.clone();
        // The one that said it is ready, for later: its time limit must not begin before the run does.
        let fresh = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            // A process that stops gives back what was not begun.
            let Some(turn) = finish.shared.places.turn(run.job().stage).await else { return Ok(()) };
            let begin = || (Instant::now(), finish.shared.clock.now());
            let ((started, began), result) = if let Err(wait) = finish.take_token(run.job().stage).await {
                (begin(), Ok(wait))
            } else if run.job().is_suspect() {
                let _alone = finish.gate.write().await;
                let alone = finish.mark_alone(&run).await;
                (begin(), if alone { inner.call(task).await } else { Ok(not_alone()) })
            } else {
                let _together = finish.gate.read().await;
                (begin(), inner.call(task).await)
            };
            // Turns are for what runs: its commit needs none.
            drop(turn);
            finish.note(&run, started);
            let decision = result.unwrap_or_else(|error| failed(&error.into()));
            metrics::counter!(ATTEMPTS, "stage" => run.job().stage.as_str(), "result" => decision.name()).increment(1);
            finish.committer.finish(&run, began, decision).await;
            Ok(())
        })
    }
}

impl FinishLayer {
    /// The stage's share of starts, over all processes. What is held back waits, and uses no attempt.
    async fn take_token(&self, stage: Stage) -> Result<(), Decision> {
        let Some(limit) = self.shared.rate_limit(stage) else { return Ok(()) };
        take_patiently(self.shared.hints.as_ref(), &format!("stage:{stage}"), limit).await.map_err(|wait| {
            let detail = format!("`{stage}` starts {} times a second at most", limit.per_second());
            Decision::Wait { until: Until::After(wait), reason: WaitReason::RateLimit, detail }
        })
    }

    /// Written before the run, so that a death of this process speaks against this job and no other.
    async fn mark_alone(&self, run: &Run) -> bool {
        let held = Held { application_id: run.application().id, slot: run.job().slot, fence: run.job().fence };
        match self.shared.store.mark_alone(self.shared.lease, held).await {
            Ok(marked) => marked,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a suspect waits for the database");
                false
            }
        }
    }

    fn note(&self, run: &Run, started: Instant) {
        let stage = run.job().stage;
        let now = self.shared.clock.now();
        let run_time = started.elapsed();
        let waited = (now - run.job().due_at).to_std().unwrap_or_default().saturating_sub(run_time);
        let second = u64::try_from(now.timestamp()).unwrap_or_default();
        self.shared.stats.record(stage, waited, run_time, second);
        metrics::histogram!(STAGE_WAIT, "stage" => stage.as_str()).record(waited);
        metrics::histogram!(STAGE_DURATION, "stage" => stage.as_str()).record(run_time);
    }
}

/// The run did not begin: it belongs to somebody else by now, or the database is away.
fn not_alone() -> Decision {
    let until = Until::After(Duration::from_secs(1));
    Decision::Wait { until, reason: WaitReason::Retry, detail: "waits to run alone".to_owned() }
}

/// A time limit or a panic is a failed attempt like any other.
fn failed(error: &BoxDynError) -> Decision {
    let code = if error.downcast_ref::<tower::timeout::error::Elapsed>().is_some() {
        "stage_timeout"
    } else {
        "stage_panicked"
    };
    tracing::error!(error.code = code, error = %error, "a stage did not end by itself");
    Decision::Retry { after: None, error: Failure::new(code, "the stage did not end by itself") }
}

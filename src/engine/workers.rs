//! One apalis worker per stage, under one monitor.

use std::{convert::Infallible, sync::Arc};

use apalis::{layers::WorkerBuilderExt, prelude::WorkerBuilder};
use apalis_core::monitor::Monitor;
use tokio::sync::RwLock;

use crate::domain::workflow::LONGEST_TIMEOUT;

use super::{
    Engine,
    backend::{SoloGate, StageBackend},
    run::{Run, StageRunner},
    shared::Shared,
};

/// Starts the workers of these stages; they end with the process's claiming.
pub(super) fn start(engine: &Engine, stages: Vec<Arc<dyn StageRunner>>) {
    let gate: SoloGate = Arc::new(RwLock::new(()));
    let limits = Shared::stage_limits(&engine.shared.workflows());
    let mut monitor = Monitor::new();
    for runner in stages {
        let stage = runner.stage();
        let limit = limits.get(&stage).map_or(LONGEST_TIMEOUT, |(_, timeout)| *timeout);
        let (shared, committer, gate) = (Arc::clone(&engine.shared), engine.committer.clone(), Arc::clone(&gate));
        monitor = monitor.register(move |_restarts| {
            let runs = shared.dispatcher.open(stage);
            let backend = StageBackend::new(runs, Arc::clone(&shared), committer.clone(), Arc::clone(&gate));
            let runner = Arc::clone(&runner);
            WorkerBuilder::new(format!("{stage}-{}", shared.lease)).backend(backend).timeout(limit).catch_panic().build(
                move |run: Run| {
                    let runner = Arc::clone(&runner);
                    async move { Ok::<_, Infallible>(runner.run(&run).await) }
                },
            )
        });
    }
    let stop = engine.claiming.clone();
    engine.tasks.spawn(async move {
        let stopped = async move {
            stop.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        if let Err(error) = monitor.run_with_signal(stopped).await {
            tracing::error!(%error, "the workers ended early");
        }
    });
}

//! Frees the jobs of processes whose lease lapsed (invariants 4 and 5).

use std::time::Duration;

use async_trait::async_trait;

use crate::{engine::Engine, telemetry::metrics::RESCUED};

use super::{Reconciler, Sweep, Swept};

/// The lease reconciler.
pub struct Rescue(pub Engine);

#[async_trait]
impl Sweep for Rescue {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Rescue
    }

    fn period(&self) -> Duration {
        self.0.shared.settings.lease / 4
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let shared = &self.0.shared;
        // Whoever was cut off from the database could not renew, and neither could the others: after its own
        // reconnect a process gives them one lease to come back before it takes their work.
        if self.0.last_failure().is_some_and(|at| at.elapsed() < shared.settings.lease) {
            return Ok(Swept::of(0));
        }
        let freed = shared.store.rescue().await?;
        if freed > 0 {
            tracing::warn!(jobs = freed, "freed the jobs of processes whose lease lapsed");
            metrics::counter!(RESCUED).increment(freed);
            shared.wake_jobs();
        }
        Ok(Swept { items: freed, more: false })
    }
}

//! Warns of deadlines and escalates breached ones, once each.

use std::time::Duration;

use async_trait::async_trait;

use crate::{domain::cause::Cause, engine::Engine};

use super::{Reconciler, Sweep, Swept, apply_to_all};

const BATCH: usize = 200;

/// The deadline reconciler.
pub struct Deadlines(pub Engine);

#[async_trait]
impl Sweep for Deadlines {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Deadlines
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let ids = self.0.shared.store.due_deadlines(BATCH).await?;
        let swept = Swept::batch(ids.len(), BATCH);
        apply_to_all(&self.0.committer, ids, &Cause::DeadlineReached).await?;
        Ok(swept)
    }
}

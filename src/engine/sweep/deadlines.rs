//! Warns of deadlines and escalates breached ones, once each.

use std::time::Duration;

use async_trait::async_trait;

use crate::{domain::cause::Cause, engine::Engine};

use super::{Sweep, apply_to_all};

const BATCH: usize = 200;

/// The deadline reconciler.
pub struct Deadlines(pub Engine);

#[async_trait]
impl Sweep for Deadlines {
    fn name(&self) -> &'static str {
        "deadlines"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> anyhow::Result<bool> {
        let ids = self.0.shared.store.due_deadlines(BATCH).await?;
        let more = ids.len() == BATCH;
        apply_to_all(&self.0.committer, ids, &Cause::DeadlineReached).await?;
        Ok(more)
    }
}

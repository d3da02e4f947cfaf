//! Keeps the log's partitions ahead of time. (Erasure of personal data after its retention comes with its own issue.)

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::Engine;

use super::{Reconciler, Sweep, Swept};

/// The retention reconciler.
pub struct Retention(pub Engine);

#[async_trait]
impl Sweep for Retention {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Retention
    }

    fn period(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        self.0.shared.store.prepare_partitions().await?;
        Ok(Swept::of(0))
    }
}

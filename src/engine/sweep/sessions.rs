//! Removes sessions that expired, and tries to sign in that are forgotten.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::Engine;

use super::{Reconciler, Sweep, Swept};

/// The session reconciler.
pub struct Sessions(pub Engine);

#[async_trait]
impl Sweep for Sessions {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Sessions
    }

    fn period(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        self.0.shared.store.tidy_sessions().await?;
        Ok(Swept::of(0))
    }
}

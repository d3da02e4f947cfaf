//! Removes sessions that expired, and tries to sign in that are forgotten.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::Engine;

use super::Sweep;

/// The session reconciler.
pub struct Sessions(pub Engine);

#[async_trait]
impl Sweep for Sessions {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn run(&self) -> anyhow::Result<bool> {
        self.0.shared.store.tidy_sessions().await?;
        Ok(false)
    }
}

//! Reopens reviews whose lease lapsed and lets decisions take effect whose undo window is over.

use std::time::Duration;

use async_trait::async_trait;

use crate::{domain::cause::Cause, engine::Engine};

use super::{Reconciler, Sweep, Swept, apply_to_all};

const BATCH: usize = 200;

/// The review reconciler.
pub struct Reviews(pub Engine);

#[async_trait]
impl Sweep for Reviews {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Reviews
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let store = &self.0.shared.store;
        let mut ids = store.effective_reviews(BATCH).await?;
        ids.extend(store.lapsed_reviews(BATCH).await?);
        let swept = Swept::batch(ids.len(), BATCH);
        apply_to_all(&self.0.committer, ids, &Cause::ReviewClock).await?;
        Ok(swept)
    }
}

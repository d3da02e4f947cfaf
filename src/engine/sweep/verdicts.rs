//! Finds out what became of what operators' batches retried, so that the tallies of a batch cost no look at its
//! applications.

use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};

use crate::{
    domain::{
        batch::{ItemVerdict, Step, verdict_of_retry},
        ids::{ApplicationId, BatchId},
    },
    engine::Engine,
    store::{self, batches::UnverifiedItem},
};

use super::{Reconciler, Sweep, Swept, batches::step};

const BATCH: usize = 500;
/// Applications that are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// The verdict reconciler.
pub struct Verdicts(pub Engine);

#[async_trait]
impl Sweep for Verdicts {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Verdicts
    }

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let store = &self.0.shared.store;
        let unverified = store.unverified_batch_items(BATCH).await?;
        let verdicts = unverified.into_iter().map(|item| self.verified(item));
        let verdicts: Vec<_> = stream::iter(verdicts).buffered(SIDE_BY_SIDE).try_collect().await?;
        let settled: Vec<_> = verdicts.into_iter().filter(|(_, _, verdict)| *verdict != ItemVerdict::Waiting).collect();
        store.verify_batch_items(&settled).await?;
        Ok(Swept::batch(settled.len(), BATCH))
    }
}

impl Verdicts {
    async fn verified(&self, item: UnverifiedItem) -> store::Result<(BatchId, ApplicationId, ItemVerdict)> {
        let UnverifiedItem { batch, started_at, application_id } = item;
        let events = self.0.shared.store.events(application_id).await?;
        let steps: Vec<Step> = events.iter().map(step).collect();
        Ok((batch, application_id, verdict_of_retry(&steps, batch, started_at)))
    }
}

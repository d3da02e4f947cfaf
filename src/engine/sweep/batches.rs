//! Works through operators' bulk retries, item by item, each an ordinary audited act.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    domain::cause::{Cause, OperatorAct},
    engine::{Engine, commit::ApplyError},
};

use super::{Reconciler, Sweep, Swept};

const BATCH: usize = 100;

/// The bulk action reconciler.
pub struct Batches(pub Engine);

#[async_trait]
impl Sweep for Batches {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Batches
    }

    fn period(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let store = &self.0.shared.store;
        let pending = store.pending_batch_items(BATCH).await?;
        let swept = Swept::batch(pending.len(), BATCH);
        let retries = pending.into_iter().map(async |(batch, id, actor)| {
            let cause = Cause::Operator { actor, act: OperatorAct::Retry };
            let result = match self.0.committer.apply(id, cause, None).await {
                Ok(_) => "retried".to_owned(),
                Err(ApplyError::Refused(refusal)) => refusal.code().to_owned(),
                Err(ApplyError::NotFound) => "not_found".to_owned(),
                // Left without a result: the next look tries it again.
                Err(ApplyError::Unavailable | ApplyError::Failed) => return None,
            };
            Some((batch, id, result))
        });
        let results: Vec<_> = futures::future::join_all(retries).await.into_iter().flatten().collect();
        store.settle_batch_items(&results).await?;
        Ok(swept)
    }
}

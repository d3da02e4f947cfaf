//! Works through operators' bulk acts, item by item, each an ordinary audited act.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    domain::{
        batch::{BatchAct, ItemVerdict, Step},
        cause::{Cause, OperatorAct},
    },
    engine::{Engine, commit::ApplyError},
    store::{
        self,
        batches::{PendingItem, SettledItem},
        types::StoredEvent,
    },
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
        let acts = pending.into_iter().map(|item| self.act(item));
        let acted = futures::future::try_join_all(acts).await?;
        let settled: Vec<_> = acted.into_iter().flatten().collect();
        store.settle_batch_items(&settled).await?;
        Ok(swept)
    }
}

impl Batches {
    /// Does what the batch asks; nothing when that could not be tried, so that the next look does.
    async fn act(&self, item: PendingItem) -> store::Result<Option<SettledItem>> {
        let PendingItem { batch, application_id, actor, act, reason } = item;
        let (act, done, verdict) = match act {
            BatchAct::Retry => (OperatorAct::Retry, "retried", None),
            BatchAct::Reject => {
                (OperatorAct::Reject { reason: reason.unwrap_or_default() }, "rejected", Some(ItemVerdict::Succeeded))
            }
        };
        let settled = |result: &str, verdict| SettledItem { batch, application_id, result: result.to_owned(), verdict };
        let cause = Cause::Operator { actor, act, batch: Some(batch) };
        let refused = match self.0.committer.apply(application_id, cause, None).await {
            Ok(_) => return Ok(Some(settled(done, verdict))),
            Err(ApplyError::Refused(refusal)) => refusal.code(),
            Err(ApplyError::NotFound) => "not_found",
            Err(ApplyError::Unavailable | ApplyError::Failed) => return Ok(None),
        };
        // Another process, or this one before it ended, may have come so far and not settled the item.
        let events = self.0.shared.store.events(application_id).await?;
        let is_done = events.iter().map(step).any(|step| step.is_of(batch));
        Ok(Some(if is_done { settled(done, verdict) } else { settled(refused, Some(ItemVerdict::Refused)) }))
    }
}

/// What an event says of a retry.
pub(super) fn step(event: &StoredEvent) -> Step {
    Step {
        at: event.at,
        kind: event.kind.clone(),
        stage: event.stage.clone(),
        data: serde_json::from_str(&event.data).unwrap_or_default(),
    }
}

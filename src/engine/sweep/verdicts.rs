//! Finds out what became of what operators' batches retried, so that the tallies of a batch cost no look at its
//! applications.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

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

/// So many items are looked at in one run.
const BATCH: usize = 500;
/// Applications that are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// The verdict reconciler. It goes round: however many wait in front, such as behind a paused queue, each has its turn.
pub struct Verdicts {
    engine: Engine,
    /// The item that the last run ended with; none where a round begins.
    last: Mutex<Option<(BatchId, ApplicationId)>>,
}

impl Verdicts {
    /// Finds out about what the engine's store holds.
    pub fn new(engine: Engine) -> Self {
        Self { engine, last: Mutex::default() }
    }
}

#[async_trait]
impl Sweep for Verdicts {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Verdicts
    }

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let store = &self.engine.shared.store;
        let behind = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let looked_at = store.unverified_batch_items(behind, BATCH).await?;
        let is_full = looked_at.len() >= BATCH;
        let last = looked_at.last().filter(|_| is_full).map(|item| (item.batch, item.application_id));
        let left = looked_at.into_iter().filter(|item| !item.on_its_way);
        let verdicts = left.map(|item| self.verified(item));
        let verdicts: Vec<_> = stream::iter(verdicts).buffered(SIDE_BY_SIDE).try_collect().await?;
        let settled: Vec<_> = verdicts.into_iter().filter(|(_, _, verdict)| *verdict != ItemVerdict::Waiting).collect();
        store.verify_batch_items(&settled).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        // A look at many that still wait is not repeated at once.
        Ok(Swept { more: is_full && !settled.is_empty(), ..Swept::of(settled.len()) })
    }
}

impl Verdicts {
    async fn verified(&self, item: UnverifiedItem) -> store::Result<(BatchId, ApplicationId, ItemVerdict)> {
        let UnverifiedItem { batch, started_at, application_id, .. } = item;
        let events = self.engine.shared.store.events(application_id).await?;
        let steps: Vec<Step> = events.iter().map(step).collect();
        Ok((batch, application_id, verdict_of_retry(&steps, batch, started_at)))
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;
    use crate::{
        domain::{
            application::Status,
            batch::BatchAct,
            cause::{Cause, OperatorAct},
            event::{Actor, ActorKind},
            stage::Stage,
        },
        engine::fixture::Site,
        store::{
            batches::{NewBatch, SettledItem},
            types::OperatorAction,
        },
    };

    #[tokio::test]
    async fn many_that_wait_do_not_hold_up_the_next() {
        let site = Site::start().await;
        let admitted = join_all((0..=u32::try_from(BATCH).unwrap()).map(|number| site.admit(number))).await;
        let mut ids: Vec<ApplicationId> = admitted.iter().map(|application| application.id).collect();
        ids.sort_unstable();
        let (batch, actor) = (BatchId::new(), Actor::new(ActorKind::Operator, "op"));
        let applications = ids.iter().map(|id| (*id, Some(Stage::Eligibility))).collect();
        let new = NewBatch { id: batch, actor: actor.clone(), act: BatchAct::Retry, reason: None, applications };
        let at = site.engine.shared.clock.now();
        let act = OperatorAction {
            at,
            actor: actor.clone(),
            kind: "stalled_retried".to_owned(),
            data: serde_json::json!({}),
        };
        site.store().create_batch(&new, &act).await.unwrap();
        let retried = |id: &ApplicationId| SettledItem {
            batch,
            application_id: *id,
            result: "retried".to_owned(),
            verdict: None,
        };
        site.store().settle_batch_items(&ids.iter().map(retried).collect::<Vec<_>>()).await.unwrap();

        // The last one goes on; all others wait at their stage.
        let last = ids[BATCH];
        site.change(last, |write| write.after_mut().application.status = Status::Stalled).await;
        let retry = Cause::Operator { actor: actor.clone(), act: OperatorAct::Retry, batch: Some(batch) };
        let cancel = Cause::Cancel { actor, reason: "withdrawn".to_owned() };
        for cause in [retry, cancel] {
            site.engine.committer.apply(last, cause, None).await.unwrap();
        }
        let verdicts = Verdicts::new(site.engine.clone());
        assert_eq!(verdicts.run().await.unwrap(), Swept::of(0));
        assert_eq!(verdicts.run().await.unwrap(), Swept::of(1));
        let tallies = site.store().batch(batch).await.unwrap().unwrap().tallies;
        assert_eq!(tallies, [(ItemVerdict::Succeeded, 1), (ItemVerdict::Waiting, 500)]);
        assert_eq!(*verdicts.last.lock().unwrap(), None, "the next run begins a round");
    }
}

//! Acts on many applications: what is to be done, and what became of each.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    Result,
    types::{Listed, OperatorAction, Page},
};
use crate::domain::{
    batch::{BatchAct, ItemVerdict},
    event::Actor,
    ids::{ApplicationId, BatchId},
    stage::Stage,
};

/// A batch to start.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// The batch's id.
    pub id: BatchId,
    /// Who asked.
    pub actor: Actor,
    /// What is done to each application.
    pub act: BatchAct,
    /// Why.
    pub reason: Option<String>,
    /// The applications, each with the stage that stalled.
    pub applications: Vec<(ApplicationId, Option<Stage>)>,
}

/// A batch as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The batch's id.
    pub id: BatchId,
    /// Who asked.
    pub actor: Actor,
    /// What is done to each application.
    pub act: BatchAct,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub created_at: DateTime<Utc>,
    /// How many applications it is about.
    pub matched: u64,
    /// How many of them have which verdict, without zeros, in the order of [`ItemVerdict`].
    pub tallies: Vec<(ItemVerdict, u64)>,
}

/// One application of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// The application.
    pub application_id: ApplicationId,
    /// The stage that had stalled, where that is known.
    pub stage: Option<Stage>,
    /// None while waiting for the act; `retried`, `rejected`, or the code of the refusal.
    pub result: Option<String>,
    /// What became of it.
    pub verdict: ItemVerdict,
}

/// An item whose act is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingItem {
    /// The batch.
    pub batch: BatchId,
    /// The application.
    pub application_id: ApplicationId,
    /// Who asked.
    pub actor: Actor,
    /// What to do.
    pub act: BatchAct,
    /// Why.
    pub reason: Option<String>,
}

/// What an act led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledItem {
    /// The batch.
    pub batch: BatchId,
    /// The application.
    pub application_id: ApplicationId,
    /// See [`BatchItem::result`].
    pub result: String,
    /// Where it is final at once.
    pub verdict: Option<ItemVerdict>,
}

/// An item that was retried and has no final verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedItem {
    /// The batch.
    pub batch: BatchId,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// The application.
    pub application_id: ApplicationId,
    /// Whether the application is still on its way at the stage that had stalled: there is no verdict to be found then.
    pub on_its_way: bool,
}

/// Acts on many applications.
#[async_trait]
pub trait Batches: Send + Sync {
    /// Starts a batch and records the act, in one transaction. An application counts once.
    async fn create_batch(&self, batch: &NewBatch, action: &OperatorAction) -> Result<()>;
    /// How a batch stands.
    async fn batch(&self, id: BatchId) -> Result<Option<Batch>>;
    /// The items of a batch, in the order of the applications' ids.
    async fn batch_items(&self, id: BatchId, page: &Page) -> Result<Listed<BatchItem>>;
    /// Items without a result, of any batch.
    async fn pending_batch_items(&self, limit: usize) -> Result<Vec<PendingItem>>;
    /// Writes results; the first one of an item counts.
    async fn settle_batch_items(&self, items: &[SettledItem]) -> Result<()>;
    /// Retried items without a verdict, of any batch, in the order of batch and application, from behind an item.
    async fn unverified_batch_items(
        &self,
        behind: Option<(BatchId, ApplicationId)>,
        limit: usize,
    ) -> Result<Vec<UnverifiedItem>>;
    /// Writes final verdicts; the first one of an item counts.
    async fn verify_batch_items(&self, items: &[(BatchId, ApplicationId, ItemVerdict)]) -> Result<()>;
}

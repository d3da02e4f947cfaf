//! What is kept for a time only. Each call does a bounded piece of work and can be repeated.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::{
    ids::PhotoId,
    retention::{PhotoFate, PhotoUse},
};

use super::Result;

/// A photo that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgedPhoto {
    /// The photo's id.
    pub id: PhotoId,
    /// Key of the file in the blob store.
    pub blob: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
    /// Since when it is to be erased.
    pub condemned_at: Option<DateTime<Utc>>,
    /// Who needs it.
    pub used: PhotoUse,
}

/// Forgetting.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Photos whose turn has come, longest waiting first.
    async fn aged_photos(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<AgedPhoto>>;
    /// Writes what becomes of a photo. Erasing empties what its record says of it; the file is gone before.
    async fn settle_photo(&self, id: PhotoId, fate: PhotoFate, now: DateTime<Utc>) -> Result<()>;
    /// Deletes mailed alerts that are older, looking at the `limit` oldest alerts; answers how many.
    async fn forget_alerts(&self, before: DateTime<Utc>, limit: usize) -> Result<u64>;
    /// Deletes at most `limit` items of bulk acts that were started before and have no item without a final verdict, then
    /// the acts that have no item left; answers how many items.
    async fn forget_batches(&self, before: DateTime<Utc>, limit: usize) -> Result<u64>;
    /// Deletes checks of presentations that are older, looking at the `limit` oldest ones; answers how many. The
    /// presentations themselves must be over by then: a check is also what remembers that one is used up.
    async fn forget_verifications(&self, before: DateTime<Utc>, limit: usize) -> Result<u64>;
}

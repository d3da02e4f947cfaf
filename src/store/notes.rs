//! What reviewers write for colleagues, and what they did: read by the console.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Result, types::StoredEvent};
use crate::domain::{
    decision::SealedRecord,
    event::EventType,
    ids::{ApplicationId, ReviewId},
};

/// A note of a reviewer, sealed.
#[derive(Debug, Clone)]
pub struct StoredNote {
    /// The review that it was written at.
    pub review_id: ReviewId,
    /// When.
    pub at: DateTime<Utc>,
    /// The text; empty once it is erased.
    pub sealed: SealedRecord,
}

/// Notes and acts of reviewers. They are written in commits only.
#[async_trait]
pub trait Notes: Send + Sync {
    /// The notes on an application, oldest first, at most 100.
    async fn notes(&self, application: ApplicationId) -> Result<Vec<StoredNote>>;
    /// What a reviewer did of one kind since a moment, newest first.
    async fn review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>>;
    /// How many of them, counted up to `cap`.
    async fn count_review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        cap: usize,
    ) -> Result<u64>;
    /// How many decisions of a reviewer others overturned since a moment, counted up to `cap`.
    async fn count_overturned(&self, reviewer: &str, from: DateTime<Utc>, cap: usize) -> Result<u64>;
}

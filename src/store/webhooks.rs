//! The webhook outbox, and what became of deliveries.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::domain::{
    application::Application,
    decision::SealedRecord,
    ids::{ApplicationId, WebhookId},
    wire::wire_enum,
};

use super::{
    Result,
    types::{Listed, OperatorAction, Page},
};

wire_enum! {
    /// How a delivery stands.
    pub enum DeliveryState as "delivery state" {
        /// It will be tried.
        Pending = "pending",
        /// The receiver took it.
        Delivered = "delivered",
        /// Given up; an operator can send it again.
        Dead = "dead",
    }
}

/// A webhook to deliver now.
#[derive(Debug, Clone)]
pub struct DueWebhook {
    /// The `webhook-id`.
    pub id: WebhookId,
    /// Where to post.
    pub url: String,
    /// The application's state at the change.
    pub application: Application,
    /// The applicant's personal data, for the masked fields of the body.
    pub applicant: SealedRecord,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
    /// Failed tries so far.
    pub attempts: u32,
}

/// What became of a webhook's try.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookResult {
    /// Accepted: leaves the outbox.
    Delivered {
        /// The HTTP status of the answer.
        status: u16,
    },
    /// Try again.
    Retry {
        /// Not before.
        at: DateTime<Utc>,
        /// What went wrong.
        error: String,
    },
    /// Given up after three days: listed until an operator replays it.
    Dead {
        /// What went wrong.
        error: String,
    },
}

/// A delivery as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookRecord {
    /// The `webhook-id`.
    pub id: WebhookId,
    /// The application.
    pub application_id: ApplicationId,
    /// Where it goes.
    pub url: String,
    /// How it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: u32,
    /// The next try; none for a delivered one.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was delivered.
    pub delivered_at: Option<DateTime<Utc>>,
    /// The HTTP status that took it.
    pub status: Option<u16>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When the change happened.
    pub created_at: DateTime<Utc>,
}

/// Which deliveries a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this application.
    pub application: Option<ApplicationId>,
}

/// The webhook outbox. What is delivered leaves it, and is remembered apart: the outbox stays small.
#[async_trait]
pub trait Webhooks: Send + Sync {
    /// Takes due webhooks for `hold`; at most one per application, its oldest undelivered and not dead one.
    async fn claim_webhooks(&self, limit: usize, hold: Duration) -> Result<Vec<DueWebhook>>;
    /// Writes the results of tries.
    async fn settle_webhooks(&self, results: &[(WebhookId, WebhookResult)]) -> Result<()>;
    /// Deliveries, oldest change first; delivered ones alone newest first.
    async fn webhooks(&self, filter: &WebhookFilter, page: &Page) -> Result<Listed<WebhookRecord>>;
    /// Sends a dead one again and records the act; false, with nothing recorded, when there is none.
    async fn replay_webhook(&self, id: WebhookId, action: &OperatorAction) -> Result<bool>;
    /// When the next webhook becomes due.
    async fn next_webhook_due(&self) -> Result<Option<DateTime<Utc>>>;
    /// Forgets at most `limit` deliveries that were made before; answers how many.
    async fn forget_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64>;
    /// Forgets dead ones whose change happened before, looking at the `limit` oldest dead ones; answers how many.
    async fn forget_dead_webhooks(&self, before: DateTime<Utc>, limit: usize) -> Result<u64>;
}

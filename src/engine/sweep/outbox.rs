//! Posts changes of status to the upstream systems (webhooks): at least once, in order per application, for three days.
//!
//! The store hands out at most one webhook per application, its oldest, so that order needs nothing here.

mod receivers;
mod verdict;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream::FuturesUnordered};
use serde::Serialize;
use tokio::{sync::Notify, time::timeout};

use crate::{
    domain::ids::WebhookId,
    engine::{
        Engine,
        backoff::Backoff,
        view::{ApplicationBody, waiting_for},
    },
    store::webhooks::{DueWebhook, WebhookResult},
    telemetry::metrics::WEBHOOK_TRIES,
};

use super::{Reconciler, Sweep, Swept};
use receivers::Receivers;
use verdict::{Tried, after};

/// The slow poll behind the wake-ups.
const PERIOD: Duration = Duration::from_millis(250);
/// Tries that end this close together are written together.
const LINGER: Duration = Duration::from_millis(5);
/// How much longer than a try a webhook belongs to the process that tries it.
const HOLD: Duration = Duration::from_secs(20);

/// What a receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long from now the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// Why there is no answer. The text names neither the URL nor anybody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address may not be called: trying again is of no use.
    #[error("{0}")]
    NotAllowed(String),
    /// The receiver could not be reached or did not answer in time.
    #[error("{0}")]
    Failed(String),
}

/// Posts one webhook.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// One POST of JSON with these headers more; no redirects, no retries, one time limit.
    ///
    /// # Errors
    /// [`SendError`].
    async fn post(&self, url: &str, headers: &[(&'static str, String)], body: Vec<u8>) -> Result<Reply, SendError>;
}

/// Configuration of the deliveries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The time limit of the [`WebhookSender`]'s calls.
    pub timeout: Duration,
    /// Multiplies every wait between two tries, and the three days.
    pub retry_scale: f64,
    /// Tries side by side.
    pub concurrency: usize,
}

/// The webhook reconciler.
pub struct Outbox {
    engine: Engine,
    sender: Arc<dyn WebhookSender>,
    settings: Settings,
    receivers: Receivers,
}

impl Outbox {
    /// Delivers what the engine's store holds.
    pub fn new(engine: Engine, sender: Arc<dyn WebhookSender>, settings: Settings) -> Self {
        Self { engine, sender, settings, receivers: Receivers::default() }
    }
}

#[async_trait]
impl Sweep for Outbox {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Outbox
    }

    fn period(&self) -> Duration {
        PERIOD
    }

    fn signal(&self) -> Option<&Notify> {
        Some(&self.engine.shared.webhooks)
    }

    /// Claims and settles until nothing is due or under way, so that one slow receiver holds up nobody else.
    async fn run(&self) -> anyhow::Result<Swept> {
        let store = &self.engine.shared.store;
        let (mut tries, mut tried) = (FuturesUnordered::new(), 0);
        loop {
            let free = self.settings.concurrency.max(1).saturating_sub(tries.len());
            if free > 0 {
                match store.claim_webhooks(free, self.settings.timeout + HOLD).await {
                    Ok(due) => tries.extend(due.into_iter().map(|webhook| self.attempt(webhook))),
                    Err(error) if tries.is_empty() => return Err(error.into()),
                    // What is under way ends first: its results are worth more than a quick look.
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "webhooks will be claimed again");
                    }
                }
            }
            if tries.is_empty() {
                return Ok(Swept::of(tried));
            }
            let mut results = Vec::new();
            tokio::select! {
                result = tries.next() => results.extend(result),
                () = self.engine.shared.webhooks.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
            let others = async {
                while let Some(result) = tries.next().await {
                    results.push(result);
                }
            };
            // Running out of time is what usually ends this.
            let _ = timeout(LINGER, others).await;
            self.settle(&results).await?;
            tried += results.len();
        }
    }
}

impl Outbox {
    async fn attempt(&self, webhook: DueWebhook) -> (WebhookId, WebhookResult) {
        let answer = match self.receivers.turn(&webhook.url) {
            Some(turn) => {
                let answer = self.post(&webhook).await;
                turn.ended(!matches!(answer, Err(SendError::Failed(_))));
                Some(answer)
            }
            None => None,
        };
        let tried =
            Tried { number: webhook.attempts + 1, changed_at: webhook.created_at, now: self.engine.shared.clock.now() };
        let result = after(&tried, answer, rand::random(), self.settings.retry_scale);
        let name = match &result {
            WebhookResult::Delivered { .. } => "delivered",
            WebhookResult::Retry { .. } => "retried",
            WebhookResult::Dead { error } => {
                tracing::warn!(application.id = %webhook.application.id, webhook.id = %webhook.id, error, "webhook given up");
                "dead"
            }
        };
        metrics::counter!(WEBHOOK_TRIES, "result" => name).increment(1);
        (webhook.id, result)
    }

    async fn post(&self, webhook: &DueWebhook) -> Result<Reply, SendError> {
        let (shared, application) = (&self.engine.shared, &webhook.application);
        let applicant = shared.open_applicant(application.id, &webhook.applicant);
        let applicant =
            applicant.map_err(|_| SendError::Failed("the applicant's record cannot be opened".to_owned()))?;
        // Nothing runs in a picture of the past: what it waited for then is what the state says.
        let waiting = waiting_for(application, &[], &[], webhook.created_at);
        let body = Body::new(webhook.created_at, ApplicationBody::of(application, Some(&applicant), waiting));
        let body = serde_json::to_vec(&body).map_err(|_| SendError::Failed("the body cannot be written".to_owned()))?;
        let (id, timestamp) = (webhook.id.to_string(), shared.clock.now().timestamp());
        let signature = shared.secrets.webhook_secret(&application.owner).sign(&id, timestamp, &body);
        let headers =
            [("webhook-id", id), ("webhook-timestamp", timestamp.to_string()), ("webhook-signature", signature)];
        self.sender.post(&webhook.url, &headers, body).await
    }

    /// A result that is not written means one more delivery, so a database that is away is waited for.
    async fn settle(&self, results: &[(WebhookId, WebhookResult)]) -> anyhow::Result<()> {
        let mut backoff = Backoff::new();
        while let Err(error) = self.engine.shared.store.settle_webhooks(results).await {
            if !error.is_transient() {
                return Err(error.into());
            }
            tracing::warn!(error = &error as &dyn std::error::Error, "deliveries will be written again");
            backoff.wait().await;
        }
        Ok(())
    }
}

/// What is posted: the same bytes on every try, because it is made of stored state alone.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
pub struct Body {
    /// `application.status_changed`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "application.status_changed")]
    kind: &'static str,
    /// When the change happened.
    timestamp: DateTime<Utc>,
    /// The application as it stood then.
    data: ApplicationBody,
}

impl Body {
    fn new(timestamp: DateTime<Utc>, data: ApplicationBody) -> Self {
        Self { kind: "application.status_changed", timestamp, data }
    }
}

#[cfg(test)]
mod tests;

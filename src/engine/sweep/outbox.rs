//! Posts changes of status to the upstream systems (webhooks): at least once, in order per application.

use std::time::Duration;

use async_trait::async_trait;

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

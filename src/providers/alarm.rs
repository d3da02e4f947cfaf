//! Telling operations that a provider refuses this installation: wrong credentials, no credit, wrong configuration.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    domain::{
        plan::{AlertKind, NewAlert},
        provider_error::Provider,
    },
    store::{self, Store},
};

/// Hears of refusals.
#[async_trait]
pub trait Alarm: Send + Sync {
    /// A provider refuses us with this code of its own.
    ///
    /// # Errors
    /// It was not noted; the caller tells again.
    async fn provider_refuses(&self, provider: Provider, code: &str) -> store::Result<()>;
}

/// Puts refusals into the operators' digest.
pub struct DigestAlarm(pub Arc<dyn Store>);

#[async_trait]
impl Alarm for DigestAlarm {
    async fn provider_refuses(&self, provider: Provider, code: &str) -> store::Result<()> {
        let detail = Some(format!("{provider}: {code}"));
        self.0.raise_alert(&NewAlert { kind: AlertKind::ProviderRefuses, detail }).await
    }
}

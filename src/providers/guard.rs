//! The guard around each port: the provider's breaker, then the rate limit shared by all processes.
//!
//! What the guard holds back is answered as [`CallError::Blocked`] and was not sent: the stage waits and uses no attempt.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chrono::Utc;

use super::alarm::Alarm;
use super::answer::{FaceAnswer, RegistryAnswer, SmsReport};
use super::breaker::{Breaker, Breakers, Verdict};
use super::ports::{CallError, DocumentRef, Face, FaceQuery, Push, PushNotification, Registry, Sms, SmsMessage};
use crate::domain::application::WaitReason;
use crate::domain::provider_error::{ErrorClass, Provider};
use crate::hints::{RateLimit, SharedHints, spread, take_patiently};
use crate::telemetry::metrics::{PROVIDER_CALLS, PROVIDER_DURATION};

/// A port under guard.
pub struct Guarded<P: ?Sized> {
    port: Arc<P>,
    provider: Provider,
    breakers: Arc<Breakers>,
    limit: Option<RateLimit>,
    hints: SharedHints,
    alarm: Arc<dyn Alarm>,
}

impl<P: ?Sized> Guarded<P> {
    /// Guards `port`; without a limit only the breaker holds calls back. `alarm` hears once for each opening of the breaker
    /// that the provider refuses us.
    pub fn new(
        port: Arc<P>,
        provider: Provider,
        breakers: Arc<Breakers>,
        limit: Option<RateLimit>,
        hints: SharedHints,
        alarm: Arc<dyn Alarm>,
    ) -> Self {
        Self { port, provider, breakers, limit, hints, alarm }
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
        let breaker = self.breakers.of(self.provider);
        let pass = breaker.admit(Instant::now()).map_err(|wait| {
            metrics::counter!(PROVIDER_CALLS, "provider" => self.provider.as_str(), "result" => "circuit_open")
                .increment(1);
            CallError::Blocked { reason: WaitReason::CircuitOpen, wait: spread(wait) }
        })?;
        self.take_token().await?;
        let started = Instant::now();
        let result = call.await;
        self.note(&result, started);
        let verdict = match &result {
            Ok(_) => Some(Verdict::Healthy),
            Err(CallError::Failed(error)) if error.class == ErrorClass::ConfigAlarm => Some(Verdict::Alarm),
            Err(CallError::Failed(error)) if error.is_outage() => Some(Verdict::Outage),
            Err(CallError::Failed(_)) => Some(Verdict::Healthy),
            Err(CallError::Blocked { .. }) => None,
        };
        if let Some(verdict) = verdict {
            pass.end(verdict, Instant::now(), Utc::now());
        }
        if let (Some(Verdict::Alarm), Err(CallError::Failed(error))) = (verdict, &result)
            && breaker.tell()
        {
            self.tell(breaker, &error.code).await;
        }
        result
    }

    async fn tell(&self, breaker: &Breaker, code: &str) {
        tracing::error!(
            provider.name = %self.provider,
            error.code = code,
            "a provider refuses this installation: check credentials, credit and configuration"
        );
        if let Err(error) = self.alarm.provider_refuses(self.provider, code).await {
            breaker.not_told();
            tracing::warn!(error = &error as &dyn std::error::Error, "the alert of a refusal was not stored");
        }
    }

    fn note<T>(&self, result: &Result<T, CallError>, started: Instant) {
        let provider = self.provider.as_str();
        let word = match result {
            Ok(_) => "ok",
            Err(CallError::Blocked { .. }) => "rate_limited",
            Err(CallError::Failed(error)) => error.class.as_str(),
        };
        metrics::counter!(PROVIDER_CALLS, "provider" => provider, "result" => word).increment(1);
        metrics::histogram!(PROVIDER_DURATION, "provider" => provider).record(started.elapsed());
    }

    async fn take_token(&self) -> Result<(), CallError> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        take_patiently(self.hints.as_ref(), &format!("provider:{}", self.provider), limit)
            .await
            .map_err(|wait| CallError::Blocked { reason: WaitReason::RateLimit, wait })
    }
}

#[async_trait]
impl<P: Registry + ?Sized> Registry for Guarded<P> {
    async fn query_licence(&self, document: DocumentRef<'_>, request_id: &str) -> Result<RegistryAnswer, CallError> {
        self.call(self.port.query_licence(document, request_id)).await
    }

    async fn query_photo(&self, document: DocumentRef<'_>, request_id: &str) -> Result<Option<Vec<u8>>, CallError> {
        self.call(self.port.query_photo(document, request_id)).await
    }
}

#[async_trait]
impl<P: Face + ?Sized> Face for Guarded<P> {
    async fn query_verification(&self, query: FaceQuery<'_>, request_id: &str) -> Result<FaceAnswer, CallError> {
        self.call(self.port.query_verification(query, request_id)).await
    }
}

#[async_trait]
impl<P: Sms + ?Sized> Sms for Guarded<P> {
    async fn send(&self, message: SmsMessage<'_>, request_id: &str) -> Result<String, CallError> {
        self.call(self.port.send(message, request_id)).await
    }

    async fn query(&self, reference: &str, request_id: &str) -> Result<SmsReport, CallError> {
        self.call(self.port.query(reference, request_id)).await
    }
}

#[async_trait]
impl<P: Push + ?Sized> Push for Guarded<P> {
    async fn send(&self, notification: PushNotification<'_>, request_id: &str) -> Result<String, CallError> {
        self.call(self.port.send(notification, request_id)).await
    }
}

#[cfg(test)]
mod tests;

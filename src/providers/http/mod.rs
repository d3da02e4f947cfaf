//! The ports over HTTP: JSON by POST, one time limit a call, no redirects, no retries (they belong to the engine).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::Url;

use super::alarm::Alarm;
use super::answer::{
    Accepted, FaceAnswer, FaceState, RawFaceAnswer, RawRegistryAnswer, RawSmsReport, RegistryAnswer, SmsReport,
};
use super::breaker::{BreakerSettings, Breakers};
use super::guard::Guarded;
use super::ports::{
    CallError, DocumentRef, Face, FaceQuery, Providers, Push, PushNotification, Registry, Sms, SmsMessage,
};
use crate::domain::provider_error::{ErrorClass, Provider, ProviderError, code};
use crate::hints::{RateLimit, SharedHints};
use classify::{Effect, Word};
use exchange::{Answer, Endpoint, Request};

mod classify;
mod exchange;

/// The longest JSON answer, in bytes.
const JSON_LIMIT: usize = 256 * 1024;
/// The longest photo, in bytes.
const PHOTO_LIMIT: usize = 10 * 1024 * 1024;

/// How providers are called.
#[derive(Debug, Clone)]
pub struct Calls {
    /// The longest time from sending a request to the last byte of its answer.
    pub timeout: Duration,
    /// The longest time for making a connection.
    pub connect_timeout: Duration,
    /// When the breakers open.
    pub breaker: BreakerSettings,
}

/// Where the providers are and how they are called.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base of the registry, without `/v1`.
    pub registry_url: Url,
    /// Base of face verification.
    pub face_url: Url,
    /// Base of the SMS gateway.
    pub sms_url: Url,
    /// Base of the push service.
    pub push_url: Url,
    /// How they are called.
    pub calls: Calls,
    /// Calls to the registry, over all processes.
    pub registry_limit: Option<RateLimit>,
    /// Calls to face verification, over all processes.
    pub face_limit: Option<RateLimit>,
    /// Calls to the SMS gateway, over all processes.
    pub sms_limit: Option<RateLimit>,
    /// Calls to the push service, over all processes.
    pub push_limit: Option<RateLimit>,
}

/// The HTTP client cannot be made, for instance because the system's certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client of the providers")]
pub struct SetupError(#[from] reqwest::Error);

/// The guarded ports over HTTP; `alarm` hears of providers that refuse us.
///
/// # Errors
/// [`SetupError`].
pub fn providers(settings: &Settings, hints: &SharedHints, alarm: &Arc<dyn Alarm>) -> Result<Providers, SetupError> {
    let client = exchange::client(settings.calls.timeout, settings.calls.connect_timeout)?;
    let breakers = Arc::new(Breakers::new(settings.calls.breaker));
    let endpoint = |provider, base: &Url| Endpoint {
        provider,
        client: client.clone(),
        base: base.clone(),
        timeout: settings.calls.timeout,
    };
    macro_rules! guarded {
        ($port:ident, $provider:ident, $url:ident, $limit:ident) => {
            Arc::new(Guarded::new(
                Arc::new($port(endpoint(Provider::$provider, &settings.$url))),
                Provider::$provider,
                breakers.clone(),
                settings.$limit,
                hints.clone(),
                alarm.clone(),
            ))
        };
    }
    Ok(Providers {
        registry: guarded!(HttpRegistry, Registry, registry_url, registry_limit),
        face: guarded!(HttpFace, Face, face_url, face_limit),
        sms: guarded!(HttpSms, Sms, sms_url, sms_limit),
        push: guarded!(HttpPush, Push, push_url, push_limit),
        breakers,
    })
}

/// The guarded registry alone, for a process that runs no stages and shows licences.
///
/// # Errors
/// [`SetupError`].
pub fn registry(
    base: Url,
    limit: Option<RateLimit>,
    calls: &Calls,
    hints: &SharedHints,
    alarm: Arc<dyn Alarm>,
) -> Result<Arc<dyn Registry>, SetupError> {
    let client = exchange::client(calls.timeout, calls.connect_timeout)?;
    let port = HttpRegistry(Endpoint { provider: Provider::Registry, client, base, timeout: calls.timeout });
    let breakers = Arc::new(Breakers::new(calls.breaker));
    Ok(Arc::new(Guarded::new(Arc::new(port), Provider::Registry, breakers, limit, hints.clone(), alarm)))
}

/// Whether something accepts connections at a base URL. For the operator's check.
pub async fn reachable(base: &Url, within: Duration) -> bool {
    let Some((host, port)) = base.host_str().zip(base.port_or_known_default()) else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    matches!(tokio::time::timeout(within, tokio::net::TcpStream::connect((host, port))).await, Ok(Ok(_)))
}

struct HttpRegistry(Endpoint);
struct HttpFace(Endpoint);
struct HttpSms(Endpoint);
struct HttpPush(Endpoint);

impl Endpoint {
    /// The answer's JSON, or why there is none.
    fn read<T: DeserializeOwned>(&self, answer: &Answer, effect: Effect) -> Result<T, ProviderError> {
        if !answer.status.is_success() {
            return Err(classify::refusal(self.provider, answer, effect));
        }
        serde_json::from_slice(&answer.body).map_err(|_| self.garbage())
    }

    fn garbage(&self) -> ProviderError {
        let detail = format!("{} answered something that cannot be read", self.provider.label());
        ProviderError::new(self.provider, ErrorClass::ReconcileFirst, code::GARBAGE_ANSWER, detail)
    }
}

#[async_trait]
impl Registry for HttpRegistry {
    async fn query_licence(&self, document: DocumentRef<'_>, request_id: &str) -> Result<RegistryAnswer, CallError> {
        let body = json!({"document_type": document.document_type, "document_number": document.document_number});
        let answer = self
            .0
            .post(Request { path: "/v1/licences/query", body: &body, request_id, key: None, limit: JSON_LIMIT })
            .await?;
        let raw: RawRegistryAnswer = self.0.read(&answer, Effect::None)?;
        Ok(raw.check().ok_or_else(|| self.0.garbage())?)
    }

    async fn query_photo(&self, document: DocumentRef<'_>, request_id: &str) -> Result<Option<Vec<u8>>, CallError> {
        let body = json!({"document_type": document.document_type, "document_number": document.document_number});
        let answer = self
            .0
            .post(Request { path: "/v1/photos/query", body: &body, request_id, key: None, limit: PHOTO_LIMIT })
            .await?;
        if answer.status == reqwest::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(classify::refusal(Provider::Registry, &answer, Effect::None).into());
        }
        if !answer.body.starts_with(&[0xff, 0xd8, 0xff]) {
            return Err(self.0.garbage().into());
        }
        Ok(Some(answer.body))
    }
}

#[async_trait]
impl Face for HttpFace {
    async fn query_verification(&self, query: FaceQuery<'_>, request_id: &str) -> Result<FaceAnswer, CallError> {
        let body = json!({
            "face_token": query.face_token,
            "document_type": query.document.document_type,
            "document_number": query.document.document_number,
            "name": query.name,
        });
        let answer = self
            .0
            .post(Request { path: "/v1/verifications/query", body: &body, request_id, key: None, limit: JSON_LIMIT })
            .await?;
        if let Some((sub_code, Word::Pending)) = classify::known_code(Provider::Face, &answer) {
            return Ok(FaceAnswer { state: FaceState::Pending, sub_code, score: None });
        }
        let raw: RawFaceAnswer = self.0.read(&answer, Effect::None)?;
        Ok(raw.into())
    }
}

#[async_trait]
impl Sms for HttpSms {
    async fn send(&self, message: SmsMessage<'_>, request_id: &str) -> Result<String, CallError> {
        let body = json!({"to": message.to, "template": message.template, "text": message.text, "reference": message.reference});
        let request =
            Request { path: "/v1/messages", body: &body, request_id, key: Some(message.reference), limit: JSON_LIMIT };
        let answer = self.0.post(request).await?;
        let accepted: Accepted = self.0.read(&answer, Effect::Each)?;
        Ok(accepted.message_id)
    }

    async fn query(&self, reference: &str, request_id: &str) -> Result<SmsReport, CallError> {
        let body = json!({"reference": reference});
        let answer = self
            .0
            .post(Request { path: "/v1/messages/query", body: &body, request_id, key: None, limit: JSON_LIMIT })
            .await?;
        let raw: RawSmsReport = self.0.read(&answer, Effect::None)?;
        Ok(raw.into())
    }
}

#[async_trait]
impl Push for HttpPush {
    async fn send(&self, notification: PushNotification<'_>, request_id: &str) -> Result<String, CallError> {
        let body = json!({
            "cid": notification.cid,
            "app_user": notification.app_user,
            "title": notification.title,
            "body": notification.body,
            "data": notification.data,
        });
        let answer = self
            .0
            .post(Request { path: "/v1/notifications", body: &body, request_id, key: None, limit: JSON_LIMIT })
            .await?;
        let accepted: Accepted = self.0.read(&answer, Effect::None)?;
        Ok(accepted.message_id)
    }
}

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::answer::{FaceAnswer, RegistryAnswer, SmsReport};
use super::breaker::Breakers;
use crate::domain::application::WaitReason;
use crate::domain::provider_error::ProviderError;

/// Why a port has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The provider was not called at all: wait, without using an attempt.
    #[error("not called: `{reason}`")]
    Blocked {
        /// [`WaitReason::CircuitOpen`] or [`WaitReason::RateLimit`].
        reason: WaitReason,
        /// How long from now.
        wait: Duration,
    },
    /// The provider was called, or could not be reached.
    #[error(transparent)]
    Failed(#[from] ProviderError),
}

/// The four ports that the stages use, and the state of their breakers.
#[derive(Clone)]
pub struct Providers {
    /// The driving licence registry.
    pub registry: Arc<dyn Registry>,
    /// Face verification.
    pub face: Arc<dyn Face>,
    /// The SMS gateway.
    pub sms: Arc<dyn Sms>,
    /// The app's push service.
    pub push: Arc<dyn Push>,
    /// The circuit breakers, for the operations pages.
    pub breakers: Arc<Breakers>,
}

/// An identity document (身份证明), by which the registry knows a holder.
#[derive(Clone, Copy)]
pub struct DocumentRef<'a> {
    /// 证件类型, such as `A` for an identity card.
    pub document_type: &'a str,
    /// 证件号码.
    pub document_number: &'a str,
}

impl fmt::Debug for DocumentRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentRef").field("document_type", &self.document_type).finish_non_exhaustive()
    }
}

/// The question whether a face verification (实人认证) passed.
#[derive(Clone, Copy)]
pub struct FaceQuery<'a> {
    /// The token that the app got from the verification.
    pub face_token: &'a str,
    /// The document whose holder it should be.
    pub document: DocumentRef<'a>,
    /// The holder's name.
    pub name: &'a str,
}

impl fmt::Debug for FaceQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaceQuery").field("document", &self.document).finish_non_exhaustive()
    }
}

/// A text message (短信).
#[derive(Clone, Copy)]
pub struct SmsMessage<'a> {
    /// Mobile number.
    pub to: &'a str,
    /// Name of the approved template.
    pub template: &'a str,
    /// The text as the applicant reads it.
    pub text: &'a str,
    /// `{application_id}:{purpose}`: the same on every try, also sent as `Idempotency-Key`.
    pub reference: &'a str,
}

impl fmt::Debug for SmsMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsMessage")
            .field("template", &self.template)
            .field("reference", &self.reference)
            .finish_non_exhaustive()
    }
}

/// A notification in the app.
#[derive(Clone, Copy)]
pub struct PushNotification<'a> {
    /// `{application_id}:{purpose}`: the same on every try; delivered once.
    pub cid: &'a str,
    /// The app's user.
    pub app_user: &'a str,
    /// Title line.
    pub title: &'a str,
    /// Text.
    pub body: &'a str,
    /// Data for the app, a JSON object.
    pub data: &'a serde_json::Value,
}

impl fmt::Debug for PushNotification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushNotification").field("cid", &self.cid).finish_non_exhaustive()
    }
}

/// The driving licence registry (驾驶证信息系统). Questions only: asking again is harmless.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The licence that the holder of a document has.
    ///
    /// # Errors
    /// [`CallError`].
    async fn query_licence(&self, document: DocumentRef<'_>, request_id: &str) -> Result<RegistryAnswer, CallError>;

    /// The retained photo (留存照片), a JPEG; `None` when there is none.
    ///
    /// # Errors
    /// [`CallError`].
    async fn query_photo(&self, document: DocumentRef<'_>, request_id: &str) -> Result<Option<Vec<u8>>, CallError>;
}

/// Face verification (实人认证). Questions only: asking again is harmless.
#[async_trait]
pub trait Face: Send + Sync {
    /// How the verification behind a token stands.
    ///
    /// # Errors
    /// [`CallError`].
    async fn query_verification(&self, query: FaceQuery<'_>, request_id: &str) -> Result<FaceAnswer, CallError>;
}

/// The SMS gateway. Sending twice sends two messages: after an error of the class `reconcile_first` ask with [`Sms::query`] first.
#[async_trait]
pub trait Sms: Send + Sync {
    /// Hands a message to the gateway; answers its message id.
    ///
    /// # Errors
    /// [`CallError`].
    async fn send(&self, message: SmsMessage<'_>, request_id: &str) -> Result<String, CallError>;

    /// Whether the gateway has a message of this reference, and how it stands.
    ///
    /// # Errors
    /// [`CallError`].
    async fn query(&self, reference: &str, request_id: &str) -> Result<SmsReport, CallError>;
}

/// The push service. The same `cid` is delivered once, so that sending again is harmless.
#[async_trait]
pub trait Push: Send + Sync {
    /// Hands a notification to the service; answers its message id.
    ///
    /// # Errors
    /// [`CallError`].
    async fn send(&self, notification: PushNotification<'_>, request_id: &str) -> Result<String, CallError>;
}

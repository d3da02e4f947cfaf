//! What can go wrong when an outside system is asked, in the words the engine decides on.

use std::time::Duration;

use super::wire::wire_enum;

wire_enum! {
    /// An outside system that Greenlane calls.
    pub enum Provider as "provider" {
        /// 公安交通管理综合应用平台: the driving licence registry.
        Registry = "registry",
        /// 实人认证: the face verification service.
        Face = "face",
        /// 短信: the SMS gateway.
        Sms = "sms",
        /// The push service of the 交管12123 app.
        Push = "push",
    }
}

impl Provider {
    /// The name that a sentence uses, as in `face verification answered 503`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Registry => "the registry",
            Self::Face => "face verification",
            Self::Sms => "the SMS gateway",
            Self::Push => "the push service",
        }
    }
}

wire_enum! {
    /// What a failed call asks of the caller.
    pub enum ErrorClass as "error class" {
        /// Transient and certainly without effect: try again with backoff.
        Retry = "retry",
        /// The effect is unknown: ask for the result before sending again.
        ReconcileFirst = "reconcile_first",
        /// A limit per day or hour: wait for the next window, then send.
        HoldUntilWindow = "hold_until_window",
        /// Final for this attempt; the applicant must do something else.
        UserAction = "user_action",
        /// Our configuration, credentials or credit: operations must act, no attempt should be burnt.
        ConfigAlarm = "config_alarm",
        /// A person must look: nobody is refused because of an answer that nobody understands.
        Manual = "manual",
    }
}

/// A failed call. It carries no personal data, so it may be stored, logged and shown to operators.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ProviderError {
    /// Who was asked.
    pub provider: Provider,
    /// What the failure asks of the caller.
    pub class: ErrorClass,
    /// Stable code: one of [`code`], `http_NNN` (a status that decides alone), or a code of the
    /// provider's own error table.
    pub code: String,
    /// One sentence for an operator, such as `face verification answered 503`.
    pub detail: String,
    /// How long the provider asked to be left alone, at most an hour.
    pub retry_after: Option<Duration>,
}

impl ProviderError {
    /// An error without a provider's wish for a pause.
    pub fn new(provider: Provider, class: ErrorClass, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { provider, class, code: code.into(), detail: detail.into(), retry_after: None }
    }

    /// Whether the failure speaks against the provider's health: these open the circuit breaker.
    /// A rate limit is an answer of a healthy provider.
    pub fn is_outage(&self) -> bool {
        matches!(self.class, ErrorClass::Retry | ErrorClass::ReconcileFirst | ErrorClass::ConfigAlarm)
            && self.code != code::RATE_LIMITED
    }
}

/// The stable codes of [`ProviderError::code`].
pub mod code {
    /// The request was sent, and no answer came in time.
    pub const TIMEOUT: &str = "timeout";
    /// The request was sent, and the connection ended without an answer.
    pub const CONNECTION_LOST: &str = "connection_lost";
    /// No connection: certainly not processed.
    pub const UNREACHABLE: &str = "unreachable";
    /// 2xx with a body that is not what was agreed.
    pub const GARBAGE_ANSWER: &str = "garbage_answer";
    /// The answer is longer than any right one.
    pub const TOO_LARGE: &str = "too_large";
    /// 429.
    pub const RATE_LIMITED: &str = "rate_limited";
    /// 4xx with an error code that no table knows.
    pub const UNKNOWN_CODE: &str = "unknown_code";
    /// The request could not be built: a fault of the configuration.
    pub const BAD_REQUEST: &str = "bad_request";
}

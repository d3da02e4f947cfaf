//! What an answer other than 2xx asks of the caller.
//!
//! | answer | class | code |
//! |---|---|---|
//! | 429 | `retry`, with the pause that the provider asks for | `rate_limited` |
//! | 5xx, 408 | `retry`; `reconcile_first` where each request has an effect of its own (SMS) | `http_NNN` |
//! | other 4xx, `code` in the provider's table | as the table says | that code |
//! | 401, 403, 405, 407, or other 4xx without a `code` | `config_alarm`: our credentials or address are wrong, or a proxy answers | `http_NNN` |
//! | other 4xx with a code that the table does not know | final: `user_action` for SMS and push, `manual` for registry and face, where nobody may be refused because of a code that nobody knows | `unknown_code` |
//! | 1xx, 3xx | `config_alarm` | `http_NNN` |

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use super::exchange::Answer;
use crate::domain::provider_error::{ErrorClass, Provider, ProviderError, code};

/// No provider's wish holds an application up for longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Whether a request changes something outside each time it is processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// A question, or a repeat is recognised: asking again is harmless.
    None,
    /// Each processed request is one more effect.
    Each,
}

/// What the table says of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// Not a failure: there is no result yet.
    Pending,
    /// A failure.
    #[serde(untagged)]
    Class(ErrorClass),
}

/// The error codes of the gateways in use (Aliyun, Tencent, JPush, GeTui, Huawei), by provider.
static CODES: LazyLock<BTreeMap<Provider, BTreeMap<String, Word>>> =
    LazyLock::new(|| serde_json::from_str(include_str!("errors.json")).unwrap_or_default());

#[derive(Deserialize)]
struct Refusal {
    code: serde_json::Value,
}

/// The code of a 4xx answer, where the provider's table knows it.
pub(super) fn known_code(provider: Provider, answer: &Answer) -> Option<(String, Word)> {
    let code = sent_code(answer)?;
    let word = *CODES.get(&provider)?.get(&code)?;
    Some((code, word))
}

fn sent_code(answer: &Answer) -> Option<String> {
    if !answer.status.is_client_error() {
        return None;
    }
    match serde_json::from_slice::<Refusal>(&answer.body).ok()?.code {
        serde_json::Value::String(text) if !text.is_empty() => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The error of an answer that is not 2xx.
pub(super) fn refusal(provider: Provider, answer: &Answer, effect: Effect) -> ProviderError {
    let status = answer.status;
    let http = format!("http_{}", status.as_u16());
    let (class, code) = match status {
        StatusCode::TOO_MANY_REQUESTS => (ErrorClass::Retry, code::RATE_LIMITED.to_owned()),
        _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => match effect {
            Effect::None => (ErrorClass::Retry, http),
            Effect::Each => (ErrorClass::ReconcileFirst, http),
        },
        _ => match known_code(provider, answer) {
            Some((code, Word::Class(class))) => (class, code),
            Some((code, Word::Pending)) => (ErrorClass::Retry, code),
            None if is_ours(status) || sent_code(answer).is_none() => (ErrorClass::ConfigAlarm, http),
            None => match provider {
                Provider::Sms | Provider::Push => (ErrorClass::UserAction, code::UNKNOWN_CODE.to_owned()),
                Provider::Registry | Provider::Face => (ErrorClass::Manual, code::UNKNOWN_CODE.to_owned()),
            },
        },
    };
    // Neither the provider's message nor a code that no table knows is repeated: both may quote the applicant.
    let detail = if code.starts_with("http_") || code == code::RATE_LIMITED || code == code::UNKNOWN_CODE {
        format!("{} answered {}", provider.label(), status.as_u16())
    } else {
        format!("{} answered {} with code `{code}`", provider.label(), status.as_u16())
    };
    let retry_after = retry_after(&answer.headers, Utc::now());
    ProviderError { provider, class, code, detail, retry_after }
}

/// Refusals of the caller and not of the request.
fn is_ours(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED
    )
}

/// `Retry-After` in seconds or as a date, at most [`LONGEST_PAUSE`].
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let at = DateTime::parse_from_rfc2822(text).ok()?;
        (at.to_utc() - now).to_std().unwrap_or_default()
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn the_table_is_read() {
        assert_eq!(CODES.keys().copied().collect::<Vec<_>>(), Provider::ALL);
        assert!(CODES[&Provider::Sms].len() > 50);
        assert_eq!(CODES[&Provider::Face]["424"], Word::Pending);
    }

    #[test]
    fn classes() {
        use ErrorClass::{ConfigAlarm, HoldUntilWindow, Manual, ReconcileFirst, Retry, UserAction};
        use Provider::{Face, Push, Registry, Sms};
        let unknown = r#"{"code":"13800138000","message":"张三"}"#;
        for (provider, status, body, class, code) in [
            (Registry, 503, "", Retry, "http_503"),
            (Sms, 503, "", ReconcileFirst, "http_503"),
            (Sms, 408, "", ReconcileFirst, "http_408"),
            (Sms, 429, r#"{"code":"isv.BUSINESS_LIMIT_CONTROL"}"#, Retry, "rate_limited"),
            (Sms, 400, r#"{"code":"isv.BUSINESS_LIMIT_CONTROL"}"#, HoldUntilWindow, "isv.BUSINESS_LIMIT_CONTROL"),
            (Sms, 400, r#"{"code":"isv.AMOUNT_NOT_ENOUGH"}"#, ConfigAlarm, "isv.AMOUNT_NOT_ENOUGH"),
            (Sms, 400, r#"{"code":"InternalError.Timeout"}"#, ReconcileFirst, "InternalError.Timeout"),
            (Sms, 403, r#"{"code":"isv.MOBILE_NUMBER_ILLEGAL"}"#, UserAction, "isv.MOBILE_NUMBER_ILLEGAL"),
            (Face, 400, r#"{"code":418}"#, HoldUntilWindow, "418"),
            (Face, 400, r#"{"code":"417"}"#, Manual, "417"),
            (Push, 404, r#"{"code":"token_invalid","message":"x"}"#, UserAction, "token_invalid"),
            (Push, 400, unknown, UserAction, "unknown_code"),
            (Registry, 400, unknown, Manual, "unknown_code"),
            (Face, 422, unknown, Manual, "unknown_code"),
            (Face, 401, unknown, ConfigAlarm, "http_401"),
            (Face, 404, "<html>no such page</html>", ConfigAlarm, "http_404"),
            (Face, 404, r#"{"code":null}"#, ConfigAlarm, "http_404"),
            (Registry, 302, "", ConfigAlarm, "http_302"),
        ] {
            let effect = if provider == Sms { Effect::Each } else { Effect::None };
            let error = refusal(provider, &answer(status, body), effect);
            assert_eq!((error.class, error.code.as_str()), (class, code), "{provider} {status} {body}");
            assert!(!error.detail.contains("138") && !error.detail.contains('张'), "{}", error.detail);
        }
    }

    #[test]
    fn both_forms_of_retry_after() {
        let now = DateTime::parse_from_rfc2822("Fri, 20 Nov 2026 10:00:00 GMT").unwrap().to_utc();
        for (text, seconds) in [
            ("2", Some(2)),
            ("0", Some(0)),
            ("7200", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Fri, 20 Nov 2026 10:01:00 GMT", Some(60)),
            ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
            ("Fri, 20 Nov 2037 09:00:00 GMT", Some(3600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

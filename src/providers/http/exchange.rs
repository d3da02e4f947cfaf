//! One request and its answer, with nothing trusted: not the time it takes, not its size, not where it redirects to.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, StatusCode, Url};

use crate::domain::provider_error::{ErrorClass, Provider, ProviderError, code};

/// One provider's place.
pub(super) struct Endpoint {
    pub(super) provider: Provider,
    pub(super) client: Client,
    pub(super) base: Url,
    pub(super) timeout: Duration,
}

/// What is sent.
pub(super) struct Request<'a> {
    pub(super) path: &'static str,
    pub(super) body: &'a serde_json::Value,
    pub(super) request_id: &'a str,
    /// Sent as `Idempotency-Key`.
    pub(super) key: Option<&'a str>,
    /// The longest answer, in bytes.
    pub(super) limit: usize,
}

/// An answer of any status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The client of all providers. Proxies of the environment are not used: what is sent is personal data.
pub(super) fn client(timeout: Duration, connect_timeout: Duration) -> reqwest::Result<Client> {
    Client::builder()
        .timeout(timeout)
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("greenlane/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl Endpoint {
    pub(super) async fn post(&self, request: Request<'_>) -> Result<Answer, ProviderError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), request.path));
        let mut builder = self.client.post(url).header("x-request-id", request.request_id).json(request.body);
        if let Some(key) = request.key {
            builder = builder.header("idempotency-key", key);
        }
        let mut response = builder.send().await.map_err(|error| self.failure(&error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > request.limit => {
                    // A refusal is a refusal however long its text is.
                    if !status.is_success() {
                        break;
                    }
                    return Err(self.error(
                        ErrorClass::ReconcileFirst,
                        code::TOO_LARGE,
                        "answered more than is allowed",
                    ));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(self.failure(&error)),
            }
        }
        Ok(Answer { status, headers, body })
    }

    /// What an exchange without a whole answer means.
    fn failure(&self, error: &reqwest::Error) -> ProviderError {
        if error.is_connect() {
            self.error(ErrorClass::Retry, code::UNREACHABLE, "cannot be reached")
        } else if error.is_timeout() {
            let within = format!("did not answer within {} s", self.timeout.as_secs_f32());
            self.error(ErrorClass::ReconcileFirst, code::TIMEOUT, &within)
        } else if error.is_builder() {
            self.error(ErrorClass::ConfigAlarm, code::BAD_REQUEST, "cannot be asked: the request cannot be built")
        } else {
            self.error(ErrorClass::ReconcileFirst, code::CONNECTION_LOST, "closed the connection without an answer")
        }
    }

    fn error(&self, class: ErrorClass, code: &str, what: &str) -> ProviderError {
        ProviderError::new(self.provider, class, code, format!("{} {what}", self.provider.label()))
    }
}

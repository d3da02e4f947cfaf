//! A caller of an HTTP API whose errors say which call answered what.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Client, Method, RequestBuilder, StatusCode, header::HeaderMap, redirect};
use serde_json::Value;

/// The longest wait for an answer, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// One user of an API.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client,
    base: String,
    key: Option<String>,
    person: Option<&'static str>,
}

/// An answer, read to its end.
pub(super) struct Answer {
    call: String,
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Caller {
    /// A caller with a key, or without one.
    ///
    /// # Errors
    /// No client can be made.
    pub(super) fn new(base: &str, key: Option<String>) -> reqwest::Result<Self> {
        // A proxy of the environment is for the outside, and nothing here leaves this machine.
        let client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { client, base: base.to_owned(), key, person: None })
    }

    /// Names the person behind the key (`X-Reviewer`).
    pub(super) fn named(self, person: &'static str) -> Self {
        Self { person: Some(person), ..self }
    }

    /// A request of this caller.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(person) = self.person {
            request = request.header("x-reviewer", person);
        }
        request
    }

    /// GET.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        send(self.request(Method::GET, path)).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        send(self.request(Method::POST, path).json(body)).await
    }
}

/// Sends a request.
///
/// # Errors
/// There is no answer.
pub(super) async fn send(request: RequestBuilder) -> anyhow::Result<Answer> {
    let (client, request) = request.build_split();
    let request = request?;
    let call = format!("{} {}", request.method(), request.url().path());
    let response = client.execute(request).await.with_context(|| format!("no answer to {call}"))?;
    let (status, headers) = (response.status(), response.headers().clone());
    // Pictures are not looked at, only asked for.
    let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
    Ok(Answer { call, status, headers, text })
}

impl Answer {
    /// The body, when the status is the expected one; null when it is no JSON.
    ///
    /// # Errors
    /// The status is another one.
    pub(super) fn expect(self, status: u16) -> anyhow::Result<Value> {
        self.text(status).map(|text| serde_json::from_str(&text).unwrap_or_default())
    }

    /// The body as text, when the status is the expected one.
    ///
    /// # Errors
    /// The status is another one.
    pub(super) fn text(self, status: u16) -> anyhow::Result<String> {
        if self.status.as_u16() == status {
            return Ok(self.text);
        }
        let start: String = self.text.chars().take(500).collect();
        anyhow::bail!("{} answered {} instead of {status}: {start}", self.call, self.status.as_u16())
    }

    /// Whether a header has this value.
    pub(super) fn has_header(&self, name: &str, value: &str) -> bool {
        self.headers.get(name).is_some_and(|given| given == value)
    }
}

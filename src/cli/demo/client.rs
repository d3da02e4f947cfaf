//! A caller of an HTTP API whose errors say which call answered what.

use std::time::Duration;

use anyhow::Context;
use reqwest::{
    Client, Method, Request, RequestBuilder, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
    redirect,
};
use serde_json::Value;

/// The longest wait for an answer, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// So often a call is made that is told to come again.
const TRIES: u32 = 5;
/// The pause before a call is repeated when the answer names none, and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

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

/// Sends a request, and again (the same, with its idempotency key) while the answer is to come again later.
///
/// # Errors
/// There is no answer.
pub(super) async fn send(request: RequestBuilder) -> anyhow::Result<Answer> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let mut tries = 1;
    loop {
        let again = request.try_clone();
        let harmless = is_harmless_to_repeat(&request);
        let answer = send_once(&client, request).await?;
        match (answer.pause(harmless), again) {
            (Some(pause), Some(again)) if tries < TRIES => {
                tokio::time::sleep(pause).await;
                request = again;
                tries += 1;
            }
            _ => return Ok(answer),
        }
    }
}

/// Whether a request may be made twice although the first one had an effect.
fn is_harmless_to_repeat(request: &Request) -> bool {
    request.method() == Method::GET || request.headers().contains_key("idempotency-key")
}

async fn send_once(client: &Client, request: Request) -> anyhow::Result<Answer> {
    let call = format!("{} {}", request.method(), request.url().path());
    let response = client.execute(request).await.with_context(|| format!("no answer to {call}"))?;
    let (status, headers) = (response.status(), response.headers().clone());
    // Pictures are not looked at, only asked for.
    let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
    Ok(Answer { call, status, headers, text })
}

impl Answer {
    /// How long to wait before the same call, when that is what the answer asks for. 429 is answered before anything
    /// happens; after 503 only what is harmless is repeated.
    fn pause(&self, harmless: bool) -> Option<Duration> {
        let again = match self.status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => harmless,
            _ => false,
        };
        let [usual, longest] = PAUSES;
        let asked = self.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        again.then(|| asked.map_or(usual, Duration::from_secs).min(longest))
    }

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

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use axum::{Router, http::StatusCode as Status, response::IntoResponse};

    use super::*;

    /// A server that answers `status` (come again at once) so many times, and 200 after that; counts the calls.
    async fn busy(status: Status, times: u32) -> (Caller, Arc<AtomicU32>) {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let router =
            Router::new().fallback(move || {
                let busy = counted.fetch_add(1, Ordering::SeqCst) < times;
                async move {
                    if busy { (status, [("retry-after", "0")]).into_response() } else { Status::OK.into_response() }
                }
            });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (Caller::new(&base, None).unwrap(), calls)
    }

    #[tokio::test]
    async fn what_is_told_to_come_again_comes_again() {
        for (status, key, times, answered, called) in [
            (Status::SERVICE_UNAVAILABLE, true, 3, 200, 4),
            (Status::SERVICE_UNAVAILABLE, true, 99, 503, TRIES),
            (Status::SERVICE_UNAVAILABLE, false, 99, 503, 1),
            (Status::TOO_MANY_REQUESTS, false, 2, 200, 3),
            (Status::CONFLICT, true, 99, 409, 1),
        ] {
            let (caller, calls) = busy(status, times).await;
            let mut request = caller.request(Method::POST, "/v1/applications").json(&serde_json::json!({}));
            if key {
                request = request.header("idempotency-key", "k");
            }
            send(request).await.unwrap().text(answered).unwrap();
            assert_eq!(calls.load(Ordering::SeqCst), called, "{status} {key}");
        }
    }
}

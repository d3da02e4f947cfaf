//! The provider simulator: registry, face verification, SMS gateway and push service over HTTP.
//!
//! What it answers is decided from the request alone (and from how often the same was asked), so that every run
//! gets the same answers: the digits 15 to 17 of the identity number, the prefix of the face token, the last
//! digits of the mobile number, the prefix of the app user. `POST /control/faults` makes a provider slow, failing
//! or silent; `POST /control/registry` changes what the registry knows; `GET /control/log` lists what was received.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::Utc;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::domain::provider_error::Provider;
use faults::{Fate, Faults};
use log::{Entry, Log};
use tries::Tries;

mod control;
mod face;
mod faults;
mod log;
mod push;
mod registry;
mod sms;
mod tries;

/// The photo that the registry retains of everybody, 520 x 756 pixels: drawn, and of nobody.
static PORTRAIT: &[u8] = include_bytes!("portrait.jpg");

/// How long a request without an answer is held before its connection is closed.
const SILENCE: Duration = Duration::from_secs(60);

/// What one simulator remembers.
#[derive(Default)]
struct Simulator {
    faults: Faults,
    log: Log,
    tries: Tries,
    registry: registry::Overrides,
    sms: sms::Outbox,
    push: push::Outbox,
}

type Shared = State<Arc<Simulator>>;

/// A simulator with a memory of its own.
pub fn router() -> Router {
    Router::new()
        .route("/registry/v1/licences/query", post(licence))
        .route("/registry/v1/photos/query", post(photo))
        .route("/face/v1/verifications/query", post(verification))
        .route("/sms/v1/messages", post(message))
        .route("/sms/v1/messages/query", post(message_state))
        .route("/push/v1/notifications", post(notification))
        .route("/control/faults", post(control::faults))
        .route("/control/registry", post(control::registry))
        .route("/control/log", get(control::log))
        .with_state(Arc::default())
}

/// Serves a new simulator until the listener fails.
///
/// # Errors
/// The listener's.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, router()).await
}

/// What a provider answers, and what the log says of it.
struct Reply {
    status: StatusCode,
    content: Content,
    /// How long the answer takes.
    after: Duration,
    /// The work is done, and the connection is closed without a word.
    lost: bool,
    retry_after: Option<u32>,
    outcome: &'static str,
    /// Whether a message or notification came into being.
    accepted: bool,
}

enum Content {
    Json(Value),
    Text(&'static str),
    Jpeg,
}

impl Reply {
    const fn new(status: StatusCode, content: Content, outcome: &'static str) -> Self {
        Self { status, content, after: Duration::ZERO, lost: false, retry_after: None, outcome, accepted: false }
    }

    const fn answered(body: Value) -> Self {
        Self::new(StatusCode::OK, Content::Json(body), "answered")
    }

    fn accepted(message_id: &str) -> Self {
        let body = json!({ "message_id": message_id });
        Self { accepted: true, ..Self::new(StatusCode::ACCEPTED, Content::Json(body), "accepted") }
    }

    fn refused(status: StatusCode, code: &str, message: &str) -> Self {
        Self::new(status, Content::Json(json!({ "code": code, "message": message })), "refused")
    }

    fn unavailable() -> Self {
        let body = json!({ "code": "unavailable", "message": "try again later" });
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Content::Json(body), "failed")
    }

    fn missing(field: &str) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, "field_missing", &format!("missing or no text: `{field}`"))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.content {
            Content::Json(body) => axum::Json(body).into_response(),
            Content::Text(text) => text.into_response(),
            Content::Jpeg => ([(header::CONTENT_TYPE, "image/jpeg")], PORTRAIT).into_response(),
        };
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A received request.
struct Call {
    provider: Provider,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Simulator {
    /// Decides, writes the log at once (a client that gives up must not hide what was done), then answers.
    async fn answer(&self, call: Call, decide: impl FnOnce(&Self, &Value) -> Reply) -> Response {
        let json = serde_json::from_slice::<Value>(&call.body).ok().filter(Value::is_object);
        let (fate, latency) = self.faults.fate(call.provider, &call.path, &call.body);
        let mut reply = match (&json, fate) {
            (_, Fate::Error) => Reply { outcome: "fault_error", ..Reply::unavailable() },
            (_, Fate::Silence) => {
                Reply { lost: true, after: SILENCE, outcome: "fault_timeout", ..Reply::unavailable() }
            }
            (None, _) => Reply::refused(StatusCode::BAD_REQUEST, "malformed", "not a JSON object"),
            (Some(body), _) => decide(self, body),
        };
        if fate == Fate::LostReply {
            (reply.lost, reply.outcome) = (true, "reply_lost");
        }
        reply.after += latency;
        let header = |name: &str| call.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.log.write(Entry {
            at: Utc::now(),
            provider: call.provider,
            path: call.path,
            request_id: header("x-request-id"),
            idempotency_key: header("idempotency-key"),
            body: json,
            status: (!reply.lost).then(|| reply.status.as_u16()),
            outcome: reply.outcome,
            accepted: reply.accepted,
        });
        if !reply.after.is_zero() {
            tokio::time::sleep(reply.after).await;
        }
        if reply.lost { hang_up() } else { reply.into_response() }
    }
}

/// A response that closes the connection before anything of it is sent.
fn hang_up() -> Response {
    let end = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    Response::new(Body::from_stream(futures::stream::iter([Err::<Bytes, _>(end)])))
}

/// The text of a field.
fn text<'a>(body: &'a Value, field: &str) -> Result<&'a str, Reply> {
    body[field].as_str().ok_or_else(|| Reply::missing(field))
}

macro_rules! handlers {
    ($($handler:ident: $provider:ident => $decide:path;)+) => {$(
        async fn $handler(State(simulator): Shared, OriginalUri(uri): OriginalUri, headers: HeaderMap, body: Bytes) -> Response {
            let call = Call { provider: Provider::$provider, path: uri.path().to_owned(), headers, body };
            simulator.answer(call, |simulator, body| $decide(simulator, body).unwrap_or_else(|refused| refused)).await
        }
    )+};
}

handlers! {
    licence: Registry => registry::licence;
    photo: Registry => registry::photo;
    verification: Face => face::verification;
    message: Sms => sms::message;
    message_state: Sms => sms::state;
    notification: Push => push::notification;
}

#[cfg(test)]
mod tests;

//! The upstream system's side of the webhooks: verifies what arrives and keeps the last word about each application.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::secrets::WebhookSecret;

/// Every so manieth webhook is refused at its first try, so that repeats are seen.
const REFUSED_EVERY: usize = 25;

/// What arrived so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Different webhooks that were taken.
    pub(super) verified: usize,
    /// Repeats of a webhook that was refused at first.
    pub(super) repeated: usize,
    /// Deliveries whose signature is wrong.
    pub(super) forged: usize,
    /// How often each application was spoken of, and what was said last.
    last: HashMap<String, (usize, Value)>,
    taken: HashSet<String>,
    refused: HashSet<String>,
}

impl Seen {
    /// How many webhooks told of an application.
    pub(super) fn count(&self, id: &str) -> usize {
        self.last.get(id).map_or(0, |(count, _)| *count)
    }

    /// The application as the last webhook told it.
    pub(super) fn last(&self, id: &str) -> Option<&Value> {
        self.last.get(id).map(|(_, application)| application)
    }

    /// How many applications were last heard of in a status.
    pub(super) fn in_status(&self, status: &str) -> usize {
        self.last.values().filter(|(_, application)| application["status"] == status).count()
    }

    fn take(&mut self, id: &str, body: &Bytes) -> StatusCode {
        if self.taken.contains(id) {
            return StatusCode::NO_CONTENT;
        }
        if self.refused.contains(id) {
            self.repeated += 1;
        } else if (self.taken.len() + self.refused.len()) % REFUSED_EVERY == REFUSED_EVERY - 1 {
            self.refused.insert(id.to_owned());
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let application = serde_json::from_slice::<Value>(body).unwrap_or_default()["data"].take();
        let Some(about) = application["id"].as_str().map(str::to_owned) else { return StatusCode::BAD_REQUEST };
        self.taken.insert(id.to_owned());
        self.verified += 1;
        let (count, last) = self.last.entry(about).or_default();
        *count += 1;
        *last = application;
        StatusCode::NO_CONTENT
    }
}

struct Receiver {
    secret: WebhookSecret,
    seen: watch::Sender<Seen>,
}

/// A server on a port of its own.
pub(super) struct Sink {
    /// Where webhooks are to be sent.
    pub(super) url: String,
    receiver: Arc<Receiver>,
    server: JoinHandle<()>,
}

impl Sink {
    /// Starts it with the secret that the upstream system was given.
    ///
    /// # Errors
    /// The secret is none, or there is no free port.
    pub(super) async fn start(secret: &str) -> anyhow::Result<Self> {
        let receiver = Arc::new(Receiver { secret: secret.parse()?, seen: watch::Sender::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&receiver));
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the webhook receiver ended");
            }
        });
        Ok(Self { url, receiver, server })
    }

    /// What arrived, and news of it.
    pub(super) fn seen(&self) -> watch::Receiver<Seen> {
        self.receiver.seen.subscribe()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, signature) = (text("webhook-id"), text("webhook-signature"));
    let timestamp = text("webhook-timestamp").parse::<i64>();
    let genuine = timestamp.is_ok_and(|timestamp| receiver.secret.verify(id, timestamp, &body, signature));
    let mut answer = StatusCode::UNAUTHORIZED;
    receiver.seen.send_modify(|seen| {
        if genuine {
            answer = seen.take(id, &body);
        } else {
            seen.forged += 1;
        }
    });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(id: &str, status: &str) -> Bytes {
        serde_json::json!({ "type": "application.status_changed", "data": { "id": id, "status": status } })
            .to_string()
            .into()
    }

    #[test]
    fn a_webhook_counts_once_and_the_last_word_is_kept() {
        let mut seen = Seen::default();
        for (id, status) in [("w1", "in_progress"), ("w1", "in_progress"), ("w2", "issued")] {
            assert_eq!(seen.take(id, &body("a", status)), StatusCode::NO_CONTENT);
        }
        assert_eq!((seen.verified, seen.count("a"), seen.in_status("issued")), (2, 2, 1));
        assert_eq!(seen.take("w3", &Bytes::from_static(b"{}")), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn some_are_refused_once() {
        let mut seen = Seen::default();
        let mut send = || {
            (0..100)
                .map(|n| seen.take(&format!("w{n}"), &body("a", "issued")))
                .filter(StatusCode::is_server_error)
                .count()
        };
        assert_eq!((send(), send()), (4, 0));
        assert_eq!((seen.verified, seen.repeated), (100, 4));
    }

    #[tokio::test]
    async fn only_what_is_signed_is_believed() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let sink = Sink::start(secret).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let signed: WebhookSecret = secret.parse().unwrap();
        for (sent, status) in [(body("a", "issued"), 204), (body("a", "rejected"), 401)] {
            let answer = client
                .post(&sink.url)
                .header("webhook-id", "w")
                .header("webhook-timestamp", "7")
                .header("webhook-signature", signed.sign("w", 7, &body("a", "issued")))
                .body(sent)
                .send();
            assert_eq!(answer.await.unwrap().status().as_u16(), status);
        }
        let seen = sink.seen();
        assert_eq!((seen.borrow().verified, seen.borrow().forged), (1, 1));
    }
}

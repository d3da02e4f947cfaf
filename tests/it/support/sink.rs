//! The upstream system's side of the webhooks: a server in the test that records what arrives.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::watch;

/// One POST that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: Vec<u8>,
    /// What the sink answered.
    pub answered: u16,
}

impl Delivery {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The status of the application that it carries.
    pub fn status(&self) -> String {
        self.json()["data"]["status"].as_str().unwrap_or_else(|| panic!("no status: {self:?}")).to_owned()
    }

    /// Checks the signature as Standard Webhooks says: HMAC-SHA256 over `id.timestamp.body`.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let Some(Ok(key)) = secret.strip_prefix("whsec_").map(|key| STANDARD.decode(key)) else {
            return false;
        };
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", self.id, self.timestamp).as_bytes());
        mac.update(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.signature.split(' ').any(|signature| signature == expected)
    }
}

#[derive(Clone)]
struct Shared {
    answers: Arc<Mutex<VecDeque<u16>>>,
    deliveries: watch::Sender<Vec<Delivery>>,
}

/// A server on a port of its own. Without other orders it answers 204.
pub struct Sink {
    pub url: String,
    shared: Shared,
    server: tokio::task::JoinHandle<()>,
}

impl Sink {
    pub async fn start() -> Self {
        let shared = Shared { answers: Arc::default(), deliveries: watch::Sender::new(Vec::new()) };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(receive).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, server }
    }

    /// The next deliveries are answered with these statuses; 302 redirects to the sink itself.
    pub fn answer_next(&self, statuses: impl IntoIterator<Item = u16>) {
        self.shared.answers.lock().unwrap().extend(statuses);
    }

    /// From now on every delivery is taken.
    pub fn clear_orders(&self) {
        self.shared.answers.lock().unwrap().clear();
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.borrow().clone()
    }

    /// The deliveries that the sink took (answered 2xx), without repeats of the same id.
    pub fn taken(&self) -> Vec<Delivery> {
        let mut taken: Vec<Delivery> = Vec::new();
        for delivery in self.deliveries() {
            if delivery.answered < 300 && taken.iter().all(|earlier| earlier.id != delivery.id) {
                taken.push(delivery);
            }
        }
        taken
    }

    /// Waits until the deliveries satisfy the condition.
    pub async fn wait_until(&self, condition: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let mut receiver = self.shared.deliveries.subscribe();
        let waited =
            tokio::time::timeout(Duration::from_secs(45), receiver.wait_for(|deliveries| condition(deliveries))).await;
        match waited {
            Ok(deliveries) => deliveries.unwrap().clone(),
            Err(_) => panic!("the deliveries did not come; there are {:#?}", self.deliveries()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(shared): State<Shared>, headers: HeaderMap, body: axum::body::Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let answered = shared.answers.lock().unwrap().pop_front().unwrap_or(204);
    let delivery = Delivery {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp"),
        signature: text("webhook-signature"),
        body: body.to_vec(),
        answered,
    };
    shared.deliveries.send_modify(|deliveries| deliveries.push(delivery));
    (StatusCode::from_u16(answered).unwrap(), [(header::LOCATION, "/elsewhere")]).into_response()
}

use std::{collections::VecDeque, sync::Mutex, time::Instant};

use axum::http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    domain::{
        event::{Actor, ActorKind},
        ids::ApplicationId,
    },
    engine::{fixture::Site, sweep},
    providers::egress::WebhookClient,
    store::{
        types::{NewWebhook, OperatorAction, Page},
        webhooks::{DeliveryState, WebhookFilter, WebhookRecord},
    },
};

/// One POST that arrived.
#[derive(Debug, Clone)]
struct Delivery {
    path: String,
    id: String,
    timestamp: i64,
    signature: String,
    body: Vec<u8>,
    answered: u16,
}

impl Delivery {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A receiver that answers as told, then 204. 0 means that it does not answer at all.
struct Sink {
    url: String,
    answers: Arc<Mutex<VecDeque<u16>>>,
    deliveries: watch::Receiver<Vec<Delivery>>,
    server: JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Sink {
    async fn start(answers: impl IntoIterator<Item = u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let (sender, deliveries) = watch::channel(Vec::new());
        let orders = Arc::clone(&answers);
        let router =
            axum::Router::new().fallback(move |uri: axum::http::Uri, headers: HeaderMap, body: axum::body::Bytes| {
                let text = |name: &str| headers.get(name).unwrap().to_str().unwrap().to_owned();
                let answered = orders.lock().unwrap().pop_front().unwrap_or(204);
                let delivery = Delivery {
                    path: uri.path().to_owned(),
                    id: text("webhook-id"),
                    timestamp: text("webhook-timestamp").parse().unwrap(),
                    signature: text("webhook-signature"),
                    body: body.to_vec(),
                    answered,
                };
                assert_eq!(text("content-type"), "application/json");
                sender.send_modify(|all| all.push(delivery));
                async move {
                    if answered == 0 {
                        std::future::pending::<()>().await;
                    }
                    (StatusCode::from_u16(answered).unwrap(), [(RETRY_AFTER, "0")])
                }
            });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, answers, deliveries, server }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.url)
    }

    async fn wait_until(&self, condition: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let mut deliveries = self.deliveries.clone();
        let found = timeout(Duration::from_secs(30), deliveries.wait_for(|all| condition(all))).await.is_ok();
        assert!(found, "{:#?}", self.deliveries.borrow());
        self.deliveries.borrow().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<Delivery> {
        self.wait_until(|all| all.len() >= count).await
    }
}

/// A site whose outbox runs until the guard goes.
struct Running {
    site: Site,
    _stop: tokio_util::sync::DropGuard,
}

async fn running(scale: f64, allow_private: bool) -> Running {
    let site = Site::start().await;
    let timeout = Duration::from_secs(2);
    let sender = Arc::new(WebhookClient::new(allow_private, timeout).unwrap());
    let settings = Settings { timeout, retry_scale: scale, concurrency: 16 };
    let stop = CancellationToken::new();
    let outbox = Arc::new(Outbox::new(site.engine.clone(), sender, settings));
    tokio::spawn(sweep::run(outbox, Arc::clone(&site.engine.shared), stop.clone()));
    Running { site, _stop: stop.drop_guard() }
}

impl Running {
    /// Announces so many changes of a new application to the URL, in one commit.
    async fn announce(&self, number: u32, url: &str, changes: u32) -> ApplicationId {
        let application = self.site.admit(number).await;
        let at = self.site.engine.shared.clock.now();
        let change = |write: &mut crate::store::types::Write| {
            for step in 0..changes {
                let mut application = write.after.application.clone();
                application.upstream_ref = Some(step.to_string());
                write.webhooks.push(NewWebhook { id: WebhookId::new(), url: url.to_owned(), application, at });
            }
        };
        self.site.change(application.id, change).await;
        self.site.engine.shared.wake_webhooks();
        application.id
    }

    async fn left(&self) -> Vec<WebhookRecord> {
        let all =
            self.site.store().webhooks(&WebhookFilter::default(), &Page { limit: 100, after: None }).await.unwrap();
        all.items.into_iter().filter(|webhook| webhook.state != DeliveryState::Delivered).collect()
    }

    async fn left_until(&self, condition: impl Fn(&[WebhookRecord]) -> bool) -> Vec<WebhookRecord> {
        let patience = Instant::now() + Duration::from_secs(30);
        loop {
            let left = self.left().await;
            if condition(&left) {
                return left;
            }
            assert!(Instant::now() < patience, "{left:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn changes_arrive_signed_and_in_order() {
    let (running, sink) = (running(1.0, true).await, Sink::start([]).await);
    let id = running.announce(1, &sink.url("hook"), 3).await;
    let deliveries = sink.wait_for(3).await;
    running.left_until(<[_]>::is_empty).await;

    let secret = running.site.engine.shared.secrets.webhook_secret("upstream");
    for (step, delivery) in deliveries.iter().enumerate() {
        assert!(secret.verify(&delivery.id, delivery.timestamp, &delivery.body, &delivery.signature));
        assert!((delivery.timestamp - Utc::now().timestamp()).abs() < 60);
        let body = delivery.json();
        assert_eq!(body["type"], "application.status_changed");
        assert_eq!(
            (&body["data"]["id"], &body["data"]["upstream_ref"]),
            (&id.to_string().into(), &step.to_string().into())
        );
        assert_eq!(body["data"]["applicant"]["name"], "张*");
    }
    assert_eq!(deliveries.len(), 3, "each once");
}

#[tokio::test]
async fn a_failed_one_comes_again_with_the_same_bytes_before_the_next() {
    let (running, sink) = (running(0.001, true).await, Sink::start([500, 302, 404, 429]).await);
    running.announce(1, &sink.url("hook"), 2).await;
    let deliveries = sink.wait_for(6).await;
    running.left_until(<[_]>::is_empty).await;
    for pair in deliveries[..5].windows(2) {
        assert_eq!((&pair[0].id, &pair[0].body), (&pair[1].id, &pair[1].body));
    }
    assert_ne!(deliveries[4].id, deliveries[5].id);
    assert_eq!(deliveries.iter().map(|delivery| delivery.answered).collect::<Vec<_>>(), [500, 302, 404, 429, 204, 204]);
}

#[tokio::test]
async fn one_that_nobody_wants_is_given_up_and_can_be_sent_again() {
    let (running, sink) = (running(0.000_001, true).await, Sink::start(std::iter::repeat_n(503, 1000)).await);
    let id = running.announce(1, &sink.url("hook"), 1).await;
    let dead = running.left_until(|left| left.iter().any(|webhook| webhook.state == DeliveryState::Dead)).await;
    assert_eq!((dead[0].application_id, dead[0].last_error.as_deref()), (id, Some("the receiver answered 503")));
    assert!(dead[0].attempts >= 3, "{dead:?}");

    sink.answers.lock().unwrap().clear();
    let act = OperatorAction {
        at: running.site.engine.shared.clock.now(),
        actor: Actor::new(ActorKind::Operator, "op"),
        kind: "webhook_replayed".to_owned(),
        data: serde_json::json!({}),
    };
    assert!(running.site.store().replay_webhook(dead[0].id, &act).await.unwrap());
    running.site.engine.shared.wake_webhooks();
    let deliveries = sink.wait_until(|all| all.iter().any(|delivery| delivery.answered == 204)).await;
    assert!(deliveries.iter().all(|delivery| delivery.id == dead[0].id.to_string()));
    running.left_until(<[_]>::is_empty).await;
}

#[tokio::test]
async fn who_says_gone_hears_of_the_next_change_at_once() {
    let (running, sink) = (running(1.0, true).await, Sink::start([410]).await);
    running.announce(1, &sink.url("hook"), 2).await;
    let deliveries = sink.wait_for(2).await;
    assert_ne!(deliveries[0].id, deliveries[1].id);
    let left = running.left_until(|left| left.len() == 1).await;
    assert_eq!(left[0].state, DeliveryState::Dead);
}

#[tokio::test]
async fn a_place_that_is_not_allowed_any_more_is_given_up_without_a_call() {
    let (running, sink) = (running(1.0, false).await, Sink::start([]).await);
    running.announce(1, &sink.url("hook"), 1).await;
    running.announce(2, &sink.url("hook").replace("http://", "https://"), 1).await;
    let left = running
        .left_until(|left| left.iter().filter(|webhook| webhook.state == DeliveryState::Dead).count() == 2)
        .await;
    let reasons: Vec<_> = left.iter().map(|webhook| webhook.last_error.clone().unwrap()).collect();
    assert_eq!(reasons, ["a callback address must begin with `https://`", "a callback address must be public"]);
    assert!(sink.deliveries.borrow().is_empty());
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_up_nobody_else() {
    let running = running(1.0, true).await;
    let (stuck, sink) = (Sink::start(std::iter::repeat_n(0, 1000)).await, Sink::start([]).await);
    for number in 0..16 {
        running.announce(number, &stuck.url("stuck"), 1).await;
    }
    stuck.wait_for(3).await;
    for number in 100..110 {
        running.announce(number, &sink.url("hook"), 2).await;
    }
    let deliveries = sink.wait_for(20).await;
    assert!(deliveries.iter().all(|delivery| delivery.path == "/hook"));
}

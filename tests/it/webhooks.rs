//! Webhooks: signed, in order, at least once, and never to a place that is not public.

use serde_json::json;

use crate::support::sink::{Delivery, Sink};
use crate::support::{Api, BOUND, Database, Site, on_both_databases, sample};

/// The statuses in the order in which they were taken, without the steps in between.
fn statuses(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(Delivery::status).filter(|status| status != "in_progress").collect()
}

fn is_completed(delivery: &Delivery) -> bool {
    delivery.answered < 300 && delivery.json()["data"]["completed_at"].is_string()
}

async fn secret(api: &Api) -> String {
    let secret = api.get("/v1/webhook-secret").await.expect(200).text("secret");
    assert!(secret.starts_with("whsec_"), "{secret}");
    secret
}

on_both_databases! {
    async fn every_change_of_status_is_told_and_signed(database) {
        let site = Site::on(database).start().await;
        let sink = Sink::start().await;
        let photo = site.api.upload_photo("camera").await;
        let id = site.api.admit(&sample(0).photo("camera", &photo).callback(&sink.url).upstream_ref("X-9")).await;
        site.api.review_approve(&id).await;
        sink.wait_until(|deliveries| deliveries.iter().any(is_completed)).await;

        let taken = sink.taken();
        assert_eq!(statuses(&taken), ["in_review", "issued", "issued"], "{taken:#?}");
        let secret = secret(&site.api).await;
        for delivery in &taken {
            assert!(delivery.is_signed_with(&secret), "{delivery:#?}");
            let age = chrono::Utc::now().timestamp() - delivery.timestamp.parse::<i64>().unwrap();
            assert!(age.abs() < 300, "seconds since 1970: {delivery:#?}");
            let body = delivery.json();
            assert_eq!(body["type"], "application.status_changed");
            assert_eq!((body["data"]["id"].as_str(), body["data"]["upstream_ref"].as_str()), (Some(id.as_str()), Some("X-9")));
            assert_eq!(body["data"]["applicant"]["name"], "张*", "masked as everywhere");
        }
        assert!(!taken[0].is_signed_with("whsec_AAAA"));

        let path = format!("/v1/ops/webhooks?state=delivered&application_id={id}");
        let deadline = std::time::Instant::now() + BOUND;
        let listed = loop {
            let listed = site.api.get(&path).await.expect(200).items();
            if listed.len() == taken.len() {
                break listed;
            }
            assert!(std::time::Instant::now() < deadline, "{taken:#?}\n{listed:#?}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        let newest_first: Vec<_> = taken.iter().rev().map(|delivery| delivery.id.as_str()).collect();
        assert_eq!(listed.iter().map(|webhook| webhook["id"].as_str().unwrap()).collect::<Vec<_>>(), newest_first);
        assert_eq!((&listed[0]["attempts"], &listed[0]["due_at"]), (&json!(1), &json!(null)), "{listed:#?}");
        assert!(listed[0]["last_status"].is_u64() && listed[0]["delivered_at"].is_string(), "{listed:#?}");
        let mut operator = site.signed_in("qian", "operator").await;
        for page in [format!("/ops/applications/{id}"), "/ops/webhooks?state=delivered".to_owned()] {
            let page = operator.get(&page).await.expect(200);
            let page = String::from_utf8_lossy(&page.body).into_owned();
            assert!(page.contains(&sink.url) && page.contains("已送达"), "{page}");
        }
    }

    async fn a_failed_delivery_is_repeated_with_its_id_and_before_the_next(database) {
        let site = Site::on(database).start().await;
        let sink = Sink::start().await;
        sink.answer_next([500, 302, 404, 429]);
        let id = site.api.admit(&sample(901).callback(&sink.url)).await;
        site.api.wait_until_done(&id, "rejected").await;
        let deliveries = sink.wait_until(|deliveries| deliveries.iter().any(is_completed)).await;

        assert!(deliveries.len() >= 6, "{deliveries:#?}");
        for pair in deliveries.windows(2).filter(|pair| pair[0].answered >= 300) {
            assert_eq!(pair[0].id, pair[1].id, "the same one again before any other: {pair:#?}");
            assert_eq!(pair[0].body, pair[1].body, "{pair:#?}");
        }
        assert_eq!(statuses(&sink.taken()), ["rejected", "rejected"]);
        let secret = secret(&site.api).await;
        assert!(deliveries.iter().all(|delivery| delivery.is_signed_with(&secret)), "{deliveries:#?}");
    }

    async fn a_dead_delivery_is_listed_and_can_be_sent_again(database) {
        let site = Site::on(database).setting("webhooks.retry_scale", "0.000001").start().await;
        let sink = Sink::start().await;
        sink.answer_next(std::iter::repeat_n(500, 500));
        let id = site.api.admit(&sample(901).callback(&sink.url)).await;
        site.api.wait_until_done(&id, "rejected").await;

        let deadline = std::time::Instant::now() + BOUND;
        let dead = loop {
            let dead = site.api.get("/v1/ops/webhooks?state=dead").await.expect(200).items();
            if !dead.is_empty() {
                break dead;
            }
            assert!(std::time::Instant::now() < deadline, "{} deliveries, none dead", sink.deliveries().len());
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        };
        let tried = sink.deliveries().len();
        assert!(tried >= 2, "dead only after several tries");
        assert!(dead[0].to_string().contains(&id), "{dead:#?}");
        sink.clear_orders();
        let one = dead[0]["id"].as_str().unwrap();
        site.api.post(&format!("/v1/ops/webhooks/{one}/retry"), &json!({})).await.expect(200);
        sink.wait_until(|deliveries| deliveries.iter().any(|delivery| delivery.answered < 300)).await;
    }
}

#[tokio::test]
async fn a_slow_receiver_holds_up_nobody_else() {
    let site = Site::start().await;
    let (stuck, sink) = (Sink::start().await, Sink::start().await);
    stuck.answer_next(std::iter::repeat_n(500, 100));
    site.api.admit(&sample(0).callback(&stuck.url)).await;
    stuck.wait_until(|deliveries| !deliveries.is_empty()).await;
    site.api.admit(&sample(0).callback(&sink.url)).await;
    sink.wait_until(|deliveries| deliveries.iter().any(is_completed)).await;
}

#[tokio::test]
async fn owners_have_secrets_of_their_own() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let other = site.key_of("other", "applications:read").await;
    let mine = secret(&site.api).await;
    assert_ne!(mine, secret(&other).await);
    assert_eq!(mine, secret(&site.api).await);
}

#[tokio::test]
async fn callbacks_must_be_public_and_encrypted() {
    let site =
        Site::on(Database::sqlite()).roles("api").setting("webhooks.allow_private_callbacks", "false").start().await;
    let mut taken = Vec::new();
    for url in [
        "https://127.0.0.1/hook",
        "https://127.1/hook",
        "https://2130706433/hook",
        "https://0x7f000001/hook",
        "https://0177.0.0.1/hook",
        "https://localhost/hook",
        "https://localhost./hook",
        "https://0.0.0.0/hook",
        "https://10.0.0.1/hook",
        "https://172.16.0.1/hook",
        "https://192.168.1.1/hook",
        "https://100.64.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://192.0.2.1/hook",
        "https://198.18.0.1/hook",
        "https://224.0.0.1/hook",
        "https://240.0.0.1/hook",
        "https://255.255.255.255/hook",
        "https://[::1]/hook",
        "https://[::]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://[fe80::1]/hook",
        "https://[fc00::1]/hook",
        "https://[ff02::1]/hook",
        "https://[2001:db8::1]/hook",
        "http://upstream.example/hook",
        "ftp://upstream.example/hook",
        "file:///etc/passwd",
        "gopher://upstream.example/",
    ] {
        let answer = site.api.submit(&sample(0).callback(url)).await;
        if answer.status != 422 || answer.json()["code"] != "callback_not_allowed" {
            taken.push(format!("{url}: {answer:?}"));
        }
    }
    assert!(taken.is_empty(), "`callback_not_allowed` expected:\n{}", taken.join("\n"));
    assert!(site.api.get("/v1/applications").await.expect(200).items().is_empty());
}

#[tokio::test]
async fn an_address_that_was_private_all_along_is_refused_at_connection_too() {
    // Accepted while private addresses were allowed; the restarted server allows them no longer.
    let mut site = Site::start().await;
    let sink = Sink::start().await;
    site.api.post("/v1/ops/queues/eligibility/pause", &json!({ "reason": "until the restart" })).await.expect(200);
    let id = site.api.admit(&sample(0).callback(&sink.url)).await;
    let before = sink.deliveries().len();
    site.settings = site.settings.clone().setting("webhooks.allow_private_callbacks", "false");
    site.restart().await;
    site.api.post("/v1/ops/queues/eligibility/resume", &json!({})).await.expect(200);
    site.api.wait_until_done(&id, "issued").await;
    let deadline = std::time::Instant::now() + BOUND;
    while site.api.get("/v1/ops/webhooks").await.expect(200).items().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the refused delivery is not listed");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(sink.deliveries().len(), before, "{:#?}", sink.deliveries());
}

//! Every answer of the SMS gateway and of the app's push service, end to end.

use serde_json::Value;

use crate::support::{BOUND, Database, Sample, Site, on_both_databases, sample};

fn notice<'a>(application: &'a Value, channel: &str) -> &'a Value {
    let notices = application["notifications"].as_array().unwrap();
    notices.iter().find(|notice| notice["channel"] == channel).unwrap()
}

async fn done(site: &Site, sample: &Sample) -> Value {
    let id = site.api.admit(sample).await;
    site.api.wait_until(&id, 2 * BOUND, |application| application["completed_at"].is_string()).await
}

on_both_databases! {
    async fn a_message_whose_reply_was_lost_is_not_sent_again(database) {
        let site = Site::on(database).start().await;
        let application = done(&site, &sample(0).mobile("13800130502")).await;
        assert_eq!(notice(&application, "sms")["state"], "sent", "{application:#}");
        let accepted = site.simulator.accepted("sms").await;
        assert_eq!(accepted.values().copied().collect::<Vec<_>>(), [1], "asked before sending again: {:#?}", site.simulator.log("sms").await);
    }

    async fn a_gateway_that_fails_twice_is_tried_again(database) {
        let site = Site::on(database).start().await;
        let application = done(&site, &sample(0).mobile("13800130501")).await;
        let sms = notice(&application, "sms");
        assert_eq!((sms["state"].as_str(), sms["attempts"].as_u64()), (Some("sent"), Some(3)), "{application:#}");
        assert_eq!(site.simulator.accepted("sms").await.len(), 1);
    }
}

#[tokio::test]
async fn a_busy_gateway_is_left_alone_for_the_time_it_asks() {
    let site = Site::start().await;
    let started = std::time::Instant::now();
    let application = done(&site, &sample(0).mobile("13800130429")).await;
    assert_eq!(notice(&application, "sms")["state"], "sent", "{application:#}");
    assert!(started.elapsed() >= std::time::Duration::from_secs(2), "`Retry-After: 2` was kept");
    assert_eq!(site.simulator.accepted("sms").await.values().copied().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_message_that_is_lost_later_ends_the_application_all_the_same() {
    let site = Site::start().await;
    let application = done(&site, &sample(0).mobile("13800130503")).await;
    assert_eq!(application["status"], "issued");
    assert_ne!(notice(&application, "sms")["state"], "pending");
    assert_eq!(site.simulator.accepted("sms").await.values().copied().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn a_gateway_that_is_down_takes_no_decision_back() {
    let site = Site::on(Database::sqlite()).setting("workflow.retry_scale", "0.0001").start().await;
    let id = site.api.admit(&sample(0).mobile("13800130500")).await;
    site.api.wait_until(&id, BOUND, |application| application["licence_id"].is_string()).await;
    let deadline = std::time::Instant::now() + 2 * BOUND;
    loop {
        let application = site.api.application(&id).await;
        assert_eq!(application["outcome"]["code"], "issued", "{application:#}");
        let listed = site.api.get("/v1/ops/stalled?stage=notification").await.expect(200).items();
        if notice(&application, "sms")["state"] == "failed" || !listed.is_empty() {
            assert_ne!(notice(&application, "sms")["state"], "sent");
            break;
        }
        assert!(std::time::Instant::now() < deadline, "given up or stalled in the end: {application:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(site.simulator.accepted("sms").await.is_empty());
    assert_eq!(site.simulator.accepted("push").await.len(), 1, "the other channel is not held up");
}

#[tokio::test]
async fn a_user_without_the_app_is_not_pushed_to_again() {
    let site = Site::start().await;
    let application = done(&site, &sample(0).app_user("u-gone-1")).await;
    let (sms, app) = (notice(&application, "sms"), notice(&application, "app"));
    assert_eq!(
        (sms["state"].as_str(), app["state"].as_str(), app["attempts"].as_u64()),
        (Some("sent"), Some("failed"), Some(1)),
        "{application:#}"
    );
    assert_eq!(site.simulator.log("push").await.len(), 1);
}

#[tokio::test]
async fn a_slow_push_service_is_waited_for() {
    let site = Site::on(Database::sqlite()).setting("providers.timeout_seconds", 15).start().await;
    let application = done(&site, &sample(0).app_user("u-slow-1")).await;
    assert_eq!(notice(&application, "app")["state"], "sent", "{application:#}");
    assert_eq!(site.simulator.accepted("push").await.values().copied().collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn every_try_carries_the_same_reference() {
    let site = Site::start().await;
    let application = done(&site, &sample(0).mobile("13800130501")).await;
    let log = site.simulator.log("sms").await;
    let sent: Vec<&Value> = log.iter().filter(|entry| entry["path"].as_str().unwrap().ends_with("/messages")).collect();
    assert_eq!(sent.len(), 3, "{log:#?}");
    let reference = sent[0]["body"]["reference"].as_str().unwrap();
    let id = application["id"].as_str().unwrap();
    assert!(reference.starts_with(&format!("{id}:")), "{reference}");
    for entry in sent {
        assert_eq!(entry["body"]["reference"], reference);
        assert_eq!(entry["idempotency_key"], reference, "{entry:#}");
    }
}

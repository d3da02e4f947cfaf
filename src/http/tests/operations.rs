use axum::{body::Body, http::header};
use futures::StreamExt;
use serde_json::{Value, json};

use super::site::{Site, sample};
use crate::domain::{
    decision::{Decision, Failure},
    stage::Stage,
};

pub(super) async fn stalled(site: &Site, number: &str, stage: Stage, code: &str) -> String {
    let id = site.submit(&sample(number), number).await.expect(201).text("id");
    site.run(&id, stage, Decision::Stall(Failure::new(code, "the registry answered 503"))).await;
    id
}

fn queue(queues: &Value, name: &str) -> Value {
    queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == name).unwrap().clone()
}

#[tokio::test]
async fn a_paused_queue_says_so_everywhere() {
    let site = Site::start().await;
    let id = site.submit(&sample("SB001"), "key").await.expect(201).text("id");
    let path = "/v1/ops/queues/eligibility";
    site.post(&format!("{path}/pause"), &json!({})).await.problem(422, "validation_failed");
    let endless = "9999-12-31T23:59:59-01:00";
    for until in ["2001-01-01T00:00:00Z", "0000-06-01T00:00:00Z", "+262142-12-31T23:59:59Z", endless, "tomorrow"] {
        let refused = json!({ "reason": "x", "until": until });
        site.post(&format!("{path}/pause"), &refused).await.problem(422, "validation_failed");
    }
    site.post("/v1/ops/queues/nowhere/pause", &json!({ "reason": "x" })).await.problem(404, "not_found");
    site.post(&format!("{path}/pause"), &json!({ "reason": "maintenance" })).await.expect(200);
    let application = site.get(&format!("/v1/applications/{id}")).await.json();
    assert_eq!(application["waiting_for"]["reason"], "paused");
    let paused = queue(&site.get("/v1/ops/queues").await.expect(200).json(), "eligibility");
    assert_eq!(
        (&paused["paused"], &paused["pause"]["actor"], &paused["ready"]),
        (&json!(true), &json!("upstream-key"), &json!(1))
    );

    site.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    site.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    let application = site.get(&format!("/v1/applications/{id}")).await.json();
    assert_eq!(application["waiting_for"], Value::Null);

    // Each act once; resuming what is not paused is none.
    let found = site.get("/v1/audit?actor=upstream-key").await.expect(200).json();
    let acts: Vec<&Value> =
        found["items"].as_array().unwrap().iter().filter(|act| act["application_id"].is_null()).collect();
    let kinds: Vec<&Value> = acts.iter().map(|act| &act["type"]).collect();
    assert_eq!(kinds, ["queue_resumed", "queue_paused"], "{found:#}");
    assert_eq!((&acts[1]["data"]["reason"], &acts[0]["prev_hash"]), (&json!("maintenance"), &acts[1]["hash"]));
    let paused = site.get("/v1/audit?type=queue_paused").await.expect(200).json();
    assert_eq!(paused["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_failed_notification_is_counted_where_it_is_listed() {
    let site = Site::start().await;
    let id = stalled(&site, "SB001", Stage::Eligibility, "http_503").await;
    site.post(&format!("/v1/ops/stalled/{id}/reject"), &json!({ "reason": "a duplicate" })).await.expect(200);
    for _ in 0..2 {
        site.run(&id, Stage::Notification, Decision::Undeliverable(Failure::new("number_unknown", "no such number")))
            .await;
    }
    let listed = site.get("/v1/ops/stalled?stage=notification").await.expect(200).json();
    assert_eq!(
        (&listed["items"][0]["status"], &listed["items"][0]["stage"]),
        (&json!("rejected"), &json!("notification"))
    );
    assert_eq!(site.get("/v1/ops/stalled?stage=eligibility").await.json()["items"], json!([]));
    let groups = site.get("/v1/ops/stalled/groups").await.expect(200).json();
    assert_eq!((&groups["items"][0]["stage"], &groups["items"][0]["count"]), (&json!("notification"), &json!(1)));
    let queues = site.get("/v1/ops/queues").await.expect(200).json();
    assert_eq!(queue(&queues, "notification")["stalled"], json!(1));
    assert_eq!(site.get("/v1/ops/overview").await.json()["stalled_by_stage"]["notification"], json!(1));
}

#[tokio::test]
async fn a_limited_queue_says_by_whom_and_why_until_the_workflow_counts_again() {
    let site = Site::start().await;
    let path = "/v1/ops/queues/eligibility/limits";
    for wrong in [
        json!({ "concurrency": 1 }),
        json!({ "concurrency": 0, "reason": "x" }),
        json!({ "concurrency": 10_001, "reason": "x" }),
        json!({ "rate": 0, "reason": "x" }),
        json!({ "rate": -1.5, "reason": "x" }),
        json!({ "rate": 10_001, "reason": "x" }),
    ] {
        site.post(path, &wrong).await.problem(422, "validation_failed");
    }
    site.post("/v1/ops/queues/nowhere/limits", &json!({ "reason": "x" })).await.problem(404, "not_found");
    let seen = async || queue(&site.get("/v1/ops/queues").await.expect(200).json(), "eligibility");
    assert_eq!((&seen().await["rate"], &seen().await["limits"]), (&Value::Null, &Value::Null));

    let asked = json!({ "concurrency": 4, "rate": 2.5, "reason": "slow registry" });
    site.post(path, &asked).await.expect(200);
    let limited = seen().await;
    assert_eq!(limited["rate"], json!(2.5));
    let limits = &limited["limits"];
    assert_eq!((&limits["concurrency"], &limits["reason"]), (&json!(4), &json!("slow registry")));
    assert_eq!(limits["actor"], "upstream-key");
    assert_eq!(site.engine.shared.rate(Stage::Eligibility), Some(2.5), "this process follows at once");

    site.post(path, &json!({ "concurrency": null, "reason": "well again" })).await.expect(200);
    assert_eq!((&seen().await["rate"], &seen().await["limits"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn operators_decide_on_what_stalled() {
    let site = Site::start().await;
    let id = stalled(&site, "SB001", Stage::Eligibility, "http_503").await;
    let listed = site.get("/v1/ops/stalled?stage=eligibility&error_code=http_503").await.expect(200).json();
    assert_eq!(
        (listed["items"][0]["application_id"].as_str(), listed["items"][0]["last_error"]["code"].as_str()),
        (Some(id.as_str()), Some("http_503"))
    );
    assert_eq!(site.get("/v1/ops/stalled?stage=generation").await.json()["items"], json!([]));
    let act = async |action: &str, body: Value| site.post(&format!("/v1/ops/stalled/{id}/{action}"), &body).await;
    act("accept", json!({ "reason": "seen" })).await.problem(409, "not_acceptable");
    act("reject", json!({})).await.problem(422, "validation_failed");
    assert_eq!(act("retry", json!({})).await.expect(200).json()["status"], "in_progress");
    act("retry", json!({})).await.problem(409, "not_stalled");
    site.run(&id, Stage::Eligibility, Decision::Stall(Failure::new("http_503", "again"))).await;
    assert_eq!(
        act("reject", json!({ "reason": "a duplicate" })).await.expect(200).json()["outcome"]["code"],
        "rejected_by_operator"
    );
    let found = site.get("/v1/audit?actor=upstream-key&type=rejected").await.expect(200).json();
    assert_eq!(found["items"][0]["application_id"], id.as_str());
}

#[tokio::test]
async fn the_pages_have_their_fields() {
    let site = Site::start().await;
    site.submit(&sample("SB001"), "key").await.expect(201);
    let overview = site.get("/v1/ops/overview").await.expect(200).json();
    assert_eq!((&overview["by_status"]["in_progress"], &overview["by_stage"]["eligibility"]), (&json!(1), &json!(1)));
    for field in ["at_risk", "breached", "forecast", "reviews", "throughput", "oldest_waiting_seconds"] {
        assert!(overview.get(field).is_some(), "{field}");
    }
    let workers = site.get("/v1/ops/workers").await.expect(200).json();
    assert_eq!((&workers["items"][0]["roles"], &workers["items"][0]["version"]), (&json!(["api"]), &json!("1")));
    assert_eq!(site.get("/v1/ops/webhooks?state=dead").await.expect(200).json()["items"], json!([]));
    site.get("/v1/ops/webhooks?state=lost").await.problem(422, "validation_failed");
    let nothing = uuid::Uuid::now_v7();
    site.post(&format!("/v1/ops/webhooks/{nothing}/retry"), &json!({})).await.problem(404, "not_found");
    site.get(&format!("/v1/ops/batches/{nothing}")).await.problem(404, "not_found");
    assert!(site.get("/v1/webhook-secret").await.expect(200).text("secret").starts_with("whsec_"));
    assert_eq!(site.get("/v1/audit?to=2001-01-01T00:00:00Z").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn the_stream_begins_with_an_overview() {
    let site = Site::start().await;
    let request = site.request(axum::http::Method::GET, "/v1/ops/stream").body(Body::empty()).unwrap();
    let response = site.open(request).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let first = response.into_body().into_data_stream().next().await.unwrap().unwrap();
    let text = String::from_utf8(first.to_vec()).unwrap();
    assert!(text.starts_with("event: overview\ndata: {"), "{text}");
}

//! `/v1/ops`: what operators see and do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{BOUND, Database, Site, on_both_databases, sample};

/// A site whose stages give up after moments, and an application that has.
async fn with_stalled(database: Database) -> (Site, String) {
    let site = Site::on(database).setting("workflow.retry_scale", "0.0001").start().await;
    site.simulator.fault("registry", json!({ "error_rate": 1.0, "seed": 1 })).await;
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == "stalled").await;
    site.simulator.fault("registry", json!({ "error_rate": 0.0, "seed": 1 })).await;
    (site, id)
}

on_both_databases! {
    async fn a_stalled_application_waits_for_an_operator_and_goes_on(database) {
        let (site, id) = with_stalled(database).await;
        let application = site.api.application(&id).await;
        assert_eq!(application["stage"], "eligibility");
        assert_eq!(application["waiting_for"]["reason"], "operator");
        assert!(application["outcome"].is_null());

        let stalled = site.api.get("/v1/ops/stalled").await.expect(200).items();
        assert_eq!(stalled.len(), 1, "{stalled:#?}");
        let text = stalled[0].to_string();
        assert!(text.contains(&id), "{text}");
        assert!(stalled[0]["attempts"].as_u64().unwrap() >= 2, "{text}");
        assert!(!stalled[0]["last_error"].is_null(), "{text}");
        assert_eq!(site.api.get("/v1/ops/stalled?stage=eligibility").await.expect(200).items().len(), 1);
        assert!(site.api.get("/v1/ops/stalled?stage=generation").await.expect(200).items().is_empty());
        assert!(site.api.get("/v1/ops/stalled?error_code=none_such").await.expect(200).items().is_empty());

        site.api.post(&format!("/v1/ops/stalled/{id}/retry"), &json!({})).await.expect(200);
        site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == "issued").await;
        assert!(site.api.get("/v1/ops/stalled").await.expect(200).items().is_empty());
        let again = site.api.post(&format!("/v1/ops/stalled/{id}/retry"), &json!({})).await;
        assert!(matches!(again.status, 404 | 409), "{again:?}");
        assert!(site.api.events(&id).await.iter().any(|event| event["actor"]["kind"] == "operator"));
    }

    async fn a_pause_ends_in_a_year_that_a_calendar_has(database) {
        let site = Site::on(database).start().await;
        let pause = async |until: &str| {
            site.api.post("/v1/ops/queues/generation/pause", &json!({ "reason": "maintenance", "until": until })).await
        };
        for until in ["+262142-12-31T23:59:59Z", "+10000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "0000-01-01T00:00:00Z"] {
            pause(until).await.field_error("/until");
        }
        pause("9999-12-31T23:59:59Z").await.expect(200);
        let queues = site.api.get("/v1/ops/queues").await.expect(200).items();
        let generation = queues.iter().find(|queue| queue["name"] == "generation").unwrap();
        assert_eq!(generation["pause"]["until"], "9999-12-31T23:59:59Z");
    }

    async fn a_stalled_application_can_be_rejected_by_an_operator(database) {
        let (site, id) = with_stalled(database).await;
        site.api.post(&format!("/v1/ops/stalled/{id}/reject"), &json!({})).await.any_problem(422);
        site.api.post(&format!("/v1/ops/stalled/{id}/accept"), &json!({ "reason": "seen at the counter" })).await.any_problem(409);
        site.api.post(&format!("/v1/ops/stalled/{id}/reject"), &json!({ "reason": "duplicate" })).await.expect(200);
        let done = site.api.wait_until_done(&id, "rejected").await;
        assert_eq!(done["outcome"]["code"], "rejected_by_operator");
    }

    async fn stalled_applications_can_be_retried_together(database) {
        let (site, id) = with_stalled(database).await;
        let filter = json!({ "stage": "eligibility" });
        let tried = site.api.post("/v1/ops/stalled/retry", &json!({ "filter": filter, "dry_run": true })).await.expect(202).json();
        assert_eq!(tried["matched"], 1, "{tried:#}");
        assert_eq!(site.api.application(&id).await["status"], "stalled", "a dry run changes nothing");

        let batch = site.api.post("/v1/ops/stalled/retry", &json!({ "filter": filter, "dry_run": false })).await.expect(202).json();
        assert_eq!(batch["matched"], 1, "{batch:#}");
        site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == "issued").await;
        let progress = site.api.get(&format!("/v1/ops/batches/{}", batch["batch_id"].as_str().unwrap())).await.expect(200).json();
        assert!(progress.to_string().contains(&id), "the result of each: {progress:#}");
    }

    async fn a_paused_stage_waits_and_goes_on(database) {
        let site = Site::on(database).start().await;
        site.api.post("/v1/ops/queues/face_verification/pause", &json!({})).await.any_problem(422);
        site.api.post("/v1/ops/queues/face_verification/pause", &json!({ "reason": "provider maintenance" })).await.expect(200);
        let id = site.api.admit(&sample(0)).await;
        let waiting = site.api.wait_until(&id, BOUND, |application| application["waiting_for"]["reason"] == "paused").await;
        assert_eq!(waiting["stage"], "face_verification");
        let queues = site.api.get("/v1/ops/queues").await.expect(200).json();
        let queue = queue(&queues, "face_verification");
        assert!(queue["paused"] != json!(false) && !queue["paused"].is_null(), "{queue:#}");
        assert!(site.simulator.log("face").await.is_empty());

        site.api.post("/v1/ops/queues/face_verification/resume", &json!({})).await.expect(200);
        site.api.wait_until_done(&id, "issued").await;
    }
}

fn queue(queues: &Value, name: &str) -> Value {
    let list = queues.get("items").unwrap_or(queues).as_array().unwrap_or_else(|| panic!("a list: {queues:#}"));
    list.iter().find(|queue| queue["name"] == name).unwrap_or_else(|| panic!("`{name}` in {queues:#}")).clone()
}

#[tokio::test]
async fn the_overview_and_the_queues_count() {
    let site = Site::start().await;
    let issued = site.api.admit(&sample(0)).await;
    let photo = site.api.upload_photo("camera").await;
    let reviewed = site.api.admit(&sample(0).photo("camera", &photo)).await;
    site.api.wait_until_done(&issued, "issued").await;
    site.api.wait_for_status(&reviewed, "in_review").await;

    let overview = site.api.get("/v1/ops/overview").await.expect(200).json();
    for field in ["at_risk", "breached"] {
        assert!(overview.get(field).is_some(), "`{field}` of {overview:#}");
    }
    let queues = site.api.get("/v1/ops/queues").await.expect(200).json();
    for name in ["eligibility", "face_verification", "photo_review", "generation", "notification"] {
        let queue = queue(&queues, name);
        for field in [
            "ready",
            "running",
            "scheduled",
            "stalled",
            "paused",
            "oldest_ready_seconds",
            "per_minute",
            "concurrency",
            "breaker",
        ] {
            assert!(queue.get(field).is_some(), "`{field}` of {queue:#}");
        }
        for field in ["wait_ms", "run_ms"] {
            for percentile in ["p50", "p95", "p99"] {
                assert!(queue[field].get(percentile).is_some(), "`{field}.{percentile}` of {queue:#}");
            }
        }
    }
}

#[tokio::test]
async fn unknown_things_are_not_found() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let id = uuid::Uuid::now_v7();
    site.api.post("/v1/ops/queues/nowhere/pause", &json!({ "reason": "x" })).await.any_problem(404);
    site.api.post("/v1/ops/queues/nowhere/resume", &json!({})).await.any_problem(404);
    site.api.post(&format!("/v1/ops/stalled/{id}/retry"), &json!({})).await.any_problem(404);
    site.api.post(&format!("/v1/ops/stalled/{id}/reject"), &json!({ "reason": "x" })).await.any_problem(404);
    site.api.post(&format!("/v1/ops/stalled/{id}/accept"), &json!({ "reason": "x" })).await.any_problem(404);
    site.api.get(&format!("/v1/ops/batches/{id}")).await.any_problem(404);
    site.api.post(&format!("/v1/ops/webhooks/{id}/retry"), &json!({})).await.any_problem(404);
}

#[tokio::test]
async fn processes_are_listed_while_they_live() {
    let site = Site::on(Database::postgres().await).roles("api").start().await;
    let mut worker = site.spawn("worker,scheduler");
    let deadline = std::time::Instant::now() + BOUND;
    let roles = loop {
        let workers = site.api.get("/v1/ops/workers").await.expect(200).json();
        let list = workers.get("items").unwrap_or(&workers).as_array().unwrap().clone();
        if let Some(found) = list.iter().find(|entry| entry["roles"].to_string().contains("worker")) {
            assert!(found["version"].is_string(), "{found:#}");
            break found["roles"].clone();
        }
        assert!(worker.is_running() && std::time::Instant::now() < deadline, "{workers:#}\n{}", worker.output());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(roles.to_string().contains("scheduler"), "{roles}");
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
    assert!(worker.terminate().await.success(), "a stop is no failure\n{}", worker.output());
}

#[tokio::test]
async fn the_stream_tells_what_happens() {
    let site = Site::start().await;
    let request = site.api.request(reqwest::Method::GET, "/v1/ops/stream").header("accept", "text/event-stream");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    site.api.admit(&sample(0)).await;
    let mut text = String::new();
    while !text.contains("data:") {
        let chunk = tokio::time::timeout(BOUND, response.chunk())
            .await
            .expect("an event comes")
            .unwrap()
            .expect("the stream stays open");
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(!text.contains("张三"), "{text}");
}

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::site::Site;

fn path(task: &Value, action: &str) -> String {
    format!("/v1/reviews/{}/{action}", task["id"].as_str().unwrap())
}

fn with_token(task: &Value, mut body: Value) -> Value {
    body["lease_token"] = task["lease_token"].clone();
    body
}

#[tokio::test]
async fn a_task_is_claimed_kept_decided_and_undone() {
    let site = Site::start().await;
    let id = site.in_review("SB001").await;
    let listed = site.get("/v1/reviews?state=open&authority=%E8%92%99C").await.expect(200).json();
    assert_eq!(listed["items"][0]["application_id"], id.as_str());

    let task = site.post_as("wang", "/v1/reviews/claim-next", &json!({ "authority": "蒙C" })).await.expect(200).json();
    assert_eq!((task["claimed_by"].as_str(), task["state"].as_str()), (Some("wang"), Some("claimed")));
    assert!(task["lease_token"].is_string() && task["due_at"].is_string() && task["evidence_hash"].is_string());
    site.post_as("li", "/v1/reviews/claim-next", &json!({})).await.expect(204);
    site.post_as("li", &path(&task, "claim"), &json!({})).await.problem(409, "already_claimed");
    let body = site.get("/v1/reviews").await.json();
    assert!(body["items"][0].get("lease_token").is_none(), "told once only");

    site.post(&path(&task, "heartbeat"), &json!({ "lease_token": "made-up" })).await.problem(409, "lease_lost");
    let beat = site.post(&path(&task, "heartbeat"), &with_token(&task, json!({}))).await.expect(200).json();
    assert!(beat["lease_expires_at"].as_str() >= task["lease_expires_at"].as_str());

    let stale = with_token(&task, json!({ "decision": "approve", "evidence_hash": "00" }));
    site.post(&path(&task, "decision"), &stale).await.problem(409, "stale_evidence");
    let reject = with_token(
        &task,
        json!({ "decision": "reject", "reasons": ["hat_worn"], "undo_seconds": 60, "note": "see the hat" }),
    );
    let decided = site.post(&path(&task, "decision"), &reject).await.expect(200).json();
    assert_eq!((decided["state"].as_str(), decided["decision"]["reviewer"].as_str()), (Some("decided"), Some("wang")));
    site.post(&path(&task, "decision"), &reject).await.expect(200);
    site.post(&path(&task, "undo"), &with_token(&task, json!({}))).await.expect(200);
    let approve = with_token(&task, json!({ "decision": "approve" }));
    site.post(&path(&task, "decision"), &approve).await.expect(200);
    site.post(&path(&task, "decision"), &approve).await.expect(200);
    site.post(&path(&task, "decision"), &reject).await.problem(409, "already_decided");
    site.post(&path(&task, "undo"), &with_token(&task, json!({}))).await.problem(409, "already_decided");
    assert_eq!(site.get(&format!("/v1/applications/{id}")).await.json()["stage"], "generation");
}

#[tokio::test]
async fn a_task_can_be_given_back_and_passed_on() {
    let site = Site::start().await;
    site.in_review("SB001").await;
    let task = site.post_as("wang", "/v1/reviews/claim-next", &json!({})).await.expect(200).json();
    site.post(&path(&task, "release"), &with_token(&task, json!({ "reason": "lunch" }))).await.expect(204);
    site.post(&path(&task, "release"), &with_token(&task, json!({}))).await.problem(409, "lease_lost");
    let task = site.post_as("li", "/v1/reviews/claim-next", &json!({})).await.expect(200).json();
    site.post(&path(&task, "escalate"), &with_token(&task, json!({}))).await.problem(422, "validation_failed");
    let passed = site
        .post(&path(&task, "escalate"), &with_token(&task, json!({ "note": "a uniform?" })))
        .await
        .expect(200)
        .json();
    assert_eq!(passed["supervisor_only"], true);
    site.post_as("wang", "/v1/reviews/claim-next", &json!({})).await.expect(204);
    site.post_as("wang", &path(&task, "claim"), &json!({})).await.problem(409, "supervisor_only");
}

#[tokio::test]
async fn claims_are_limited_and_never_shared() {
    let site = Site::start().await;
    for number in 0..5 {
        site.in_review(&format!("SB00{number}")).await;
    }
    let body = json!({});
    let claims = (0..10).map(|_| site.post_as("wang", "/v1/reviews/claim-next", &body));
    let replies = futures::future::join_all(claims).await;
    let taken: BTreeSet<String> =
        replies.iter().filter(|reply| reply.status == 200).map(|reply| reply.text("id")).collect();
    assert_eq!(taken.len(), 3);
    assert_eq!(replies.iter().filter(|reply| reply.status == 409).count(), 7);
    let others: Vec<String> = (0..4).map(|number| format!("reviewer-{number}")).collect();
    let claims = others.iter().map(|name| site.post_as(name, "/v1/reviews/claim-next", &body));
    let replies = futures::future::join_all(claims).await;
    let rest: BTreeSet<String> =
        replies.iter().filter(|reply| reply.status == 200).map(|reply| reply.text("id")).collect();
    assert_eq!(rest.len(), 2);
    assert!(rest.is_disjoint(&taken));
    assert_eq!(replies.iter().filter(|reply| reply.status == 204).count(), 2);
}

#[tokio::test]
async fn a_claim_needs_no_body() {
    let site = Site::start().await;
    let request =
        site.request(axum::http::Method::POST, "/v1/reviews/claim-next").body(axum::body::Body::empty()).unwrap();
    site.send(request).await.expect(204);
    site.post("/v1/reviews/claim-next", &json!({ "authority": "x".repeat(9) })).await.problem(422, "validation_failed");
    site.post_as("%00", "/v1/reviews/claim-next", &json!({})).await.problem(400, "reviewer_invalid");
}

//! `/v1/reviews`: claims, leases and decisions.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::site::Plan;
use crate::support::{Api, BOUND, Database, Site, on_both_databases, sample};

/// Applications that wait for a reviewer.
async fn in_review(site: &Site, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let photo = site.api.upload_photo("camera").await;
        ids.push(site.api.admit(&sample(0).photo("camera", &photo)).await);
    }
    for id in &ids {
        site.api.wait_for_status(id, "in_review").await;
    }
    ids
}

async fn act(api: &Api, task: &Value, action: &str, body: Value) -> crate::support::Answer {
    let mut body = body;
    if body.get("lease_token").is_none() {
        body["lease_token"] = task["lease_token"].clone();
    }
    api.post(&format!("/v1/reviews/{}/{action}", task["id"].as_str().unwrap()), &body).await
}

fn plan(database: Database) -> Plan {
    Site::on(database)
}

on_both_databases! {
    async fn an_approved_photo_is_issued(database) {
        let site = plan(database).start().await;
        let id = in_review(&site, 1).await.remove(0);
        let waiting = site.api.application(&id).await;
        assert_eq!(waiting["stage"], "photo_review");
        assert_eq!(waiting["waiting_for"]["reason"], "review");

        let task = site.api.reviewer("wang").claim_review_of(&id).await;
        for field in ["id", "application_id", "state", "priority", "photo_id", "claimed_by", "lease_expires_at", "lease_token", "checks", "round", "evidence_hash"] {
            assert!(!task[field].is_null(), "`{field}` of {task:#}");
        }
        assert_eq!((task["state"].as_str(), task["claimed_by"].as_str()), (Some("claimed"), Some("wang")));
        assert!(task.get("due_at").is_some() && task.get("authority").is_some(), "{task:#}");
        let body = json!({ "decision": "approve", "reasons": [], "note": "fine", "evidence_hash": task["evidence_hash"] });
        act(&site.api.reviewer("wang"), &task, "decision", body).await.expect(200);
        let done = site.api.wait_until_done(&id, "issued").await;
        assert_eq!(done["outcome"]["code"], "issued");
        assert!(done["licence_id"].is_string());
        let decided = site.api.events(&id).await;
        assert!(decided.iter().any(|event| event["actor"] == json!({ "kind": "reviewer", "id": "wang" })), "{decided:#?}");
        assert_eq!(site.api.get("/v1/reviews?state=decided").await.expect(200).items().len(), 1);
    }

    async fn a_rejected_photo_tells_the_applicant_why(database) {
        let site = plan(database).start().await;
        let id = in_review(&site, 1).await.remove(0);
        site.api.review_reject(&id, &["hat_worn", "eyes_closed"]).await;
        let done = site.api.wait_until_done(&id, "rejected").await;
        assert_eq!(done["outcome"]["code"], "photo_rejected");
        let reasons = done["outcome"]["reasons"].as_array().unwrap();
        let codes: Vec<&str> = reasons.iter().map(|reason| reason["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["hat_worn", "eyes_closed"]);
        assert_eq!(reasons[0]["message_zh"], "请摘下帽子，提交免冠照片");
        assert!(reasons[0]["message"].is_string());
        assert_eq!(site.simulator.accepted("sms").await.len(), 1, "a rejection is told, too");
    }

    async fn a_task_has_one_reviewer_at_a_time(database) {
        let site = plan(database).start().await;
        let id = in_review(&site, 1).await.remove(0);
        let (wang, li) = (site.api.reviewer("wang"), site.api.reviewer("li"));
        let task = wang.claim_review_of(&id).await;
        act(&li, &task, "claim", json!({})).await.problem(409, "already_claimed");
        li.post("/v1/reviews/claim-next", &json!({})).await.expect(204);
        act(&li, &task, "decision", json!({ "lease_token": "made-up", "decision": "approve", "reasons": [] })).await.problem(409, "lease_lost");
        act(&li, &task, "heartbeat", json!({ "lease_token": "made-up" })).await.problem(409, "lease_lost");
        act(&li, &task, "release", json!({ "lease_token": "made-up" })).await.problem(409, "lease_lost");

        let beat = act(&wang, &task, "heartbeat", json!({})).await.expect(200).json();
        assert!(beat["lease_expires_at"].as_str() >= task["lease_expires_at"].as_str());
        act(&wang, &task, "release", json!({ "reason": "lunch" })).await.expect(204);
        act(&wang, &task, "decision", json!({ "decision": "approve", "reasons": [] })).await.problem(409, "lease_lost");
        let next = li.post("/v1/reviews/claim-next", &json!({})).await.expect(200).json();
        assert_eq!(next["application_id"], id.as_str());
    }

    async fn claims_at_the_same_moment_get_different_tasks(database) {
        let site = plan(database).start().await;
        let ids: BTreeSet<String> = in_review(&site, 5).await.into_iter().collect();
        let reviewers: Vec<Api> = (0..10).map(|number| site.api.reviewer(&format!("reviewer-{number}"))).collect();
        let body = json!({});
        let answers = futures::future::join_all(reviewers.iter().map(|reviewer| reviewer.post("/v1/reviews/claim-next", &body))).await;
        let claimed: Vec<String> = answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.text("application_id")).collect();
        assert_eq!(claimed.len(), 5, "{answers:#?}");
        assert_eq!(claimed.into_iter().collect::<BTreeSet<_>>(), ids);
        assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 5, "{answers:#?}");
    }

    async fn what_one_may_not_claim_hides_nothing_from_one(database) {
        let site = plan(database).start().await;
        let wang = site.api.reviewer("wang");
        // More than are looked at in one go, and ahead of everything that comes later.
        for id in in_review(&site, 51).await {
            let task = wang.claim_review_of(&id).await;
            act(&wang, &task, "decision", json!({ "decision": "reject", "reasons": ["unlawful_content"] })).await.expect(200);
        }
        wang.post("/v1/reviews/claim-next", &json!({})).await.expect(204);
        let id = in_review(&site, 1).await.remove(0);
        let next = wang.post("/v1/reviews/claim-next", &json!({})).await.expect(200).json();
        assert_eq!(next["application_id"], id.as_str());
    }

    async fn a_reviewer_may_not_hoard_tasks(database) {
        let site = plan(database).start().await;
        let ids = in_review(&site, 4).await;
        let wang = site.api.reviewer("wang");
        let mut tasks = Vec::new();
        for _ in 0..3 {
            tasks.push(wang.post("/v1/reviews/claim-next", &json!({})).await.expect(200).json());
        }
        wang.post("/v1/reviews/claim-next", &json!({})).await.problem(409, "claim_limit_reached");
        let left = ids.iter().find(|id| tasks.iter().all(|task| task["application_id"] != id.as_str())).unwrap();
        let open = site.api.review_of(left).await;
        act(&wang, &open, "claim", json!({})).await.problem(409, "claim_limit_reached");
        act(&wang, &tasks[0], "decision", json!({ "decision": "approve", "reasons": [] })).await.expect(200);
        wang.post("/v1/reviews/claim-next", &json!({})).await.expect(200);
    }

    async fn an_expired_lease_returns_the_task(database) {
        let site = plan(database).setting("review.lease_seconds", 1).start().await;
        let id = in_review(&site, 1).await.remove(0);
        let late = site.api.reviewer("late").claim_review_of(&id).await;
        let deadline = std::time::Instant::now() + BOUND;
        let taken = loop {
            let answer = site.api.reviewer("quick").post("/v1/reviews/claim-next", &json!({})).await;
            if answer.status == 200 {
                break answer.json();
            }
            assert!(answer.status == 204 && std::time::Instant::now() < deadline, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        assert_eq!(taken["application_id"], id.as_str());
        act(&site.api.reviewer("late"), &late, "decision", json!({ "decision": "approve", "reasons": [] })).await.problem(409, "lease_lost");
        act(&site.api.reviewer("late"), &late, "heartbeat", json!({})).await.problem(409, "lease_lost");
        assert_eq!(site.api.application(&id).await["status"], "in_review");
    }

    async fn a_decision_is_made_once(database) {
        let site = plan(database).start().await;
        let id = in_review(&site, 1).await.remove(0);
        let task = site.api.claim_review_of(&id).await;
        let approve = json!({ "decision": "approve", "reasons": [] });
        act(&site.api, &task, "decision", approve.clone()).await.expect(200);
        act(&site.api, &task, "decision", approve).await.expect(200);
        act(&site.api, &task, "decision", json!({ "decision": "reject", "reasons": ["hat_worn"] })).await.problem(409, "already_decided");
        site.api.wait_until_done(&id, "issued").await;
        act(&site.api, &task, "undo", json!({})).await.problem(409, "already_decided");
        assert_eq!(site.simulator.accepted("sms").await.values().copied().collect::<Vec<_>>(), [1]);
    }

    async fn a_decision_can_be_taken_back_in_its_window(database) {
        let site = plan(database).start().await;
        let id = in_review(&site, 1).await.remove(0);
        let task = site.api.claim_review_of(&id).await;
        act(&site.api, &task, "decision", json!({ "decision": "reject", "reasons": ["hat_worn"], "undo_seconds": 61 })).await.any_problem(422);
        act(&site.api, &task, "decision", json!({ "decision": "reject", "reasons": ["hat_worn"], "undo_seconds": 60 })).await.expect(200);
        assert_eq!(site.api.application(&id).await["status"], "in_review", "nothing happens inside of the window");
        act(&site.api, &task, "undo", json!({})).await.expect(200);
        act(&site.api, &task, "decision", json!({ "decision": "approve", "reasons": [], "undo_seconds": 1 })).await.expect(200);
        site.api.wait_until_done(&id, "issued").await;
        act(&site.api, &task, "undo", json!({})).await.problem(409, "already_decided");
    }
}

#[tokio::test]
async fn decisions_must_make_sense() {
    let site = Site::start().await;
    let id = in_review(&site, 1).await.remove(0);
    let task = site.api.claim_review_of(&id).await;
    for body in [
        json!({ "decision": "reject", "reasons": [] }),
        json!({ "decision": "reject" }),
        json!({ "decision": "approve", "reasons": ["hat_worn"] }),
        json!({ "decision": "reject", "reasons": ["ugly"] }),
        json!({ "decision": "reject", "reasons": ["hat_worn", "ugly"] }),
        json!({ "decision": "perhaps", "reasons": [] }),
        json!({ "decision": "approve", "reasons": [], "extra": true }),
    ] {
        act(&site.api, &task, "decision", body).await.any_problem(422);
    }
    let stale = json!({ "decision": "approve", "reasons": [], "evidence_hash": "00".repeat(32) });
    act(&site.api, &task, "decision", stale).await.problem(409, "stale_evidence");
    assert_eq!(site.api.application(&id).await["status"], "in_review");
    act(&site.api, &task, "decision", json!({ "decision": "approve", "reasons": [] })).await.expect(200);
}

#[tokio::test]
async fn unknown_tasks_are_not_found() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let task = json!({ "id": uuid::Uuid::now_v7().to_string(), "lease_token": uuid::Uuid::new_v4().to_string() });
    for (action, body) in [
        ("claim", json!({ "lease_token": null })),
        ("heartbeat", json!({})),
        ("release", json!({})),
        ("decision", json!({ "decision": "approve", "reasons": [] })),
        ("escalate", json!({ "note": "?" })),
        ("undo", json!({})),
    ] {
        let answer = if action == "claim" {
            site.api.post(&format!("/v1/reviews/{}/claim", task["id"].as_str().unwrap()), &json!({})).await
        } else {
            act(&site.api, &task, action, body).await
        };
        answer.any_problem(404);
    }
}

#[tokio::test]
async fn a_hard_case_goes_to_a_supervisor() {
    let site = Site::start().await;
    let id = in_review(&site, 1).await.remove(0);
    let wang = site.api.reviewer("wang");
    let task = wang.claim_review_of(&id).await;
    act(&wang, &task, "escalate", json!({})).await.any_problem(422);
    act(&wang, &task, "escalate", json!({ "note": "is this a uniform?" })).await.expect(200);
    act(&wang, &task, "decision", json!({ "decision": "approve", "reasons": [] })).await.any_problem(409);
    assert_eq!(site.api.application(&id).await["status"], "in_review");
}

#[tokio::test]
async fn the_list_can_be_filtered_by_state_and_authority() {
    let site = Site::start().await;
    let ids = in_review(&site, 2).await;
    site.api.claim_review_of(&ids[0]).await;
    let count = async |query: &str| site.api.get(&format!("/v1/reviews?{query}")).await.expect(200).items().len();
    assert_eq!(count("state=open").await, 1);
    assert_eq!(count("state=claimed").await, 1);
    assert_eq!(count("state=decided").await, 0);
    // The simulator's licences are issued by 蒙C.
    assert_eq!(count("authority=%E8%92%99C").await, 2);
    assert_eq!(count("authority=%E4%BA%ACA").await, 0);
    site.api.post("/v1/reviews/claim-next", &json!({ "authority": "京A" })).await.expect(204);
    site.api.post("/v1/reviews/claim-next", &json!({ "authority": "蒙C" })).await.expect(200);
    let answer = site.api.get("/v1/reviews?state=lost").await;
    assert!(matches!(answer.status, 400 | 422), "{answer:?}");
}

#[tokio::test]
async fn the_limit_of_claims_holds_over_processes() {
    let site = plan(Database::postgres().await).start().await;
    let mut other = site.spawn("api");
    let wang = [site.api.reviewer("wang"), site.api.at(&other.listening().await).reviewer("wang")];
    in_review(&site, 8).await;
    let body = json!({});
    let claims = (0..8).map(|number| wang[number % 2].post("/v1/reviews/claim-next", &body));
    let answers = futures::future::join_all(claims).await;
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((with(200), with(409)), (3, 5), "{answers:#?}");
    assert_eq!(site.api.get("/v1/reviews?claimed_by=wang").await.expect(200).items().len(), 3);
}

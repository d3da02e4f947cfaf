//! Every answer of the face verification, end to end.

use serde_json::json;

use crate::support::{BOUND, Database, Site, on_both_databases, sample};

on_both_databases! {
    async fn every_answer_of_the_face_verification_has_its_outcome(database) {
        let site = Site::on(database).start().await;
        let mut submitted = Vec::new();
        for (token, status, code) in [
            ("ft-ok-1", "issued", "issued"),
            ("something-else", "issued", "issued"),
            ("ft-fail-1", "rejected", "face_not_verified"),
            ("ft-pending-2-a", "issued", "issued"),
            ("ft-flaky-2-a", "issued", "issued"),
        ] {
            submitted.push((token, status, code, site.api.admit(&sample(0).face_token(token)).await));
        }
        for (token, status, code, id) in submitted {
            let done = site.api.wait_until(&id, BOUND, |application| application["completed_at"].is_string()).await;
            assert_eq!((done["status"].as_str(), done["outcome"]["code"].as_str()), (Some(status), Some(code)), "{token}: {done:#}");
            assert_eq!(done["due_at"].is_null() && done.get("due_problem").is_none_or(serde_json::Value::is_null), code != "issued", "{token}: {done:#}");
        }
    }

    async fn an_unclear_face_goes_to_the_counter(database) {
        let site = Site::on(database).start().await;
        let (accepted, rejected) = (site.api.admit(&sample(0).face_token("ft-manual")).await, site.api.admit(&sample(0).face_token("ft-manual")).await);
        for id in [&accepted, &rejected] {
            site.api.wait_for_status(id, "stalled").await;
        }
        let listed = site.api.get("/v1/ops/stalled?error_code=face_manual&stage=face_verification").await.expect(200).items();
        assert_eq!(listed.len(), 2, "{listed:#?}");

        site.api.post(&format!("/v1/ops/stalled/{accepted}/accept"), &json!({ "reason": "" })).await.any_problem(422);
        site.api.post(&format!("/v1/ops/stalled/{accepted}/accept"), &json!({ "reason": "identity card seen at the counter" })).await.expect(200);
        let done = site.api.wait_until_done(&accepted, "issued").await;
        assert!(done["due_at"].is_string() || done["due_problem"].is_string(), "{done:#}");
        site.api.post(&format!("/v1/ops/stalled/{rejected}/reject"), &json!({ "reason": "another person" })).await.expect(200);
        assert_eq!(site.api.wait_until_done(&rejected, "rejected").await["outcome"]["code"], "face_not_verified");
    }
}

#[tokio::test]
async fn a_face_service_that_is_down_stalls() {
    let site = Site::on(Database::sqlite()).setting("workflow.retry_scale", "0.0001").start().await;
    let id = site.api.admit(&sample(0).face_token("ft-503")).await;
    let stalled = site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == "stalled").await;
    assert_eq!(stalled["stage"], "face_verification");
    assert_eq!(stalled["due_at"], json!(null));
}

#[tokio::test]
async fn who_is_blocked_today_waits() {
    let site = Site::start().await;
    let id = site.api.admit(&sample(0).face_token("ft-blocked")).await;
    let waiting = site.api.wait_until(&id, BOUND, |application| application["waiting_for"]["until"].is_string()).await;
    assert_eq!(
        (waiting["status"].as_str(), waiting["stage"].as_str()),
        (Some("in_progress"), Some("face_verification")),
        "{waiting:#}"
    );
    assert_eq!(site.simulator.log("face").await.len(), 1, "it is not asked again and again");
}

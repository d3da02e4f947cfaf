//! `POST /v1/applications/{id}/cancel`.

use serde_json::json;

use crate::support::{Site, on_both_databases, sample};

on_both_databases! {
    async fn an_undecided_application_can_be_withdrawn(database) {
        let site = Site::on(database).start().await;
        let photo = site.api.upload_photo("camera").await;
        let sample = sample(0).photo("camera", &photo);
        let id = site.api.admit(&sample).await;
        let task = site.api.claim_review_of(&id).await;

        let cancelled = site.api.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "applicant asked" })).await.expect(200).json();
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(cancelled["outcome"]["code"], "cancelled_by_upstream");
        assert!(cancelled["decided_at"].is_string());

        // The reviewer who had claimed it can no longer decide.
        let late = site.api.decide(&task, "approve", &[]).await;
        assert!(matches!(late.status, 404 | 409), "{late:?}");
        assert_eq!(site.api.application(&id).await["status"], "cancelled");
        for state in ["open", "claimed"] {
            assert!(site.api.get(&format!("/v1/reviews?state={state}")).await.expect(200).items().is_empty());
        }
        // The holder may apply again.
        site.api.admit(&sample.again()).await;
    }

    async fn a_decided_application_stays_decided(database) {
        let site = Site::on(database).start().await;
        let (issued, rejected) = (site.api.admit(&sample(0)).await, site.api.admit(&sample(901)).await);
        site.api.wait_for_status(&issued, "issued").await;
        site.api.wait_for_status(&rejected, "rejected").await;
        for id in [&issued, &rejected] {
            site.api.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "too late" })).await.problem(409, "already_decided");
        }
    }

    async fn a_waiting_application_can_be_withdrawn(database) {
        let site = Site::on(database).start().await;
        let id = site.api.admit(&sample(0).face_token("ft-pending-1000")).await;
        site.api.wait_until(&id, crate::support::BOUND, |application| application["waiting_for"]["reason"] == "face_pending").await;
        site.api.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "gave up" })).await.expect(200);
        let application = site.api.application(&id).await;
        assert_eq!(application["status"], "cancelled");
        assert_eq!(application["waiting_for"], json!(null));
    }
}

#[tokio::test]
async fn a_reason_is_required() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let id = site.api.admit(&sample(0)).await;
    let path = format!("/v1/applications/{id}/cancel");
    for body in [json!({}), json!({ "reason": "" }), json!({ "reason": 1 }), json!({ "reason": "x", "extra": 1 })] {
        site.api.post(&path, &body).await.any_problem(422);
    }
    assert_eq!(site.api.application(&id).await["status"], "in_progress");
    site.api
        .post(&format!("/v1/applications/{}/cancel", uuid::Uuid::now_v7()), &json!({ "reason": "x" }))
        .await
        .any_problem(404);
}

#[tokio::test]
async fn cancelling_while_it_runs_leaves_one_outcome() {
    let site = Site::start().await;
    for _ in 0..10 {
        let id = site.api.admit(&sample(0)).await;
        let answer = site.api.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "race" })).await;
        let expected = match answer.status {
            200 => "cancelled",
            409 => "issued",
            _ => panic!("{answer:?}"),
        };
        site.api.wait_for_status(&id, expected).await;
    }
}

//! `Idempotency-Key`: asking twice never makes two applications.

use serde_json::{Value, json};

use crate::support::{Site, fresh_key, on_both_databases, sample};

on_both_databases! {
    async fn the_same_request_again_gives_the_same_application(database) {
        let site = Site::on(database).start().await;
        let (sample, key) = (sample(0), fresh_key());
        let first = site.api.submit_with_key(&sample.body, &key).await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), None);
        site.api.wait_until_done(&first.text("id"), "issued").await;

        let second = site.api.submit_with_key(&sample.body, &key).await.expect(200);
        assert_eq!(second.header("idempotency-replayed"), Some("true"));
        assert_eq!(second.text("id"), first.text("id"));
        assert_eq!(site.api.get("/v1/applications").await.expect(200).items().len(), 1);
    }

    async fn thirty_two_identical_requests_at_once_make_one_application(database) {
        let site = Site::on(database).roles("api").start().await;
        let (sample, key) = (sample(0), fresh_key());
        let answers = futures::future::join_all((0..32).map(|_| site.api.submit_with_key(&sample.body, &key))).await;

        let ids: std::collections::BTreeSet<String> = answers.iter().map(|answer| answer.text("id")).collect();
        assert_eq!(ids.len(), 1, "{answers:#?}");
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:#?}");
        assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 31, "{answers:#?}");
        for answer in answers.iter().filter(|answer| answer.status == 200) {
            assert_eq!(answer.header("idempotency-replayed"), Some("true"));
        }
        assert_eq!(site.api.get("/v1/applications").await.expect(200).items().len(), 1);
        let accepted: Vec<Value> = site.api.events(ids.first().unwrap()).await;
        assert_eq!(accepted.iter().filter(|event| event["actor"]["kind"] == "upstream").count(), 1, "{accepted:#?}");
    }

    async fn a_used_key_with_another_body_is_refused(database) {
        let site = Site::on(database).roles("api").start().await;
        let key = fresh_key();
        site.api.submit_with_key(&sample(0).body, &key).await.expect(201);
        site.api.submit_with_key(&sample(0).body, &key).await.problem(422, "idempotency_key_reused");
    }

    async fn a_refused_request_does_not_use_up_its_key(database) {
        let site = Site::on(database).roles("api").start().await;
        let (sample, key) = (sample(0), fresh_key());
        site.api.submit_with_key(&sample.clone().mobile("1").body, &key).await.expect(422);
        site.api.submit_with_key(&sample.body, &key).await.expect(201);

        // 409 is a refusal too: once the first application is out of the way, the key works.
        let second = fresh_key();
        site.api.submit_with_key(&sample.body, &second).await.problem(409, "application_in_progress");
        let first = site.api.submit_with_key(&sample.body, &key).await.expect(200).text("id");
        site.api.post(&format!("/v1/applications/{first}/cancel"), &json!({ "reason": "withdrawn" })).await.expect(200);
        site.api.submit_with_key(&sample.body, &second).await.expect(201);
    }

    async fn two_owners_may_use_the_same_key(database) {
        let site = Site::on(database).roles("api").start().await;
        let other = site.key_of("other", "applications:write,applications:read").await;
        let key = fresh_key();
        let mine = site.api.submit_with_key(&sample(0).body, &key).await.expect(201).text("id");
        let theirs = other.submit_with_key(&sample(0).body, &key).await.expect(201).text("id");
        assert_ne!(mine, theirs);
    }
}

#[tokio::test]
async fn the_key_is_required_and_must_be_visible_ascii() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let body = sample(0).body;
    site.api.post("/v1/applications", &body).await.problem(400, "idempotency_key_missing");
    for bad in ["", "a b", &"k".repeat(256), "ключ"] {
        let answer = site.api.submit_with_key(&body, bad).await;
        assert!(matches!(answer.status, 400 | 422), "key `{bad}`: {answer:?}");
    }
    site.api.submit_with_key(&body, &"k".repeat(255)).await.expect(201);
}

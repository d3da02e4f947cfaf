//! First issue, reissue and photo change.

use chrono::{DateTime, FixedOffset, NaiveTime};
use serde_json::{Value, json};

use crate::support::{Database, Sample, Site, on_both_databases, sample};

async fn issue(site: &Site, sample: &Sample) -> Value {
    let id = site.api.admit(sample).await;
    site.api.wait_until_done(&id, "issued").await
}

async fn photo_change(site: &Site, sample: &Sample) -> String {
    let photo = site.api.upload_photo("album").await;
    site.api.admit(&sample.again().kind("photo_change").photo("album", &photo)).await
}

/// 17:00 in Shanghai on a later day than the face verification, or a calendar that has no data.
fn assert_promise(application: &Value) {
    if application["due_at"].is_null() {
        assert_eq!(application["due_problem"], "calendar_missing", "{application:#}");
        return;
    }
    let shanghai = FixedOffset::east_opt(8 * 3600).unwrap();
    let due = DateTime::parse_from_rfc3339(application["due_at"].as_str().unwrap()).unwrap().with_timezone(&shanghai);
    let submitted =
        DateTime::parse_from_rfc3339(application["submitted_at"].as_str().unwrap()).unwrap().with_timezone(&shanghai);
    assert_eq!(due.time(), NaiveTime::from_hms_opt(17, 0, 0).unwrap(), "{application:#}");
    assert!(due.date_naive() > submitted.date_naive(), "{application:#}");
}

on_both_databases! {
    async fn a_first_issue_with_the_retained_photo_needs_no_person(database) {
        let site = Site::on(database).start().await;
        let application = issue(&site, &sample(0)).await;
        assert_eq!((application["stage"].as_str(), application["outcome"]["code"].as_str()), (Some("done"), Some("issued")));
        assert_eq!(application["waiting_for"], Value::Null);
        assert!(application["decided_at"].is_string() && application["licence_id"].is_string());
        assert_promise(&application);
        for notice in application["notifications"].as_array().unwrap() {
            assert_eq!((notice["state"].as_str(), notice["attempts"].as_u64()), (Some("sent"), Some(1)), "{application:#}");
        }
        for message in ["message", "message_zh"] {
            assert!(application["outcome"][message].is_string(), "{application:#}");
        }
        let id = application["id"].as_str().unwrap();
        for provider in ["sms", "push"] {
            let accepted = site.simulator.accepted(provider).await;
            assert_eq!(accepted.len(), 1, "{accepted:#?}");
            assert!(accepted.iter().all(|(reference, count)| reference.starts_with(&format!("{id}:")) && *count == 1), "{accepted:#?}");
        }
        assert!(site.api.get("/v1/reviews").await.expect(200).items().is_empty());
    }

    async fn a_reissue_follows_a_change_of_the_licence(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let first = issue(&site, &sample).await;
        let unchanged = site.api.admit(&sample.again().kind("reissue").photo_source("previous")).await;
        assert_eq!(site.api.wait_until_done(&unchanged, "rejected").await["outcome"]["code"], "unchanged");

        site.simulator.override_registry(sample.document_number(), json!({ "classes": "C1D" })).await;
        let second = issue(&site, &sample.again().kind("reissue").photo_source("previous")).await;
        assert!(second["workflow"].as_str().unwrap().starts_with("reissue@"));
        let (old, new) = (first["licence_id"].as_str().unwrap(), second["licence_id"].as_str().unwrap());
        assert_ne!(old, new);
        let old = site.api.get(&format!("/v1/licences/{old}")).await.expect(200).json();
        let new = site.api.get(&format!("/v1/licences/{new}")).await.expect(200).json();
        assert_eq!((old["state"].as_str(), new["state"].as_str()), (Some("superseded"), Some("current")));
        assert_eq!((old["display"]["mode"].as_str(), &new["supersedes"]), (Some("hidden"), &old["id"]));
        assert!(new["classes"].to_string().contains('D'), "{new:#}");
        let query = json!({ "document_type": "A", "document_number": sample.document_number() });
        assert_eq!(site.api.post("/v1/licences/query", &query).await.expect(200).json()["id"], new["id"]);
    }

    async fn a_photo_changes_at_most_once_in_six_months(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let early = photo_change(&site, &sample).await;
        assert_eq!(site.api.wait_until_done(&early, "rejected").await["outcome"]["code"], "not_issued");

        let first = issue(&site, &sample).await;
        // A change that a reviewer rejects does not start the six months, and neither does one that was withdrawn.
        let rejected = photo_change(&site, &sample).await;
        site.api.review_reject(&rejected, &["hat_worn"]).await;
        site.api.wait_until_done(&rejected, "rejected").await;
        let withdrawn = photo_change(&site, &sample).await;
        site.api.post(&format!("/v1/applications/{withdrawn}/cancel"), &json!({ "reason": "another photo" })).await.expect(200);

        let changed = photo_change(&site, &sample).await;
        site.api.review_approve(&changed).await;
        let changed = site.api.wait_until_done(&changed, "issued").await;
        assert!(changed["workflow"].as_str().unwrap().starts_with("photo_change@"));
        let [old, new] = [&first, &changed].map(|application| format!("/v1/licences/{}", application["licence_id"].as_str().unwrap()));
        let (old, new) = (site.api.get(&old).await.expect(200).json(), site.api.get(&new).await.expect(200).json());
        assert_eq!((old["state"].as_str(), new["state"].as_str()), (Some("superseded"), Some("current")));
        assert_eq!(new["supersedes"], old["id"]);

        let again = photo_change(&site, &sample).await;
        assert_eq!(site.api.wait_until_done(&again, "rejected").await["outcome"]["code"], "photo_change_too_soon");
        // A first issue is no way around it.
        let photo = site.api.upload_photo("camera").await;
        for around in [sample.again().photo("camera", &photo), sample.again()] {
            let around = site.api.admit(&around).await;
            assert_eq!(site.api.wait_until_done(&around, "rejected").await["outcome"]["code"], "unchanged");
        }
        // Once the licence data changed it is a reissue, whose photo is no change of the photo.
        site.simulator.override_registry(sample.document_number(), json!({ "classes": "C1D" })).await;
        let anew = site.api.admit(&sample.again().photo("camera", &photo)).await;
        site.api.review_approve(&anew).await;
        let anew = site.api.wait_until_done(&anew, "issued").await;
        let anew = site.api.get(&format!("/v1/licences/{}", anew["licence_id"].as_str().unwrap())).await.expect(200).json();
        assert_eq!((anew["state"].as_str(), &anew["supersedes"]), (Some("current"), &new["id"]));
    }

    async fn an_application_under_way_does_not_undo_a_termination(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let terminate = |licence: Value| {
            let path = format!("/v1/ops/licences/{}/terminate", licence["licence_id"].as_str().unwrap());
            let api = &site.api;
            async move { api.post(&path, &json!({ "reason": "a forged photo" })).await.expect(200) }
        };
        let first = issue(&site, &sample).await;
        let change = photo_change(&site, &sample).await;
        site.api.wait_for_status(&change, "in_review").await;
        terminate(first).await;
        site.api.review_approve(&change).await;
        assert_eq!(site.api.wait_until_done(&change, "rejected").await["outcome"]["code"], "not_issued");

        // An application that was made after the end is a new beginning; one from before it ends with it.
        let second = issue(&site, &sample.again()).await;
        site.simulator.override_registry(sample.document_number(), json!({ "classes": "C1D" })).await;
        let photo = site.api.upload_photo("camera").await;
        let reissue = site.api.admit(&sample.again().kind("reissue").photo("camera", &photo)).await;
        site.api.wait_for_status(&reissue, "in_review").await;
        terminate(second).await;
        site.api.review_approve(&reissue).await;
        assert_eq!(site.api.wait_until_done(&reissue, "rejected").await["outcome"]["code"], "rejected_by_operator");
        let query = json!({ "document_type": "A", "document_number": sample.document_number() });
        assert_eq!(site.api.post("/v1/licences/query", &query).await.expect(200).json()["state"], "terminated");
    }
}

#[tokio::test]
async fn a_new_photo_always_meets_a_person() {
    let site = Site::start().await;
    for source in ["camera", "album"] {
        let photo = site.api.upload_photo(source).await;
        let id = site.api.admit(&sample(0).photo(source, &photo)).await;
        let waiting = site.api.wait_for_status(&id, "in_review").await;
        assert_eq!(waiting["photo"], json!({ "source": source, "photo_id": photo }));
        assert_promise(&waiting);
        site.api.review_approve(&id).await;
        site.api.wait_until_done(&id, "issued").await;
    }
}

#[tokio::test]
async fn the_promise_starts_when_the_face_is_verified() {
    let site = Site::on(Database::sqlite()).setting("face.pending_poll_seconds", 1).start().await;
    let id = site.api.admit(&sample(0).face_token("ft-pending-2")).await;
    let waiting =
        site.api.wait_until(&id, crate::support::BOUND, |now| now["waiting_for"]["reason"] == "face_pending").await;
    assert_eq!((waiting["due_at"].clone(), waiting["stage"].as_str()), (Value::Null, Some("face_verification")));
    assert!(waiting["waiting_for"]["until"].is_string(), "{waiting:#}");
    assert_promise(&site.api.wait_until_done(&id, "issued").await);
}

#[tokio::test]
async fn a_licence_that_was_suspended_meanwhile_is_not_issued() {
    let site = Site::start().await;
    let photo = site.api.upload_photo("camera").await;
    let sample = sample(0).photo("camera", &photo);
    let id = site.api.admit(&sample).await;
    let task = site.api.claim_review_of(&id).await;
    site.simulator.override_registry(sample.document_number(), json!({ "status": "D" })).await;
    site.api.decide(&task, "approve", &[]).await.expect(200);
    assert_eq!(site.api.wait_until_done(&id, "rejected").await["outcome"]["code"], "status_not_eligible");
}

#[tokio::test]
async fn restarts_in_between_change_nothing() {
    let mut site = Site::start().await;
    let photo = site.api.upload_photo("camera").await;
    let id = site.api.admit(&sample(0).photo("camera", &photo)).await;
    site.api.wait_for_status(&id, "in_review").await;
    assert!(site.server.terminate().await.success(), "a stop is no failure");
    site.restart().await;
    site.api.review_approve(&id).await;
    site.restart().await;
    site.api.wait_until_done(&id, "issued").await;
    assert_eq!(site.simulator.accepted("sms").await.values().copied().collect::<Vec<_>>(), [1]);
    site.greenlane(&["audit", "verify"]).await.expect(0);
}

//! `/v1/licences` and `/v1/presentations`: showing a licence, and checking one that is shown.

use serde_json::{Value, json};

use crate::support::{BOUND, Sample, Site, on_both_databases, sample};

async fn issue(site: &Site, sample: &Sample) -> String {
    let id = site.api.admit(sample).await;
    let application = site.api.wait_for_status(&id, "issued").await;
    application["licence_id"].as_str().unwrap().to_owned()
}

async fn verify(site: &Site, token: &str) -> Value {
    let body = json!({ "token": token, "purpose": "road_check" });
    site.api.post("/v1/presentations/verify", &body).await.expect(200).json()
}

async fn present(site: &Site, licence: &str) -> String {
    site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).text("token")
}

/// Tells the registry a new status and waits until the licence shows it.
async fn set_status(site: &Site, sample: &Sample, licence: &str, status: &str, mode: &str) -> Value {
    site.simulator.override_registry(sample.document_number(), json!({ "status": status })).await;
    let deadline = std::time::Instant::now() + BOUND;
    loop {
        let shown = site.api.get(&format!("/v1/licences/{licence}")).await.expect(200).json();
        if shown["display"]["mode"] == mode {
            return shown;
        }
        assert!(std::time::Instant::now() < deadline, "status {status} shows as `{mode}`: {shown:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

on_both_databases! {
    async fn an_issued_licence_can_be_shown_and_checked_once(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let licence = issue(&site, &sample).await;
        let shown = site.api.get(&format!("/v1/licences/{licence}")).await.expect(200).json();
        assert_eq!(shown["state"], "current");
        assert!(shown["classes"].to_string().contains("C1"), "{shown:#}");
        assert_eq!((shown["valid_from"].as_str(), shown["valid_until"].as_str()), (Some("2021-06-01"), Some("2027-06-01")));
        assert_eq!(shown["issuing_authority"], "蒙C");
        assert_eq!(shown["display"]["mode"], "valid");
        let query = json!({ "document_type": "A", "document_number": sample.document_number() });
        let found = site.api.post("/v1/licences/query", &query).await.expect(200).json();
        assert_eq!(found["id"], licence.as_str());

        let presented = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).json();
        assert!(presented["qr_svg"].as_str().unwrap().contains("<svg"));
        let token = presented["token"].as_str().unwrap();
        let checked = verify(&site, token).await;
        assert_eq!((checked["valid"].as_bool(), &checked["reason"]), (Some(true), &Value::Null), "{checked:#}");
        let replayed = verify(&site, token).await;
        assert_eq!((replayed["valid"].as_bool(), replayed["reason"].as_str()), (Some(false), Some("replayed")), "{replayed:#}");
        for forged in ["", "nonsense", &format!("{token}x"), &token.replace(char::is_numeric, "0")] {
            let answer = verify(&site, forged).await;
            assert_eq!((answer["valid"].as_bool(), answer["reason"].as_str()), (Some(false), Some("forged")), "{answer:#}");
        }
    }

    async fn a_token_expires(database) {
        let site = Site::on(database).setting("licence.presentation_seconds", 1).start().await;
        let licence = issue(&site, &sample(0)).await;
        let presented = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).json();
        let expires = chrono::DateTime::parse_from_rfc3339(presented["expires_at"].as_str().unwrap()).unwrap();
        while chrono::Utc::now() <= expires + chrono::Duration::milliseconds(50) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let answer = verify(&site, presented["token"].as_str().unwrap()).await;
        assert_eq!((answer["valid"].as_bool(), answer["reason"].as_str()), (Some(false), Some("expired")), "{answer:#}");
    }
}

#[tokio::test]
async fn the_display_follows_the_registry() {
    let site = Site::on(crate::support::Database::sqlite()).setting("licence.status_cache_seconds", 0).start().await;
    let sample = sample(0);
    let licence = issue(&site, &sample).await;
    let card = |format: &str| format!("/v1/licences/{licence}/card.{format}");
    let presentations = format!("/v1/licences/{licence}/presentations");

    for format in ["svg", "png"] {
        let picture = site.api.get(&card(format)).await.expect(200);
        assert!(picture.header("content-type").unwrap().starts_with("image/"), "{picture:?}");
        assert!(picture.header("cache-control").unwrap().contains("no-store"), "a live picture: {picture:?}");
    }
    for (status, mode, reason) in
        [("HI", "valid", None), ("S", "abnormal", Some("status_abnormal")), ("U", "abnormal", Some("status_abnormal"))]
    {
        set_status(&site, &sample, &licence, status, mode).await;
        site.api.get(&card("svg")).await.expect(200);
        let checked = verify(&site, &present(&site, &licence).await).await;
        assert_eq!(
            (checked["valid"].as_bool(), checked["reason"].as_str()),
            (Some(reason.is_none()), reason),
            "{checked:#}"
        );
    }
    let early = {
        set_status(&site, &sample, &licence, "A", "valid").await;
        present(&site, &licence).await
    };
    for (status, mode) in [("L", "invalid"), ("J", "invalid"), ("", "invalid"), ("E", "hidden"), ("SG", "hidden")] {
        set_status(&site, &sample, &licence, status, mode).await;
        site.api.get(&card("svg")).await.any_problem(409);
        site.api.post(&presentations, &json!({})).await.problem(409, "not_presentable");
    }
    let shown = set_status(&site, &sample, &licence, "L", "invalid").await;
    assert_eq!(
        shown["display"]["message_zh"],
        "您的驾驶证状态异常，驾驶证电子版无效，请联系驾驶证发证地公安交管部门。"
    );
    let late = verify(&site, &early).await;
    assert_eq!((late["valid"].as_bool(), late["reason"].as_str()), (Some(false), Some("status_invalid")), "{late:#}");
}

#[tokio::test]
async fn without_the_registry_nothing_is_vouched_for() {
    let site = Site::on(crate::support::Database::sqlite())
        .setting("licence.status_cache_seconds", 0)
        .setting("providers.timeout_seconds", 1)
        .start()
        .await;
    let licence = issue(&site, &sample(0)).await;
    let token = present(&site, &licence).await;
    site.simulator.fault("registry", json!({ "error_rate": 1.0, "seed": 1 })).await;
    let checked = verify(&site, &token).await;
    assert_eq!(
        (checked["valid"].as_bool(), checked["reason"].as_str()),
        (Some(false), Some("registry_unavailable")),
        "{checked:#}"
    );
    site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.problem(409, "not_presentable");
}

#[tokio::test]
async fn unknown_licences_and_purposes_are_refused() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let unknown = uuid::Uuid::now_v7();
    site.api.get(&format!("/v1/licences/{unknown}")).await.any_problem(404);
    site.api.get(&format!("/v1/licences/{unknown}/card.svg")).await.any_problem(404);
    site.api.get(&format!("/v1/licences/{unknown}/card.png")).await.any_problem(404);
    site.api.post(&format!("/v1/licences/{unknown}/presentations"), &json!({})).await.any_problem(404);
    let query = json!({ "document_type": "A", "document_number": sample(0).document_number() });
    site.api.post("/v1/licences/query", &query).await.any_problem(404);
    site.api.post("/v1/presentations/verify", &json!({ "token": "x", "purpose": "curiosity" })).await.any_problem(422);
    site.api.post("/v1/presentations/verify", &json!({ "token": "x" })).await.any_problem(422);
}

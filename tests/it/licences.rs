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
        let other = site.key_of("other", "licences:present").await;
        other.get(&format!("/v1/licences/{licence}")).await.any_problem(404);
        other.get(&format!("/v1/licences/{licence}/verifications")).await.any_problem(404);
        other.post("/v1/licences/query", &query).await.any_problem(404);
        other.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.any_problem(404);

        let presented = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).json();
        assert!(presented["qr_svg"].as_str().unwrap().contains("<svg"));
        let token = presented["token"].as_str().unwrap();
        let checked = verify(&site, token).await;
        assert_eq!((checked["valid"].as_bool(), &checked["reason"]), (Some(true), &Value::Null), "{checked:#}");
        let replayed = verify(&site, token).await;
        assert_eq!((replayed["valid"].as_bool(), replayed["reason"].as_str()), (Some(false), Some("replayed")), "{replayed:#}");
        assert_eq!(checked["licence"]["document_number"].as_str().unwrap().matches('*').count(), 10, "{checked:#}");
        assert_eq!((&replayed["licence"], checked["licence"]["id"].as_str()), (&Value::Null, Some(licence.as_str())));
        for forged in ["", "nonsense", &format!("{token}x"), &token.replace(char::is_numeric, "0")] {
            let answer = verify(&site, forged).await;
            assert_eq!((answer["valid"].as_bool(), answer["reason"].as_str()), (Some(false), Some("forged")), "{answer:#}");
        }

        // Its holder sees who checked it, and the audit log does.
        let checks = site.api.get(&format!("/v1/licences/{licence}/verifications")).await.expect(200).items();
        let told: Vec<_> = checks.iter().map(|check| (check["verifier"].as_str(), check["purpose"].as_str(), check["reason"].as_str())).collect();
        assert_eq!(told, [(Some("upstream"), Some("road_check"), Some("replayed")), (Some("upstream"), Some("road_check"), None)]);
        let id = shown["application_id"].as_str().unwrap();
        let events = site.api.get(&format!("/v1/applications/{id}/events")).await.expect(200).items();
        let checks: Vec<_> = events.iter().filter(|event| event["type"] == "licence_verified").map(|event| event["data"]["valid"].clone()).collect();
        assert_eq!(checks, [json!(true), json!(false)]);
        site.greenlane(&["audit", "verify"]).await.expect(0);
    }

    async fn a_code_is_good_for_one_of_many_verifiers(database) {
        let site = Site::on(database).start().await;
        let token = present(&site, &issue(&site, &sample(0)).await).await;
        let checks = futures::future::join_all((0..8).map(|_| verify(&site, &token))).await;
        let valid = checks.iter().filter(|check| check["valid"] == true).count();
        let replayed = checks.iter().filter(|check| check["reason"] == "replayed").count();
        assert_eq!((valid, replayed), (1, 7), "{checks:#?}");
    }

    async fn a_terminated_licence_is_shown_to_nobody(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let licence = issue(&site, &sample).await;
        let token = present(&site, &licence).await;
        let terminate = format!("/v1/ops/licences/{licence}/terminate");
        site.api.post(&terminate, &json!({ "reason": " " })).await.field_error("/reason");
        let shown = site.api.post(&terminate, &json!({ "reason": "a forged photo" })).await.expect(200).json();
        assert_eq!((shown["state"].as_str(), shown["display"]["mode"].as_str()), (Some("terminated"), Some("hidden")));
        site.api.post(&terminate, &json!({ "reason": "again" })).await.problem(409, "licence_not_current");
        site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.problem(409, "not_presentable");
        let checked = verify(&site, &token).await;
        assert_eq!((checked["valid"].as_bool(), checked["reason"].as_str()), (Some(false), Some("terminated")), "{checked:#}");
        let query = json!({ "document_type": "A", "document_number": sample.document_number() });
        assert_eq!(site.api.post("/v1/licences/query", &query).await.expect(200).json()["state"], "terminated");
        let id = shown["application_id"].as_str().unwrap();
        let events = site.api.get(&format!("/v1/applications/{id}/events")).await.expect(200).items();
        let event = events.iter().find(|event| event["type"] == "licence_terminated").unwrap();
        assert_eq!((event["actor"]["kind"].as_str(), event["data"]["reason"].as_str()), (Some("operator"), Some("a forged photo")));
        // The holder may apply again.
        assert_ne!(issue(&site, &sample.again()).await, licence);
    }

    async fn the_sweep_learns_of_changes_and_the_holder_is_told_once(database) {
        let site = Site::on(database).setting("licence.sweep_every_seconds", 1).setting("licence.sweep_per_second", 50).start().await;
        let sample = sample(0);
        let id = site.api.admit(&sample).await;
        let licence = site.api.wait_until_done(&id, "issued").await["licence_id"].as_str().unwrap().to_owned();
        let changes = || async {
            let events = site.api.get(&format!("/v1/applications/{id}/events?limit=200")).await.expect(200).items();
            events.into_iter().filter(|event| event["type"] == "licence_status_changed").map(|event| event["data"].clone()).collect::<Vec<_>>()
        };
        let told = || async { site.simulator.accepted("sms").await.get(&format!("{id}:reapply")).copied().unwrap_or_default() };
        let deadline = std::time::Instant::now() + BOUND;
        for (number, fields) in [json!({ "status": "S" }), json!({ "classes": "C1D" }), json!({ "classes": "A2" }), json!({ "status": "A" })].iter().enumerate() {
            let mut all = json!({ "status": "S", "classes": "C1" });
            if number > 0 {
                all["classes"] = json!("C1D");
            }
            all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            site.simulator.override_registry(sample.document_number(), all).await;
            // A change of classes after the first is no news: a reissue is needed anyway.
            let wanted = match number { 0 => 1, 1 | 2 => 2, _ => 3 };
            while changes().await.len() < wanted {
                assert!(std::time::Instant::now() < deadline, "{number}: {:#?}", changes().await);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        while told().await == 0 {
            assert!(std::time::Instant::now() < deadline, "the holder is not told");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let noted = changes().await;
        assert_eq!((noted[0]["from"].as_str(), noted[0]["to"].as_str(), noted[0]["reissue_needed"].as_bool()), (Some("A"), Some("S"), Some(false)));
        assert_eq!(noted[1]["reissue_needed"], true);
        assert_eq!((noted.len(), told().await), (3, 1), "{noted:#?}");
        assert_eq!(site.simulator.accepted("push").await.get(&format!("{id}:reapply")), Some(&1));
        let shown = site.api.get(&format!("/v1/licences/{licence}")).await.expect(200).json();
        assert_eq!((shown["reissue_needed"].as_bool(), shown["display"]["mode"].as_str()), (Some(true), Some("valid")), "{shown:#}");
        assert!(shown["display"]["message_zh"].as_str().unwrap().contains("重新申领"), "{shown:#}");
        // Both changes of what is shown were told, each once, and operators see them.
        let shown_otherwise = || async {
            let accepted = site.simulator.accepted("push").await;
            ["status-1", "status-2"].map(|purpose| accepted.get(&format!("{id}:{purpose}")).copied().unwrap_or_default())
        };
        while shown_otherwise().await != [1, 1] {
            assert!(std::time::Instant::now() < deadline, "{:?}", shown_otherwise().await);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(site.simulator.accepted("push").await.get(&format!("{id}:status-3")), None);
        let listed = site.key("ops:read").await.get("/v1/ops/licences/changes").await.expect(200).items();
        let modes: Vec<_> = listed.iter().map(|change| (change["from_mode"].as_str().unwrap(), change["to_mode"].as_str().unwrap())).collect();
        assert_eq!(modes, [("abnormal", "valid"), ("abnormal", "abnormal"), ("valid", "abnormal")]);
        assert_eq!((listed[0]["licence_id"].as_str(), listed[0]["application_id"].as_str()), (Some(licence.as_str()), Some(id.as_str())));
        site.greenlane(&["audit", "verify"]).await.expect(0);
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
    let presentations = format!("/v1/licences/{licence}/presentations");

    for (status, mode, reason) in
        [("HI", "valid", None), ("S", "abnormal", Some("status_abnormal")), ("U", "abnormal", Some("status_abnormal"))]
    {
        set_status(&site, &sample, &licence, status, mode).await;
        let checked = verify(&site, &present(&site, &licence).await).await;
        assert_eq!(
            (checked["valid"].as_bool(), checked["reason"].as_str()),
            (Some(reason.is_none()), reason),
            "{checked:#}"
        );
    }
    // Other classes and another authority: the status still decides, and the verifier sees what counts now.
    let moved = json!({ "status": "A", "classes": "C2", "issuing_authority": "京A", "valid_until": null });
    site.simulator.override_registry(sample.document_number(), moved).await;
    let checked = verify(&site, &present(&site, &licence).await).await;
    let shown = &checked["licence"];
    assert_eq!((&checked["valid"], &shown["reissue_needed"]), (&json!(true), &json!(true)), "{checked:#}");
    let now = json!({ "classes": "C2", "valid_from": "2021-06-01", "valid_until": null, "issuing_authority": "京A" });
    assert_eq!((&shown["classes"], &shown["registry"]), (&json!("C1"), &now));
    assert_eq!((&shown["display"]["status_zh"], &shown["display"]["status_en"]), (&json!("正常"), &json!("normal")));
    let before = json!({ "classes": "C1", "issuing_authority": "蒙C", "valid_until": "2027-06-01" });
    site.simulator.override_registry(sample.document_number(), before).await;
    let early = {
        set_status(&site, &sample, &licence, "A", "valid").await;
        present(&site, &licence).await
    };
    for (status, mode) in [("L", "invalid"), ("J", "invalid"), ("", "invalid"), ("E", "hidden"), ("SG", "hidden")] {
        set_status(&site, &sample, &licence, status, mode).await;
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
    let shown = site.api.get(&format!("/v1/licences/{licence}")).await.expect(200).json();
    assert_eq!(shown["display"]["registry_available"], false, "{shown:#}");
    assert!(shown["display"]["checked_at"].is_string() && shown["display"]["message_zh"].is_string(), "{shown:#}");
}

#[tokio::test]
async fn keys_are_public_and_change_with_overlap() {
    let mut site = Site::start().await;
    let licence = issue(&site, &sample(0)).await;
    let keys = |answer: crate::support::Answer| answer.expect(200).json()["keys"].as_array().unwrap().clone();
    let before = keys(site.api.without_key().get("/.well-known/greenlane-keys").await);
    assert_eq!((before.len(), before[0]["alg"].as_str()), (1, Some("ES256")));
    let token = present(&site, &licence).await;
    // The operator appends a key of the national algorithm, which signs from the restart on.
    let file = site.scratch.file("secret");
    let text = std::fs::read_to_string(&file).unwrap();
    let key = format!("{}=", "B".repeat(43)).replace("BBB=", "BBA=");
    let changed = format!("{text}\n[[signing_keys]]\nalgorithm = \"SM2\"\nkey = \"{key}\"\n");
    std::fs::write(&file, &changed).unwrap();
    site.restart().await;
    let after = keys(site.api.without_key().get("/.well-known/greenlane-keys").await);
    assert_eq!((after.len(), after[0]["alg"].as_str(), &after[1]), (2, Some("SM2"), &before[0]));
    let second = present(&site, &licence).await;
    // And retires the first one: what it signed is as good as before.
    let retired = "\n[derived_signing_key]\nretired = true\n";
    std::fs::write(&file, format!("{changed}{retired}")).unwrap();
    site.restart().await;
    assert_eq!(keys(site.api.without_key().get("/.well-known/greenlane-keys").await), after);
    for token in [token, second, present(&site, &licence).await] {
        assert_eq!(verify(&site, &token).await["valid"], true, "both keys verify");
    }
    assert_eq!(site.api.get(&format!("/v1/licences/{licence}")).await.expect(200).json()["state"], "current");
    // Without the second key nothing could sign, and the first one does not come back.
    std::fs::write(&file, format!("{text}{retired}")).unwrap();
    let ended = site.settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    assert!(ended.stderr.contains("no signing key may sign"), "{ended:?}");
}

#[tokio::test]
async fn unknown_licences_and_purposes_are_refused() {
    let site = Site::on(crate::support::Database::sqlite()).roles("api").start().await;
    let unknown = uuid::Uuid::now_v7();
    site.api.get(&format!("/v1/licences/{unknown}")).await.any_problem(404);
    site.api.get(&format!("/v1/licences/{unknown}/verifications")).await.any_problem(404);
    site.api.post(&format!("/v1/licences/{unknown}/presentations"), &json!({})).await.any_problem(404);
    let query = json!({ "document_type": "A", "document_number": sample(0).document_number() });
    site.api.post("/v1/licences/query", &query).await.any_problem(404);
    site.api.post("/v1/presentations/verify", &json!({ "token": "x", "purpose": "curiosity" })).await.any_problem(422);
    site.api.post("/v1/presentations/verify", &json!({ "token": "x" })).await.any_problem(422);
}

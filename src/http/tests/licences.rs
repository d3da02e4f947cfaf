use axum::{body::Body, http::header};
use serde_json::{Value, json};

use super::site::{Site, sample};
use crate::{
    domain::{
        application::{Photo, PhotoSource},
        decision::{Decision, Finding},
        ids::{ApplicationId, PhotoId},
        stage::{Stage, outcome},
    },
    licences::record::{Record, facts},
    providers::{DocumentRef, noop},
};

/// Plays the worker until the licence is issued; answers its id.
async fn issue(site: &Site, number: &str) -> String {
    let id = site.submit(&sample(number), number).await.expect(201).text("id");
    let shared = &site.engine.shared;
    let application: ApplicationId = id.parse().unwrap();
    let view = shared.store.application(application).await.unwrap().unwrap();
    let applicant = shared.open_applicant(application, &view.applicant).unwrap();
    let document = DocumentRef { document_type: "D", document_number: number };
    let licence = noop::providers().registry.query_licence(document, "test").await.unwrap().licence.unwrap();
    let finding = Finding::Eligible { status: "A".to_owned(), licence: facts(&licence) };
    site.run(&id, Stage::Eligibility, Decision::Advance { outcome: outcome::ELIGIBLE, finding }).await;
    let advance = |outcome| Decision::Advance { outcome, finding: Finding::Nothing };
    site.run(&id, Stage::FaceVerification, advance(outcome::PASSED)).await;
    let photo = Photo { source: PhotoSource::Retained, photo_id: Some(PhotoId::new()) };
    let record = Record::new(&view.application, &applicant, &licence, photo).seal(&shared.secrets).unwrap();
    site.run(&id, Stage::Generation, Decision::Issue(Box::new(record))).await;
    site.get(&format!("/v1/applications/{id}")).await.expect(200).text("licence_id")
}

async fn present(site: &Site, licence: &str) -> Value {
    site.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).json()
}

async fn verify(site: &Site, token: &str) -> Value {
    let body = json!({ "token": token, "purpose": "car_rental" });
    site.post("/v1/presentations/verify", &body).await.expect(200).json()
}

#[tokio::test]
async fn a_code_is_checked_once_and_names_nobody() {
    let site = Site::start().await;
    let licence = issue(&site, "SB001").await;
    let presented = present(&site, &licence).await;
    let svg = presented["qr_svg"].as_str().unwrap();
    assert!(svg.contains("<svg") && svg.contains("#000000"), "black while all is well");
    let token = presented["token"].as_str().unwrap();
    let checked = verify(&site, token).await;
    assert_eq!((&checked["valid"], &checked["reason"]), (&json!(true), &Value::Null));
    assert_eq!(checked["licence"]["name"], "张*");
    let replayed = verify(&site, token).await;
    assert_eq!(
        (&replayed["valid"], &replayed["reason"], &replayed["licence"]),
        (&json!(false), &json!("replayed"), &Value::Null)
    );
    assert_eq!(verify(&site, &token[1..]).await["reason"], "forged");
    assert!(!site.get(&format!("/v1/licences/{licence}")).await.expect(200).json().to_string().contains("SB001"));
}

#[tokio::test]
async fn every_question_is_checked() {
    let site = Site::start().await;
    for (body, pointer) in [
        (json!({ "document_type": "Q", "document_number": "1" }), "/document_type"),
        (json!({ "document_type": "A", "document_number": "110105194912310021" }), "/document_number"),
        (json!({ "document_type": "A" }), "/document_number"),
    ] {
        let problem = site.post("/v1/licences/query", &body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem:#}");
    }
    for body in
        [json!({ "token": "x" }), json!({ "token": "x", "purpose": "curiosity" }), json!({ "purpose": "insurance" })]
    {
        site.post("/v1/presentations/verify", &body).await.problem(422, "validation_failed");
    }
    let forged = verify(&site, "").await;
    assert_eq!((&forged["valid"], &forged["reason"]), (&json!(false), &json!("forged")));
}

#[tokio::test]
async fn a_licence_is_shown_to_its_owner_and_to_operators() {
    let site = Site::start().await;
    let licence = issue(&site, "SB001").await;
    let stranger = site.key_of("stranger", &["licences:present"]).await;
    let operator = site.key_of("operations", &["licences:present", "ops:read"]).await;
    for (key, status) in [(&stranger, 404), (&operator, 200)] {
        let request = axum::http::Request::get(format!("/v1/licences/{licence}"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .body(Body::empty())
            .unwrap();
        site.send(request).await.expect(status);
    }
}

#[tokio::test]
async fn the_keys_are_public_and_verify_codes() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use coset::{CoseSign1, TaggedCborSerializable};
    let site = Site::start().await;
    let licence = issue(&site, "SB001").await;
    let token = present(&site, &licence).await["token"].as_str().unwrap().to_owned();
    let request = axum::http::Request::get("/.well-known/greenlane-keys").body(Body::empty()).unwrap();
    let reply = site.send(request).await.expect(200);
    assert!(reply.headers[header::CACHE_CONTROL].to_str().unwrap().contains("public"));
    // As a verifier without Greenlane would.
    let sign1 = CoseSign1::from_tagged_slice(&URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
    let kid = URL_SAFE_NO_PAD.encode(&sign1.protected.header.key_id);
    let keys = reply.json()["keys"].as_array().unwrap().clone();
    let key = keys.iter().find(|key| key["kid"] == kid.as_str()).unwrap();
    let jwk: crate::secrets::Jwk = serde_json::from_value(key.clone()).unwrap();
    sign1.verify_signature(b"greenlane presentation 1", |signature, message| jwk.verify(message, signature)).unwrap();
}

#[tokio::test]
async fn in_whatever_order_no_code_is_good_twice() {
    use rand::seq::SliceRandom;
    let site = Site::start().await;
    let licence = issue(&site, "SB001").await;
    for _ in 0..3 {
        let mut tokens = Vec::new();
        for _ in 0..4 {
            tokens.push(present(&site, &licence).await["token"].as_str().unwrap().to_owned());
        }
        let mut checks: Vec<&String> = tokens.iter().flat_map(|token| [token; 5]).collect();
        checks.shuffle(&mut rand::rng());
        let answers = futures::future::join_all(checks.iter().map(|token| verify(&site, token))).await;
        for token in &tokens {
            let of_it = checks.iter().zip(&answers).filter(|(checked, _)| **checked == token);
            let (good, other): (Vec<_>, Vec<_>) = of_it.partition(|(_, answer)| answer["valid"] == true);
            assert_eq!(good.len(), 1, "{other:?}");
            assert!(other.iter().all(|(_, answer)| answer["reason"] == "replayed"), "{other:?}");
        }
    }
}

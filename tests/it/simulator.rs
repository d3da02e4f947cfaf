//! The provider simulator by itself: what it answers must not drift away from what the journeys rely on.

use serde_json::{Value, json};

use crate::support::sample::{file_number, identity_number};
use crate::support::simulator::Simulator;
use crate::support::{Answer, fresh_key};

async fn licence(simulator: &Simulator, number: &str) -> Answer {
    let body = json!({ "document_type": "A", "document_number": number });
    simulator.call("/registry/v1/licences/query", &body).await
}

async fn face(simulator: &Simulator, token: &str) -> Answer {
    let body = json!({ "face_token": token, "document_type": "A", "document_number": identity_number(0), "name": "张三" });
    simulator.call("/face/v1/verifications/query", &body).await
}

fn message(to: &str, reference: &str) -> Value {
    json!({ "to": to, "template": "issued", "text": "…", "reference": reference })
}

fn notification(user: &str, cid: &str) -> Value {
    json!({ "cid": cid, "app_user": user, "title": "…", "body": "…", "data": {} })
}

#[tokio::test]
async fn the_registry_decides_by_the_sequence_number() {
    let simulator = Simulator::start().await;
    for (sequence, status) in [
        (0, "A"),
        (799, "A"),
        (801, "H"),
        (802, "I"),
        (803, "HI"),
        (804, "B"),
        (805, "D"),
        (806, "K"),
        (807, "U"),
        (808, "M"),
        (809, "S"),
        (810, "E"),
        (811, "F"),
        (812, "G"),
        (813, "L"),
        (814, "J"),
        (815, "R"),
        (816, "C"),
        (817, "N"),
        (818, "P"),
        (819, "T"),
        (820, "Z"),
        (821, "SH"),
        (822, ""),
    ] {
        let number = identity_number(sequence);
        let answer = licence(&simulator, &number).await.expect(200).json();
        assert_eq!(answer["found"], true, "{sequence}: {answer:#}");
        assert_eq!(answer["filed"], true, "{sequence}: {answer:#}");
        let licence = &answer["licence"];
        assert_eq!(licence["status"], status, "{sequence}: {answer:#}");
        assert_eq!(licence["holder_name"], "张三");
        assert_eq!(licence["file_number"], file_number(&number).as_str());
        assert!(licence["classes"].to_string().contains("C1"));
        assert_eq!(licence["valid_from"], "2021-06-01");
        assert_eq!(licence["valid_until"], "2027-06-01");
        assert_eq!(licence["issuing_authority"], "蒙C");
        assert_eq!(licence["points"], 0);
        let photo = &licence["retained_photo"];
        assert_eq!(
            (&photo["available"], &photo["suitable"]),
            (&json!(true), &json!(true)),
            "{answer:#}"
        );
    }
    let answer = licence(&simulator, &identity_number(900))
        .await
        .expect(200)
        .json();
    assert_eq!(answer["found"], false);
    let answer = licence(&simulator, &identity_number(901))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&answer["found"], &answer["filed"]),
        (&json!(true), &json!(false))
    );
    let answer = licence(&simulator, &identity_number(902))
        .await
        .expect(200)
        .json();
    assert_ne!(answer["licence"]["holder_name"], "张三");
    let number = identity_number(903);
    let answer = licence(&simulator, &number).await.expect(200).json();
    assert_ne!(
        answer["licence"]["file_number"],
        file_number(&number).as_str()
    );
    let answer = licence(&simulator, &identity_number(904))
        .await
        .expect(200)
        .json();
    assert_eq!(answer["licence"]["retained_photo"]["available"], false);
    let answer = licence(&simulator, &identity_number(905))
        .await
        .expect(200)
        .json();
    assert_eq!(answer["licence"]["retained_photo"]["suitable"], false);
}

#[tokio::test]
async fn the_registry_has_its_troubles_on_demand() {
    let simulator = Simulator::start().await;
    let number = identity_number(910);
    for status in [503, 503, 200, 200] {
        licence(&simulator, &number).await.expect(status);
    }
    let number = identity_number(911);
    for _ in 0..4 {
        licence(&simulator, &number).await.expect(503);
    }
    let answer = licence(&simulator, &identity_number(913)).await.expect(200);
    assert!(
        serde_json::from_slice::<Value>(&answer.body).is_err(),
        "{answer:?}"
    );

    let number = identity_number(0);
    simulator
        .override_registry(&number, json!({ "status": "D" }))
        .await;
    assert_eq!(
        licence(&simulator, &number).await.expect(200).json()["licence"]["status"],
        "D"
    );
    simulator
        .override_registry(&number, json!({ "holder_name": "李四", "status": "A" }))
        .await;
    let answer = licence(&simulator, &number).await.expect(200).json();
    assert_eq!(
        (
            answer["licence"]["holder_name"].as_str(),
            answer["licence"]["status"].as_str()
        ),
        (Some("李四"), Some("A"))
    );
}

#[tokio::test]
async fn the_registry_keeps_photos() {
    let simulator = Simulator::start().await;
    let ask = async |sequence| {
        let body = json!({ "document_type": "A", "document_number": identity_number(sequence) });
        simulator.call("/registry/v1/photos/query", &body).await
    };
    let photo = ask(0).await.expect(200);
    assert_eq!(photo.header("content-type"), Some("image/jpeg"));
    image::load_from_memory(&photo.body).unwrap();
    ask(904).await.expect(404);
}

#[tokio::test]
async fn the_face_service_decides_by_the_token() {
    let simulator = Simulator::start().await;
    for (token, state) in [
        ("ft-ok", "passed"),
        ("ft-ok-17", "passed"),
        ("anything", "passed"),
        ("ft-fail", "failed"),
        ("ft-manual", "manual"),
        ("ft-blocked", "blocked_today"),
    ] {
        assert_eq!(
            face(&simulator, token).await.expect(200).json()["state"],
            state,
            "{token}"
        );
    }
    assert_eq!(
        face(&simulator, "ft-fail").await.json()["sub_code"]
            .to_string()
            .trim_matches('"'),
        "204"
    );
    assert_eq!(
        face(&simulator, "ft-manual").await.json()["sub_code"]
            .to_string()
            .trim_matches('"'),
        "202"
    );
    for state in ["pending", "pending", "passed", "passed"] {
        assert_eq!(
            face(&simulator, "ft-pending-2").await.expect(200).json()["state"],
            state
        );
    }
    for status in [503, 503, 503, 200] {
        face(&simulator, "ft-flaky-3").await.expect(status);
    }
    for _ in 0..3 {
        face(&simulator, "ft-503").await.expect(503);
    }
}

#[tokio::test]
async fn the_sms_gateway_decides_by_the_mobile() {
    let simulator = Simulator::start().await;
    let send = async |to: &str, reference: &str| {
        simulator
            .call("/sms/v1/messages", &message(to, reference))
            .await
    };
    let query = async |reference: &str| {
        simulator
            .call("/sms/v1/messages/query", &json!({ "reference": reference }))
            .await
            .expect(200)
            .json()
    };
    let reference = fresh_key();
    assert_eq!(query(&reference).await["found"], false);
    assert!(send("13800138000", &reference).await.expect(202).json()["message_id"].is_string());
    let found = query(&reference).await;
    assert_eq!(found["found"], true);
    assert!(
        ["accepted", "delivered"].contains(&found["state"].as_str().unwrap()),
        "{found}"
    );

    for _ in 0..3 {
        send("13800130500", "down").await.expect(500);
    }
    assert_eq!(query("down").await["found"], false);
    for status in [500, 500, 202] {
        send("13800130501", "flaky").await.expect(status);
    }
    let lost = simulator
        .api
        .request(reqwest::Method::POST, "/sms/v1/messages")
        .json(&message("13800130502", "lost"));
    assert!(
        simulator.api.try_send(lost).await.is_err(),
        "the reply is lost"
    );
    assert_eq!(query("lost").await["found"], true);
    send("13800130503", "fails").await.expect(202);
    assert_eq!(query("fails").await["state"], "failed");
    let busy = send("13800130429", "busy").await.expect(429);
    assert_eq!(busy.header("retry-after"), Some("2"));
    send("13800130429", "busy").await.expect(202);

    let accepted = simulator.accepted("sms").await;
    let expected = [reference.as_str(), "flaky", "lost", "fails", "busy"];
    assert_eq!(accepted.len(), expected.len(), "{accepted:#?}");
    assert!(
        expected.iter().all(|reference| accepted[*reference] == 1),
        "{accepted:#?}"
    );
}

#[tokio::test]
async fn the_push_service_decides_by_the_user() {
    let simulator = Simulator::start().await;
    let gone = simulator
        .call("/push/v1/notifications", &notification("u-gone-1", "a"))
        .await
        .expect(404);
    assert_eq!(gone.json()["code"], "token_invalid");
    simulator
        .call("/push/v1/notifications", &notification("u-1", "b"))
        .await
        .expect(202);
    simulator
        .call("/push/v1/notifications", &notification("u-1", "b"))
        .await
        .expect(202);
    assert_eq!(simulator.log("push").await.len(), 3);
}

#[tokio::test]
async fn faults_are_injected_and_taken_back() {
    let simulator = Simulator::start().await;
    let number = identity_number(0);
    simulator
        .fault("registry", json!({ "error_rate": 1.0, "seed": 7 }))
        .await;
    for _ in 0..3 {
        assert!(licence(&simulator, &number).await.status >= 500);
    }
    face(&simulator, "ft-ok").await.expect(200);
    simulator
        .fault("registry", json!({ "error_rate": 0.0, "seed": 7 }))
        .await;
    licence(&simulator, &number).await.expect(200);
    let body = json!({ "provider": "nobody", "error_rate": 1.0 });
    let answer = simulator.api.post("/control/faults", &body).await;
    assert!(matches!(answer.status, 400 | 404 | 422), "{answer:?}");
}

//! Providers that answer what no provider should: here they are servers of the test's own.

use axum::{Json, Router, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{BOUND, Database, Site, sample};

/// A provider that answers each of these paths in one way.
async fn provider(answers: Vec<(&'static str, u16, Value)>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = answers.into_iter().fold(Router::new(), |router, (path, status, answer)| {
        let status = StatusCode::from_u16(status).unwrap();
        router.route(path, post(move || std::future::ready((status, Json(answer.clone())))))
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

#[tokio::test]
async fn what_a_provider_repeats_of_the_applicant_stays_out_of_the_audit_log() {
    let mut personal = vec!["张三", "13800138000"];
    let base = provider(vec![
        ("/v1/verifications/query", 200, json!({ "state": "passed", "sub_code": "张三 13800138000", "score": 0.9 })),
        ("/v1/messages", 202, json!({ "message_id": "13800138000" })),
        ("/v1/notifications", 202, json!({ "message_id": "to 张三" })),
    ])
    .await;
    let mut plan = Site::on(Database::sqlite());
    for provider in ["FACE", "SMS", "PUSH"] {
        plan = plan.variable(&format!("GREENLANE_{provider}_URL"), &base);
    }
    let site = plan.start().await;
    let sample = sample(0).mobile("13800138000");
    let id = site.api.admit(&sample).await;
    site.api.wait_until_done(&id, "issued").await;
    let events = site.api.events(&id).await;
    personal.push(sample.document_number());
    let text = serde_json::to_string(&events).unwrap();
    assert!(personal.iter().all(|personal| !text.contains(personal)), "{text}");
    let sent = events.iter().filter(|event| event["type"] == "notification_sent");
    let ids: Vec<&str> = sent.map(|event| event["data"]["message_id"].as_str().unwrap()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| id.len() == 64), "{ids:?}");
    site.greenlane(&["audit", "verify"]).await.expect(0);
}

#[tokio::test]
async fn operations_are_mailed_when_a_provider_refuses_us() {
    let base = provider(vec![("/v1/messages", 400, json!({ "code": "isv.AMOUNT_NOT_ENOUGH" }))]).await;
    let mail = std::env::temp_dir().join(format!("greenlane-mail-{}", uuid::Uuid::new_v4().simple()));
    let plan = Site::on(Database::sqlite()).variable("GREENLANE_SMS_URL", base);
    let site = plan.setting("mail.file_dir", mail.display()).start().await;
    for number in 0..3 {
        site.api.admit(&sample(number)).await;
    }
    let deadline = std::time::Instant::now() + 2 * BOUND;
    let digest = loop {
        let files = std::fs::read_dir(&mail).into_iter().flatten().flatten();
        let mails: Vec<String> =
            files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).map(|mail| body(&mail)).collect();
        if let Some(digest) = mails.into_iter().find(|mail| mail.contains("provider_refuses")) {
            break digest;
        }
        assert!(std::time::Instant::now() < deadline, "a mail: {}", site.server.output());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    std::fs::remove_dir_all(&mail).unwrap();
    assert!(site.server.output().contains("a provider refuses this installation"), "{}", site.server.output());
    assert!(digest.contains("1  provider_refuses"), "once for all applications: {digest}");
}

/// The text of a mail, whichever way it is encoded.
fn body(mail: &str) -> String {
    let (_, body) = mail.split_once("\r\n\r\n").unwrap_or_default();
    let encoded: String = body.split_whitespace().collect();
    match STANDARD.decode(encoded) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => body.replace("=\r\n", ""),
    }
}

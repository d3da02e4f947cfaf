use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;

use super::site::{Site, sample};
use crate::{
    hints::RateLimit,
    http::{Settings, openapi},
    secrets::ApiKey,
};

#[tokio::test]
async fn everything_that_goes_wrong_is_a_problem() {
    let site = Site::start().await;
    site.get("/v1/nothing").await.problem(404, "not_found");
    site.get("/docs/nothing.js").await.problem(404, "not_found");
    site.get("/v1/applications/not-an-id").await.problem(404, "not_found");
    site.get("/v1/applications/%ff").await.problem(404, "not_found");
    let deleted = site.send(site.request(Method::DELETE, "/v1/applications").body(Body::empty()).unwrap()).await;
    assert!(deleted.headers.contains_key(header::ALLOW));
    deleted.problem(405, "method_not_allowed");
    let text =
        site.request(Method::POST, "/v1/applications").header("idempotency-key", "k").body(Body::from("{}")).unwrap();
    site.send(text).await.problem(415, "unsupported_media_type");
    site.get("/v1/applications?cursor=nonsense").await.problem(422, "validation_failed");
    site.get("/v1/ops/batches/x").await.problem(404, "not_found");
}

#[tokio::test]
async fn keys_open_what_their_scopes_name() {
    let site = Site::start().await;
    let call = async |key: &str, path: &str| {
        let request = Request::builder().uri(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
        site.send(request.body(Body::empty()).unwrap()).await
    };
    for key in ["", "nonsense", "glk_0123456789ab_0000000000000000000000000000000000000000000"] {
        let refused = call(key, "/v1/applications").await;
        assert_eq!(refused.headers[header::WWW_AUTHENTICATE], "Bearer");
        refused.problem(401, "unauthorised");
    }
    let reader = site.key_of("reader", &["applications:read"]).await;
    call(&reader, "/v1/applications").await.expect(200);
    call(&reader, "/v1/ops/overview").await.problem(403, "scope_missing");
    let operator = site.key_of("operator", &["ops:read"]).await;
    call(&operator, "/v1/applications").await.expect(200);
    call(&operator, "/v1/webhook-secret").await.problem(403, "scope_missing");
    // The right id with another secret.
    let (id, _) = ApiKey::parse(&reader).unwrap();
    call(&format!("glk_{id}_{}", "A".repeat(43)), "/v1/applications").await.problem(401, "unauthorised");
    for open in ["/healthz", "/readyz", "/metrics", "/openapi.json"] {
        site.send(Request::get(open).body(Body::empty()).unwrap()).await.expect(200);
    }
}

#[tokio::test]
async fn other_owners_have_nothing_here() {
    let mut site = Site::start().await;
    let id = site.submit(&sample("SB001"), "k").await.expect(201).text("id");
    site.key = site.key_of("other", &["applications:read", "applications:write"]).await;
    site.get(&format!("/v1/applications/{id}")).await.problem(404, "not_found");
    site.get(&format!("/v1/applications/{id}/events")).await.problem(404, "not_found");
    site.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "x" })).await.problem(404, "not_found");
    assert_eq!(site.get("/v1/applications").await.json()["items"], json!([]));
    // Operators see it; withdrawing it is the owner's.
    site.key = site.key_of("operator", &["ops:read", "applications:write"]).await;
    site.get(&format!("/v1/applications/{id}")).await.expect(200);
    site.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "x" })).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_key_has_a_request_limit() {
    let site = Site::with(Settings { request_limit: RateLimit::new(0.1, 2).ok(), ..Settings::default() }).await;
    site.get("/v1/applications").await.expect(200);
    site.get("/v1/applications").await.expect(200);
    let refused = site.get("/v1/applications").await;
    let wait: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    refused.problem(429, "too_many_requests");
}

#[tokio::test]
async fn answers_carry_a_request_id() {
    let site = Site::start().await;
    let id = async |sent: &str| {
        let request = Request::get("/healthz").header("x-request-id", sent).body(Body::empty()).unwrap();
        site.send(request).await.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    let mine = uuid::Uuid::new_v4().to_string();
    assert_eq!(id(&mine).await, mine);
    assert!(uuid::Uuid::parse_str(&id("张三").await).is_ok());
}

#[tokio::test]
async fn the_documentation_works_offline() {
    let site = Site::start().await;
    let page = site.get("/docs/").await.expect(200);
    let text = String::from_utf8_lossy(&page.body).into_owned();
    assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{text}");
    let document = site.get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
}

#[test]
fn every_operation_has_an_id_of_its_own_and_tells_of_problems() {
    let document: serde_json::Value = serde_json::from_str(openapi::text()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{method} {path}: {}",
                operation["operationId"]
            );
            if path.starts_with("/v1/") {
                assert!(operation["security"].is_array(), "{method} {path}");
            }
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let text = openapi::text();
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

#[test]
fn no_name_of_the_document_is_one_of_the_source() {
    fn look(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                let names = fields.get("enum").and_then(serde_json::Value::as_array).into_iter().flatten();
                found.extend(names.filter_map(|name| name.as_str().map(str::to_owned)));
                fields.values().for_each(|value| look(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| look(value, found)),
            _ => {}
        }
    }
    let (document, mut names) = (serde_json::from_str(openapi::text()).unwrap(), Vec::new());
    look(&document, &mut names);
    assert!(names.contains(&"in_progress".to_owned()));
    // `MakeUpWorkday` is how a variant is called; what is sent is lower case (`make_up_workday`), or a code (`A`, `ES256`).
    let variants = names.iter().filter(|name| {
        name.starts_with(|first: char| first.is_ascii_uppercase()) && name.contains(|c: char| c.is_ascii_lowercase())
    });
    assert_eq!(variants.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn a_process_that_ends_is_not_ready() {
    let site = Site::start().await;
    site.engine.shared.places.close();
    site.get("/readyz").await.problem(503, "ending");
    site.get("/healthz").await.expect(200);
}

//! Who may call what: one row per route. A route that the OpenAPI document has and this table has not fails.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;

use crate::support::site::ALL_SCOPES;
use crate::support::{Api, Database, Site, sample};

/// Scopes that each suffice; none for a route that needs no key.
type Row = (&'static str, &'static str, &'static [&'static str]);

const PUBLIC: &[&str] = &[];
const READ: &[&str] = &["applications:read", "ops:read"];
const WRITE: &[&str] = &["applications:write"];
const REVIEWS: &[&str] = &["reviews"];
const PRESENT: &[&str] = &["licences:present"];
const VERIFY: &[&str] = &["licences:verify"];
const OPS_READ: &[&str] = &["ops:read"];
const OPS_WRITE: &[&str] = &["ops:write"];
const AUDIT: &[&str] = &["audit:read"];
const ADMIN: &[&str] = &["admin"];

const ROUTES: &[Row] = &[
    ("GET", "/healthz", PUBLIC),
    ("GET", "/readyz", PUBLIC),
    ("GET", "/metrics", PUBLIC),
    ("GET", "/openapi.json", PUBLIC),
    ("POST", "/v1/applications", WRITE),
    ("POST", "/v1/applications:batch", WRITE),
    ("GET", "/v1/applications", READ),
    ("GET", "/v1/applications/{id}", READ),
    ("GET", "/v1/applications/{id}/events", READ),
    ("POST", "/v1/applications/{id}/cancel", WRITE),
    ("POST", "/v1/photos", WRITE),
    ("GET", "/v1/photos/{photo_id}/image", REVIEWS),
    ("GET", "/v1/webhook-secret", &["applications:read"]),
    ("GET", "/v1/reviews", REVIEWS),
    ("POST", "/v1/reviews/claim-next", REVIEWS),
    ("POST", "/v1/reviews/{id}/claim", REVIEWS),
    ("POST", "/v1/reviews/{id}/heartbeat", REVIEWS),
    ("POST", "/v1/reviews/{id}/release", REVIEWS),
    ("POST", "/v1/reviews/{id}/decision", REVIEWS),
    ("POST", "/v1/reviews/{id}/escalate", REVIEWS),
    ("POST", "/v1/reviews/{id}/undo", REVIEWS),
    ("POST", "/v1/reviews/{id}/postpone", REVIEWS),
    ("POST", "/v1/reviews/{id}/reveal", REVIEWS),
    ("POST", "/v1/reviews/{id}/take-over", REVIEWS),
    ("POST", "/v1/reviews/{id}/reassign", &["reviews:supervise"]),
    ("POST", "/v1/reviews/{id}/reopen", &["reviews:supervise"]),
    ("POST", "/v1/reviews/{id}/second-look", &["reviews:supervise"]),
    ("GET", "/v1/reviews/{id}", REVIEWS),
    ("GET", "/v1/reviews/{id}/comparison", REVIEWS),
    ("GET", "/v1/reviews/pace", REVIEWS),
    ("GET", "/.well-known/greenlane-keys", PUBLIC),
    ("GET", "/v1/licences/{id}", PRESENT),
    ("POST", "/v1/licences/query", PRESENT),
    ("GET", "/v1/licences/{id}/card.svg", PRESENT),
    ("GET", "/v1/licences/{id}/card.png", PRESENT),
    ("POST", "/v1/licences/{id}/presentations", PRESENT),
    ("GET", "/v1/licences/{id}/verifications", PRESENT),
    ("POST", "/v1/presentations/verify", VERIFY),
    ("GET", "/v1/ops/licences", OPS_READ),
    ("GET", "/v1/ops/licences/changes", OPS_READ),
    ("GET", "/v1/ops/licences/{id}", OPS_READ),
    ("POST", "/v1/ops/licences/{id}/terminate", OPS_WRITE),
    ("GET", "/v1/ops/overview", OPS_READ),
    ("GET", "/v1/ops/queues", OPS_READ),
    ("POST", "/v1/ops/queues/{name}/pause", OPS_WRITE),
    ("POST", "/v1/ops/queues/{name}/resume", OPS_WRITE),
    ("POST", "/v1/ops/queues/{name}/limits", OPS_WRITE),
    ("GET", "/v1/ops/stalled", OPS_READ),
    ("POST", "/v1/ops/stalled/retry", OPS_WRITE),
    ("POST", "/v1/ops/stalled/reject", OPS_WRITE),
    ("POST", "/v1/ops/stalled/{application_id}/retry", OPS_WRITE),
    ("POST", "/v1/ops/stalled/{application_id}/reject", OPS_WRITE),
    ("POST", "/v1/ops/stalled/{application_id}/accept", OPS_WRITE),
    ("GET", "/v1/ops/batches/{id}", OPS_READ),
    ("GET", "/v1/ops/workers", OPS_READ),
    ("GET", "/v1/ops/webhooks", OPS_READ),
    ("POST", "/v1/ops/webhooks/{id}/retry", OPS_WRITE),
    ("GET", "/v1/ops/stream", OPS_READ),
    ("GET", "/v1/ops/stalled/groups", OPS_READ),
    ("POST", "/v1/ops/find", OPS_READ),
    ("POST", "/v1/ops/applications/{id}/verify", OPS_READ),
    ("GET", "/v1/ops/applications/{id}/deadline", OPS_READ),
    ("GET", "/v1/ops/figures", OPS_READ),
    ("GET", "/v1/ops/forecast", OPS_READ),
    ("GET", "/v1/audit", AUDIT),
    ("GET", "/v1/ops/schedules", OPS_READ),
    ("GET", "/v1/ops/calendar", OPS_READ),
    // A dry run needs the one, an import the other: `it/administration.rs`.
    ("POST", "/v1/ops/calendar", &["ops:read", "ops:write"]),
    ("GET", "/v1/ops/users", ADMIN),
    ("POST", "/v1/ops/users", ADMIN),
    ("PATCH", "/v1/ops/users/{name}", ADMIN),
    ("POST", "/v1/ops/users/{name}/disable", ADMIN),
    ("POST", "/v1/ops/users/{name}/enable", ADMIN),
    ("POST", "/v1/ops/users/{name}/password", ADMIN),
    ("GET", "/v1/ops/keys", ADMIN),
    ("POST", "/v1/ops/keys", ADMIN),
    ("POST", "/v1/ops/keys/{id}/revoke", ADMIN),
];

/// A path with its parameters filled in: ids of nothing, or a queue's name.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for part in path.split_inclusive('/') {
        match part.trim_end_matches('/') {
            "{name}" => filled.push_str("eligibility"),
            name if name.starts_with('{') => filled.push_str(&uuid::Uuid::now_v7().to_string()),
            name => filled.push_str(name),
        }
        if part.ends_with('/') {
            filled.push('/');
        }
    }
    filled
}

/// Calls a route with a body that parses and no meaning.
async fn call(api: &Api, method: &str, path: &str) -> crate::support::Answer {
    let request =
        api.request(method.parse::<Method>().unwrap(), &filled(path)).header("idempotency-key", "authorisation");
    let request = if method == "GET" { request } else { request.json(&json!({})) };
    api.send(request).await
}

#[tokio::test]
async fn every_route_has_a_row() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let document = site.api.get("/openapi.json").await.expect(200).json();
    let shape = |path: &str| -> String {
        path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
    };
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str()))
        {
            described.insert((method.to_uppercase(), shape(path)));
        }
    }
    let known: BTreeSet<(String, String)> =
        ROUTES.iter().map(|(method, path, _)| ((*method).to_owned(), shape(path))).collect();
    let without_row: Vec<_> = described.difference(&known).collect();
    let undescribed: Vec<_> = known.difference(&described).collect();
    assert!(without_row.is_empty(), "routes without an authorisation case: {without_row:?}");
    assert!(undescribed.is_empty(), "routes that the OpenAPI document lacks: {undescribed:?}");
}

#[tokio::test]
async fn without_a_valid_key_every_route_is_closed() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let callers = [
        ("no key", site.api.without_key()),
        ("a key of nobody", site.api.with_key("gl_0000000000000000000000000000000000000000000")),
        ("an empty key", site.api.with_key("")),
    ];
    let mut open = Vec::new();
    for (method, path, scopes) in ROUTES.iter().filter(|(_, path, _)| path.starts_with("/v1/")) {
        assert!(!scopes.is_empty());
        for (who, api) in &callers {
            let answer = call(api, method, path).await;
            if answer.status != 401 || answer.json()["code"].as_str().is_none() {
                open.push(format!("{who}: {answer:?}"));
            }
        }
    }
    assert!(open.is_empty(), "401 expected:\n{}", open.join("\n"));
}

#[tokio::test]
async fn without_the_scope_every_route_is_closed() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    // One key for each set of scopes that suffice, which has all the others.
    let mut keys = BTreeMap::new();
    for (_, _, scopes) in ROUTES.iter().filter(|(_, _, scopes)| !scopes.is_empty()) {
        if !keys.contains_key(scopes) {
            let others: Vec<&str> = ALL_SCOPES.split(',').filter(|scope| !scopes.contains(scope)).collect();
            keys.insert(*scopes, site.key(&others.join(",")).await);
        }
    }
    let mut open = Vec::new();
    for (method, path, scopes) in ROUTES.iter().filter(|(_, _, scopes)| !scopes.is_empty()) {
        let answer = call(&keys[scopes], method, path).await;
        if answer.status != 403 || answer.json()["code"].as_str().is_none() {
            open.push(format!("{answer:?}"));
        }
    }
    assert!(open.is_empty(), "403 expected:\n{}", open.join("\n"));
}

#[tokio::test]
async fn with_the_scope_every_route_is_open() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let mut closed = Vec::new();
    for (method, path, _) in ROUTES.iter().filter(|(_, path, _)| *path != "/v1/ops/stream") {
        let answer = call(&site.api, method, path).await;
        if matches!(answer.status, 401 | 403 | 405) || answer.status >= 500 {
            closed.push(format!("{answer:?}"));
        }
    }
    assert!(closed.is_empty(), "{}", closed.join("\n"));
}

#[tokio::test]
async fn another_owners_objects_are_not_there() {
    let site = Site::start().await;
    let (mine, other) = tokio::join!(
        site.key_of("mine", "applications:write,applications:read,licences:present"),
        site.key_of("other", "applications:write,applications:read,licences:present")
    );
    let photo = mine.upload_photo("camera").await;
    let id = mine.admit(&sample(0).face_token("ft-pending-1000")).await;
    other.get(&format!("/v1/applications/{id}")).await.any_problem(404);
    other.get(&format!("/v1/applications/{id}/events")).await.any_problem(404);
    other.post(&format!("/v1/applications/{id}/cancel"), &json!({ "reason": "not mine" })).await.any_problem(404);
    other.submit(&sample(0).photo("camera", &photo)).await.field_error("/photo/photo_id");
    assert_eq!(mine.application(&id).await["status"], "in_progress");
    mine.submit(&sample(0).photo("camera", &photo)).await.expect(201);
}

#[tokio::test]
async fn a_revoked_key_is_none() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let key = site.key_of("leaver", "applications:read").await;
    key.get("/v1/applications").await.expect(200);
    let listed = site.greenlane(&["key", "list"]).await.expect(0);
    let secret = key.key.as_deref().unwrap();
    assert!(!listed.stdout.contains(secret), "a key is shown once");
    let row = listed.stdout.lines().find(|line| line.contains("leaver")).unwrap_or_else(|| panic!("{listed:?}"));
    let id = row.split_whitespace().next().unwrap_or_else(|| panic!("the id of the key stands in its row: {row}"));
    site.greenlane(&["key", "revoke", id]).await.expect(0);
    // A process may remember a key for a few seconds.
    let deadline = std::time::Instant::now() + crate::support::BOUND;
    while key.get("/v1/applications").await.status != 401 {
        assert!(std::time::Instant::now() < deadline, "the revoked key still works");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

//! What administrators do: users and keys, by the API and by pages.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::{Browser, PASSWORD};
use crate::support::{Database, Site, on_both_databases};

const NEW: &str = "another horse battery staple";

async fn patch(browser: &mut Browser, path: &str, body: &Value) -> crate::support::Answer {
    let request = browser.api.request(Method::PATCH, path).json(body);
    browser.send(request).await
}

fn text(answer: &crate::support::Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

on_both_databases! {
    async fn users_are_made_changed_and_disabled(database) {
        let site = Site::on(database).roles("api").start().await;
        let mut sun = site.signed_in("sun", "admin").await;
        let made = sun.call("/v1/ops/users", &json!({ "name": "王五", "role": "reviewer", "authority": "蒙C" })).await;
        let made = made.expect(201).json();
        let password = made["password"].as_str().unwrap().to_owned();
        assert_eq!((&made["user"]["authority"], &made["user"]["has_document"]), (&json!("蒙C"), &json!(false)));
        let mut wang = site.browser();
        wang.sign_in("王五", &password).await.expect(303);
        wang.get("/review").await.expect(200);

        let document = json!({ "document_type": "A", "document_number": "11010519491231002X" });
        let path = "/v1/ops/users/%E7%8E%8B%E4%BA%94";
        let changed = patch(&mut sun, path, &json!({ "role": "operator", "authority": null, "document": document })).await;
        let changed = changed.expect(200).json();
        assert_eq!((&changed["role"], &changed["authority"]), (&json!("operator"), &Value::Null));
        assert_eq!(changed["has_document"], true);
        wang.get("/review").await.expect(403);
        wang.get("/ops").await.expect(200);
        let kept = patch(&mut sun, path, &json!({ "role": "reviewer" })).await.expect(200).json();
        assert_eq!(kept["has_document"], true, "what is left out stays");

        sun.call(&format!("{path}/disable"), &json!({})).await.expect(200);
        wang.get("/review").await.expect(303);
        wang.sign_in("王五", &password).await.expect(422);
        sun.call(&format!("{path}/disable"), &json!({})).await.problem(404, "not_found");
        sun.call(&format!("{path}/enable"), &json!({})).await.expect(200);
        wang.get("/review").await.expect(303);
        wang.sign_in("王五", &password).await.expect(303);
        let set = sun.call(&format!("{path}/password"), &json!({ "password": NEW })).await.expect(200).json();
        assert_eq!(set["password"], Value::Null, "what was given is not repeated");
        wang.get("/review").await.expect(303);
        wang.sign_in("王五", NEW).await.expect(303);

        let listed = sun.get("/v1/ops/users").await.expect(200);
        assert!(!text(&listed).contains("argon2") && !text(&listed).contains("11010519491231002X"));
        let names: Vec<Value> = listed.items().iter().map(|user| user["name"].clone()).collect();
        assert_eq!(names, [json!("sun"), json!("王五")]);
    }

    async fn an_administrator_is_always_left(database) {
        let site = Site::on(database).roles("api").start().await;
        let mut sun = site.signed_in("sun", "admin").await;
        let demoted = json!({ "role": "auditor" });
        sun.call("/v1/ops/users/sun/disable", &json!({})).await.problem(409, "not_oneself");
        sun.call("/v1/ops/users/sun/password", &json!({})).await.problem(409, "not_oneself");
        patch(&mut sun, "/v1/ops/users/sun", &demoted).await.problem(409, "not_oneself");
        patch(&mut sun, "/v1/ops/users/sun", &json!({ "role": "admin", "authority": "蒙C" })).await.expect(200);
        // A key is nobody, and yet it does not remove the last one.
        let key = &site.api;
        key.post("/v1/ops/users/sun/disable", &json!({})).await.problem(409, "last_administrator");
        key.send(key.request(Method::PATCH, "/v1/ops/users/sun").json(&demoted)).await.problem(409, "last_administrator");
        site.user("li", "admin", &[]).await;
        key.post("/v1/ops/users/sun/disable", &json!({})).await.expect(200);
        sun.get("/ops").await.expect(303);
        // Whoever has a shell can make another one.
        site.greenlane(&["user", "disable", "li"]).await.expect(0);
    }

    async fn keys_are_shown_once_and_revoked(database) {
        let site = Site::on(database).roles("api").start().await;
        let mut sun = site.signed_in("sun", "admin").await;
        let request = json!({ "name": "first", "scopes": ["ops:read", "ops:read"], "owner": "12123" });
        let made = sun.call("/v1/ops/keys", &request).await.expect(201).json();
        assert_eq!((&made["key"]["owner"], &made["key"]["scopes"]), (&json!("12123"), &json!(["ops:read"])));
        let (id, secret) = (made["key"]["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
        let key = site.api.with_key(secret);
        key.get("/v1/ops/overview").await.expect(200);
        let listed = sun.get("/v1/ops/keys").await.expect(200);
        assert!(text(&listed).contains(id) && !text(&listed).contains(&secret[20..]));
        assert!(!text(&listed).contains("digest"));
        sun.call(&format!("/v1/ops/keys/{id}/revoke"), &json!({})).await.expect(204);
        key.get("/v1/ops/overview").await.problem(401, "unauthorised");
        sun.call(&format!("/v1/ops/keys/{id}/revoke"), &json!({})).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn wrong_input_is_named() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let api = &site.api;
    let user = |field: &str, value: Value| {
        let mut body = json!({ "name": "wang", "role": "reviewer", "password": PASSWORD });
        body[field] = value;
        body
    };
    for (field, value, pointer) in [
        ("name", json!(" wang"), "/name"),
        ("role", json!("king"), "/role"),
        ("authority", json!("not one"), "/authority"),
        ("password", json!("short"), "/password"),
        (
            "document",
            json!({ "document_type": "A", "document_number": "110105194912310021" }),
            "/document/document_number",
        ),
        ("more", json!(1), "/more"),
    ] {
        api.post("/v1/ops/users", &user(field, value)).await.field_error(pointer);
    }
    api.post("/v1/ops/users", &user("password", json!(PASSWORD))).await.expect(201);
    api.post("/v1/ops/users", &user("password", json!(NEW))).await.problem(409, "name_taken");
    api.post("/v1/ops/users/wang/password", &json!({ "password": "wang" })).await.field_error("/password");
    api.post("/v1/ops/users/nobody/password", &json!({})).await.problem(404, "not_found");
    for (body, pointer) in [
        (json!({ "name": " ", "scopes": ["reviews"] }), "/name"),
        (json!({ "name": "x", "scopes": ["reviews"], "owner": "a\nb" }), "/owner"),
        (json!({ "name": "x", "scopes": [] }), "/scopes"),
        (json!({ "name": "x", "scopes": ["everything"] }), "/scopes/0"),
    ] {
        api.post("/v1/ops/keys", &body).await.field_error(pointer);
    }
}

#[tokio::test]
async fn pages_do_what_the_api_does() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let mut sun = site.signed_in("sun", "admin").await;
    let made = sun.post("/ops/users", &[("name", "han"), ("role", "verifier")]).await.expect(201);
    assert!(text(&made).contains("id=\"fresh\""), "a generated password is shown once");
    let again = sun.post("/ops/users", &[("name", "han"), ("role", "verifier")]).await.expect(409);
    assert!(text(&again).contains("role=\"alert\"") && text(&again).contains("value=\"han\""));
    sun.post("/ops/users/han/password", &[("password", "short")]).await.expect(422);
    let set = sun.post("/ops/users/han/password", &[("password", NEW)]).await.expect(200);
    assert!(!text(&set).contains(NEW));
    let mut han = site.browser();
    let landed = han.sign_in("han", NEW).await.expect(303);
    assert_eq!(landed.header("location"), Some("/verify"));
    han.get("/ops").await.expect(403);
    let fields = [("role", "auditor"), ("document_type", "A"), ("document_number", "11010519491231002X")];
    sun.post("/ops/users/han/change", &fields).await.expect(200);
    let ops = text(&han.get("/ops").await.expect(200));
    assert!(!ops.contains("/ops/users") && !ops.contains("/ops/keys"), "only administrators see the entries");
    sun.post("/ops/users/han/disable", &[]).await.expect(303);
    han.get("/ops").await.expect(303);
    sun.post("/ops/users/han/enable", &[]).await.expect(303);
    sun.post("/ops/users/sun/disable", &[]).await.expect(409);

    sun.post("/ops/keys", &[("name", "one")]).await.expect(422);
    let made = sun.post("/ops/keys", &[("name", "one"), ("scope", "reviews"), ("scope", "ops:read")]).await.expect(201);
    assert!(text(&made).contains("glk_"));
    let keys = sun.get("/v1/ops/keys").await.expect(200).items();
    let key = keys.iter().find(|key| key["name"] == "one").unwrap();
    assert_eq!(key["scopes"], json!(["ops:read", "reviews"]));
    sun.post(&format!("/ops/keys/{}/revoke", key["id"].as_str().unwrap()), &[]).await.expect(303);
}

#[tokio::test]
async fn schedules_say_how_reconcilers_ran() {
    let site = Site::start().await;
    let bound = std::time::Instant::now() + crate::support::BOUND;
    let found = async |name: &str| {
        let items = site.api.get("/v1/ops/schedules").await.expect(200).items();
        assert!(items.iter().all(|item| item["does"].is_string()) && items.len() > 10, "{items:?}");
        items.into_iter().find(|item| item["name"] == name).unwrap()
    };
    while found("outbox").await["last"].is_null() {
        assert!(std::time::Instant::now() < bound, "the outbox never ran");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let outbox = found("outbox").await;
    assert_eq!(
        (&outbox["role"], &outbox["failing"], &outbox["period_ms"]),
        (&json!("worker"), &json!(false), &json!(250))
    );
    let workers = site.api.get("/v1/ops/workers").await.expect(200).items();
    assert_eq!(outbox["last"]["process"], workers[0]["id"]);
    assert!(outbox["last"]["host"].is_string());
}

const SHIPPED: &str = include_str!("../../workflows/calendar/cn.toml");

/// The shipped calendar under another version, with one more holiday, which a make-up day pays for.
fn another() -> String {
    let (before, year) = SHIPPED.split_once("[years.2026]").unwrap();
    let (first, rest) = before.split_once("version = \"").unwrap();
    let (_, rest) = rest.split_once('"').unwrap();
    let year = year.replacen("holidays = [", "holidays = [2026-11-20, ", 1);
    let year = year.replacen("make_up_workdays = [", "make_up_workdays = [2026-11-21, ", 1);
    format!("{first}version = \"another\"{rest}[years.2026]{year}")
}

#[tokio::test]
async fn a_calendar_is_tried_out_and_imported() {
    let site = Site::start().await;
    let (reads, writes) = tokio::join!(site.key("ops:read"), site.key("ops:write"));
    let before = reads.get("/v1/ops/calendar").await.expect(200).json();
    assert!(before["years"].as_array().unwrap().iter().any(|year| year["year"] == 2026 && year["working_days"] == 248));
    let post = async |api: &crate::support::Api, query: &str, text: &str| {
        api.post_raw(&format!("/v1/ops/calendar{query}"), "application/toml", text).await
    };
    let (dry, meant) = ("?dry_run=true", "?reason=the+notice+of+the+State+Council");
    for (api, query) in [(&writes, dry), (&reads, meant)] {
        post(api, query, &another()).await.problem(403, "scope_missing");
    }
    let wrong = post(&reads, dry, &format!("{}x", another())).await.problem(422, "validation_failed");
    assert!(wrong["errors"][0]["detail"].as_str().unwrap().starts_with("line "), "{wrong}");
    post(&writes, "", &another()).await.field_error("/reason");
    post(&writes, "?dry_run=maybe", "").await.field_error("/dry_run");
    writes.post("/v1/ops/calendar", &json!({})).await.problem(415, "unsupported_media_type");
    let version = before["version"].as_str().unwrap();
    post(&writes, meant, SHIPPED).await.problem(409, "calendar_in_use");
    post(&writes, meant, &another().replace("another", version)).await.problem(409, "calendar_version_taken");
    let tried = post(&reads, dry, &another()).await.expect(200).json();
    assert_eq!((&tried["imported"], &tried["preview"]["complete"]), (&json!(false), &json!(true)));
    assert_eq!(reads.get("/v1/ops/calendar").await.expect(200).json(), before, "a dry run imports nothing");
    let done = post(&writes, meant, &another()).await.expect(200).json();
    assert_eq!((&done["imported"], &done["version"]), (&json!(true), &json!("another")));
    assert_eq!(reads.get("/v1/ops/calendar").await.expect(200).json()["version"], "another");
}

#[tokio::test]
async fn the_page_of_the_calendar_shows_before_it_acts() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let (mut qian, mut sun) = (site.signed_in("qian", "operator").await, site.signed_in("sun", "auditor").await);
    let source = another().replace('\n', "\r\n");
    let wrong = qian.post("/ops/calendar", &[("source", "[["), ("act", "try")]).await.expect(422);
    assert!(text(&wrong).contains("line 1"), "{wrong:?}");
    let tried = qian.post("/ops/calendar", &[("source", &source), ("act", "try")]).await.expect(200);
    assert!(text(&tried).contains("value=\"import\""));
    let meant = [("source", source.as_str()), ("act", "import"), ("reason", "the notice")];
    sun.post("/ops/calendar", &meant[..2]).await.expect(403);
    qian.post("/ops/calendar", &meant[..2]).await.expect(422);
    qian.post("/ops/calendar", &meant).await.expect(303);
    assert!(text(&qian.get("/ops/calendar").await.expect(200)).contains("another"));
}

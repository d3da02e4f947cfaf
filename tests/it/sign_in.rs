//! Signing in, sessions, and what pages are protected by.

use serde_json::json;

use crate::support::browser::PASSWORD;
use crate::support::{Database, Site, on_both_databases};

/// The pages of each role; a page that a role has not is refused to it.
const PAGES: &[(&str, &[&str])] = &[
    ("/review", &["reviewer", "supervisor"]),
    ("/review/tasks", &["supervisor"]),
    ("/ops", &["operator", "auditor", "admin"]),
    ("/ops/audit", &["auditor", "admin"]),
    ("/ops/licences", &["operator", "auditor", "admin"]),
    ("/ops/calendar", &["operator", "auditor", "admin"]),
    ("/ops/users", &["admin"]),
    ("/ops/users/admin", &["admin"]),
    ("/ops/keys", &["admin"]),
    ("/account", ROLES),
];

const ROLES: &[&str] = &["reviewer", "supervisor", "verifier", "operator", "auditor", "admin"];

on_both_databases! {
    async fn a_session_begins_with_the_password_and_ends_with_the_sign_out(database) {
        let site = Site::on(database).roles("api").start().await;
        site.user("wang", "reviewer", &[]).await;
        let mut browser = site.browser();
        let closed = browser.get("/review?x=1").await.expect(303);
        assert_eq!(closed.header("location"), Some("/login?next=%2Freview%3Fx%3D1"));
        let wrong = browser.sign_in("wang", "wrong horse battery staple").await.expect(422);
        assert!(String::from_utf8_lossy(&wrong.body).contains("用户名或密码不正确"), "{wrong:?}");
        browser.sign_in("nobody", PASSWORD).await.expect(422);
        assert!(!browser.cookies.contains_key("greenlane_session"));

        let opened = browser.post("/login", &[("name", "wang"), ("password", PASSWORD), ("next", "/account")]).await.expect(303);
        assert_eq!(opened.header("location"), Some("/account"));
        let cookie = opened.headers.get_all("set-cookie").iter().find_map(|line| {
            line.to_str().unwrap().strip_prefix("greenlane_session=").map(str::to_lowercase)
        });
        let cookie = cookie.unwrap();
        assert!(cookie.contains("httponly") && cookie.contains("samesite=strict") && cookie.contains("path=/"), "{cookie}");
        assert!(!cookie.contains("secure"), "a server of this machine only: {cookie}");
        let page = browser.get("/review").await.expect(200);
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");

        let old = browser.cookies.clone();
        browser.post("/logout", &[]).await.expect(303);
        browser.get("/review").await.expect(303);
        browser.cookies = old;
        browser.get("/review").await.expect(303);
    }

    async fn who_was_disabled_or_has_a_new_password_is_signed_out(database) {
        let site = Site::on(database).roles("api").start().await;
        let mut wang = site.signed_in("wang", "reviewer").await;
        let mut elsewhere = site.browser();
        elsewhere.sign_in("wang", PASSWORD).await.expect(303);
        let new = "another horse battery staple";
        for fields in [
            [("present", "wrong wrong wrong"), ("new", new), ("again", new)],
            [("present", PASSWORD), ("new", new), ("again", "not the same at all")],
            [("present", PASSWORD), ("new", "short"), ("again", "short")],
        ] {
            wang.post("/account/password", &fields).await.expect(422);
        }
        let before = wang.cookies["greenlane_session"].clone();
        wang.post("/account/password", &[("present", PASSWORD), ("new", new), ("again", new)]).await.expect(200);
        assert_ne!(wang.cookies["greenlane_session"], before, "another id");
        wang.get("/review").await.expect(200);
        elsewhere.get("/review").await.expect(303);
        elsewhere.sign_in("wang", PASSWORD).await.expect(422);
        elsewhere.sign_in("wang", new).await.expect(303);
        site.greenlane(&["user", "disable", "wang"]).await.expect(0);
        wang.get("/review").await.expect(303);
        elsewhere.get("/review").await.expect(303);
        elsewhere.sign_in("wang", new).await.expect(422);
    }

    async fn failures_are_limited_and_do_not_lock_the_owner_out(database) {
        let site = Site::on(database)
            .roles("api")
            .setting("limits.login_attempts", 3)
            .setting("server.client_address_header", "x-real-ip")
            .start()
            .await;
        let mut owner = site.signed_in("wang", "reviewer").await;
        owner.post("/logout", &[]).await.expect(303);
        let mut stranger = site.browser();
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
            stranger.set_header("x-real-ip", address);
            stranger.sign_in("wang", "wrong horse battery staple").await.expect(422);
        }
        // The account is closed to strangers, whatever their address and even with the right password…
        stranger.set_header("x-real-ip", "192.0.2.4");
        let closed = stranger.sign_in("wang", PASSWORD).await.expect(429);
        assert!(closed.header("retry-after").is_some(), "{closed:?}");
        // … and open to its owner, where the owner has been before.
        owner.sign_in("wang", PASSWORD).await.expect(303);
        // One address that tries many names is stopped too; successes do not count.
        site.user("li", "reviewer", &[]).await;
        stranger.set_header("x-real-ip", "192.0.2.9");
        for name in ["a", "b"] {
            stranger.sign_in(name, "wrong horse battery staple").await.expect(422);
        }
        stranger.sign_in("li", PASSWORD).await.expect(303);
        stranger.cookies.clear();
        stranger.sign_in("c", "wrong horse battery staple").await.expect(422);
        stranger.sign_in("li", PASSWORD).await.expect(429);
        stranger.set_header("x-real-ip", "192.0.2.10");
        stranger.sign_in("li", PASSWORD).await.expect(303);
    }
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let site = Site::on(Database::sqlite()).roles("api").setting("session.absolute_seconds", 1).start().await;
    let mut wang = site.signed_in("wang", "reviewer").await;
    let bound = std::time::Instant::now() + crate::support::BOUND;
    while wang.get("/account").await.status == 200 {
        assert!(std::time::Instant::now() < bound, "the session goes on for ever");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    wang.get("/account").await.expect(303);
}

#[tokio::test]
async fn other_sites_do_nothing_in_somebodys_name() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let mut wang = site.signed_in("wang", "reviewer").await;
    for (name, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site")] {
        wang.set_header(name, value);
        wang.post("/logout", &[]).await.expect(403);
        wang.call("/v1/reviews/claim-next", &json!({})).await.expect(403);
    }
    wang.set_header("sec-fetch-site", "");
    wang.set_header("origin", "https://evil.example");
    wang.post("/logout", &[]).await.expect(403);
    wang.set_header("sec-fetch-site", "same-origin");
    wang.get("/review").await.expect(200);
    // Whoever signs in goes on to a page of this site only.
    wang.post("/logout", &[]).await.expect(303);
    let fields = [("name", "wang"), ("password", PASSWORD), ("next", "//evil.example")];
    assert_eq!(wang.post("/login", &fields).await.expect(303).header("location"), Some("/review"));
}

#[tokio::test]
async fn every_page_is_for_its_roles_only() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    for role in ROLES {
        let mut person = site.signed_in(role, role).await;
        for (page, roles) in PAGES {
            let expected = if roles.contains(role) { 200 } else { 403 };
            let answer = person.get(page).await.expect(expected);
            assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
        }
        person.get("/no-such-page").await.expect(404);
    }
    let mut stranger = site.browser();
    for (page, _) in PAGES {
        stranger.get(page).await.expect(303);
        // A key opens no page.
        let answer = site.api.send(site.api.request(reqwest::Method::GET, page)).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
}

#[tokio::test]
async fn the_verifiers_page_is_open_and_the_check_is_not() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let check = json!({ "token": "nonsense", "purpose": "road_check" });
    for role in ROLES {
        let may = ["supervisor", "verifier", "operator", "admin"].contains(role);
        let mut person = site.signed_in(role, role).await;
        let page = person.get("/verify").await.expect(200);
        assert_eq!(page.header("permissions-policy"), Some("camera=(self), microphone=()"));
        let text = String::from_utf8(page.body).unwrap();
        assert_eq!((text.contains("id=\"key\""), text.contains("href=\"/verify\"")), (!may, may), "{role}");
        let answer = person.call("/v1/presentations/verify", &check).await;
        if may {
            assert_eq!(answer.expect(200).json()["reason"], "forged");
        } else {
            answer.problem(403, "scope_missing");
        }
        let elsewhere = person.get("/account").await.expect(200);
        assert_eq!(elsewhere.header("permissions-policy"), Some("camera=(), microphone=()"));
    }
    let mut stranger = site.browser();
    let text = String::from_utf8(stranger.get("/verify").await.expect(200).body).unwrap();
    assert!(text.contains("id=\"key\"") && text.contains("/login?next=/verify"), "{text}");
    stranger.call("/v1/presentations/verify", &check).await.problem(401, "unauthorised");
}

#[tokio::test]
async fn a_session_may_call_what_its_role_may() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let mut reviewer = site.signed_in("wang", "reviewer").await;
    reviewer.call("/v1/reviews/claim-next", &json!({})).await.expect(204);
    reviewer.get("/v1/reviews").await.expect(200);
    reviewer.get("/v1/ops/overview").await.problem(403, "scope_missing");
    let mut auditor = site.signed_in("qian", "auditor").await;
    auditor.get("/v1/audit").await.expect(200);
    auditor.get("/v1/ops/overview").await.expect(200);
    auditor.call("/v1/ops/queues/eligibility/pause", &json!({ "reason": "x" })).await.problem(403, "scope_missing");
    site.browser().get("/v1/reviews").await.problem(401, "unauthorised");
}

#[tokio::test]
async fn language_and_theme_are_kept_without_a_session() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let mut browser = site.browser();
    let text = |answer: crate::support::Answer| String::from_utf8(answer.expect(200).body).unwrap();
    assert!(text(browser.get("/login").await).contains("<html lang=\"zh-CN\" data-theme=\"auto\">"));
    let chosen = [("language", "en"), ("theme", "dark"), ("next", "/login")];
    let there = browser.post("/preferences", &chosen).await.expect(303);
    assert_eq!(there.header("location"), Some("/login"));
    let english = text(browser.get("/login").await);
    assert!(english.contains("<html lang=\"en\" data-theme=\"dark\">") && english.contains("Sign in"), "{english}");
    for address in english.split('"').filter(|text| text.starts_with("/static/")) {
        let file = browser.get(address).await.expect(200);
        assert!(file.header("cache-control").unwrap().contains("immutable"), "{file:?}");
    }
}

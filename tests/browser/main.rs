//! Tests in a real browser: the real binary, a real Chromium, one script of `tests/browser` for each test.
//!
//! `tests/run` installs Chromium and the two npm packages. With `GREENLANE_TEST_PICTURES=1` they leave a picture of
//! each page in `target/browser/`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "helpers take whatever the test has at hand")]
#![allow(
    unreachable_pub,
    dead_code,
    unused_imports,
    unused_macros,
    reason = "modules of a test binary have no outside; not every helper is used here"
)]

#[path = "../it/support/mod.rs"]
mod support;

use std::{path::PathBuf, process::Command, time::Duration};

use sqlx::Connection as _;
use support::{BOUND, Database, Site, browser::PASSWORD, sample, site::Plan};

/// The folder with `playwright-core` and `axe-core`; `tests/run` sets it.
const MODULES: &str = "GREENLANE_TEST_NODE_MODULES";

/// Set to anything, it asks for pictures of the pages.
const PICTURES: &str = "GREENLANE_TEST_PICTURES";

/// An installation with people, and so many applications that wait for a reviewer.
async fn site(plan: Plan, tasks: usize) -> Site {
    let site = plan.start().await;
    for (name, role) in
        [("wang", "reviewer"), ("li", "reviewer"), ("zhao", "supervisor"), ("sun", "admin"), ("han", "verifier")]
    {
        site.user(name, role, &[]).await;
    }
    for _ in 0..tasks {
        let photo = site.api.upload_photo("camera").await;
        let id = site.api.admit(&sample(0).photo("camera", &photo)).await;
        site.api.wait_for_status(&id, "in_review").await;
    }
    site
}

fn plan() -> Plan {
    Site::on(Database::sqlite())
}

/// Runs a script against the installation; what it prints is shown when it fails, and under `--nocapture`.
async fn run(site: &Site, script: &str) {
    run_with(site, script, &[]).await;
}

/// [`run`] with further variables for the script.
async fn run_with(site: &Site, script: &str, variables: &[(&str, &str)]) {
    let modules = std::env::var(MODULES).unwrap_or_else(|_| {
        panic!("no browser for the tests: run `tests/run`, or set {MODULES} to a `node_modules` with playwright-core and axe-core")
    });
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new("node");
    command.arg(root.join("tests/browser").join(format!("{script}.mjs")));
    command.env("BASE", &site.api.base).env("PASSWORD", PASSWORD).env(MODULES, modules);
    if std::env::var_os(PICTURES).is_some() {
        let shots = root.join("target/browser");
        std::fs::create_dir_all(&shots).unwrap();
        command.env("SHOTS", shots);
    }
    command.env("KEY", site.api.key.as_deref().unwrap()).envs(variables.iter().copied());
    let ended = tokio::task::spawn_blocking(move || command.output().expect("node starts")).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "`{script}` failed\n{out}\n{err}");
    eprintln!("{out}");
}

#[tokio::test]
async fn a_whole_review_by_keyboard() {
    let site = site(plan().setting("review.undo_seconds", 30), 3).await;
    run(&site, "journey").await;
}

#[tokio::test]
async fn an_undone_decision_is_made_again() {
    let site = site(plan().setting("review.undo_seconds", 30), 1).await;
    run(&site, "undo").await;
}

#[tokio::test]
async fn two_reviewers_race_for_one_task() {
    let site = site(plan(), 1).await;
    run(&site, "race").await;
}

#[tokio::test]
async fn a_lease_is_lost_in_an_open_page() {
    let site = site(plan().setting("review.lease_seconds", 8), 1).await;
    run(&site, "lease").await;
}

#[tokio::test]
async fn drafts_are_one_persons() {
    let site = site(plan(), 2).await;
    run(&site, "drafts").await;
}

#[tokio::test]
async fn four_eyes_see_the_same_photo() {
    let site = site(plan().setting("review.undo_seconds", 0), 1).await;
    run(&site, "four_eyes").await;
}

#[tokio::test]
async fn a_deadline_turns_red_in_an_open_page() {
    let site = site(plan(), 1).await;
    tokio::join!(run(&site, "deadline"), break_the_promise(&site));
}

/// Moves the due time of the claimed task into the past, as if the database's clock had gone on, once its page is shown:
/// the photo was looked at.
async fn break_the_promise(site: &Site) {
    let shown = async || {
        let claimed = site.api.get("/v1/reviews?state=claimed").await.expect(200).items();
        let Some(task) = claimed.first() else { return false };
        let events = site.api.events(task["application_id"].as_str().unwrap()).await;
        events.iter().any(|event| event["type"] == "photo_viewed")
    };
    let bound = std::time::Instant::now() + BOUND;
    while !shown().await {
        assert!(std::time::Instant::now() < bound, "the task is not shown");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut database = sqlx::SqliteConnection::connect(site.database.url()).await.unwrap();
    let past = "2026-01-05T09:00:00.000000Z";
    let moved = sqlx::query("UPDATE reviews SET due_at = ?1, document = json_set(document, '$.due_at', ?1)")
        .bind(past)
        .execute(&mut database)
        .await
        .unwrap();
    assert_eq!(moved.rows_affected(), 1);
    database.close().await.unwrap();
}

#[tokio::test]
async fn failures_to_sign_in_are_limited() {
    let site = site(plan().setting("limits.login_attempts", 3), 0).await;
    run(&site, "sign_in").await;
}

#[tokio::test]
async fn every_page_is_accessible() {
    let site = site(plan().setting("review.undo_seconds", 60), 4).await;
    find_faces(&site).await;
    tokio::time::timeout(Duration::from_secs(500), run(&site, "pages")).await.expect("the pages are looked at in time");
}

/// As if the white pictures of the tests had a face.
async fn find_faces(site: &Site) {
    let mut database = sqlx::SqliteConnection::connect(site.database.url()).await.unwrap();
    let face = r#"{"left":140,"top":230,"width":240,"height":240}"#;
    sqlx::query("UPDATE photos SET face = ?1").bind(face).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

/// An installation with an operator, applications that stalled while the registry was away, the last of which gets no
/// answer even now, and an issued licence without a card.
async fn site_with_stalled() -> Site {
    let site = site(plan().setting("workflow.retry_scale", "0.0001"), 0).await;
    site.user("qian", "operator", &[]).await;
    site.simulator.fault("registry", serde_json::json!({ "error_rate": 1.0, "seed": 1 })).await;
    for sequence in [0, 0, 911] {
        let id = site.api.admit(&sample(sequence)).await;
        site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == "stalled").await;
    }
    site.simulator.fault("registry", serde_json::json!({ "error_rate": 0.0, "seed": 1 })).await;
    let rare = sample(0).set("/applicant/name", "张𬭎");
    site.simulator.override_registry(rare.document_number(), serde_json::json!({ "holder_name": "张𬭎" })).await;
    let id = site.api.admit(&rare).await;
    site.api.wait_until_done(&id, "issued").await;
    site
}

#[tokio::test]
async fn operators_see_and_mend() {
    run(&site_with_stalled().await, "ops").await;
}

#[tokio::test]
async fn every_page_of_the_dashboard_is_for_everybody() {
    run(&site_with_stalled().await, "ops_pages").await;
}

#[tokio::test]
async fn administrators_keep_users_keys_and_the_calendar() {
    run(&site(plan(), 0).await, "administration").await;
}

/// An auditor sees everything and changes nothing.
#[tokio::test]
async fn auditors_read_only() {
    let site = site_with_stalled().await;
    site.user("he", "auditor", &[]).await;
    run(&site, "read_only").await;
}

/// So many stalled applications that their number has to be typed.
#[tokio::test]
async fn many_are_confirmed_by_their_number() {
    let site = site(plan(), 0).await;
    site.user("qian", "operator", &[]).await;
    let mut ids = Vec::new();
    for _ in 0..101 {
        ids.push(site.api.admit(&sample(0).set("/face_token", "ft-manual")).await);
    }
    for id in &ids {
        site.api.wait_until(id, BOUND, |application| application["status"] == "stalled").await;
    }
    run(&site, "many").await;
}

#[tokio::test]
async fn charts_are_read_by_keyboard() {
    let site = site(plan(), 0).await;
    let bound = std::time::Instant::now() + 4 * BOUND;
    let points = async || {
        let body = site.api.get("/v1/ops/figures?series=reviews.open").await.expect(200).json();
        body["points"].as_array().unwrap().len()
    };
    while points().await == 0 {
        assert!(std::time::Instant::now() < bound, "nothing is measured");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    run(&site, "charts").await;
}

/// An installation with an issued licence. The script has every right by `KEY`, and finds the licence by it.
#[tokio::test]
async fn a_code_is_verified_at_the_roadside() {
    let site = site(plan().setting("licence.status_cache_seconds", 0), 0).await;
    let holder = sample(0);
    let id = site.api.admit(&holder).await;
    site.api.wait_for_status(&id, "issued").await;
    let variables = [("SIMULATOR", site.simulator.api.base.as_str()), ("DOCUMENT", holder.document_number())];
    run_with(&site, "verify", &variables).await;
}

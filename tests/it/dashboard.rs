//! `/ops`: the dashboard's pages, their forms, and who may do what there.

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::{Answer, BOUND, Database, Site, on_both_databases, sample};

/// The pages that everybody with `ops:read` has; an auditor and an administrator have `/ops/audit` too.
const PAGES: &[&str] = &[
    "/ops",
    "/ops?per_hour=12&overtime=60",
    "/ops?per_hour=many",
    "/ops?reviewers=12&paused=generation",
    "/ops/queues",
    "/ops/find",
    "/ops/stalled",
    "/ops/stalled?stage=eligibility&error_code=x",
    "/ops/charts",
    "/ops/charts?span=14d",
    "/ops/licences",
    "/ops/webhooks",
    "/ops/webhooks?state=pending",
    "/ops/webhooks?state=delivered",
    "/ops/system",
];

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn location(answer: &Answer) -> String {
    answer.header("location").unwrap().to_owned()
}

async fn english(site: &Site, name: &str, role: &str) -> Browser {
    let mut browser = site.signed_in(name, role).await;
    browser.post("/preferences", &[("language", "en"), ("next", "/ops")]).await.expect(303);
    browser
}

/// A site with an application that stalled at the registry, which has mended since.
async fn with_stalled(database: Database, count: usize) -> (Site, Vec<String>) {
    let site = Site::on(database).setting("workflow.retry_scale", "0.0001").start().await;
    site.simulator.fault("registry", json!({ "error_rate": 1.0, "seed": 1 })).await;
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(site.api.admit(&sample(0)).await);
    }
    for id in &ids {
        site.api.wait_until(id, 2 * BOUND, |application| application["status"] == "stalled").await;
    }
    site.simulator.fault("registry", json!({ "error_rate": 0.0, "seed": 1 })).await;
    (site, ids)
}

on_both_databases! {
    async fn pages_are_for_their_roles(database) {
        let site = Site::on(database).roles("api").start().await;
        for (role, sees, audits) in [
            ("operator", 200, 403), ("auditor", 200, 200), ("admin", 200, 200), ("reviewer", 403, 403), ("supervisor", 403, 403),
        ] {
            let mut person = site.signed_in(role, role).await;
            for page in PAGES {
                person.get(page).await.expect(sees);
            }
            person.get("/ops/audit?type=submitted&from=2026-01-01T00:00").await.expect(audits);
        }
        let mut stranger = site.browser();
        for page in PAGES {
            stranger.get(page).await.expect(303);
        }
    }

    async fn a_queue_is_paused_and_resumed(database) {
        let site = Site::on(database).roles("api").start().await;
        let mut qian = english(&site, "qian", "operator").await;
        for (reason, until, told) in [
            ("", "", "Fill in the field"),
            ("maintenance", "2020-01-01T00:00", "must be in the future"),
            ("maintenance", "tomorrow", "That is no time"),
        ] {
            let refused = qian.post("/ops/queues/generation/pause", &[("reason", reason), ("until", until)]).await.expect(422);
            assert!(text(&refused).contains(told), "{told}");
        }
        let fields = [("reason", "the <registry> moves"), ("until", "")];
        let paused = qian.post("/ops/queues/generation/pause", &fields).await.expect(303);
        assert_eq!(location(&paused), "/ops/queues");
        let page = text(&qian.get("/ops/queues").await.expect(200));
        assert!(page.contains("Paused by qian") && page.contains("the &#60;registry&#62; moves"), "{page}");

        let mut auditor = english(&site, "sun", "auditor").await;
        let page = text(&auditor.get("/ops/queues").await.expect(200));
        assert!(page.contains("disabled aria-describedby=\"read-only\"") && page.contains("may look only"), "{page}");
        auditor.post("/ops/queues/generation/resume", &[]).await.expect(403);
        qian.set_header("sec-fetch-site", "cross-site");
        qian.post("/ops/queues/generation/resume", &[]).await.expect(403);
        qian.set_header("sec-fetch-site", "same-origin");
        qian.post("/ops/queues/nonsense/resume", &[]).await.expect(404);
        qian.post("/ops/queues/generation/resume", &[]).await.expect(303);
        assert!(!text(&qian.get("/ops/queues").await.expect(200)).contains("Paused by"));
    }

    async fn applications_are_found_and_shown(database) {
        let site = Site::on(database).start().await;
        let mut wanted = sample(0);
        wanted.body["upstream_ref"] = json!("DASH-17");
        let number = wanted.body["applicant"]["document_number"].as_str().unwrap().to_owned();
        let id = site.api.admit(&wanted).await;
        site.api.wait_until(&id, 2 * BOUND, |application| !application["completed_at"].is_null()).await;
        let mut qian = english(&site, "qian", "operator").await;
        for query in [id.as_str(), "DASH-17", &number, &format!(" {} ", number.to_lowercase())] {
            let found = qian.post("/ops/find", &[("query", query)]).await.expect(303);
            assert_eq!(location(&found), format!("/ops/applications/{id}"), "{query}");
            let found = site.api.post("/v1/ops/find", &json!({ "query": query })).await.expect(200).items();
            assert_eq!(found[0]["application_id"], id.as_str());
        }
        assert!(text(&qian.post("/ops/find", &[("query", "nobody's")]).await.expect(200)).contains("Nothing was found"));
        qian.post("/ops/find", &[("query", " ")]).await.expect(422);

        let page = text(&qian.get(&format!("/ops/applications/{id}")).await.expect(200));
        assert!(!page.contains(&number) && page.contains("DASH-17") && page.contains("Timeline"), "{page}");
        let ran = site.api.events(&id).await.into_iter().filter(|event| event["data"]["ran_ms"].is_u64()).count();
        assert!(ran >= 4, "each run says how long it took: {ran}");
        let verified = text(&qian.post(&format!("/ops/applications/{id}/verify"), &[]).await.expect(200));
        assert!(verified.contains("Intact:"), "{verified}");
        qian.get(&format!("/ops/applications/{}", uuid::Uuid::now_v7())).await.expect(404);
    }

    async fn a_licence_is_shown_and_its_service_ended(database) {
        let site = Site::on(database).start().await;
        let id = site.api.admit(&sample(0)).await;
        let licence = site.api.wait_until_done(&id, "issued").await["licence_id"].as_str().unwrap().to_owned();
        let token = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).text("token");
        site.api.post("/v1/presentations/verify", &json!({ "token": token, "purpose": "car_rental" })).await.expect(200);

        let body = site.key("ops:read").await.get(&format!("/v1/ops/licences/{licence}")).await.expect(200).json();
        assert_eq!((body["state"].as_str(), body["owner"].as_str(), &body["card"]), (Some("current"), Some("upstream"), &json!(null)));
        assert_eq!((body["checks"][0]["purpose"].as_str(), &body["checks"][0]["reason"]), (Some("car_rental"), &json!(null)));
        site.api.get(&format!("/v1/ops/licences/{}", uuid::Uuid::now_v7())).await.any_problem(404);

        let (address, act) = (format!("/ops/applications/{id}"), format!("/ops/licences/{licence}/terminate"));
        let mut auditor = english(&site, "sun", "auditor").await;
        let page = text(&auditor.get(&address).await.expect(200));
        assert!(page.contains("Issued licence") && page.contains("Car rental") && !page.contains(&act), "{page}");
        auditor.post(&act, &[("reason", "a forged photo"), ("typed", "")]).await.expect(403);
        let mut qian = english(&site, "qian", "operator").await;
        assert!(text(&qian.get(&address).await.expect(200)).contains(&act));
        // A person is no outside system, and keys of one name are told apart.
        let token = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201).text("token");
        let check = json!({ "token": token, "purpose": "insurance" });
        assert_eq!(qian.call("/v1/presentations/verify", &check).await.expect(200).json()["valid"], true);
        let events = site.api.events(&id).await;
        let checks: Vec<_> = events.iter().filter(|event| event["type"] == "licence_verified").collect();
        let kinds: Vec<_> = checks.iter().map(|event| (event["actor"]["kind"].as_str().unwrap(), event["data"]["key_id"].is_string())).collect();
        assert_eq!(kinds, [("upstream", true), ("operator", false)]);
        assert_eq!(checks[1]["actor"]["id"], "qian");
        let typed = &licence[licence.len() - 6..];
        for (reason, typed, problem) in [("a forged photo", "000000", "do not match"), (" ", typed, "Fill in")] {
            let refused = text(&qian.post(&act, &[("reason", reason), ("typed", typed)]).await.expect(422));
            assert!(refused.contains(problem), "{refused}");
        }
        let ended = qian.post(&act, &[("reason", "a forged photo"), ("typed", typed)]).await.expect(303);
        assert_eq!(location(&ended), format!("{address}#licence"));
        let page = text(&auditor.get(&address).await.expect(200));
        assert!(page.contains("service ended") && page.contains("Licence service ended"), "{page}");
        let again = text(&qian.post(&act, &[("reason", "again"), ("typed", typed)]).await.expect(422));
        assert!(again.contains("not current any more"), "{again}");
    }

    async fn stalled_applications_are_retried_together(database) {
        let (site, ids) = with_stalled(database, 3).await;
        let groups = site.api.get("/v1/ops/stalled/groups").await.expect(200).items();
        assert_eq!((groups.len(), &groups[0]["stage"], &groups[0]["count"]), (1, &json!("eligibility"), &json!(3)));
        let code = groups[0]["error_code"].as_str().unwrap();
        let mut qian = english(&site, "qian", "operator").await;
        let page = text(&qian.get("/ops/stalled").await.expect(200));
        assert!(page.contains(code) && ids.iter().all(|id| page.contains(id)), "{page}");

        let fields = [("act", "reject"), ("reason", "")];
        qian.post(&format!("/ops/stalled/{}/act", ids[0]), &fields).await.expect(422);
        qian.post(&format!("/ops/stalled/{}/act", ids[0]), &[("act", "reject"), ("reason", "a duplicate")]).await.expect(303);
        site.api.wait_until(&ids[0], BOUND, |application| application["status"] == "rejected").await;
        qian.post(&format!("/ops/stalled/{}/act", ids[0]), &[("act", "retry")]).await.expect(409);

        let preview = text(&qian.get("/ops/stalled/retry?stage=eligibility").await.expect(200));
        assert!(preview.contains("2 applications match") && preview.contains(&ids[1]), "{preview}");
        let mut auditor = english(&site, "sun", "auditor").await;
        auditor.get("/ops/stalled/retry?stage=eligibility").await.expect(403);
        auditor.post("/ops/stalled/retry", &[("stage", "eligibility")]).await.expect(403);
        qian.post("/ops/stalled/retry", &[("stage", "generation")]).await.expect(422);
        let started = qian.post("/ops/stalled/retry", &[("stage", "eligibility"), ("error_code", code)]).await.expect(303);
        for id in &ids[1..] {
            site.api.wait_until(id, 2 * BOUND, |application| application["status"] == "issued").await;
        }
        let bound = std::time::Instant::now() + 2 * BOUND;
        let verdicts = async || site.api.get(&format!("/v1{}", location(&started))).await.expect(200).json()["verdicts"].clone();
        while verdicts().await["succeeded"] != 2 {
            assert!(std::time::Instant::now() < bound, "{}", verdicts().await);
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let page = text(&auditor.get(&location(&started)).await.expect(200));
        assert_eq!(page.matches("data-verdict=\"succeeded\"").count(), 2, "{page}");
        assert!(page.contains("2 of 2 done") && page.contains("Started by qian"), "{page}");
        let mut admin = english(&site, "root", "admin").await;
        let audit = text(&admin.get("/ops/audit?type=stalled_retried").await.expect(200));
        assert!(audit.contains("operator qian"), "{audit}");
    }

    async fn stalled_applications_are_rejected_together(database) {
        let (site, ids) = with_stalled(database, 3).await;
        let mut qian = english(&site, "qian", "operator").await;
        for page in ["/ops/stalled?stage=nonsense", "/ops/stalled/retry?stage=nonsense"] {
            qian.get(page).await.expect(422);
        }
        qian.get("/ops/stalled/accept").await.expect(404);

        // A list keeps its filter, whatever becomes of an act.
        let list = "stage=eligibility&error_code=";
        let act = format!("/ops/stalled/{}/act?{list}", ids[0]);
        let refused = text(&qian.post(&act, &[("act", "accept"), ("reason", "seen at the counter")]).await.expect(409));
        assert!(refused.contains("Only a face verification") && refused.contains("stage=eligibility"), "{refused}");
        let rejected = qian.post(&act, &[("act", "reject"), ("reason", "a duplicate")]).await.expect(303);
        assert!(location(&rejected).starts_with(&format!("/ops/stalled?{list}")), "{}", location(&rejected));
        assert!(text(&qian.get(&location(&rejected)).await.expect(200)).contains("Done:"));

        let preview = text(&qian.get("/ops/stalled/reject?stage=eligibility").await.expect(200));
        assert!(preview.contains("2 applications match") && preview.contains("Reject them all"), "{preview}");
        qian.post("/ops/stalled/reject", &[("stage", "eligibility"), ("reason", " ")]).await.expect(422);
        qian.post("/ops/stalled/reject", &[("stage", "nonsense"), ("reason", "duplicates")]).await.expect(422);
        let started = qian.post("/ops/stalled/reject", &[("stage", "eligibility"), ("reason", "duplicates")]).await.expect(303);
        for id in &ids[1..] {
            site.api.wait_until(id, 2 * BOUND, |application| application["status"] == "rejected").await;
        }
        let page = text(&qian.get(&location(&started)).await.expect(200));
        assert!(page.contains("Bulk rejection") && page.contains("Reason: duplicates"), "{page}");
    }
}

#[tokio::test]
async fn figures_are_kept_by_the_minute() {
    let site = Site::on(Database::sqlite()).start().await;
    let points = async || {
        let body = site.api.get("/v1/ops/figures?series=reviews.open").await.expect(200).json();
        body["points"].as_array().unwrap().len()
    };
    let bound = std::time::Instant::now() + 2 * BOUND;
    while points().await == 0 {
        assert!(std::time::Instant::now() < bound, "nothing is measured");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    site.api.get("/v1/ops/figures?series=").await.problem(422, "validation_failed");
}

#[tokio::test]
async fn missed_due_times_are_forecast() {
    let site = Site::on(Database::sqlite()).start().await;
    let photo = site.api.upload_photo("camera").await;
    let id = site.api.admit(&sample(0).photo("camera", &photo)).await;
    site.api.wait_for_status(&id, "in_review").await;
    let ask = async |query: &str| site.api.get(&format!("/v1/ops/forecast{query}")).await.expect(200).json();
    let unknown = ask("").await;
    assert_eq!((&unknown["open"], &unknown["missed"]), (&json!(1), &json!(null)), "{unknown}");
    let (never, fast) = (ask("?per_hour=0").await, ask("?per_hour=1000").await);
    assert_eq!((&never["missed"], &fast["missed"], &fast["first_missed"]), (&json!(1), &json!(0), &json!(null)));
    assert!(!never["first_missed"].is_null(), "{never}");
    assert_eq!((&fast["range"]["days"], &fast["record"]), (&json!(0), &json!(null)), "{fast}");
    let nobody_measured = ask("?reviewers=3").await;
    assert_eq!((&nobody_measured["per_reviewer"], &nobody_measured["missed"]), (&json!(null), &json!(null)));
    for stage in ["photo_review", "generation", "notification"] {
        let paused = ask(&format!("?per_hour=1000&paused={stage}")).await;
        assert_eq!((&paused["missed"], &paused["paused"]), (&json!(1), &json!([stage])), "{paused}");
    }
    assert_eq!(ask("?per_hour=1000&paused=eligibility,face_verification").await["missed"], 0);
    site.api.post("/v1/ops/queues/generation/pause", &json!({ "reason": "mended" })).await.expect(200);
    let really = ask("?per_hour=1000").await;
    assert_eq!((&really["missed"], &really["paused"]), (&json!(1), &json!(["generation"])), "{really}");
    let overview = site.api.get("/v1/ops/overview").await.expect(200).json();
    assert_eq!((&overview["forecast"]["open"], &overview["forecast"]["ready"]), (&json!(1), &json!(0)), "{overview}");
    site.api.get("/v1/ops/forecast?paused=lunch").await.problem(422, "validation_failed");
    site.api.get("/v1/ops/forecast?overtime_minutes=601").await.problem(422, "validation_failed");
}

//! `/review` and what supervisors do, as the browser and the API see it.

use serde_json::{Value, json};

use crate::support::browser::{Browser, PASSWORD};
use crate::support::{Answer, BOUND, Database, Site, on_both_databases, sample};

/// An application that waits for a reviewer.
async fn in_review(site: &Site) -> String {
    let photo = site.api.upload_photo("camera").await;
    let id = site.api.admit(&sample(0).photo("camera", &photo)).await;
    site.api.wait_for_status(&id, "in_review").await;
    id
}

/// The API's path of a task.
fn path(task: &Value) -> String {
    format!("/v1/reviews/{}", task["id"].as_str().unwrap())
}

/// The page of a task.
fn page(task: &Value) -> String {
    format!("/review/tasks/{}", task["id"].as_str().unwrap())
}

async fn act(browser: &mut Browser, task: &Value, act: &str, mut body: Value) -> Answer {
    body["lease_token"] = task["lease_token"].clone();
    browser.call(&format!("{}/{act}", path(task)), &body).await
}

async fn next(browser: &mut Browser) -> Value {
    browser.call("/v1/reviews/claim-next", &json!({})).await.expect(200).json()
}

async fn nothing(browser: &mut Browser) {
    browser.call("/v1/reviews/claim-next", &json!({})).await.expect(204);
}

/// The task of an application whose photo is refused.
async fn rejected(site: &Site, application: &str) -> Value {
    let task = site.api.claim_review_of(application).await;
    site.api.decide(&task, "reject", &["hat_worn"]).await.expect(200);
    task
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn approve() -> Value {
    json!({ "decision": "approve", "reasons": [] })
}

on_both_databases! {
    async fn a_second_person_looks_without_the_first_verdict_and_a_supervisor_settles(database) {
        let site = Site::on(database).start().await;
        let id = in_review(&site).await;
        let mut wang = site.signed_in("wang", "reviewer").await;
        let task = next(&mut wang).await;
        let grave = json!({ "decision": "reject", "reasons": ["unlawful_content"], "note": "a banner" });
        let decided = act(&mut wang, &task, "decision", grave).await.expect(200).json();
        assert_eq!((decided["state"].as_str(), &decided["second_look"]), (Some("open"), &Value::Null), "{decided:#}");
        assert_eq!(site.api.get(&path(&task)).await.expect(200).json()["second_look"], true, "to a supervisor");
        nothing(&mut wang).await;
        wang.call(&format!("{}/claim", path(&task)), &json!({})).await.problem(403, "conflict_of_interest");

        let mut li = site.signed_in("li", "reviewer").await;
        let second = next(&mut li).await;
        for shown in [li.get(&page(&second)).await.expect(200), li.get(&path(&second)).await.expect(200)] {
            let shown = text(&shown);
            assert!(!shown.contains("wang") && !shown.contains("a banner"), "the first person's verdict: {shown}");
            assert!(!shown.contains("</span> 第二人审核") && !shown.contains("\"second_look\":true"), "that it is a second look: {shown}");
        }
        act(&mut li, &second, "decision", approve()).await.expect(200);
        nothing(&mut li).await;

        let mut zhao = site.signed_in("zhao", "supervisor").await;
        let third = next(&mut zhao).await;
        assert_eq!(third["disputed"].as_array().map(Vec::len), Some(2), "{third:#}");
        let detail = zhao.get(&path(&third)).await.expect(200).json();
        assert_eq!((&detail["notes"][0]["text"], &detail["notes"][0]["by"]), (&json!("a banner"), &json!("wang")));
        act(&mut zhao, &third, "decision", approve()).await.expect(200);
        site.api.wait_for_status(&id, "issued").await;
        let pace = wang.get("/v1/reviews/pace").await.expect(200).json();
        assert_eq!((pace["decided_30_days"].as_u64(), pace["overturned_30_days"].as_u64()), (Some(1), Some(1)), "{pace:#}");
    }

    async fn supervisors_take_over_reassign_and_reopen(database) {
        let site = Site::on(database).start().await;
        in_review(&site).await;
        let (mut wang, mut li) = (site.signed_in("wang", "reviewer").await, site.signed_in("li", "reviewer").await);
        let mut zhao = site.signed_in("zhao", "supervisor").await;
        let task = next(&mut wang).await;
        let (id, path) = (task["id"].as_str().unwrap(), path(&task));
        li.call(&format!("{path}/take-over"), &json!({})).await.problem(409, "already_claimed");
        let taken = zhao.call(&format!("{path}/take-over"), &json!({})).await.expect(200).json();
        act(&mut wang, &task, "heartbeat", json!({})).await.problem(409, "lease_lost");
        assert!(text(&zhao.get("/review/tasks?state=claimed").await.expect(200)).contains(id));
        let give = json!({ "to": "li", "reason": "knows uniforms" });
        li.call(&format!("{path}/reassign"), &give).await.problem(403, "scope_missing");
        zhao.call(&format!("{path}/reassign"), &json!({ "to": "li", "reason": " " })).await.field_error("/reason");
        site.user("far", "reviewer", &["--authority", "沪Z"]).await;
        site.user("sun", "operator", &[]).await;
        site.user("gone", "reviewer", &[]).await;
        site.greenlane(&["user", "disable", "gone"]).await.expect(0);
        for to in ["nobody", "far", "sun", "gone"] {
            zhao.call(&format!("{path}/reassign"), &json!({ "to": to, "reason": "x" })).await.field_error("/to");
        }
        zhao.call(&format!("{path}/reassign"), &json!({ "reason": "x" })).await.field_error("/to");
        zhao.call(&format!("{path}/reassign"), &give).await.expect(200);
        act(&mut zhao, &taken, "heartbeat", json!({})).await.problem(409, "lease_lost");
        nothing(&mut wang).await;
        wang.call(&format!("{path}/claim"), &json!({})).await.problem(409, "assigned_to_other");
        zhao.call(&format!("{path}/reassign"), &json!({ "to": null, "reason": "li is away" })).await.expect(200);
        let back = next(&mut wang).await;
        act(&mut wang, &back, "release", json!({ "reason": "a uniform that I do not know" })).await.expect(204);
        let steps = zhao.get(&path).await.expect(200).json()["steps"].clone();
        let told: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["reason"].as_str().unwrap()).collect();
        assert_eq!(told, ["knows uniforms", "li is away", "a uniform that I do not know"]);
        assert!(text(&zhao.get(&page(&task)).await.expect(200)).contains("a uniform that I do not know"));
        assert_eq!(li.get(&path).await.expect(200).json()["steps"], json!([]));
        zhao.call(&format!("{path}/reassign"), &give).await.expect(200);
        let given = next(&mut li).await;
        zhao.call(&format!("{path}/reopen"), &json!({ "reason": "wrong" })).await.problem(409, "not_decided");
        let slowly = json!({ "decision": "approve", "reasons": [], "undo_seconds": 60 });
        let decided = act(&mut li, &given, "decision", slowly).await.expect(200).json();
        assert_eq!(decided["decision"]["reviewer"], "li");
        assert_eq!(wang.get(&path).await.expect(200).json()["decision"], Value::Null, "nobody else's business yet");
        let opened = zhao.call(&format!("{path}/reopen"), &json!({ "reason": "wrong photo" })).await.expect(200).json();
        assert_eq!((&opened["state"], &opened["round"]), (&json!("open"), &json!(2)));
        act(&mut li, &given, "undo", json!({})).await.problem(409, "lease_lost");
        li.call(&format!("{path}/claim"), &json!({})).await.problem(403, "conflict_of_interest");
        nothing(&mut li).await;
        let again = next(&mut wang).await;
        let detail = wang.get(&path).await.expect(200).json();
        assert_eq!((&detail["former"][0]["decisions"][0]["reviewer"], &detail["former"][0]["reason"]), (&json!("li"), &json!("wrong photo")));
        assert!(text(&wang.get(&page(&task)).await.expect(200)).contains("wrong photo"));
        act(&mut wang, &again, "decision", approve()).await.expect(200);
    }

    async fn what_has_reached_the_applicant_is_not_reopened(database) {
        let site = Site::on(database).start().await;
        let mut zhao = site.signed_in("zhao", "supervisor").await;
        let reason = json!({ "reason": "the wrong photo" });
        // Nobody is told while the queue is paused, and the rejection can be looked at again.
        for queue in ["notification", "generation"] {
            site.api.post(&format!("/v1/ops/queues/{queue}/pause"), &reason).await.expect(200);
        }
        let id = in_review(&site).await;
        let task = rejected(&site, &id).await;
        let reopen = format!("{}/reopen", path(&task));
        site.api.wait_for_status(&id, "rejected").await;
        assert!(text(&zhao.get("/review/tasks?state=decided").await.expect(200)).contains("data-act=\"reopen\""));
        zhao.call(&reopen, &reason).await.expect(200);
        let open = site.api.wait_for_status(&id, "in_review").await;
        assert_eq!((&open["outcome"], &open["decided_at"], &open["stage"]), (&Value::Null, &Value::Null, &json!("photo_review")));
        // Approved, and generation waits.
        let second = site.api.reviewer("li").claim_review_of(&id).await;
        let approved = json!({ "lease_token": second["lease_token"], "decision": "approve", "reasons": [] });
        site.api.post(&format!("{}/decision", path(&second)), &approved).await.expect(200);
        zhao.call(&reopen, &reason).await.expect(200);
        let third = site.api.reviewer("sun").claim_review_of(&id).await;
        assert_eq!(third["round"], 3);
        let approved = json!({ "lease_token": third["lease_token"], "decision": "approve", "reasons": [] });
        site.api.post(&format!("{}/decision", path(&third)), &approved).await.expect(200);
        site.api.post("/v1/ops/queues/generation/resume", &json!({})).await.expect(200);
        site.api.wait_for_status(&id, "issued").await;
        zhao.call(&reopen, &reason).await.problem(409, "already_issued");

        site.api.post("/v1/ops/queues/notification/resume", &json!({})).await.expect(200);
        let told = in_review(&site).await;
        let task = rejected(&site, &told).await;
        site.api.wait_until_done(&told, "rejected").await;
        zhao.call(&format!("{}/reopen", path(&task)), &reason).await.problem(409, "already_told");
        site.greenlane(&["audit", "verify"]).await.expect(0);
    }

    async fn what_is_postponed_waits_and_what_is_escalated_goes_to_a_supervisor(database) {
        let site = Site::on(database).start().await;
        in_review(&site).await;
        let mut wang = site.signed_in("wang", "reviewer").await;
        let mut zhao = site.signed_in("zhao", "supervisor").await;
        let task = next(&mut wang).await;
        for minutes in [0, 481] {
            act(&mut wang, &task, "postpone", json!({ "minutes": minutes, "reason": "x" })).await.field_error("/minutes");
        }
        act(&mut wang, &task, "postpone", json!({ "minutes": 30, "reason": "asks a colleague" })).await.expect(200);
        nothing(&mut wang).await;
        let again = wang.call(&format!("{}/claim", path(&task)), &json!({})).await.expect(200).json();
        act(&mut wang, &again, "escalate", json!({ "note": "is that a uniform?" })).await.expect(200);
        nothing(&mut wang).await;
        let escalated = next(&mut zhao).await;
        assert_eq!(escalated["supervisor_only"], true);
        assert!(text(&zhao.get(&page(&task)).await.expect(200)).contains("is that a uniform?"));
        assert_eq!(zhao.get("/v1/reviews?claimed_by=zhao").await.expect(200).items().len(), 1);
        assert!(zhao.get("/v1/reviews?claimed_by=wang").await.expect(200).items().is_empty());
    }

    async fn nobody_gets_their_own_application_and_everybody_their_authority(database) {
        let site = Site::on(database).start().await;
        let photo = site.api.upload_photo("camera").await;
        let own = sample(0).photo("camera", &photo);
        let number = own.body["applicant"]["document_number"].as_str().unwrap().to_owned();
        let id = site.api.admit(&own).await;
        let authority = site.api.review_of(&id).await["authority"].as_str().unwrap().to_owned();
        let create = ["user", "create", "--name", "wang", "--role", "reviewer", "--document-type", "A"];
        site.settings.run_with_input(&create, &format!("{PASSWORD}\n{number}\n")).await.expect(0);
        let mut wang = site.browser();
        wang.sign_in("wang", PASSWORD).await.expect(303);
        nothing(&mut wang).await;
        // A key that names the same person has the same conflict.
        site.api.reviewer("wang").post("/v1/reviews/claim-next", &json!({})).await.expect(204);

        site.user("far", "reviewer", &["--authority", "沪Z"]).await;
        let mut far = site.browser();
        far.sign_in("far", PASSWORD).await.expect(303);
        nothing(&mut far).await;
        far.call("/v1/reviews/claim-next", &json!({ "authority": authority })).await.problem(403, "authority_not_allowed");
        site.user("helper", "reviewer", &["--authority", "沪Z", "--other-authorities"]).await;
        let mut helper = site.browser();
        helper.sign_in("helper", PASSWORD).await.expect(303);
        next(&mut helper).await;
    }
}

#[tokio::test]
async fn a_task_shows_masked_facts_and_every_look_is_recorded() {
    let site = Site::on(Database::sqlite()).start().await;
    let photo = site.api.upload_photo("camera").await;
    let sample = sample(0).photo("camera", &photo);
    let applicant = sample.body["applicant"].clone();
    let (number, mobile) = (applicant["document_number"].as_str().unwrap(), applicant["mobile"].as_str().unwrap());
    let id = site.api.admit(&sample).await;
    site.api.wait_for_status(&id, "in_review").await;
    let mut wang = site.signed_in("wang", "reviewer").await;
    let task = next(&mut wang).await;
    let shown = text(&wang.get(&page(&task)).await.expect(200));
    assert!(shown.contains("****") && !shown.contains(number) && !shown.contains(mobile), "{shown}");
    let mut li = site.signed_in("li", "reviewer").await;
    let closed = text(&li.get(&page(&task)).await.expect(200));
    assert!(!closed.contains("****") && !closed.contains("/image"), "somebody else's task: {closed}");
    let fact = act(&mut wang, &task, "reveal", json!({ "fact": "mobile" })).await.expect(200).json();
    assert_eq!(fact["value"], mobile);
    let stolen = json!({ "lease_token": "x", "fact": "mobile" });
    li.call(&format!("{}/reveal", path(&task)), &stolen).await.problem(409, "lease_lost");
    wang.get(&format!("/v1/photos/{}/image", task["photo_id"].as_str().unwrap())).await.expect(200);
    let retained = wang.get(&format!("{}/comparison", path(&task))).await.expect(200);
    assert_eq!(
        (retained.header("content-type"), retained.header("cache-control")),
        (Some("image/jpeg"), Some("no-store"))
    );
    site.simulator.fault("registry", json!({ "error_rate": 1.0, "seed": 1 })).await;
    wang.get(&format!("{}/comparison", path(&task))).await.problem(503, "registry_unavailable");
    let detail = wang.get(&path(&task)).await.expect(200).json();
    assert_eq!(detail["picture"], json!({ "width": 520, "height": 756, "face": null }), "a white picture has none");
    let events = site.api.events(&id).await;
    assert!(events.iter().any(|event| event["type"] == "photo_viewed" && event["data"]["source"] == "registry"));
    for kind in ["fact_revealed", "photo_viewed"] {
        let event = events.iter().find(|event| event["type"] == kind);
        let event = event.unwrap_or_else(|| panic!("no {kind}: {events:#?}"));
        assert_eq!(event["actor"], json!({ "kind": "reviewer", "id": "wang" }));
        assert!(!event["data"].to_string().contains(mobile), "{event}");
    }
}

#[tokio::test]
async fn a_share_of_decisions_is_looked_at_twice() {
    let site = Site::on(Database::sqlite()).setting("review.second_look_share", 1.0).start().await;
    let id = in_review(&site).await;
    for name in ["wang", "li"] {
        let mut reviewer = site.signed_in(name, "reviewer").await;
        let task = next(&mut reviewer).await;
        assert_eq!(site.api.application(&id).await["status"], "in_review");
        act(&mut reviewer, &task, "decision", approve()).await.expect(200);
    }
    site.api.wait_until(&id, BOUND, |application| application["status"] == "issued").await;
}

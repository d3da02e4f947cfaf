use serde_json::{Value, json};

use super::{operations::stalled, site::Site};
use crate::{
    domain::{
        cause::{Cause, OperatorAct},
        decision::{Decision, Failure, Finding, LicenceFacts},
        event::{Actor, ActorKind},
        ids::BatchId,
        stage::{Stage, outcome},
    },
    engine::sweep::{Sweep as _, batches::Batches, verdicts::Verdicts},
};

async fn many(site: &Site, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=count {
        ids.push(stalled(site, &format!("SB{number:03}"), Stage::Eligibility, "http_503").await);
    }
    ids
}

fn again() -> Decision {
    Decision::Stall(Failure::new("http_503", "the registry answered 503"))
}

fn eligible() -> Decision {
    let licence =
        LicenceFacts { classes: "C1".to_owned(), valid_from: None, valid_until: None, authority: "蒙C".to_owned() };
    let finding = Finding::Eligible { status: "A".to_owned(), licence };
    Decision::Advance { outcome: outcome::ELIGIBLE, finding }
}

async fn sweep(site: &Site) {
    Batches(site.engine.clone()).run().await.unwrap();
    Verdicts::new(site.engine.clone()).run().await.unwrap();
}

async fn start(site: &Site, act: &str, body: Value) -> String {
    let started = site.post(&format!("/v1/ops/stalled/{act}"), &body).await.expect(202);
    started.text("batch_id")
}

/// The verdicts of a batch's items, and the tallies without zeros.
async fn verdicts(site: &Site, batch: &str) -> (Vec<String>, Value) {
    let mut body = site.get(&format!("/v1/ops/batches/{batch}")).await.expect(200).json();
    let items = body["items"].as_array().unwrap();
    let verdicts = items.iter().map(|item| item["verdict"].as_str().unwrap().to_owned()).collect();
    let tallies = body["verdicts"].as_object_mut().unwrap();
    tallies.retain(|_, count| *count != 0);
    (verdicts, json!(tallies))
}

#[tokio::test]
async fn bulk_acts_can_be_tried_out() {
    let site = Site::start().await;
    many(&site, 2).await;
    for (act, more) in [("retry", json!({})), ("reject", json!({ "reason": "a duplicate" }))] {
        let call = async |mut body: Value| {
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            site.post(&format!("/v1/ops/stalled/{act}"), &body).await
        };
        call(json!({})).await.problem(422, "validation_failed");
        call(json!({ "filter": { "stage": "nonsense" } })).await.problem(422, "validation_failed");
        let tried = call(json!({ "filter": { "stage": "eligibility" }, "dry_run": true })).await.expect(202).json();
        assert_eq!(
            (&tried["matched"], &tried["batch_id"], tried["sample"].as_array().unwrap().len()),
            (&json!(2), &Value::Null, 2)
        );
    }
    let id = start(&site, "retry", json!({ "filter": {} })).await;
    let batch = site.get(&format!("/v1/ops/batches/{id}")).await.expect(200).json();
    assert_eq!((&batch["matched"], &batch["done"], &batch["act"]), (&json!(2), &json!(0), &json!("retry")));
    assert_eq!(batch["actor"], json!({ "kind": "operator", "id": "upstream-key" }));
    assert_eq!(verdicts(&site, &id).await, (vec!["queued".to_owned(); 2], json!({ "queued": 2 })));
    let first = site.get(&format!("/v1/ops/batches/{id}?limit=1")).await.expect(200).json();
    let next = first["next_cursor"].as_str().unwrap();
    let second = site.get(&format!("/v1/ops/batches/{id}?limit=1&cursor={next}")).await.expect(200).json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null));
    assert!(second["items"][0]["application_id"].as_str() > first["items"][0]["application_id"].as_str());
}

#[tokio::test]
async fn a_retry_has_succeeded_once_the_stage_is_done() {
    let site = Site::start().await;
    let ids = many(&site, 4).await;
    let batch = start(&site, "retry", json!({ "filter": { "stage": "eligibility" } })).await;
    site.post(&format!("/v1/ops/stalled/{}/reject", ids[3]), &json!({ "reason": "a duplicate" })).await.expect(200);
    sweep(&site).await;
    let of = |expected: [&str; 4]| expected.map(str::to_owned).to_vec();
    let (items, tallies) = verdicts(&site, &batch).await;
    assert_eq!(items, of(["waiting", "waiting", "waiting", "refused"]), "retried, and nothing is known yet");
    assert_eq!(tallies, json!({ "refused": 1, "waiting": 3 }));

    site.run(&ids[0], Stage::Eligibility, eligible()).await;
    site.run(&ids[1], Stage::Eligibility, again()).await;
    let retry = Decision::Retry { after: None, error: Failure::new("http_503", "once more") };
    site.run(&ids[2], Stage::Eligibility, retry).await;
    sweep(&site).await;
    let (items, tallies) = verdicts(&site, &batch).await;
    assert_eq!(items, of(["succeeded", "failed", "waiting", "refused"]));
    assert_eq!(tallies, json!({ "failed": 1, "refused": 1, "succeeded": 1, "waiting": 1 }));

    // What becomes of them later is another story.
    site.post(&format!("/v1/ops/stalled/{}/retry", ids[1]), &json!({})).await.expect(200);
    site.run(&ids[1], Stage::Eligibility, eligible()).await;
    sweep(&site).await;
    assert_eq!(verdicts(&site, &batch).await.0, items);
}

#[tokio::test]
async fn an_act_that_was_not_settled_is_found_again() {
    let site = Site::start().await;
    let ids = many(&site, 2).await;
    let batch = start(&site, "retry", json!({ "filter": {} })).await;
    // A process does the act, and ends before it settles the item.
    let cause = Cause::Operator {
        actor: Actor::new(ActorKind::Operator, "upstream-key"),
        act: OperatorAct::Retry,
        batch: Some(batch.parse::<BatchId>().unwrap()),
    };
    site.engine.committer.apply(ids[0].parse().unwrap(), cause, None).await.unwrap();
    // Somebody else retried this one, and the batch comes too late.
    site.post(&format!("/v1/ops/stalled/{}/retry", ids[1]), &json!({})).await.expect(200);
    sweep(&site).await;
    let body = site.get(&format!("/v1/ops/batches/{batch}")).await.expect(200).json();
    let results: Vec<&Value> = body["items"].as_array().unwrap().iter().map(|item| &item["result"]).collect();
    assert_eq!(results, ["retried", "not_stalled"]);
    assert_eq!(verdicts(&site, &batch).await.0, ["waiting", "refused"]);
}

#[tokio::test]
async fn many_are_rejected_together() {
    let site = Site::start().await;
    let ids = many(&site, 2).await;
    let body = json!({ "filter": { "error_code": "http_503" }, "reason": "a duplicate" });
    site.post("/v1/ops/stalled/reject", &json!({ "filter": {}, "reason": " " }))
        .await
        .problem(422, "validation_failed");
    let batch = start(&site, "reject", body.clone()).await;
    sweep(&site).await;
    assert_eq!(verdicts(&site, &batch).await.1, json!({ "succeeded": 2 }));
    for id in &ids {
        let application = site.get(&format!("/v1/applications/{id}")).await.expect(200).json();
        assert_eq!(application["outcome"]["code"], "rejected_by_operator");
    }
    let found = site.get("/v1/audit?type=rejected").await.expect(200).json();
    assert_eq!(
        (&found["items"][0]["data"]["batch_id"], &found["items"][0]["data"]["detail"]),
        (&json!(batch), &json!("a duplicate"))
    );
    let act = site.get("/v1/audit?type=stalled_rejected").await.expect(200).json();
    assert_eq!((&act["items"][0]["data"]["matched"], &act["items"][0]["application_id"]), (&json!(2), &Value::Null));

    // Their notifications fail: those are tried again by their group, and never rejected.
    let undeliverable = || Decision::Undeliverable(Failure::new("number_unknown", "no such number"));
    for _ in 0..2 {
        site.run(&ids[0], Stage::Notification, undeliverable()).await;
    }
    let filter = json!({ "filter": { "stage": "notification", "error_code": "number_unknown" } });
    let none = site
        .post(
            "/v1/ops/stalled/reject",
            &json!({ "filter": { "stage": "notification" }, "reason": "x", "dry_run": true }),
        )
        .await;
    assert_eq!(none.expect(202).json()["matched"], 0);
    let batch = start(&site, "retry", filter).await;
    sweep(&site).await;
    assert_eq!(verdicts(&site, &batch).await.1, json!({ "waiting": 1 }));
    let sent = || Decision::Sent { message_id: "m-1".to_owned() };
    site.run(&ids[0], Stage::Notification, sent()).await;
    sweep(&site).await;
    assert_eq!(verdicts(&site, &batch).await.1, json!({ "waiting": 1 }), "one channel is open");
    site.run(&ids[0], Stage::Notification, sent()).await;
    sweep(&site).await;
    assert_eq!(verdicts(&site, &batch).await.1, json!({ "succeeded": 1 }));
}

//! Every answer of the registry, end to end: the table of the simulator.

use serde_json::Value;

use crate::support::{BOUND, Database, Sample, Site, on_both_databases, sample};

/// Digits 15 to 17 of the identity number, and the outcome.
const OUTCOMES: &[(u32, &str)] = &[
    (0, "issued"),
    (799, "issued"),
    (801, "issued"),
    (802, "issued"),
    (803, "issued"),
    (804, "status_not_eligible"),
    (805, "status_not_eligible"),
    (806, "status_not_eligible"),
    (807, "status_not_eligible"),
    (808, "status_not_eligible"),
    (809, "status_not_eligible"),
    (810, "status_not_eligible"),
    (811, "status_not_eligible"),
    (812, "status_not_eligible"),
    (813, "status_not_eligible"),
    (814, "status_not_eligible"),
    (815, "status_not_eligible"),
    (816, "status_not_eligible"),
    (817, "issued"),
    (818, "issued"),
    (819, "issued"),
    (820, "status_not_eligible"),
    (821, "status_not_eligible"),
    (822, "status_not_eligible"),
    (900, "licence_not_found"),
    (901, "not_filed"),
    (902, "identity_mismatch"),
    (903, "identity_mismatch"),
    (904, "retained_photo_unsuitable"),
    (905, "retained_photo_unsuitable"),
];

const LOCKED: &str = "您的驾驶证状态异常，无法申领驾驶证电子版，请联系驾驶证发证地公安交管部门。";

on_both_databases! {
    async fn every_answer_of_the_registry_has_its_outcome(database) {
        let site = Site::on(database).start().await;
        let mut submitted = Vec::new();
        for (sequence, code) in OUTCOMES {
            submitted.push((*sequence, *code, site.api.admit(&sample(*sequence)).await));
        }
        let mut wrong = Vec::new();
        for (sequence, code, id) in &submitted {
            let done = site.api.wait_until(id, BOUND, |application| application["completed_at"].is_string()).await;
            let status = if *code == "issued" { "issued" } else { "rejected" };
            if done["status"] != status || done["outcome"]["code"] != *code {
                wrong.push(format!("{sequence:03}: `{code}` expected, got {done:#}"));
            }
            if matches!(sequence, 813 | 814 | 820 | 822) && done["outcome"]["message_zh"] != LOCKED {
                wrong.push(format!("{sequence:03}: the exact text of the app expected, got {}", done["outcome"]));
            }
            if code != &"issued" && !done["licence_id"].is_null() {
                wrong.push(format!("{sequence:03}: no licence expected, got {done:#}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        // Issued or rejected at any stage: everybody is told once by each channel.
        for provider in ["sms", "push"] {
            let accepted = site.simulator.accepted(provider).await;
            assert_eq!(accepted.len(), submitted.len(), "{provider}");
            assert!(accepted.values().all(|count| *count == 1), "{accepted:#?}");
        }
    }
}

async fn ends(site: &Site, sample: &Sample, status: &str) -> Value {
    let id = site.api.admit(sample).await;
    site.api.wait_until(&id, 2 * BOUND, |application| application["status"] == status).await
}

#[tokio::test]
async fn short_troubles_of_the_registry_are_ridden_out() {
    let site = Site::start().await;
    ends(&site, &sample(910), "issued").await;
}

#[tokio::test]
async fn lasting_troubles_of_the_registry_stall() {
    let site = Site::on(Database::sqlite())
        .setting("workflow.retry_scale", "0.0001")
        .setting("providers.timeout_seconds", 1)
        .start()
        .await;
    for sequence in [911, 912, 913] {
        let stalled = ends(&site, &sample(sequence), "stalled").await;
        assert_eq!(
            (stalled["stage"].as_str(), stalled["waiting_for"]["reason"].as_str()),
            (Some("eligibility"), Some("operator"))
        );
        assert!(stalled["outcome"].is_null() && stalled["decided_at"].is_null(), "{stalled:#}");
    }
    assert!(site.simulator.accepted("sms").await.is_empty(), "nothing is decided, so nobody is told");
}

#[tokio::test]
async fn while_it_retries_it_says_so() {
    let site = Site::on(Database::sqlite()).setting("workflow.retry_scale", "1").start().await;
    let id = site.api.admit(&sample(911)).await;
    let waiting = site.api.wait_until(&id, BOUND, |application| application["waiting_for"]["reason"] == "retry").await;
    assert_eq!(waiting["status"], "in_progress");
    assert!(waiting["waiting_for"]["detail"].as_str().unwrap().contains("503"), "{waiting:#}");
    assert!(waiting["waiting_for"]["until"].is_string(), "{waiting:#}");
}

#[tokio::test]
async fn without_a_retained_photo_a_new_one_will_do() {
    let site = Site::start().await;
    for sequence in [904, 905] {
        let photo = site.api.upload_photo("camera").await;
        let id = site.api.admit(&sample(sequence).photo("camera", &photo)).await;
        site.api.review_approve(&id).await;
        site.api.wait_until_done(&id, "issued").await;
    }
}

#[tokio::test]
async fn other_documents_are_judged_by_their_last_digits() {
    let site = Site::start().await;
    for (number, code) in [("SB20260000", "issued"), ("SB20260901", "not_filed"), ("SB20260812", "status_not_eligible")]
    {
        let sample = sample(0)
            .set("/applicant/document_type", "D")
            .set("/applicant/document_number", number)
            .set("/licence/file_number", format!("150300{}", &number[number.len() - 6..]));
        let id = site.api.admit(&sample).await;
        let done = site.api.wait_until(&id, BOUND, |application| application["completed_at"].is_string()).await;
        assert_eq!(done["outcome"]["code"], code, "{number}: {done:#}");
    }
}

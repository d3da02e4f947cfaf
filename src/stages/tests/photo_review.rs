//! Which photos meet a person, and what that person is shown.

use serde_json::json;

use super::bench::Bench;
use crate::domain::{
    application::{Kind, PhotoSource},
    decision::{Decision, Finding},
    review::Evidence,
    stage::{Stage, outcome},
    workflow::WorkflowId,
};

const STAGE: Stage = Stage::PhotoReview;

async fn evidence(bench: &Bench) -> Evidence {
    match bench.run(STAGE).await {
        Decision::Await(evidence) => evidence,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_photo_that_was_approved_before_needs_nobody() {
    let mut bench = Bench::new().await;
    for (kind, source) in [(Kind::FirstIssue, PhotoSource::Retained), (Kind::Reissue, PhotoSource::Previous)] {
        bench = bench.of(kind, source);
        let wanted = Decision::Advance { outcome: outcome::NOT_NEEDED, finding: Finding::Nothing };
        assert_eq!(bench.run(STAGE).await, wanted, "{source}");
    }
}

#[tokio::test]
async fn a_new_photo_always_meets_a_person() {
    let mut bench = Bench::new().await;
    for source in [PhotoSource::Camera, PhotoSource::Album] {
        for kind in Kind::ALL {
            bench = bench.of(*kind, source);
            let photo = bench.upload(json!([{ "code": "hat_worn", "result": "pass" }]), "2026-01").await;
            let shown = evidence(&bench).await;
            assert_eq!((shown.photo_id, &shown.checks), (photo.id, &photo.checks));
            assert_eq!(evidence(&bench).await, shown, "the same again");
        }
    }
}

#[tokio::test]
async fn the_hash_tells_what_was_shown() {
    let mut hashes = std::collections::BTreeSet::new();
    for (checks, thresholds, version) in [
        (json!([]), "2026-01", 1),
        (json!([{ "code": "hat_worn", "result": "pass", "value": 0.25 }]), "2026-01", 1),
        (json!([]), "2026-02", 1),
        (json!([]), "2026-01", 2),
    ] {
        let mut bench = Bench::new().await.of(Kind::FirstIssue, PhotoSource::Camera);
        bench.application.workflow = WorkflowId::new("first_issue".to_owned(), version);
        bench.upload(checks, thresholds).await;
        hashes.insert(evidence(&bench).await.hash);
    }
    assert_eq!(hashes.len(), 4);
    assert!(hashes.iter().all(|hash| hash.len() == 64));
}

#[tokio::test]
async fn without_its_photo_an_operator_must_look() {
    let mut bench = Bench::new().await.of(Kind::FirstIssue, PhotoSource::Camera);
    for photo_id in [bench.application.photo.photo_id, None] {
        bench.application.photo.photo_id = photo_id;
        let decision = bench.run(STAGE).await;
        assert!(matches!(&decision, Decision::Stall(failure) if failure.code == "photo_missing"), "{decision:?}");
    }
}

//! 照片审核: a retained or previous photo needs nobody (R33); a new one always meets a person (R34, R36).

use async_trait::async_trait;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        audit::canonical_data,
        decision::{Decision, Failure, Finding},
        review::Evidence,
        stage::Stage,
        workflow::WorkflowId,
    },
    engine::run::{Run, StageRunner},
    store::types::PhotoRecord,
};

use super::{Tools, interrupted};

pub(super) struct PhotoReview(pub(super) Tools);

#[async_trait]
impl StageRunner for PhotoReview {
    fn stage(&self) -> Stage {
        Stage::PhotoReview
    }

    async fn run(&self, run: &Run) -> Decision {
        let application = run.application();
        if let Some(outcome) = Stage::PhotoReview.foregone(application) {
            return Decision::Advance { outcome, finding: Finding::Nothing };
        }
        let Some(photo_id) = application.photo.photo_id else {
            return Decision::Stall(Failure::new("photo_missing", "the application names no photo"));
        };
        match self.0.store.photo(photo_id).await {
            Ok(Some(photo)) if photo.has_file() => Decision::Await(evidence(&photo, &application.workflow)),
            Ok(_) => Decision::Stall(Failure::new("photo_missing", "the photo is gone")),
            Err(error) => interrupted(&error),
        }
    }
}

/// What the reviewer is shown; its hash says later what the decision was made on.
fn evidence(photo: &PhotoRecord, workflow: &WorkflowId) -> Evidence {
    let shown = json!({
        "photo": photo.sha256, "checks": photo.checks, "thresholds": photo.thresholds, "workflow": workflow,
    });
    // Checks hold rounded numbers and short texts, which always have a canonical form.
    let text = canonical_data(&shown).unwrap_or_else(|_| shown.to_string());
    Evidence { photo_id: photo.id, checks: photo.checks.clone(), hash: hex::encode(Sha256::digest(text)) }
}

//! The stages of a workflow, each a question to a provider answered by a `Decision`.

mod eligibility;
mod face_verification;
mod generation;
mod held;
mod latest;
mod notification;
mod photo_review;
mod registry;

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        application::{OutcomeCode, WaitReason},
        decision::{Decision, Failure, Rejection, Until},
        provider_error::{ErrorClass, ProviderError},
    },
    engine::run::StageRunner,
    licences::card::CardPress,
    photos::PhotoVault,
    providers::{CallError, Providers},
    secrets::KeyMaterial,
    store::Store,
};

pub use latest::LatestLicences;

/// What stages may use.
#[derive(Clone)]
pub struct Tools {
    /// The outside.
    pub providers: Providers,
    /// For reading; a stage writes nothing.
    pub store: Arc<dyn Store>,
    /// What holders have already.
    pub latest: LatestLicences,
    /// Keys, to seal the licence record.
    pub secrets: Arc<KeyMaterial>,
    /// Where portraits are kept.
    pub photos: PhotoVault,
    /// What knows which characters a card can print.
    pub cards: CardPress,
    /// How often a pending face verification is asked for.
    pub face_poll: Duration,
}

/// Every stage there is.
pub fn all(tools: &Tools) -> Vec<Arc<dyn StageRunner>> {
    vec![
        Arc::new(eligibility::Eligibility(tools.clone())),
        Arc::new(face_verification::FaceVerification(tools.clone())),
        Arc::new(photo_review::PhotoReview(tools.clone())),
        Arc::new(generation::Generation(tools.clone())),
        Arc::new(notification::Notification(tools.clone())),
    ]
}

/// How long a provider with a fault of ours (credentials, credit, configuration) is left alone: no attempt is burnt.
const CONFIG_PAUSE: Duration = Duration::from_secs(30);
/// How long a daily or hourly limit is waited for when the provider does not say.
const WINDOW: Duration = Duration::from_secs(3600);

/// What a stage decides when its provider gave no answer. A refusal that is final for the applicant is the stage's own
/// matter: `refused` says what it means.
fn unanswered(error: CallError, refused: impl FnOnce(ProviderError) -> Decision) -> Decision {
    let error = match error {
        CallError::Blocked { reason, wait } => {
            let detail = match reason {
                WaitReason::RateLimit => "the provider's rate limit is used up",
                _ => "the provider's circuit breaker is open",
            };
            return Decision::Wait { until: Until::After(wait), reason, detail: detail.to_owned() };
        }
        CallError::Failed(error) => error,
    };
    match error.class {
        ErrorClass::Retry | ErrorClass::ReconcileFirst => {
            Decision::Retry { after: error.retry_after, error: failure(error) }
        }
        ErrorClass::HoldUntilWindow => Decision::Wait {
            until: Until::After(error.retry_after.unwrap_or(WINDOW)),
            reason: WaitReason::RateLimit,
            detail: error.detail,
        },
        ErrorClass::ConfigAlarm => {
            Decision::Wait { until: Until::After(CONFIG_PAUSE), reason: WaitReason::CircuitOpen, detail: error.detail }
        }
        ErrorClass::Manual => Decision::Stall(failure(error)),
        ErrorClass::UserAction => refused(error),
    }
}

fn failure(error: ProviderError) -> Failure {
    Failure::new(error.code, error.detail)
}

/// The application is refused.
fn reject<T>(code: OutcomeCode, detail: &str) -> Result<T, Decision> {
    Err(Decision::Reject(Rejection::new(code, detail)))
}

/// A database that is away is an interruption, not a failed attempt.
fn interrupted(error: &(dyn std::error::Error + 'static)) -> Decision {
    tracing::warn!(error, "a stage could not read");
    let detail = "the database was unavailable".to_owned();
    Decision::Wait { until: Until::After(Duration::from_secs(1)), reason: WaitReason::Retry, detail }
}

#[cfg(test)]
mod tests;

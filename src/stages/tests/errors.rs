//! What each class of error leads to, in each stage that calls.

use std::time::Duration;

use super::{
    super::{CONFIG_PAUSE, WINDOW},
    bench::Bench,
    outside::Fault,
};
use crate::{
    domain::{
        application::WaitReason,
        decision::{Decision, Until},
        job::Slot,
        provider_error::{ErrorClass, Provider, ProviderError},
        stage::Stage,
    },
    providers::CallError,
};

const WISH: Duration = Duration::from_secs(7);

/// The decision in a word, and how long it waits.
fn word(decision: &Decision) -> (&'static str, Option<Duration>) {
    match decision {
        Decision::Retry { after, .. } => ("retry", *after),
        Decision::Wait { until: Until::After(wait), reason: WaitReason::RateLimit, .. } => ("rate_limit", Some(*wait)),
        Decision::Wait { until: Until::After(wait), reason: WaitReason::CircuitOpen, .. } => {
            ("circuit_open", Some(*wait))
        }
        Decision::Stall(_) => ("stall", None),
        Decision::Reject(_) => ("reject", None),
        Decision::Undeliverable(_) => ("undeliverable", None),
        _ => ("other", None),
    }
}

#[tokio::test]
async fn classes() {
    let bench = Bench::new().await.decided(crate::domain::application::OutcomeCode::Issued, Slot::Sms);
    for stage in [Stage::Eligibility, Stage::FaceVerification, Stage::Generation, Stage::Notification] {
        // What is final for the applicant means something else in each stage; nobody is refused by an odd registry.
        let refused = match stage {
            Stage::FaceVerification => "reject",
            Stage::Notification => "undeliverable",
            _ => "stall",
        };
        for (class, wish, wanted) in [
            (ErrorClass::Retry, None, ("retry", None)),
            (ErrorClass::Retry, Some(WISH), ("retry", Some(WISH))),
            (ErrorClass::ReconcileFirst, None, ("retry", None)),
            (ErrorClass::HoldUntilWindow, None, ("rate_limit", Some(WINDOW))),
            (ErrorClass::HoldUntilWindow, Some(WISH), ("rate_limit", Some(WISH))),
            (ErrorClass::ConfigAlarm, None, ("circuit_open", Some(CONFIG_PAUSE))),
            (ErrorClass::Manual, None, ("stall", None)),
            (ErrorClass::UserAction, None, (refused, None)),
        ] {
            let mut error = ProviderError::new(Provider::Registry, class, "code", "the provider did not help");
            error.retry_after = wish;
            bench.outside.meets(Fault::Fails(CallError::Failed(error)));
            assert_eq!(word(&bench.run(stage).await), wanted, "{stage} {class}");
        }
        for (reason, wanted) in [(WaitReason::RateLimit, "rate_limit"), (WaitReason::CircuitOpen, "circuit_open")] {
            bench.outside.meets(Fault::Fails(CallError::Blocked { reason, wait: WISH }));
            assert_eq!(word(&bench.run(stage).await), (wanted, Some(WISH)), "{stage}");
        }
    }
}

//! Every state of a face verification.

use chrono::{DateTime, TimeDelta, Timelike, Utc};

use super::{
    bench::{Bench, FACE_POLL},
    outside::{Fault, face, failed},
};
use crate::{
    domain::{
        application::{OutcomeCode, WaitReason},
        calendar::{local, local_date},
        decision::{Decision, Finding, Until},
        provider_error::{ErrorClass, code},
        stage::{Stage, outcome},
        transition::FACE_MANUAL,
    },
    providers::FaceState,
};

const STAGE: Stage = Stage::FaceVerification;

async fn answered(state: FaceState) -> Decision {
    let bench = Bench::new().await;
    *bench.outside.face.lock().unwrap() = face(state);
    bench.run(STAGE).await
}

fn stall_code(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::Stall(failure) => Some(&failure.code),
        _ => None,
    }
}

#[tokio::test]
async fn states() {
    let finding = Finding::Face { sub_code: Some("200".to_owned()), score: Some(0.97) };
    let passed = Decision::Advance { outcome: outcome::PASSED, finding };
    assert_eq!(answered(FaceState::Passed).await, passed);
    let failed = answered(FaceState::Failed).await;
    assert!(matches!(failed, Decision::Reject(rejection) if rejection.code == OutcomeCode::FaceNotVerified));
    assert_eq!(stall_code(&answered(FaceState::Manual).await), Some(FACE_MANUAL));
    let pending = answered(FaceState::Pending).await;
    let Decision::Wait { until, reason, .. } = pending else { unreachable!("{pending:?}") };
    assert_eq!((until, reason), (Until::After(FACE_POLL), WaitReason::FacePending));
}

#[tokio::test]
async fn blocked_today_waits_for_tomorrow_in_china() {
    let before = Utc::now();
    let blocked = answered(FaceState::BlockedToday).await;
    let Decision::Wait { until: Until::At(until), reason, .. } = blocked else { unreachable!("{blocked:?}") };
    assert_eq!(reason, WaitReason::FacePending);
    let time = local(until).unwrap().time();
    assert!(until > before && until - before < TimeDelta::hours(25));
    assert_eq!((time.hour(), time.minute()), (0, 5));
    // Midnight may have passed while the test ran.
    let days: Vec<_> = [before, Utc::now()].map(|now: DateTime<Utc>| local_date(now).succ_opt().unwrap()).into();
    assert!(days.contains(&local_date(until)));
}

#[tokio::test]
async fn the_providers_codes() {
    for (class, code, wanted) in [
        // 417: the source is unusable, a person must look.
        (ErrorClass::Manual, "417", Some(FACE_MANUAL)),
        (ErrorClass::Manual, code::UNKNOWN_CODE, Some(code::UNKNOWN_CODE)),
        (ErrorClass::UserAction, "401", None),
    ] {
        let bench = Bench::new().await;
        bench.outside.meets(Fault::Fails(failed(class, code)));
        let decision = bench.run(STAGE).await;
        assert_eq!(stall_code(&decision), wanted, "{decision:?}");
        let rejected =
            matches!(decision, Decision::Reject(rejection) if rejection.code == OutcomeCode::FaceNotVerified);
        assert_eq!(rejected, class == ErrorClass::UserAction, "{code}");
    }
}

//! Jobs, attempts and fences.

use std::time::Duration;

use super::world::{ATTEMPTS, World, evidence, failure, licence, notice, refused, retry, sent, wait};
use crate::domain::{
    application::{NoticeState, Status, WaitReason},
    cause::{Cause, OperatorAct, Refusal},
    decision::{Decision, Finding},
    event::EventType,
    ids::PhotoId,
    job::Slot,
    plan::AlertKind,
    stage::{Stage, outcome},
};

#[test]
fn a_result_that_comes_too_late_changes_nothing() {
    let mut world = World::retained();
    let first = world.claim(Slot::Main).unwrap();
    world.rescue(Slot::Main);
    let eligible = world.good();
    let ran = |fence, decision: &Decision| Cause::Ran { slot: Slot::Main, fence, decision: decision.clone() };
    // Nobody holds the job, then somebody else does, then it has moved on.
    assert_eq!(world.apply(ran(first, &eligible)), Err(Refusal::Fenced));
    let second = world.claim(Slot::Main).unwrap();
    assert_eq!(world.apply(ran(first, &eligible)), Err(Refusal::Fenced));
    world.must(ran(second, &eligible));
    assert_eq!(world.apply(ran(second, &eligible)), Err(Refusal::Fenced));
    assert_eq!(world.app().stage, Some(Stage::FaceVerification));
    assert_eq!(world.apply(Cause::Quarantined { slot: Slot::Sms, fence: 0 }), Err(Refusal::Fenced));
}

#[test]
fn waiting_uses_no_attempt_and_says_so_once() {
    let mut world = World::retained();
    world.run_to(Stage::FaceVerification);
    for _ in 0..20 {
        world.run(Slot::Main, wait(15, WaitReason::FacePending));
        let job = world.state.job(Slot::Main).unwrap();
        assert_eq!((job.attempts, job.due_at), (0, world.now + Duration::from_secs(15)));
    }
    assert_eq!(world.log.iter().filter(|kind| **kind == EventType::StageWaiting).count(), 1);
    world.run(Slot::Main, wait(30, WaitReason::CircuitOpen));
    assert_eq!(world.log.iter().filter(|kind| **kind == EventType::StageWaiting).count(), 2);
    world.run(Slot::Main, world.good());
    assert_eq!(world.app().waiting, None);
}

#[test]
fn a_retry_uses_an_attempt_and_never_shortens_the_providers_wish() {
    let mut world = World::retained();
    let wish = Duration::from_secs(3_600);
    world.run(Slot::Main, Decision::Retry { after: Some(wish), error: failure("rate_limited") });
    let job = world.state.job(Slot::Main).unwrap();
    assert_eq!((job.attempts, job.due_at, job.lease), (1, world.now + wish, None));
    assert_eq!(world.app().waiting.as_ref().unwrap().until, Some(job.due_at));
    // The next stage starts with all its attempts.
    world.run(Slot::Main, world.good());
    assert_eq!(world.state.job(Slot::Main).unwrap().attempts, 0);
    // Without a wish the schedule of the workflow decides: 2 s, a fifth more or less.
    world.run(Slot::Main, retry());
    let wait = world.state.job(Slot::Main).unwrap().due_at - world.now;
    assert!((1_600..=2_400).contains(&wait.num_milliseconds()), "{wait}");
}

#[test]
fn a_stalled_application_keeps_its_error_and_resumes_with_all_attempts() {
    let mut world = World::retained();
    for _ in 0..ATTEMPTS {
        world.run(Slot::Main, retry());
    }
    let error = world.app().last_error.clone().unwrap();
    assert_eq!((error.failure.code.as_str(), error.attempts, error.stage), ("http_503", ATTEMPTS, Stage::Eligibility));
    world.operate(OperatorAct::Retry).unwrap();
    let job = world.state.job(Slot::Main).unwrap();
    assert_eq!((job.stage, job.attempts, job.due_at), (Stage::Eligibility, 0, world.now));
}

#[test]
fn a_job_that_kills_processes_stalls() {
    let mut world = World::retained();
    let fence = world.claim(Slot::Main).unwrap();
    let plan = world.must(Cause::Quarantined { slot: Slot::Main, fence });
    assert_eq!(plan.alerts, [AlertKind::Stalled]);
    assert_eq!(world.app().last_error.as_ref().unwrap().failure.code, "process_killed");

    let mut world = World::retained().issued();
    let fence = world.claim(Slot::App).unwrap();
    world.must(Cause::Quarantined { slot: Slot::App, fence });
    assert_eq!((world.status(), notice(&world, Slot::App).0), (Status::Issued, NoticeState::Failed));
}

#[test]
fn an_answer_that_is_not_the_stages_own_stalls() {
    let odd = |outcome| Decision::Advance { outcome, finding: Finding::Nothing };
    for decision in [
        odd(outcome::PASSED),
        odd(outcome::ISSUED),
        odd("lost"),
        Decision::Issue(Box::new(licence())),
        Decision::Await(evidence(PhotoId::new())),
        sent(),
        Decision::Undeliverable(failure("x")),
    ] {
        let mut world = World::retained();
        world.run(Slot::Main, decision.clone());
        assert_eq!(world.status(), Status::Stalled, "{decision:?}");
        assert_eq!(world.app().last_error.as_ref().unwrap().failure.code, "unknown_outcome");
    }
    // A licence is only ever issued with its record.
    let mut world = World::retained();
    world.run_to(Stage::Generation);
    world.run(Slot::Main, odd(outcome::ISSUED));
    assert_eq!(world.status(), Status::Stalled);
    // And no notification decides anything.
    for decision in [refused(), odd(outcome::SETTLED), Decision::Issue(Box::new(licence()))] {
        let mut world = World::retained().issued();
        world.run(Slot::Sms, decision);
        assert_eq!((world.status(), notice(&world, Slot::Sms).0), (Status::Issued, NoticeState::Failed));
    }
}

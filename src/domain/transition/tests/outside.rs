//! Ends from outside: by upstream and by operators.

use super::{
    way_out::complete,
    world::{Edition, UNDO, World, accept, at, claimed, code, due_at, manual, reject, retry},
};
use crate::domain::{
    application::{OutcomeCode, Status},
    cause::{Cause, OperatorAct, Refusal, ReviewAct},
    event::{ActorKind, EventType},
    job::Slot,
    review::Verdict,
    stage::Stage,
    transition::FACE_MANUAL,
};

#[test]
fn cancelling_in_every_state() {
    let (claimed, token) = claimed();
    let mut undoable = claimed.clone();
    undoable.decide(&token, Verdict::Approve, UNDO).unwrap();
    let mut waiting = World::retained();
    waiting.run(Slot::Main, retry());
    let mut running = World::retained();
    running.claim(Slot::Main);
    let open = World::camera().in_review();
    for mut world in [World::retained(), waiting, running, open, claimed, undoable, World::retained().stalled("x")] {
        let told = world.told.len();
        let reviewed = world.state.review.is_some();
        world.cancel().unwrap();
        assert_eq!(code(&world), OutcomeCode::CancelledByUpstream);
        assert_eq!(world.told.get(told..), Some(&[(Status::Cancelled, true)][..]), "one webhook says both");
        assert_eq!(world.log.contains(&EventType::ReviewWithdrawn), reviewed);
        // Nothing follows.
        assert_eq!(world.cancel(), Err(Refusal::Nothing));
        world.pass(900_000);
        for cause in [Cause::ReviewClock, Cause::DeadlineReached] {
            assert_eq!(world.apply(cause), Err(Refusal::Nothing));
        }
        world.edition = Edition::Reprint;
        assert_eq!(world.apply(Cause::CalendarChanged), Err(Refusal::Nothing));
        assert_eq!(world.operate(OperatorAct::Retry), Err(Refusal::NotStalled));
    }
    for mut world in [World::retained().issued(), complete(World::camera())] {
        assert_eq!(world.cancel(), Err(Refusal::AlreadyDecided));
    }
}

#[test]
fn a_cancelled_review_cannot_be_undone() {
    let (mut world, token) = claimed();
    world.decide(&token, Verdict::Approve, UNDO).unwrap();
    world.cancel().unwrap();
    assert_eq!(world.act(ReviewAct::Undo { token_hash: token.clone() }), Err(Refusal::ReviewDecided));
    assert_eq!(world.act(ReviewAct::Release { token_hash: token, reason: None }), Err(Refusal::LeaseLost));
    assert_eq!(world.take("r-2"), Err(Refusal::AlreadyClaimed));
}

#[test]
fn what_an_operator_may_do_depends_on_what_went_wrong() {
    let mut manual_face = World::retained();
    manual_face.run_to(Stage::FaceVerification);
    let mut other_face = manual_face.clone().stalled("http_503");
    manual_face.run(Slot::Main, manual());

    let mut accepted = manual_face.clone();
    let plan = accepted.operate(accept()).unwrap();
    assert_eq!(plan.events.first().map(|event| event.actor.kind), Some(ActorKind::Operator));
    assert_eq!(due_at(&accepted), Some(at("2026-11-23T17:00:00+08:00")), "the promise starts here too");
    manual_face.operate(reject("not the holder")).unwrap();
    assert_eq!(code(&manual_face), OutcomeCode::FaceNotVerified);

    assert_eq!(other_face.operate(accept()), Err(Refusal::NotAcceptable));
    other_face.operate(reject("no")).unwrap();
    assert_eq!(code(&other_face), OutcomeCode::RejectedByOperator);

    // The same code elsewhere is not a face verification.
    assert_eq!(World::retained().stalled(FACE_MANUAL).operate(accept()), Err(Refusal::NotAcceptable));
    for mut world in [World::retained(), World::camera().in_review(), World::retained().issued()] {
        for act in [OperatorAct::Retry, reject("no"), accept()] {
            assert_eq!(world.operate(act), Err(Refusal::NotStalled));
        }
    }
}

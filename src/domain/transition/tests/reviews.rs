//! What a reviewer may do.

use std::time::Duration;

use super::world::{UNDO, World, claimed, decide};
use crate::domain::{
    application::{OutcomeCode, Status},
    cause::{Cause, Refusal, ReviewAct},
    event::{ActorKind, EventType},
    ids::ReviewId,
    photo_reason::PhotoReason,
    review::{ReviewState, Verdict},
};

#[test]
fn a_lapsed_lease_is_counted_whoever_notices_it() {
    let (mut world, first) = claimed();
    world.pass(299);
    assert_eq!(world.take("r-2"), Err(Refusal::AlreadyClaimed));
    assert_eq!(world.apply(Cause::ReviewClock), Err(Refusal::Nothing));
    world.pass(1);
    let seen = world.log.len();
    let second = world.take("r-2").unwrap();
    assert_eq!(world.log.get(seen..), Some(&[EventType::ReviewLeaseLapsed, EventType::ReviewClaimed][..]));
    assert_eq!(world.review().lapsed_leases, 1);
    assert_eq!(world.decide(&first, Verdict::Approve, UNDO), Err(Refusal::LeaseLost));
    world.pass(300);
    // Lapsed and not taken by anybody else: lost all the same.
    assert_eq!(world.act(ReviewAct::Heartbeat { token_hash: second }), Err(Refusal::LeaseLost));
    world.must(Cause::ReviewClock);
    assert_eq!((world.review().lapsed_leases, world.review().state), (2, ReviewState::Open));
}

#[test]
fn a_heartbeat_keeps_the_lease() {
    let (mut world, token_hash) = claimed();
    for _ in 0..5 {
        world.pass(200);
        world.act(ReviewAct::Heartbeat { token_hash: token_hash.clone() }).unwrap();
    }
    assert_eq!(world.act(ReviewAct::Heartbeat { token_hash: "other".to_owned() }), Err(Refusal::LeaseLost));
    world.decide(&token_hash, Verdict::Approve, Duration::ZERO).unwrap();
    assert_eq!(world.act(ReviewAct::Heartbeat { token_hash }), Err(Refusal::LeaseLost));
}

#[test]
fn a_decision_is_made_once() {
    let (mut world, token) = claimed();
    let mut stale = decide(&token, Verdict::Reject, Duration::ZERO);
    if let ReviewAct::Decide { evidence_hash, .. } = &mut stale {
        *evidence_hash = Some("old".to_owned());
    }
    assert_eq!(world.act(stale), Err(Refusal::StaleEvidence));
    let plan = world.decide(&token, Verdict::Reject, Duration::ZERO).unwrap();
    let outcome = world.app().outcome.clone().unwrap();
    assert_eq!((outcome.code, outcome.reasons), (OutcomeCode::PhotoRejected, vec![PhotoReason::HatWorn]));
    let actor =
        plan.events.iter().find(|event| event.kind == EventType::Rejected).map(|event| event.actor.clone()).unwrap();
    assert_eq!((actor.kind, actor.id.as_str()), (ActorKind::Reviewer, "r-1"));

    // The same again is no news; anything else comes too late.
    assert_eq!(world.decide(&token, Verdict::Reject, Duration::ZERO), Err(Refusal::Nothing));
    assert_eq!(world.decide(&token, Verdict::Approve, Duration::ZERO), Err(Refusal::ReviewDecided));
    assert_eq!(world.decide("other", Verdict::Reject, Duration::ZERO), Err(Refusal::ReviewDecided));
    assert_eq!(world.act(ReviewAct::Undo { token_hash: token.clone() }), Err(Refusal::ReviewDecided));
    assert_eq!(world.take("r-2"), Err(Refusal::AlreadyClaimed));
    let other = Cause::Review { review: ReviewId::new(), act: decide(&token, Verdict::Reject, UNDO) };
    assert_eq!(world.apply(other), Err(Refusal::NoSuchReview));
}

#[test]
fn a_decision_can_be_undone_until_it_takes_effect() {
    let (mut world, token) = claimed();
    world.decide(&token, Verdict::Approve, UNDO).unwrap();
    assert_eq!(world.apply(Cause::ReviewClock), Err(Refusal::Nothing));
    assert_eq!(world.act(ReviewAct::Undo { token_hash: "other".to_owned() }), Err(Refusal::LeaseLost));
    assert_eq!(world.decide(&token, Verdict::Approve, UNDO), Err(Refusal::Nothing));
    world.pass(9);
    world.act(ReviewAct::Undo { token_hash: token.clone() }).unwrap();
    // The same token holds the task again, with a lease of its full length.
    world.pass(299);
    world.decide(&token, Verdict::Reject, UNDO).unwrap();
    world.pass(10);
    assert_eq!(world.act(ReviewAct::Undo { token_hash: token }), Err(Refusal::ReviewDecided));
    world.must(Cause::ReviewClock);
    assert_eq!(world.apply(Cause::ReviewClock), Err(Refusal::Nothing));
    assert_eq!((world.status(), world.app().reviewed_by.as_slice()), (Status::Rejected, &["r-1".to_owned()][..]));
}

#[test]
fn who_decided_before_does_not_decide_again() {
    let mut world = World::camera().in_review();
    world.state.application.reviewed_by.push("r-1".to_owned());
    assert_eq!(world.take("r-1"), Err(Refusal::ConflictOfInterest));
    world.take("r-2").unwrap();
}

#[test]
fn an_escalated_review_is_a_supervisors_and_stays_ahead() {
    let (mut world, token_hash) = claimed();
    world.act(ReviewAct::Escalate { token_hash }).unwrap();
    let claim = |supervisor| ReviewAct::Claim { reviewer: "r-2".to_owned(), supervisor, token_hash: "t".to_owned() };
    assert_eq!(world.act(claim(false)), Err(Refusal::SupervisorOnly));
    let ahead = world.review().priority - world.app().priority;
    assert!(ahead > 0);
    world.pass(90_000 * 4);
    world.must(Cause::DeadlineReached);
    assert_eq!(world.review().priority - world.app().priority, ahead);
    world.act(claim(true)).unwrap();
}

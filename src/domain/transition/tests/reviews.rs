//! What a reviewer may do.

use std::time::Duration;

use super::{
    way_out::complete,
    world::{UNDO, World, claimed, decide, licence, refused, reopen, retry},
};
use crate::domain::{
    application::{OutcomeCode, Status},
    cause::{Cause, Refusal, ReviewAct},
    decision::Decision,
    event::{ActorKind, EventType},
    ids::ReviewId,
    job::Slot,
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

/// A decision of unlawful content that takes effect at once.
fn grave(token: &str) -> ReviewAct {
    let mut act = decide(token, Verdict::Reject, Duration::ZERO);
    if let ReviewAct::Decide { reasons, .. } = &mut act {
        *reasons = vec![PhotoReason::UnlawfulContent];
    }
    act
}

#[test]
fn unlawful_content_needs_a_second_person_who_is_another_one() {
    let (mut world, first) = claimed();
    world.act(grave(&first)).unwrap();
    assert_eq!(world.review().state, ReviewState::Open);
    assert!(world.review().is_second_look() && world.app().status == Status::InReview);
    // The same decision again is done, another one comes too late, and there is nothing to undo.
    assert_eq!(world.act(grave(&first)), Err(Refusal::Nothing));
    assert_eq!(world.act(decide(&first, Verdict::Approve, Duration::ZERO)), Err(Refusal::ReviewDecided));
    assert_eq!(world.act(ReviewAct::Undo { token_hash: first }), Err(Refusal::ReviewDecided));
    assert_eq!(world.take("r-1"), Err(Refusal::ConflictOfInterest));
    let second = world.take("r-2").unwrap();
    world.act(grave(&second)).unwrap();
    assert_eq!(world.app().status, Status::Rejected);
    assert_eq!(world.app().reviewed_by, ["r-1", "r-2"]);
}

#[test]
fn a_disagreement_goes_to_a_supervisor_whose_word_is_the_last() {
    let (mut world, first) = claimed();
    world.act(grave(&first)).unwrap();
    let second = world.take("r-2").unwrap();
    world.decide(&second, Verdict::Approve, Duration::ZERO).unwrap();
    assert!(world.review().is_disputed() && world.review().supervisor_only);
    for name in ["r-1", "r-2"] {
        assert_eq!(world.take(name), Err(Refusal::ConflictOfInterest));
    }
    let third = world.take("boss").unwrap();
    let plan = world.decide(&third, Verdict::Approve, Duration::ZERO).unwrap();
    assert_eq!(world.app().status, Status::InProgress);
    let overturned: Vec<_> = plan.events.iter().filter(|event| event.kind == EventType::ReviewOverturned).collect();
    assert_eq!(overturned.len(), 1);
    assert_eq!(overturned[0].data["reviewer"], "r-1");
}

#[test]
fn a_share_of_peoples_decisions_is_looked_at_twice() {
    let said = |share: f64, signed_in: bool| {
        let (mut world, token) = claimed();
        world.second_look_share = share;
        let mut act = decide(&token, Verdict::Approve, Duration::ZERO);
        if let ReviewAct::Decide { signed_in: person, .. } = &mut act {
            *person = signed_in;
        }
        world.act(act).unwrap();
        world
    };
    assert!(!said(0.0, true).review().is_second_look() && !said(1.0, false).review().is_second_look());
    let mut world = said(1.0, true);
    assert!(world.review().is_second_look());
    // Whoever looks second is not looked at again.
    let second = world.take("r-2").unwrap();
    world.decide(&second, Verdict::Approve, Duration::ZERO).unwrap();
    assert_eq!(world.status(), Status::InProgress);
}

#[test]
fn a_supervisor_may_want_a_second_look_until_the_decision_stands() {
    let demand = || ReviewAct::DemandSecond { supervisor: "boss".to_owned(), reason: "a hard case".to_owned() };
    let (mut world, first) = claimed();
    world.act(demand()).unwrap();
    assert_eq!(world.act(demand()), Err(Refusal::Nothing));
    world.decide(&first, Verdict::Approve, Duration::ZERO).unwrap();
    assert!(world.review().is_second_look());
    let second = world.take("r-2").unwrap();
    world.decide(&second, Verdict::Approve, Duration::ZERO).unwrap();
    assert_eq!(world.app().status, Status::InProgress);
    assert_eq!(world.act(demand()), Err(Refusal::ReviewDecided));
}

#[test]
fn nobody_reviews_their_own_photo() {
    let mut world = World::camera().in_review();
    let document = Some(world.app().holder.clone());
    let claim = |document| ReviewAct::Claim {
        reviewer: "r-2".to_owned(),
        supervisor: true,
        document,
        token_hash: "t".to_owned(),
    };
    assert_eq!(world.act(claim(document)), Err(Refusal::ConflictOfInterest));
    world.act(claim(Some("somebody else's".to_owned()))).unwrap();
}

#[test]
fn supervisors_take_over_reassign_and_reopen() {
    let (mut world, first) = claimed();
    let take = |name: &str, supervisor| ReviewAct::TakeOver {
        reviewer: name.to_owned(),
        supervisor,
        document: None,
        token_hash: format!("{name}'s"),
    };
    assert_eq!(world.act(take("r-2", false)), Err(Refusal::AlreadyClaimed));
    // One's own, in another tab.
    world.act(take("r-1", false)).unwrap();
    assert_eq!(world.act(ReviewAct::Heartbeat { token_hash: first }), Err(Refusal::LeaseLost));
    world.act(take("boss", true)).unwrap();
    let give = |to: Option<&str>| ReviewAct::Reassign {
        supervisor: "boss".to_owned(),
        to: to.map(str::to_owned),
        reason: "knows uniforms".to_owned(),
    };
    world.act(give(Some("r-5"))).unwrap();
    assert_eq!(world.act(give(Some("r-5"))), Err(Refusal::Nothing));
    world.act(give(None)).unwrap();
    assert_eq!((world.review().state, &world.review().assigned_to), (ReviewState::Open, &None));
    assert_eq!(world.act(give(None)), Err(Refusal::Nothing));
    world.act(give(Some("r-3"))).unwrap();
    let claim = |name: &str| ReviewAct::Claim {
        reviewer: name.to_owned(),
        supervisor: false,
        document: None,
        token_hash: format!("{name}'s"),
    };
    assert_eq!(world.act(claim("r-2")), Err(Refusal::AssignedToOther));
    world.act(claim("r-3")).unwrap();
    assert_eq!(world.act(reopen()), Err(Refusal::NotDecided));
    world.decide("r-3's", Verdict::Approve, UNDO).unwrap();
    world.act(reopen()).unwrap();
    assert_eq!((world.review().state, &world.review().decision), (ReviewState::Open, &None));
    assert_eq!(world.act(claim("r-3")), Err(Refusal::ConflictOfInterest));
    world.act(claim("r-4")).unwrap();
}

#[test]
fn a_reopened_task_begins_another_round_for_others() {
    let (mut world, first) = claimed();
    world.act(grave(&first)).unwrap();
    let second = world.take("r-2").unwrap();
    world.decide(&second, Verdict::Approve, UNDO).unwrap();
    world.act(reopen()).unwrap();
    let review = world.review();
    assert_eq!((review.round, world.app().review_rounds, review.earlier.len()), (2, 2, 0));
    let round = review.former.first().unwrap();
    let said: Vec<_> = round.decisions.iter().map(|made| (made.reviewer.as_str(), made.verdict)).collect();
    assert_eq!((round.round, said), (1, vec![("r-1", Verdict::Reject), ("r-2", Verdict::Approve)]));
    assert_eq!((round.reopened_by.as_str(), round.reason.as_str()), ("boss", "the wrong photo"));
    for name in ["r-1", "r-2"] {
        assert_eq!(world.take(name), Err(Refusal::ConflictOfInterest));
    }
    // What was sent before, sent again, is no news; the next round decides alone.
    assert_eq!(world.act(grave(&first)), Err(Refusal::Nothing));
    let third = world.take("r-3").unwrap();
    world.decide(&third, Verdict::Approve, Duration::ZERO).unwrap();
    assert_eq!((world.status(), world.app().reviewed_by.len()), (Status::InProgress, 3));
}

#[test]
fn an_approval_can_be_reopened_until_the_licence_is_issued() {
    let approved = World::camera().in_review().reviewed(Verdict::Approve);
    let mut running = approved.clone();
    let fence = running.claim(Slot::Main).unwrap();
    let mut waiting = approved.clone();
    waiting.run(Slot::Main, retry());
    for mut world in [approved.clone(), running, waiting, approved.clone().stalled("http_503")] {
        world.act(reopen()).unwrap();
        assert_eq!((world.status(), world.review().state), (Status::InReview, ReviewState::Open));
        // A run that was under way makes no licence of what is under review again.
        let decision = Decision::Issue(Box::new(licence()));
        assert_eq!(world.apply(Cause::Ran { slot: Slot::Main, fence, decision }), Err(Refusal::Fenced));
        let world = complete(world);
        assert_eq!((world.status(), world.review().round), (Status::Issued, 2));
    }
    let mut refused_later = approved.clone();
    refused_later.run(Slot::Main, refused());
    assert_eq!(refused_later.act(reopen()), Err(Refusal::AlreadyDecided));
    let mut issued = approved.issued();
    assert_eq!(issued.act(reopen()), Err(Refusal::AlreadyIssued));
    assert_eq!(complete(issued).act(reopen()), Err(Refusal::AlreadyIssued));
}

#[test]
fn a_rejection_can_be_reopened_until_somebody_begins_to_tell_it() {
    let rejected = World::camera().in_review().reviewed(Verdict::Reject);
    let mut again = rejected.clone();
    again.act(reopen()).unwrap();
    assert_eq!((again.status(), &again.app().outcome, again.app().decided_at), (Status::InReview, &None, None));
    assert_eq!(again.told.last(), Some(&(Status::InReview, false)));
    again = again.reviewed_by("r-2", Verdict::Reject);
    again.act(reopen()).unwrap();
    assert_eq!(complete(again).status(), Status::Issued);

    let mut sending = rejected.clone();
    sending.claim(Slot::Sms).unwrap();
    let mut lost = sending.clone();
    lost.rescue(Slot::Sms);
    let mut tried = rejected.clone();
    tried.run(Slot::App, retry());
    for mut world in [sending, lost, tried, complete(rejected)] {
        assert_eq!(world.act(reopen()), Err(Refusal::AlreadyTold));
    }
    let mut withdrawn = claimed().0;
    withdrawn.decide("t1", Verdict::Reject, UNDO).unwrap();
    withdrawn.cancel().unwrap();
    assert_eq!(withdrawn.act(reopen()), Err(Refusal::AlreadyDecided));
}

#[test]
fn what_was_sent_can_be_sent_again_by_each_of_them() {
    let both = |token: &str, reasons: [PhotoReason; 2]| {
        let mut act = grave(token);
        if let ReviewAct::Decide { reasons: sent, .. } = &mut act {
            *sent = reasons.to_vec();
        }
        act
    };
    let (hat, eyes, unlawful) = (PhotoReason::HatWorn, PhotoReason::EyesClosed, PhotoReason::UnlawfulContent);
    let (mut world, first) = claimed();
    world.act(both(&first, [unlawful, hat])).unwrap();
    let second = world.take("r-2").unwrap();
    world.act(both(&second, [unlawful, eyes])).unwrap();
    assert_eq!(world.app().outcome.as_ref().unwrap().reasons, [unlawful, eyes, hat], "of both");
    for act in [both(&first, [unlawful, hat]), both(&first, [hat, unlawful]), both(&second, [eyes, unlawful])] {
        assert_eq!(world.act(act), Err(Refusal::Nothing));
    }
    for act in [both(&first, [unlawful, eyes]), both(&second, [unlawful, hat]), grave(&second)] {
        assert_eq!(world.act(act), Err(Refusal::ReviewDecided));
    }
}

#[test]
fn a_reviewer_holds_no_more_tasks_than_one_may() {
    let mut world = World::camera().in_review();
    world.claims = 3;
    assert_eq!(world.take("r-1"), Err(Refusal::ClaimLimit));
    world.claims = 2;
    world.take("r-1").unwrap();
}

#[test]
fn a_task_is_put_off_at_most_until_it_is_due() {
    let (mut world, token_hash) = claimed();
    let wait = Duration::from_secs(30 * 24 * 3600);
    world.act(ReviewAct::Postpone { token_hash, wait, reason: "the uniform".to_owned() }).unwrap();
    assert_eq!(world.review().state, ReviewState::Open);
    assert_eq!(world.review().postponed_until, world.review().due_at);
    world.take("r-2").unwrap();
    assert_eq!(world.review().postponed_until, None);
}

#[test]
fn an_escalated_review_is_a_supervisors_and_stays_ahead() {
    let (mut world, token_hash) = claimed();
    world.act(ReviewAct::Escalate { token_hash }).unwrap();
    let claim = |supervisor| ReviewAct::Claim {
        reviewer: "r-2".to_owned(),
        supervisor,
        document: None,
        token_hash: "t".to_owned(),
    };
    assert_eq!(world.act(claim(false)), Err(Refusal::SupervisorOnly));
    let ahead = world.review().priority - world.app().priority;
    assert!(ahead > 0);
    world.pass(90_000 * 4);
    world.must(Cause::DeadlineReached);
    assert_eq!(world.review().priority - world.app().priority, ahead);
    world.act(claim(true)).unwrap();
}

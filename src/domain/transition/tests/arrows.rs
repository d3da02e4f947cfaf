//! Every arrow of `docs/lifecycle.md`, by its label.

use std::{collections::BTreeMap, time::Duration};

use super::{
    diagram::{Arrow, arrows},
    world::{ATTEMPTS, UNDO, World, accept, claimed, failure, manual, refused, reject, reopen, retry, sent},
};
use crate::domain::{
    application::{Channel, NoticeState},
    cause::{Cause, OperatorAct, ReviewAct},
    decision::Decision,
    job::Slot,
    review::{ReviewState, Verdict},
    stage::Stage,
    transition::FACE_MANUAL,
};

/// Two worlds: before and after the arrow.
type Scene = fn() -> (World, World);

/// A world before, and what happens to a copy of it.
fn scene(before: World, happens: impl FnOnce(&mut World)) -> (World, World) {
    let mut after = before.clone();
    happens(&mut after);
    (before, after)
}

/// Decided, and to be undone within the window.
fn undoable(verdict: Verdict) -> (World, String) {
    let (mut world, token) = claimed();
    world.decide(&token, verdict, UNDO).unwrap();
    (world, token)
}

fn at_face() -> World {
    let mut world = World::retained();
    world.run_to(Stage::FaceVerification);
    world
}

/// Holds each documented arrow against its scenes: one per label, or more.
fn check(heading: &str, scenes: &[(&str, &str, &str, Scene)], state: fn(&World) -> Option<&'static str>) {
    let mut wanted: BTreeMap<Arrow, usize> = BTreeMap::new();
    for arrow in arrows(heading).into_iter().filter(|arrow| arrow.from != "[*]" && arrow.to != "[*]") {
        wanted.insert(arrow, 0);
    }
    for &(from, to, label, scene) in scenes {
        let arrow = Arrow { from: from.to_owned(), to: to.to_owned(), label: label.to_owned() };
        let (before, after) = scene();
        assert_eq!((state(&before), state(&after)), (Some(from), Some(to)), "{label}");
        let count = wanted.get_mut(&arrow);
        assert!(count.is_some(), "not documented: {arrow:?}");
        count.into_iter().for_each(|count| *count += 1);
    }
    let untested: Vec<_> = wanted.iter().filter(|(_, count)| **count == 0).collect();
    assert_eq!(untested, [], "documented and not tested");
}

#[test]
fn status() {
    let withdrawn = "withdrawn by upstream";
    let stalls = "attempts used up, or an answer needs an operator";
    let resumes = "operator retries or accepts";
    let reopens = "a supervisor reopens the review";
    let scenes: &[(&str, &str, &str, Scene)] = &[
        ("in_progress", "in_review", "a photo needs a person", || {
            let mut before = World::camera();
            before.run_to(Stage::PhotoReview);
            scene(before, |world| drop(world.run(Slot::Main, world.good())))
        }),
        ("in_review", "in_progress", "approved", || {
            let (before, token) = claimed();
            scene(before, |world| drop(world.decide(&token, Verdict::Approve, Duration::ZERO)))
        }),
        ("in_review", "in_progress", "approved", || {
            let (before, _) = undoable(Verdict::Approve);
            scene(before, |world| {
                world.pass(10);
                world.must(Cause::ReviewClock);
            })
        }),
        ("in_review", "rejected", "refused by the reviewer", || {
            let (before, token) = claimed();
            scene(before, |world| drop(world.decide(&token, Verdict::Reject, Duration::ZERO)))
        }),
        ("in_review", "rejected", "refused by the reviewer", || {
            let (before, _) = undoable(Verdict::Reject);
            scene(before, |world| {
                world.pass(10);
                world.must(Cause::ReviewClock);
            })
        }),
        ("in_progress", "rejected", "refused by a stage", || {
            scene(World::retained(), |world| drop(world.run(Slot::Main, refused())))
        }),
        ("in_progress", "issued", "the licence is generated", || {
            let mut before = World::retained();
            before.run_to(Stage::Generation);
            scene(before, |world| drop(world.run(Slot::Main, world.good())))
        }),
        ("in_progress", "stalled", stalls, || {
            scene(World::retained(), |world| (0..ATTEMPTS).for_each(|_| drop(world.run(Slot::Main, retry()))))
        }),
        ("in_progress", "stalled", stalls, || scene(at_face(), |world| drop(world.run(Slot::Main, manual())))),
        ("in_progress", "stalled", stalls, || {
            scene(World::retained(), |world| {
                let fence = world.claim(Slot::Main).unwrap();
                world.must(Cause::Quarantined { slot: Slot::Main, fence });
            })
        }),
        ("in_progress", "stalled", stalls, || scene(World::retained(), |world| drop(world.run(Slot::Main, sent())))),
        ("stalled", "in_progress", resumes, || {
            scene(World::retained().stalled("http_503"), |world| drop(world.operate(OperatorAct::Retry)))
        }),
        ("stalled", "in_progress", resumes, || {
            scene(at_face().stalled(FACE_MANUAL), |world| drop(world.operate(accept())))
        }),
        ("stalled", "rejected", "operator rejects", || {
            scene(World::retained().stalled("http_503"), |world| drop(world.operate(reject("no"))))
        }),
        ("in_progress", "in_review", reopens, || {
            scene(World::camera().in_review().reviewed(Verdict::Approve), |world| drop(world.act(reopen())))
        }),
        ("stalled", "in_review", reopens, || {
            let before = World::camera().in_review().reviewed(Verdict::Approve).stalled("http_503");
            scene(before, |world| drop(world.act(reopen())))
        }),
        ("rejected", "in_review", "reopened before the applicant is told", || {
            scene(World::camera().in_review().reviewed(Verdict::Reject), |world| drop(world.act(reopen())))
        }),
        ("in_progress", "cancelled", withdrawn, || scene(World::retained(), |world| drop(world.cancel()))),
        ("in_review", "cancelled", withdrawn, || scene(World::camera().in_review(), |world| drop(world.cancel()))),
        ("stalled", "cancelled", withdrawn, || scene(World::retained().stalled("x"), |world| drop(world.cancel()))),
    ];
    check("Status", scenes, |world| Some(world.status().as_str()));
}

#[test]
fn reviews() {
    let withdrawn = "withdrawn by upstream";
    let back = "released, escalated, or the lease lapsed";
    let decides = "approved or refused";
    let again = "somebody else has to look, or a supervisor reopens it";
    let scenes: &[(&str, &str, &str, Scene)] = &[
        ("open", "claimed", "a reviewer claims it", || {
            scene(World::camera().in_review(), |world| drop(world.take("r-1")))
        }),
        ("claimed", "open", back, || {
            let (before, token_hash) = claimed();
            scene(before, |world| drop(world.act(ReviewAct::Release { token_hash, reason: None })))
        }),
        ("claimed", "open", back, || {
            let (before, token_hash) = claimed();
            scene(before, |world| drop(world.act(ReviewAct::Escalate { token_hash })))
        }),
        ("claimed", "open", back, || {
            let (before, _) = claimed();
            scene(before, |world| {
                world.pass(300);
                world.must(Cause::ReviewClock);
            })
        }),
        ("claimed", "decided", decides, || {
            let (before, token) = claimed();
            scene(before, |world| drop(world.decide(&token, Verdict::Approve, Duration::ZERO)))
        }),
        ("claimed", "decided", decides, || {
            let (before, token) = claimed();
            scene(before, |world| drop(world.decide(&token, Verdict::Reject, UNDO)))
        }),
        ("decided", "claimed", "undone within the window", || {
            let (before, token_hash) = undoable(Verdict::Reject);
            scene(before, |world| drop(world.act(ReviewAct::Undo { token_hash })))
        }),
        ("decided", "open", again, || scene(undoable(Verdict::Reject).0, |world| drop(world.act(reopen())))),
        ("decided", "open", again, || {
            scene(World::camera().in_review().reviewed(Verdict::Reject), |world| drop(world.act(reopen())))
        }),
        ("decided", "open", again, || {
            let (mut before, _) = undoable(Verdict::Approve);
            let (supervisor, reason) = ("boss".to_owned(), "a hard case".to_owned());
            before.act(ReviewAct::DemandSecond { supervisor, reason }).unwrap();
            scene(before, |world| {
                world.pass(10);
                world.must(Cause::ReviewClock);
            })
        }),
        ("open", "withdrawn", withdrawn, || scene(World::camera().in_review(), |world| drop(world.cancel()))),
        ("claimed", "withdrawn", withdrawn, || scene(claimed().0, |world| drop(world.cancel()))),
        ("decided", "withdrawn", "withdrawn by upstream within the undo window", || {
            scene(undoable(Verdict::Approve).0, |world| drop(world.cancel()))
        }),
    ];
    check("Reviews", scenes, |world| world.state.review.as_ref().map(|review| ReviewState::as_str(review.state)));
}

#[test]
fn notifications() {
    let fails = "refused, or attempts used up";
    let scenes: &[(&str, &str, &str, Scene)] = &[
        ("pending", "sent", "accepted by the provider", || {
            scene(World::retained().issued(), |world| drop(world.run(Slot::Sms, sent())))
        }),
        ("pending", "failed", fails, || {
            let gone = Decision::Undeliverable(failure("token_invalid"));
            scene(World::retained().issued(), |world| drop(world.run(Slot::Sms, gone)))
        }),
        ("pending", "failed", fails, || {
            scene(World::retained().issued(), |world| (0..ATTEMPTS).for_each(|_| drop(world.run(Slot::Sms, retry()))))
        }),
        ("pending", "not_needed", "withdrawn by upstream", || scene(World::retained(), |world| drop(world.cancel()))),
        ("failed", "pending", "operator sends again", || {
            let mut before = World::retained().issued();
            before.run(Slot::Sms, Decision::Undeliverable(failure("sms_failed")));
            scene(before, |world| drop(world.operate(OperatorAct::Retry)))
        }),
    ];
    check("Notifications", scenes, |world| {
        let sms = world.app().notices.iter().find(|notice| notice.channel == Channel::Sms);
        sms.map(|notice| NoticeState::as_str(notice.state))
    });
}

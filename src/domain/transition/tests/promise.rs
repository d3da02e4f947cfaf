//! The promise of one working day.

use std::time::Duration;

use super::world::{Edition, World, at, due_at, failure, sent};
use crate::domain::{
    application::Status,
    cause::{Cause, Refusal},
    decision::Decision,
    event::EventType,
    job::Slot,
    plan::AlertKind,
    review::Verdict,
    stage::Stage,
};

#[test]
fn the_promise_starts_when_the_face_passes() {
    let mut world = World::camera();
    world.run_to(Stage::FaceVerification);
    assert_eq!(world.app().deadline, None);
    let world = world.in_review();
    let due = Some(at("2026-11-23T17:00:00+08:00"));
    assert_eq!((due_at(&world), world.review().due_at), (due, due));
    assert_eq!(world.review().authority.as_deref(), Some("蒙C"));
}

#[test]
fn a_missing_calendar_is_said_and_made_good() {
    let mut world = World::camera();
    world.edition = Edition::Outdated;
    world.run_to(Stage::FaceVerification);
    let plan = world.run(Slot::Main, world.good());
    assert_eq!(plan.alerts, [AlertKind::CalendarMissing]);
    let mut world = world.in_review();
    assert_eq!((due_at(&world), world.review().due_at), (None, None));
    assert_eq!(world.apply(Cause::DeadlineReached), Err(Refusal::Nothing));
    assert_eq!(world.apply(Cause::CalendarChanged), Err(Refusal::Nothing));
    world.edition = Edition::Current;
    world.must(Cause::CalendarChanged);
    let due = Some(at("2026-11-23T17:00:00+08:00"));
    assert_eq!((due_at(&world), world.review().due_at), (due, due));
    // The same promise by another edition is no news.
    world.edition = Edition::Reprint;
    assert_eq!(world.must(Cause::CalendarChanged).events, []);
    assert_eq!(world.apply(Cause::CalendarChanged), Err(Refusal::Nothing));
    // Data that went away takes the promise with it, also from the review.
    world.edition = Edition::Outdated;
    world.must(Cause::CalendarChanged);
    assert_eq!((due_at(&world), world.review().due_at), (None, None));
}

#[test]
fn warnings_and_a_breach_raise_the_priority_and_decide_nothing() {
    let mut world = World::camera().in_review();
    let checks = world.app().deadline.clone().unwrap().checks;
    let kinds = [EventType::DeadlineWarned, EventType::DeadlineWarned, EventType::DeadlineBreached];
    let alerts = [AlertKind::DeadlineWarned, AlertKind::DeadlineWarned, AlertKind::DeadlineBreached];
    for (step, moment) in checks.iter().enumerate() {
        world.now = *moment - Duration::from_secs(1);
        assert_eq!(world.apply(Cause::DeadlineReached), Err(Refusal::Nothing));
        world.now = *moment;
        let plan = world.must(Cause::DeadlineReached);
        assert_eq!(plan.events.iter().map(|event| event.kind).collect::<Vec<_>>(), kinds[step..=step]);
        assert_eq!(plan.alerts, alerts[step..=step]);
        let wanted = 10 * i16::try_from(step + 1).unwrap();
        assert_eq!((world.app().priority, world.review().priority), (wanted, wanted));
    }
    world.pass(900_000);
    assert_eq!(world.apply(Cause::DeadlineReached), Err(Refusal::Nothing));
    assert_eq!(world.status(), Status::InReview);
    // What comes after keeps the priority.
    let world = world.reviewed(Verdict::Approve);
    assert_eq!(world.state.job(Slot::Main).unwrap().priority, 30);
}

#[test]
fn a_late_look_tells_of_the_breach_alone() {
    let mut world = World::camera().in_review();
    world.pass(900_000);
    let plan = world.must(Cause::DeadlineReached);
    assert_eq!(plan.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventType::DeadlineBreached]);
    assert_eq!(world.app().priority, 30);
}

#[test]
fn the_promise_is_kept_when_one_channel_has_the_result() {
    let mut world = World::retained().issued();
    assert!(world.app().next_deadline_check().is_some(), "decided is not told");
    world.run(Slot::Sms, Decision::Undeliverable(failure("sms_failed")));
    assert!(world.app().next_deadline_check().is_some(), "a failed notice tells nobody");
    world.run(Slot::App, sent());
    assert_eq!((world.app().notified_at, world.app().next_deadline_check()), (Some(world.now), None));
    world.pass(900_000);
    assert_eq!(world.apply(Cause::DeadlineReached), Err(Refusal::Nothing));
}

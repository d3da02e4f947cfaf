//! What follows a decision.

use super::{
    way_out::complete,
    world::{World, failure, licence, notice, retry, sent, wait},
};
use crate::domain::{
    application::{NoticeState, OutcomeCode, Status, WaitReason},
    cause::{Cause, OperatorAct, Refusal},
    decision::{Decision, NewLicence, Rejection},
    event::EventType,
    job::Slot,
    licence_watch::CardProblem,
    plan::AlertKind,
    stage::Stage,
};

#[test]
fn a_rejected_application_tells_by_both_channels_and_completes() {
    let exact = "您的驾驶证状态异常，无法申领驾驶证电子版，请联系驾驶证发证地公安交管部门。";
    let mut world = World::retained();
    let rejection = Rejection::new(OutcomeCode::StatusNotEligible, "licence status `L`");
    world.run(Slot::Main, Decision::Reject(Rejection { message_zh: Some(exact.to_owned()), ..rejection }));
    assert_eq!(world.app().outcome.as_ref().unwrap().message_zh.as_deref(), Some(exact));
    assert_eq!(world.app().stage, Some(Stage::Notification));
    world.run(Slot::App, sent());
    assert_eq!(world.app().completed_at, None);
    world.run(Slot::Sms, sent());
    assert_eq!(world.app().completed_at, Some(world.now));
    assert_eq!(world.told, [(Status::Rejected, false), (Status::Rejected, true)]);
}

#[test]
fn operators_hear_once_of_each_reason_why_a_licence_has_no_card() {
    let mut world = World::retained().issued();
    assert_eq!(world.apply(Cause::CardDrawn).unwrap_err(), Refusal::Nothing);
    for problem in [CardProblem::GlyphMissing, CardProblem::PortraitUnusable, CardProblem::GlyphMissing] {
        let plan = world.must(Cause::CardRefused { problem });
        assert_eq!(plan.alerts, [AlertKind::CardRefused]);
        assert_eq!((world.status(), plan.events.len(), plan.announcements.len()), (Status::Issued, 1, 0));
        assert_eq!(plan.events[0].data["reason"], problem.as_str());
        assert_eq!(world.apply(Cause::CardRefused { problem }).unwrap_err(), Refusal::Nothing);
    }
    let plan = world.must(Cause::CardDrawn);
    assert_eq!((plan.events[0].kind, plan.alerts), (EventType::CardDrawn, vec![]));
    assert_eq!(world.app().watch.as_ref().unwrap().card_problem, None);
    world.must(Cause::CardRefused { problem: CardProblem::GlyphMissing });
}

#[test]
fn a_card_that_cannot_be_drawn_is_told_with_the_issue() {
    let mut world = World::retained();
    world.run_to(Stage::Generation);
    let licence = NewLicence { card_problem: Some(CardProblem::GlyphMissing), ..licence() };
    let plan = world.run(Slot::Main, Decision::Issue(Box::new(licence)));
    assert_eq!((world.status(), plan.alerts), (Status::Issued, vec![AlertKind::CardRefused.into()]));
    assert!(plan.events.iter().any(|event| event.kind == EventType::CardRefused));
}

#[test]
fn only_the_first_run_of_a_notice_may_skip_asking() {
    let mut world = World::retained().issued();
    let planned = world.app().notices.first().unwrap().planned_at_fence;
    assert_eq!(world.claim(Slot::Sms), Some(planned + 1));
    world.rescue(Slot::Sms);
    assert_eq!(world.claim(Slot::Sms), Some(planned + 2));
}

#[test]
fn a_notice_that_failed_for_good_completes_and_can_be_sent_again() {
    let mut world = World::retained().issued();
    world.run(Slot::Sms, sent());
    let plan = world.run(Slot::App, Decision::Undeliverable(failure("token_invalid")));
    assert_eq!(plan.alerts, [AlertKind::NotificationFailed]);
    assert!(world.app().completed_at.is_some());
    assert_eq!(notice(&world, Slot::App), (NoticeState::Failed, 1));

    let issued = world.app().decided_at;
    world.operate(OperatorAct::Retry).unwrap();
    assert_eq!(world.operate(OperatorAct::Retry), Err(Refusal::NotStalled));
    assert_eq!((notice(&world, Slot::Sms).0, notice(&world, Slot::App).0), (NoticeState::Sent, NoticeState::Pending));
    assert_eq!((world.app().completed_at, world.app().stage), (None, Some(Stage::Notification)));
    // No fence of a job that is sent again is the first after `-1`.
    assert!(world.app().notices.iter().any(|notice| notice.planned_at_fence == -1));
    assert!(world.claim(Slot::App).unwrap() > 0);
    world.run(Slot::App, sent());
    assert_eq!((world.app().decided_at, notice(&world, Slot::App)), (issued, (NoticeState::Sent, 1)));
    assert_eq!(world.told, [(Status::Issued, false), (Status::Issued, true), (Status::Issued, true)]);
}

#[test]
fn the_end_of_one_channel_does_not_hide_that_the_other_waits() {
    let mut world = World::retained().issued();
    world.run(Slot::Sms, wait(600, WaitReason::RateLimit));
    let until = world.app().waiting.as_ref().unwrap().until;
    world.run(Slot::App, retry());
    world.run(Slot::App, sent());
    assert_eq!(world.app().waiting.as_ref().unwrap().until, until);
    world.run(Slot::Sms, sent());
    assert_eq!(world.app().waiting, None);
}

#[test]
fn nobody_is_told_without_a_callback() {
    let mut world = World::camera();
    world.state.application.callback_url = None;
    let world = complete(world);
    assert_eq!((world.status(), world.told), (Status::Issued, vec![]));
}

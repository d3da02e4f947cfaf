//! What happens to a licence after its issue.

use super::world::{World, failure, retry, sent};
use crate::domain::{
    application::NoticeState,
    cause::{Cause, Refusal},
    decision::Decision,
    event::{Actor, ActorKind, EventType},
    ids::LicenceId,
    job::Slot,
    plan::{AlertKind, NewAlert},
    presentation::{Purpose, Refused},
};

fn saw(status: &str, reissue_needed: bool) -> Cause {
    Cause::RegistrySaw { issued: "A".to_owned(), status: status.to_owned(), unknown: None, reissue_needed }
}

fn told() -> World {
    let mut world = World::retained().issued();
    world.run(Slot::Sms, sent());
    world.run(Slot::App, sent());
    world
}

fn states(world: &World) -> Vec<(NoticeState, u32)> {
    let watch = world.app().watch.as_ref().unwrap();
    watch.notices.iter().map(|notice| (notice.state, notice.attempts)).collect()
}

#[test]
fn a_change_of_status_is_noted_once() {
    let mut world = told();
    assert_eq!(world.apply(saw("A", false)), Err(Refusal::Nothing), "as at issue");
    world.must(saw("S", false));
    assert_eq!(world.apply(saw("S", false)), Err(Refusal::Nothing));
    let plan = world.must(saw("A", false));
    assert_eq!(plan.events[0].kind, EventType::LicenceStatusChanged);
    assert_eq!((plan.events[0].data["from"].as_str(), plan.events[0].data["to"].as_str()), (Some("S"), Some("A")));
    assert_eq!(plan.events[0].data["licence_id"], world.app().licence_id.unwrap().to_string());
}

#[test]
fn holder_and_operators_hear_of_each_change_of_what_is_shown() {
    let mut world = told();
    // From a status to the next: whether operators, and whether the holder, hear of it.
    for (status, alerted, tells) in [
        ("H", false, false),
        ("S", true, true),
        ("SU", false, false),
        ("L", true, true),
        ("not_found", true, true),
        ("A", true, true),
        // What nobody knows is a matter of operators, and so is its end.
        ("Z", true, false),
        ("A", true, false),
    ] {
        let round = world.app().watch.as_ref().map_or(0, |watch| watch.status_round);
        let plan = world.must(saw(status, false));
        assert_eq!(plan.alerts.contains(&AlertKind::LicenceStatusChanged.into()), alerted, "{status}");
        let watch = world.app().watch.clone().unwrap();
        assert_eq!(watch.status_round, round + u32::from(tells), "{status}");
        if tells {
            assert_eq!(world.app().notice_key(Slot::StatusApp), format!("{}:status-{}", world.app().id, round + 1));
            world.run(Slot::StatusSms, sent());
            world.run(Slot::StatusApp, sent());
        }
        assert_eq!(world.state.jobs, [], "{status}");
    }
}

#[test]
fn a_change_that_was_not_told_yet_makes_room_for_the_next() {
    let mut world = told();
    world.must(saw("S", false));
    world.run(Slot::StatusApp, sent());
    let under_way = world.claim(Slot::StatusSms).unwrap();
    world.must(saw("L", false));
    let late = Cause::Ran { slot: Slot::StatusSms, fence: under_way, decision: sent() };
    assert_eq!(world.apply(late), Err(Refusal::Fenced), "what was told is not what there is to tell");
    let told: Vec<_> = world.app().watch.as_ref().unwrap().status_notices.iter().map(|notice| notice.state).collect();
    assert_eq!(told, [NoticeState::Pending; 2]);
    let planned = world.app().notice(Slot::StatusSms).unwrap().planned_at_fence;
    assert_eq!(world.claim(Slot::StatusSms), Some(planned + 1), "the first run of another message");
}

#[test]
fn a_status_that_nobody_knows_is_told_to_operations_once_for_each_licence() {
    let mut world = told();
    let unknown = |letters: &str| Cause::RegistrySaw {
        issued: "A".to_owned(),
        status: "Z".to_owned(),
        unknown: Some(letters.to_owned()),
        reissue_needed: false,
    };
    let alert = NewAlert { kind: AlertKind::StatusUnknown, detail: Some("Q".to_owned()) };
    assert_eq!(world.must(unknown("Q")).alerts, [alert, AlertKind::LicenceStatusChanged.into()]);
    assert_eq!(world.apply(unknown("Q")), Err(Refusal::Nothing));
    assert_eq!(world.apply(unknown("W")), Err(Refusal::Nothing));
}

#[test]
fn the_holder_is_told_once_that_a_reissue_is_needed() {
    let mut world = told();
    let completed = world.app().completed_at;
    world.must(saw("A", true));
    assert_eq!(world.state.jobs.iter().map(|job| job.slot).collect::<Vec<_>>(), [Slot::ReapplySms, Slot::ReapplyApp]);
    // Back and forth: it was told, and is not told again.
    world.must(saw("A", false));
    world.must(saw("A", true));
    world.run(Slot::ReapplySms, retry());
    world.run(Slot::ReapplySms, sent());
    let plan = world.run(Slot::ReapplyApp, Decision::Undeliverable(failure("token_invalid")));
    assert_eq!(plan.alerts, [AlertKind::NotificationFailed]);
    assert_eq!(states(&world), [(NoticeState::Sent, 2), (NoticeState::Failed, 1)]);
    world.must(saw("A", false));
    world.must(saw("A", true));
    assert_eq!(world.state.jobs, []);
    assert_eq!((world.app().completed_at, world.app().last_error.clone(), world.app().stage), (completed, None, None));
}

#[test]
fn only_the_first_run_may_skip_asking() {
    let mut world = told();
    world.must(saw("A", true));
    let planned = world.app().notice(Slot::ReapplySms).unwrap().planned_at_fence;
    assert_eq!(world.claim(Slot::ReapplySms), Some(planned + 1));
    world.rescue(Slot::ReapplySms);
    assert_eq!(world.claim(Slot::ReapplySms), Some(planned + 2));
}

#[test]
fn a_service_ends_once_and_for_its_own_licence() {
    let operator = || Actor::new(ActorKind::Operator, "op");
    let terminate = |licence| Cause::Terminate { actor: operator(), licence, reason: "a forged photo".to_owned() };
    let mut world = told();
    let licence = world.app().licence_id.unwrap();
    assert_eq!(world.apply(terminate(LicenceId::new())), Err(Refusal::LicenceNotCurrent));
    let plan = world.must(terminate(licence));
    assert_eq!((plan.events[0].kind, plan.events[0].actor.clone()), (EventType::LicenceTerminated, operator()));
    assert_eq!(world.apply(terminate(licence)), Err(Refusal::LicenceNotCurrent));
    assert_eq!(world.apply(saw("A", true)), Err(Refusal::Nothing), "nobody is told of what has ended");
    assert_eq!(World::retained().apply(terminate(licence)), Err(Refusal::LicenceNotCurrent), "not issued");
}

#[test]
fn a_check_leaves_who_what_for_and_how_it_ended() {
    let actor = Actor::new(ActorKind::Upstream, "patrol-7");
    let check = |refused| Cause::Verified {
        actor: actor.clone(),
        key_id: Some("0123456789ab".to_owned()),
        verifier: "traffic-police".to_owned(),
        purpose: Purpose::RoadCheck,
        refused,
    };
    let mut world = told();
    for (refused, valid) in [(None, true), (Some(Refused::Replayed), false)] {
        let plan = world.must(check(refused));
        let event = &plan.events[0];
        assert_eq!((event.kind, &event.actor), (EventType::LicenceVerified, &actor));
        assert_eq!(event.data["valid"], valid);
        assert_eq!(
            (event.data["purpose"].as_str(), event.data["verifier"].as_str(), event.data["key_id"].as_str()),
            (Some("road_check"), Some("traffic-police"), Some("0123456789ab"))
        );
    }
    assert_eq!(World::retained().apply(check(None)), Err(Refusal::LicenceNotCurrent));
}

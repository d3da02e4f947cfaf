//! From every state some sensible causes lead to the end.

use std::time::Duration;

use super::world::{World, accept};
use crate::domain::{
    application::{Kind, PhotoSource, Status},
    cause::{Cause, OperatorAct},
    event::EventType,
    job::Slot,
    review::{ReviewState, Verdict},
    transition::FACE_MANUAL,
};

/// More than any life needs.
const STEPS: usize = 40;

/// Does what a worker, a reviewer, an operator and the clock would do, until the application is completed.
pub(super) fn complete(mut world: World) -> World {
    for _ in 0..STEPS {
        if world.app().completed_at.is_some() {
            return world;
        }
        match world.status() {
            Status::InProgress => drop(world.run(Slot::Main, world.good())),
            Status::InReview => review(&mut world),
            Status::Stalled => {
                let manual = world.app().last_error.as_ref().is_some_and(|error| error.failure.code == FACE_MANUAL);
                // Elsewhere than at face verification the same code cannot be accepted.
                if !manual || world.operate(accept()).is_err() {
                    world.operate(OperatorAct::Retry).unwrap();
                }
            }
            Status::Issued | Status::Rejected => {
                for slot in [Slot::Sms, Slot::App] {
                    if world.state.job(slot).is_some() {
                        world.run(slot, world.good());
                    }
                }
            }
            Status::Cancelled => unreachable!("a cancelled application is complete"),
        }
    }
    unreachable!("no way out of {:?}", world.state)
}

fn review(world: &mut World) {
    match world.review().state {
        ReviewState::Decided => {
            world.pass(60);
            world.must(Cause::ReviewClock);
        }
        ReviewState::Claimed => {
            world.pass(600);
            world.must(Cause::ReviewClock);
        }
        ReviewState::Open | ReviewState::Withdrawn => {
            let name = format!("somebody else {}", world.review().decisions().count());
            let token = world.take(&name).unwrap();
            world.decide(&token, Verdict::Approve, Duration::ZERO).unwrap();
        }
    }
}

#[test]
fn a_life_without_trouble() {
    for kind in Kind::ALL {
        for source in PhotoSource::ALL.iter().filter(|source| source.allowed_for(*kind)) {
            let world = complete(World::new(*kind, *source));
            assert_eq!(world.status(), Status::Issued, "{kind} {source}");
            let reviewed = world.log.contains(&EventType::ReviewOpened);
            assert_eq!(reviewed, source.is_upload(), "{kind} {source}");
            let mut told = vec![(Status::Issued, false), (Status::Issued, true)];
            if reviewed {
                told.splice(0..0, [(Status::InReview, false), (Status::InProgress, false)]);
            }
            assert_eq!(world.told, told, "{kind} {source}");
        }
    }
}

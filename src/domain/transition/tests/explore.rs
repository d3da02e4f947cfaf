//! Walks through every state that the table can reach, and holds the arrows found against the documentation.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    time::Duration,
};

use super::{
    diagram::{ends, moves, table},
    world::{
        Edition, UNDO, World, accept, decide, failure, licence, manual, refused, reject, reopen, retry, sent, wait,
    },
};
use crate::domain::{
    application::{Kind, PhotoSource, Status, WaitReason},
    cause::{Cause, OperatorAct, ReviewAct},
    decision::{Decision, Finding},
    job::Slot,
    review::Verdict,
    stage::outcome,
};

/// What tells two states apart; not the ids and times that differ in every life.
fn key(world: &World) -> String {
    let app = world.app();
    let jobs: BTreeMap<_, _> = world.state.jobs.iter().map(|job| (job.slot, (job.stage, job.attempts))).collect();
    let review = world.state.review.as_ref().map(|review| {
        let decision = review.decision.as_ref().map(|decision| (decision.verdict, decision.effective));
        let looks = (review.second_demanded, review.earlier.len(), review.former.is_empty());
        (review.state, review.supervisor_only, review.lease.is_some(), decision, looks)
    });
    // A notification that was taken up may have got through.
    let is_new =
        |slot| world.state.job(slot).is_none_or(|job| Some(job.fence) == app.notice(slot).map(|n| n.planned_at_fence));
    let notices: Vec<_> = app.notices.iter().map(|notice| (notice.state, is_new(Slot::of(notice.channel)))).collect();
    let error = app.last_error.as_ref().map(|error| &error.failure.code);
    let deadline = app.deadline.as_ref().map(|deadline| (deadline.due_at.is_some(), deadline.passed));
    format!(
        "{:?} {:?} {:?} {jobs:?} {review:?} {notices:?} {error:?} {deadline:?}",
        app.photo.source, app.status, app.stage
    )
}

/// Everything that can be done to a state, each thing to a copy of it.
fn next(world: &World) -> Vec<World> {
    let mut found = Vec::new();
    let mut attempt = |act: &dyn Fn(&mut World) -> bool| {
        let mut world = world.clone();
        if act(&mut world) {
            found.push(world);
        }
    };
    let decisions: [&dyn Fn(&World) -> Decision; 9] = [
        &World::good,
        &|_| retry(),
        &|_| wait(15, WaitReason::RateLimit),
        &|_| refused(),
        &|_| manual(),
        &|_| sent(),
        &|_| Decision::Undeliverable(failure("token_invalid")),
        &|_| Decision::Issue(Box::new(licence())),
        &|_| Decision::Advance { outcome: outcome::APPROVED, finding: Finding::Nothing },
    ];
    for slot in Slot::ALL.iter().copied().filter(|slot| world.state.job(*slot).is_some()) {
        for decision in decisions {
            attempt(&|world| {
                let fence = world.held(slot).unwrap();
                let decision = decision(world);
                world.apply(Cause::Ran { slot, fence, decision }).is_ok()
            });
        }
        attempt(&|world| {
            let fence = world.held(slot).unwrap();
            world.apply(Cause::Quarantined { slot, fence }).is_ok()
        });
    }
    attempt(&|world| world.cancel().is_ok());
    for act in [OperatorAct::Retry, reject("no"), accept()] {
        attempt(&|world| world.operate(act.clone()).is_ok());
    }
    for seconds in [0, 11, 301, 30_000, 600_000] {
        for cause in [Cause::ReviewClock, Cause::DeadlineReached] {
            attempt(&|world| {
                world.pass(seconds);
                world.apply(cause.clone()).is_ok()
            });
        }
    }
    for edition in [Edition::Current, Edition::Outdated] {
        attempt(&|world| {
            world.edition = edition;
            world.apply(Cause::CalendarChanged).is_ok()
        });
    }
    if let Some(review) = &world.state.review {
        let lease = review.lease.as_ref().map(|lease| lease.token_hash.clone());
        let token = lease.or(review.decision.as_ref().map(|decision| decision.token_hash.clone())).unwrap_or_default();
        attempt(&|world| world.take(&format!("r-{}", review.decisions().count())).is_ok());
        for act in [
            ReviewAct::Heartbeat { token_hash: token.clone() },
            ReviewAct::Release { token_hash: token.clone(), reason: None },
            ReviewAct::Escalate { token_hash: token.clone() },
            ReviewAct::Undo { token_hash: token.clone() },
            reopen(),
            ReviewAct::DemandSecond { supervisor: "boss".to_owned(), reason: "a hard case".to_owned() },
            decide(&token, Verdict::Approve, Duration::ZERO),
            decide(&token, Verdict::Reject, Duration::ZERO),
            decide(&token, Verdict::Approve, UNDO),
            decide(&token, Verdict::Reject, UNDO),
        ] {
            attempt(&|world| world.act(act.clone()).is_ok());
        }
    }
    found
}

/// The changes of status, of a review and of a notice that exist.
#[derive(Default)]
struct Found {
    status: BTreeSet<(String, String)>,
    review: BTreeSet<(String, String)>,
    notice: BTreeSet<(String, String)>,
    states: usize,
}

impl Found {
    fn add(&mut self, before: &World, after: &World) {
        let note = |set: &mut BTreeSet<_>, from: &str, to: &str| {
            if from != to {
                set.insert((from.to_owned(), to.to_owned()));
            }
        };
        note(&mut self.status, before.status().as_str(), after.status().as_str());
        if let (Some(old), Some(new)) = (&before.state.review, &after.state.review)
            && old.id == new.id
        {
            note(&mut self.review, old.state.as_str(), new.state.as_str());
        }
        for (old, new) in before.app().notices.iter().zip(&after.app().notices) {
            note(&mut self.notice, old.state.as_str(), new.state.as_str());
        }
    }
}

fn explore() -> Found {
    let mut found = Found::default();
    let starts = [(Kind::FirstIssue, PhotoSource::Retained), (Kind::PhotoChange, PhotoSource::Album)];
    let mut ahead: VecDeque<World> = starts.map(|(kind, source)| World::new(kind, source)).into();
    let mut seen = HashSet::new();
    while let Some(world) = ahead.pop_front() {
        for after in next(&world) {
            found.add(&world, &after);
            if seen.insert(key(&after)) {
                ahead.push_back(after);
            }
        }
    }
    found.states = seen.len();
    found
}

#[test]
fn the_documented_arrows_are_those_of_the_code() {
    let found = explore();
    assert!(found.states > 100, "{}", found.states);
    assert_eq!(moves("Status"), found.status);
    assert_eq!(moves("Reviews"), found.review);
    assert_eq!(moves("Notifications"), found.notice);
}

#[test]
fn the_documented_states_are_those_of_the_code() {
    let names: Vec<_> = Status::ALL.iter().map(|status| status.as_str().to_owned()).collect();
    assert_eq!(table("Status"), names);
    let decided = Status::ALL.iter().filter(|status| status.is_decided()).map(|status| status.as_str().to_owned());
    assert_eq!(ends("Status"), decided.collect());
}

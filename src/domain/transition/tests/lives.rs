//! Random lives: causes of every kind, also out of order, stale, with wrong tokens, and time that jumps.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    way_out::complete,
    world::{
        Edition, UNDO, World, accept, decide, evidence, licence, manual, refused, reject, reopen, retry, sent, wait,
    },
};
use crate::domain::{
    application::{Kind, PhotoSource, WaitReason},
    cause::{Cause, OperatorAct, Refusal, ReviewAct},
    decision::{Decision, Finding},
    event::{Actor, ActorKind},
    ids::{PhotoId, ReviewId},
    job::Slot,
    review::Verdict,
    stage::outcome,
};

/// What a stage says in a random life.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// What the present stage says when all is well.
    Good,
    Retry,
    Wait,
    Refuse,
    Stall,
    /// An answer that belongs to another stage, or to none.
    Odd(usize),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Claim(Slot),
    Rescue(Slot),
    /// The slot's job runs under its fence, or under another one.
    Ran(Slot, i64, Says),
    Quarantined(Slot, i64),
    Cancel,
    Retry,
    Reject,
    Accept,
    Claims {
        reviewer: usize,
        supervisor: bool,
    },
    /// By the last token given, or a wrong one.
    Heartbeat(bool),
    Release(bool),
    Escalate(bool),
    Decide {
        right: bool,
        approve: bool,
        stale: bool,
        undo: bool,
    },
    Undo(bool),
    Reopen,
    DemandSecond,
    OtherReview,
    ReviewClock,
    DeadlineReached,
    CalendarChanged(Edition),
    PhotoViewed,
    Pass(i64),
}

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        6 => Just(Says::Good),
        2 => Just(Says::Retry),
        1 => Just(Says::Wait),
        1 => Just(Says::Refuse),
        1 => Just(Says::Stall),
        1 => (0..6_usize).prop_map(Says::Odd),
    ]
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![3 => Just(Slot::Main), 1 => Just(Slot::Sms), 1 => Just(Slot::App)]
}

fn step() -> impl Strategy<Value = Step> {
    let right = || prop::bool::weighted(0.8);
    let off = || prop_oneof![9 => Just(0_i64), 1 => -2..3_i64];
    let editions = prop::sample::select(vec![Edition::Current, Edition::Reprint, Edition::Outdated]);
    let seconds = prop::sample::select(vec![-1, 0, 1, 11, 301, 4_000, 30_000, 90_000, 900_000]);
    prop_oneof![
        2 => slot().prop_map(Step::Claim),
        1 => slot().prop_map(Step::Rescue),
        20 => (slot(), off(), says()).prop_map(|(slot, off, says)| Step::Ran(slot, off, says)),
        1 => (slot(), off()).prop_map(|(slot, off)| Step::Quarantined(slot, off)),
        1 => prop::bool::weighted(0.3).prop_map(|yes| if yes { Step::Cancel } else { Step::PhotoViewed }),
        3 => Just(Step::Retry),
        1 => Just(Step::Reject),
        1 => Just(Step::Accept),
        4 => (0..3_usize, any::<bool>()).prop_map(|(reviewer, supervisor)| Step::Claims { reviewer, supervisor }),
        1 => right().prop_map(Step::Heartbeat),
        1 => right().prop_map(Step::Release),
        1 => right().prop_map(Step::Escalate),
        4 => (right(), any::<bool>(), prop::bool::weighted(0.1), any::<bool>())
            .prop_map(|(right, approve, stale, undo)| Step::Decide { right, approve, stale, undo }),
        2 => right().prop_map(Step::Undo),
        3 => Just(Step::Reopen),
        1 => Just(Step::DemandSecond),
        1 => Just(Step::OtherReview),
        2 => Just(Step::ReviewClock),
        2 => Just(Step::DeadlineReached),
        1 => editions.prop_map(Step::CalendarChanged),
        4 => seconds.prop_map(Step::Pass),
    ]
}

fn beginning() -> impl Strategy<Value = (Kind, PhotoSource, bool)> {
    let pairs: Vec<_> = Kind::ALL
        .iter()
        .flat_map(|kind| PhotoSource::ALL.iter().map(|source| (*kind, *source)))
        .filter(|(kind, source)| source.allowed_for(*kind))
        .collect();
    (prop::sample::select(pairs), any::<bool>()).prop_map(|((kind, source), hooked)| (kind, source, hooked))
}

/// What no stage should say where it is said; some of it is right by chance.
fn odd(world: &World, which: usize) -> Decision {
    let advance = |outcome| Decision::Advance { outcome, finding: Finding::Nothing };
    match which {
        0 => advance(outcome::APPROVED),
        1 => advance(outcome::ISSUED),
        2 => advance("lost"),
        3 => Decision::Issue(Box::new(licence())),
        4 => Decision::Await(evidence(world.app().photo.photo_id.unwrap_or_else(PhotoId::new))),
        _ => sent(),
    }
}

/// One life: the world, and the token that a reviewer was given last.
struct Life {
    world: World,
    token: String,
}

impl Life {
    fn review(&mut self, act: ReviewAct) -> Option<Result<(), Refusal>> {
        self.world.app().review_id?;
        Some(self.world.act(act).map(drop))
    }

    fn token(&self, right: bool) -> String {
        if right { self.token.clone() } else { "wrong".to_owned() }
    }

    /// None when there is nothing that the step could be done to.
    fn step(&mut self, step: Step) -> Option<Result<(), Refusal>> {
        let world = &mut self.world;
        let cause = match step {
            Step::Claim(slot) => {
                world.claim(slot);
                return None;
            }
            Step::Rescue(slot) => {
                world.rescue(slot);
                return None;
            }
            Step::Pass(seconds) => {
                world.pass(seconds);
                return None;
            }
            Step::Ran(slot, off, says) => {
                let fence = world.held(slot).unwrap_or(1) + off;
                let decision = match says {
                    Says::Good => world.good(),
                    Says::Retry => retry(),
                    Says::Wait => wait(15, WaitReason::FacePending),
                    Says::Refuse => refused(),
                    Says::Stall => manual(),
                    Says::Odd(which) => odd(world, which),
                };
                Cause::Ran { slot, fence, decision }
            }
            Step::Quarantined(slot, off) => Cause::Quarantined { slot, fence: world.held(slot).unwrap_or(1) + off },
            Step::Cancel => return Some(world.cancel().map(drop)),
            Step::Retry => return Some(world.operate(OperatorAct::Retry).map(drop)),
            Step::Reject => return Some(world.operate(reject("no")).map(drop)),
            Step::Accept => return Some(world.operate(accept()).map(drop)),
            Step::Claims { reviewer, supervisor } => {
                let token_hash = format!("{}-{}", world.now, world.log.len());
                let reviewer = format!("r-{reviewer}");
                let done = self.review(ReviewAct::Claim {
                    reviewer,
                    supervisor,
                    document: None,
                    token_hash: token_hash.clone(),
                })?;
                if done.is_ok() {
                    self.token = token_hash;
                }
                return Some(done);
            }
            Step::Heartbeat(right) => return self.review(ReviewAct::Heartbeat { token_hash: self.token(right) }),
            Step::Release(right) => {
                return self.review(ReviewAct::Release { token_hash: self.token(right), reason: None });
            }
            Step::Escalate(right) => return self.review(ReviewAct::Escalate { token_hash: self.token(right) }),
            Step::Reopen => return self.review(reopen()),
            Step::DemandSecond => {
                let (supervisor, reason) = ("boss".to_owned(), "a hard case".to_owned());
                return self.review(ReviewAct::DemandSecond { supervisor, reason });
            }
            Step::Undo(right) => return self.review(ReviewAct::Undo { token_hash: self.token(right) }),
            Step::Decide { right, approve, stale, undo } => {
                let verdict = if approve { Verdict::Approve } else { Verdict::Reject };
                let mut act = decide(&self.token(right), verdict, if undo { UNDO } else { Duration::ZERO });
                if let ReviewAct::Decide { evidence_hash, .. } = &mut act {
                    *evidence_hash = evidence_hash.take().filter(|_| !stale).or(stale.then(|| "old".to_owned()));
                }
                return self.review(act);
            }
            Step::OtherReview => {
                Cause::Review { review: ReviewId::new(), act: decide(&self.token, Verdict::Approve, Duration::ZERO) }
            }
            Step::ReviewClock => Cause::ReviewClock,
            Step::DeadlineReached => Cause::DeadlineReached,
            Step::CalendarChanged(edition) => {
                world.edition = edition;
                Cause::CalendarChanged
            }
            Step::PhotoViewed => {
                Cause::PhotoViewed { actor: Actor::new(ActorKind::Reviewer, "r-1"), photo: Some(PhotoId::new()) }
            }
        };
        Some(self.world.apply(cause).map(drop))
    }
}

proptest! {
    /// `World::apply` checks every step and every state; here remains that each life can be brought to its end.
    #[test]
    fn no_cause_breaks_an_application_and_each_has_a_way_out(
        (kind, source, hooked) in beginning(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut life = Life { world: World::new(kind, source), token: String::new() };
        if !hooked {
            life.world.state.application.callback_url = None;
        }
        for step in steps {
            let before = life.world.state.clone();
            if let Some(Err(refusal)) = life.step(step)
                && !matches!(step, Step::Ran(..) | Step::Quarantined(..))
            {
                // These two may have claimed before they were refused.
                prop_assert_eq!(&life.world.state, &before, "{}", refusal);
            }
        }
        complete(life.world);
    }
}

//! Each stage is failed, and repeated: the application ends the same, and its applicant is told the same, once.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    bench::Bench,
    outside::{Fault, failed},
};
use crate::domain::{
    application::{Application, Kind, NoticeState, OutcomeCode, PhotoSource, Status},
    calendar::{BUILT_IN, Calendar},
    cause::{Cause, ReviewAct},
    decision::Decision,
    ids::{LeaseId, ReviewId},
    job::{Job, Slot},
    plan::Snapshot,
    provider_error::{ErrorClass, code},
    review::Verdict,
    stage::Stage,
    transition::{Context, Timing, transition},
};

/// What goes wrong once in a life.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    None,
    /// The first call of the stage fails without an effect.
    CallFails(Stage),
    /// The first call of the stage has its effect, and its answer is lost.
    ReplyLost(Stage),
    /// The process dies between the stage's answer and the commit.
    Crash(Stage),
}

struct Life {
    bench: Bench,
    state: Snapshot,
    calendar: Calendar,
    now: DateTime<Utc>,
    met: bool,
}

impl Life {
    async fn start(kind: Kind, source: PhotoSource) -> Self {
        let mut bench = Bench::new().await.of(kind, source);
        if kind != Kind::FirstIssue {
            bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
        }
        if kind == Kind::Reissue {
            bench.outside.registered(|licence| licence.classes = "A2".to_owned());
        }
        if source.is_upload() {
            bench.upload(json!([]), "2026-01").await;
        }
        let now = "2026-11-20T02:00:00Z".parse().unwrap();
        let workflow = bench.site.engine.shared.workflows().newest(kind).id();
        bench.application = Application { workflow, submitted_at: now, ..bench.application };
        let jobs = vec![Job::due(Slot::Main, Stage::Eligibility, now, 0, 0)];
        let state = Snapshot { application: bench.application.clone(), jobs, review: None };
        Self { bench, state, calendar: Calendar::parse(BUILT_IN).unwrap(), now, met: false }
    }

    fn plan(&mut self, cause: Cause) {
        let workflows = self.bench.site.engine.shared.workflows();
        let timing =
            Timing { retry_scale: 1.0, review_lease: Duration::from_secs(300), second_look_share: 0.0, claim_limit: 3 };
        let workflow = workflows.get(&self.state.application.workflow).unwrap();
        let (calendar, now) = (&self.calendar, self.now);
        let cx = Context { workflow, calendar, now, timing, fresh_review: ReviewId::new(), began: None, claims: 0 };
        self.state = transition(&cx, &self.state, cause).unwrap().after;
    }

    async fn run(&mut self, slot: Slot, trouble: Trouble) {
        let job = self.state.job_mut(slot).unwrap();
        self.now = self.now.max(job.due_at);
        job.lease = Some(LeaseId::new());
        job.fence += 1;
        self.bench.job = job.clone();
        self.bench.application = self.state.application.clone();
        let stage = self.bench.job.stage;
        match trouble {
            Trouble::CallFails(at) if at == stage && !self.met => {
                self.met = true;
                self.bench.outside.meets(Fault::Fails(failed(ErrorClass::Retry, code::UNREACHABLE)));
            }
            Trouble::ReplyLost(at) if at == stage && !self.met => {
                self.met = true;
                self.bench.outside.meets(Fault::ReplyLost);
            }
            _ => {}
        }
        let decision = self.bench.run(stage).await;
        if matches!(trouble, Trouble::Crash(at) if at == stage) && !self.met {
            self.met = true;
            let job = self.state.job_mut(slot).unwrap();
            (job.lease, job.crashes) = (None, job.crashes + 1);
            return;
        }
        assert!(!matches!(decision, Decision::Stall(_)), "{decision:?}");
        let fence = self.bench.job.fence;
        self.plan(Cause::Ran { slot, fence, decision });
    }

    fn review(&mut self) {
        let review = self.state.review.clone().unwrap();
        let (reviewer, token_hash) = ("r-1".to_owned(), "t".to_owned());
        let claim = ReviewAct::Claim { reviewer, supervisor: false, document: None, token_hash: token_hash.clone() };
        self.plan(Cause::Review { review: review.id, act: claim });
        let (reasons, undo) = (Vec::new(), Duration::ZERO);
        let evidence_hash = Some(review.evidence.hash);
        let act =
            ReviewAct::Decide { token_hash, verdict: Verdict::Approve, reasons, evidence_hash, undo, signed_in: false };
        self.plan(Cause::Review { review: review.id, act });
    }

    /// The whole life; what the applicant and the upstream system see of its end.
    async fn live(mut self, trouble: Trouble) -> (Status, Option<OutcomeCode>, usize, usize) {
        while self.state.application.completed_at.is_none() {
            match self.state.application.status {
                Status::InReview => self.review(),
                Status::InProgress => self.run(Slot::Main, trouble).await,
                _ => {
                    let slots: BTreeMap<Slot, i64> = self.state.jobs.iter().map(|job| (job.slot, job.fence)).collect();
                    for slot in slots.into_keys() {
                        self.run(slot, trouble).await;
                    }
                }
            }
        }
        let expected = matches!(trouble, Trouble::None) || self.met;
        assert!(expected, "{trouble:?} never came");
        let app = self.state.application;
        assert!(app.notices.iter().all(|notice| notice.state == NoticeState::Sent), "{trouble:?}");
        let outside = &self.bench.outside;
        let (messages, pushes) = (outside.messages.lock().unwrap().len(), outside.pushes.lock().unwrap().len());
        (app.status, app.outcome.map(|outcome| outcome.code), messages, pushes)
    }
}

#[tokio::test]
async fn failed_and_repeated_every_stage_ends_the_same() {
    let calls = [Stage::Eligibility, Stage::FaceVerification, Stage::Generation, Stage::Notification];
    let mut troubles = vec![Trouble::None];
    troubles.extend(calls.iter().flat_map(|stage| [Trouble::CallFails(*stage), Trouble::ReplyLost(*stage)]));
    troubles.extend(Stage::ALL.iter().map(|stage| Trouble::Crash(*stage)));
    for (kind, source) in [
        (Kind::FirstIssue, PhotoSource::Retained),
        (Kind::Reissue, PhotoSource::Previous),
        (Kind::PhotoChange, PhotoSource::Camera),
    ] {
        // A review that is not needed has no job that could crash.
        let never = Trouble::Crash(Stage::PhotoReview);
        for trouble in troubles.iter().filter(|trouble| source.is_upload() || **trouble != never) {
            let end = Life::start(kind, source).await.live(*trouble).await;
            let wanted = (Status::Issued, Some(OutcomeCode::Issued), 1, 1);
            assert_eq!(end, wanted, "{kind} {source} {trouble:?}");
        }
    }
}

#[tokio::test]
async fn a_rejection_stands_however_often_it_is_asked_for() {
    for trouble in [Trouble::None, Trouble::Crash(Stage::Eligibility), Trouble::ReplyLost(Stage::Notification)] {
        let life = Life::start(Kind::FirstIssue, PhotoSource::Retained).await;
        life.bench.outside.registered(|licence| licence.status = "F".to_owned());
        let wanted = (Status::Rejected, Some(OutcomeCode::StatusNotEligible), 1, 1);
        assert_eq!(life.live(trouble).await, wanted, "{trouble:?}");
    }
}

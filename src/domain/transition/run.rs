//! A stage ran and decided.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{
    application::{LastError, NoticeState, Status, WaitReason, Waiting},
    cause::Refusal,
    decision::{Decision, Failure, Finding, Until},
    event::{Actor, EventType},
    job::{Job, Purpose, Slot},
    plan::AlertKind,
    retry::jitter_unit,
    review::{Evidence, Review, ReviewState},
    stage::{Stage, outcome},
    workflow::Target,
};

use super::Draft;

/// The error code of an answer that no workflow expects: a defect, which an operator gets to see.
const UNKNOWN_OUTCOME: &str = "unknown_outcome";

impl Draft<'_> {
    pub(super) fn ran(&mut self, slot: Slot, fence: i64, decision: Decision) -> Result<(), Refusal> {
        let job = self
            .plan
            .after
            .job(slot)
            .filter(|job| job.fence == fence && job.lease.is_some())
            .cloned()
            .ok_or(Refusal::Fenced)?;
        let was_waiting = self.app().waiting.clone();
        self.settle_waiting(slot);
        match decision {
            decision if !fits(&job, &decision) => {
                let detail = format!("stage `{}` gave an answer that is not one of its own", job.stage);
                self.give_up(&job, Failure::new(UNKNOWN_OUTCOME, detail));
            }
            Decision::Advance { outcome, finding } => self.advance(&job, outcome, finding),
            Decision::Issue(licence) => {
                self.app().licence = Some(licence.facts.clone());
                self.app().licence_id = Some(licence.id);
                if let Some(problem) = licence.card_problem {
                    self.card_refused(problem)?;
                }
                self.plan.licence = Some(*licence);
                self.advance(&job, outcome::ISSUED, Finding::Nothing);
            }
            Decision::Sent { message_id } => self.settle_sent(&job, &message_id),
            Decision::Undeliverable(failure) => self.give_up(&job, failure),
            Decision::Wait { until, reason, detail } => self.wait(&job, until, reason, detail, was_waiting),
            Decision::Await(evidence) => self.open_review(evidence),
            Decision::Retry { after, error } => self.retry(&job, after, error),
            Decision::Reject(rejection) => self.end_rejected(Actor::system(), rejection),
            Decision::Stall(failure) => self.give_up(&job, failure),
        }
        self.note_length();
        Ok(())
    }

    /// The first event of a run says how long it took, so that waiting for a worker can be told from work.
    fn note_length(&mut self) {
        let length = self.cx.began.map(|began| (self.cx.now - began).num_milliseconds().max(0));
        if let (Some(length), Some(event)) = (length, self.plan.events.first_mut()) {
            event.data["ran_ms"] = length.into();
        }
    }

    /// The slot does not wait any more. Two channels share one `waiting`, which tells of the one that waits longest: a
    /// moment that is yet to come is the other's.
    fn settle_waiting(&mut self, slot: Slot) {
        let now = self.cx.now;
        let app = self.app();
        if slot.channel().is_none()
            || app.waiting.as_ref().is_some_and(|waiting| waiting.until.is_none_or(|until| until <= now))
        {
            app.waiting = None;
        }
    }

    fn wait_for(&mut self, reason: WaitReason, until: DateTime<Utc>, detail: String) {
        let app = self.app();
        if app.waiting.as_ref().and_then(|other| other.until).is_none_or(|other| other <= until) {
            app.waiting = Some(Waiting { reason, until: Some(until), detail });
        }
    }

    /// Nothing more is tried in the slot until an operator acts.
    fn give_up(&mut self, job: &Job, failure: Failure) {
        let attempts = job.attempts + 1;
        match job.slot.channel() {
            None => self.stall(job.stage, failure, attempts),
            Some(_) => {
                if let Some(notice) = self.app().notice_mut(job.slot) {
                    notice.attempts = attempts;
                }
                self.give_up_notice(job.slot, failure);
            }
        }
    }

    /// The stage is done: remember what it found, start the promise's clock where the workflow says so, move on.
    pub(super) fn advance(&mut self, job: &Job, outcome: &'static str, finding: Finding) {
        let stage = job.stage;
        self.completed(outcome, job.attempts + 1, &finding);
        if let Finding::Eligible { licence, .. } = finding {
            self.app().licence = Some(licence);
        }
        self.app().last_error = None;
        self.follow(stage, outcome);
    }

    fn completed(&mut self, outcome: &'static str, attempts: u32, finding: &Finding) {
        let data = json!({ "outcome": outcome, "attempts": attempts, "finding": finding });
        self.system_event(EventType::StageCompleted, data);
    }

    /// Moves to what the workflow says comes after an outcome; past a stage whose outcome is foregone, without a job.
    pub(super) fn follow(&mut self, stage: Stage, outcome: &'static str) {
        if stage == self.cx.workflow.deadline.starts_at {
            self.start_deadline();
        }
        match self.cx.workflow.next(stage, outcome) {
            Some(Target::Stage(next)) => {
                self.app().stage = Some(next);
                self.app().status = Status::InProgress;
                match next.foregone(self.app_ref()) {
                    Some(outcome) => {
                        self.completed(outcome, 0, &Finding::Nothing);
                        self.follow(next, outcome);
                    }
                    None => self.put_main_job(next),
                }
            }
            Some(Target::End) => self.end_issued(),
            None => {
                let detail = format!(
                    "stage `{stage}` answered `{outcome}`, which workflow `{}` does not know",
                    self.cx.workflow.id()
                );
                self.stall(stage, Failure::new(UNKNOWN_OUTCOME, detail), 0);
            }
        }
    }

    /// A job for `stage`, due now, its fence above every earlier one of the slot.
    pub(super) fn put_main_job(&mut self, stage: Stage) {
        let fence = self.plan.after.job(Slot::Main).map_or(self.app_ref().last_fence, |job| job.fence);
        let priority = self.app_ref().priority;
        self.plan.after.put_job(Job::due(Slot::Main, stage, self.cx.now, fence, priority));
    }

    fn wait(&mut self, job: &Job, until: Until, reason: WaitReason, detail: String, before: Option<Waiting>) {
        let until = match until {
            Until::After(wait) => self.later(wait),
            Until::At(at) => at,
        };
        self.postpone(job, until, job.attempts);
        // A face verification may be polled for hours: the log keeps the beginning of a wait, not every look.
        if before.is_none_or(|waiting| waiting.reason != reason) {
            self.system_event(EventType::StageWaiting, json!({ "reason": reason, "until": until, "detail": detail }));
        }
        self.wait_for(reason, until, detail);
    }

    fn retry(&mut self, job: &Job, after: Option<Duration>, error: Failure) {
        let attempts = job.attempts + 1;
        let Some(rule) = self.cx.workflow.rule(job.stage).filter(|rule| attempts < rule.attempts) else {
            return self.give_up(job, error);
        };
        let id = self.app().id;
        let unit = jitter_unit(&[
            id.0.as_bytes(),
            job.slot.as_str().as_bytes(),
            job.stage.as_str().as_bytes(),
            &attempts.to_be_bytes(),
        ]);
        let wait = rule.retry.wait(attempts, unit, self.cx.timing.retry_scale).max(after.unwrap_or_default());
        let until = self.later(wait);
        self.postpone(job, until, attempts);
        if let Some(notice) = self.app().notice_mut(job.slot) {
            notice.attempts = attempts;
        }
        self.system_event(
            EventType::AttemptFailed,
            json!({ "slot": job.slot, "attempt": attempts, "error": error.code, "detail": error.detail, "retry_at": until }),
        );
        self.wait_for(WaitReason::Retry, until, error.detail);
    }

    /// Puts the job back into the table.
    fn postpone(&mut self, job: &Job, until: DateTime<Utc>, attempts: u32) {
        self.plan.after.put_job(Job { due_at: until, lease: None, attempts, crashes: 0, ..job.clone() });
    }

    fn open_review(&mut self, evidence: Evidence) {
        self.plan.after.drop_job(Slot::Main);
        let (id, now) = (self.cx.fresh_review, self.cx.now);
        let app = self.app();
        app.review_rounds += 1;
        app.review_id = Some(id);
        self.wait_for_reviewer();
        let app = self.app_ref();
        let review = Review {
            id,
            application_id: app.id,
            round: app.review_rounds,
            state: ReviewState::Open,
            due_at: app.deadline.as_ref().and_then(|deadline| deadline.due_at),
            priority: app.priority,
            authority: app.authority().map(str::to_owned),
            evidence,
            lease: None,
            supervisor_only: false,
            lapsed_leases: 0,
            decision: None,
            opened_at: now,
            earlier: Vec::new(),
            former: Vec::new(),
            second_demanded: false,
            assigned_to: None,
            postponed_until: None,
        };
        let data = json!({ "review_id": id, "round": review.round, "photo_id": review.evidence.photo_id, "evidence_hash": review.evidence.hash });
        self.plan.after.review = Some(review);
        self.system_event(EventType::ReviewOpened, data);
    }

    fn wait_for_reviewer(&mut self) {
        let app = self.app();
        app.status = Status::InReview;
        app.waiting = Some(Waiting {
            reason: WaitReason::Review,
            until: None,
            detail: "a reviewer must decide on the photo".to_owned(),
        });
    }

    /// From wherever the decision on the photo has led: nothing of it has happened, and no job of it goes on.
    pub(super) fn back_to_review(&mut self, round: u32) {
        for slot in Slot::ALL {
            self.plan.after.drop_job(*slot);
        }
        let app = self.app();
        app.review_rounds = round;
        app.stage = Some(Stage::PhotoReview);
        app.outcome = None;
        app.decided_at = None;
        app.last_error = None;
        self.wait_for_reviewer();
    }

    fn settle_sent(&mut self, job: &Job, message_id: &str) {
        let now = self.cx.now;
        self.plan.after.drop_job(job.slot);
        if let Some(notice) = self.app().notice_mut(job.slot) {
            notice.state = NoticeState::Sent;
            notice.attempts = job.attempts + 1;
        }
        if job.slot.purpose() == Purpose::Result {
            self.app().notified_at.get_or_insert(now);
        }
        self.system_event(
            EventType::NotificationSent,
            json!({ "slot": job.slot, "attempts": job.attempts + 1, "message_id": message_id }),
        );
        self.complete_if_settled();
    }

    pub(super) fn give_up_notice(&mut self, slot: Slot, failure: Failure) {
        let now = self.cx.now;
        self.plan.after.drop_job(slot);
        let mut attempts = 0;
        if let Some(notice) = self.app().notice_mut(slot) {
            notice.state = NoticeState::Failed;
            attempts = notice.attempts;
        }
        let data = json!({ "slot": slot, "attempts": attempts, "error": failure.code, "detail": failure.detail });
        // Only the result is sent again by an operator; that a reissue is needed stands in the display too.
        if slot.purpose() == Purpose::Result {
            self.app().last_error = Some(LastError { stage: Stage::Notification, failure, attempts, at: now });
        }
        self.system_event(EventType::NotificationFailed, data);
        self.alert(AlertKind::NotificationFailed);
        self.complete_if_settled();
    }
}

/// Whether the decision is one that the job can have: a stage only answers its own outcomes, only generation issues,
/// and a notification never touches the decision that it tells.
fn fits(job: &Job, decision: &Decision) -> bool {
    let main = job.slot == Slot::Main;
    match decision {
        Decision::Advance { outcome: answer, .. } => {
            main && *answer != outcome::ISSUED && job.stage.outcomes().contains(answer)
        }
        Decision::Issue(_) => main && job.stage == Stage::Generation,
        Decision::Await(_) => main && job.stage == Stage::PhotoReview,
        Decision::Reject(_) => main,
        Decision::Sent { .. } | Decision::Undeliverable(_) => !main,
        Decision::Wait { .. } | Decision::Retry { .. } | Decision::Stall(_) => true,
    }
}

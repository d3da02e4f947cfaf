//! The transition table: (workflow, state, cause, time) → plan. Pure; the whole life of an application is here.
//!
//! Every cause ends as a [`Plan`] or as a typed [`Refusal`]. `docs/lifecycle.md` draws the arrows.

mod deadline;
mod ending;
mod licence;
mod operator;
mod review;
mod run;
mod supervise;

pub use operator::{FACE_MANUAL, SENT_AGAIN};

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{
    application::{Application, LastError, Status, WaitReason, Waiting},
    calendar::Calendar,
    cause::{Cause, Refusal, quarantine_failure},
    decision::Failure,
    event::{Actor, ActorKind, EventType, NewEvent},
    ids::ReviewId,
    job::Slot,
    plan::{AlertKind, NewAlert, Plan, Snapshot},
    stage::Stage,
    workflow::Workflow,
};

/// What a plan depends on beside the state and the cause.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The version that the application keeps.
    pub workflow: &'a Workflow,
    /// The working-day calendar.
    pub calendar: &'a Calendar,
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Times that are configuration.
    pub timing: Timing,
    /// The id that a review gets if one is opened.
    pub fresh_review: ReviewId,
    /// When the run began, where the cause is its decision.
    pub began: Option<DateTime<Utc>>,
    /// How many tasks whoever claims one holds already.
    pub claims: u64,
}

/// Times and measures that are configuration rather than workflow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// Multiplies every wait of every stage's retries.
    pub retry_scale: f64,
    /// How long a reviewer's lease lasts.
    pub review_lease: Duration,
    /// The share of people's decisions, 0 to 1, that a second person looks at although nothing demands it.
    pub second_look_share: f64,
    /// How many tasks a reviewer may hold.
    pub claim_limit: u64,
}

/// Turns a cause into a plan.
///
/// # Errors
/// A [`Refusal`] says why the cause changes nothing in this state.
pub fn transition(cx: &Context<'_>, before: &Snapshot, cause: Cause) -> Result<Plan, Refusal> {
    let mut draft = Draft::new(cx, before);
    match cause {
        Cause::Ran { slot, fence, decision } => draft.ran(slot, fence, decision)?,
        Cause::Quarantined { slot, fence } => draft.quarantined(slot, fence)?,
        Cause::Cancel { actor, reason } => draft.cancel(actor, &reason)?,
        Cause::Operator { actor, act, batch } => draft.operator(actor, act, batch)?,
        Cause::Review { review, act } => draft.review(review, act)?,
        Cause::ReviewClock => draft.review_clock()?,
        Cause::DeadlineReached => draft.deadline_reached()?,
        Cause::CalendarChanged => draft.calendar_changed()?,
        Cause::RegistrySaw { issued, status, unknown, reissue_needed } => {
            draft.registry_saw(&issued, status, unknown, reissue_needed)?;
        }
        Cause::Terminate { actor, licence, reason } => draft.terminate(actor, licence, &reason)?,
        Cause::Verified { actor, key_id, verifier, purpose, refused } => {
            draft.verified(actor, key_id.as_deref(), &verifier, purpose, refused)?;
        }
        Cause::PhotoViewed { actor, photo } => {
            let data = photo.map_or_else(|| json!({ "source": "registry" }), |photo| json!({ "photo_id": photo }));
            draft.event(EventType::PhotoViewed, actor, data);
        }
        Cause::CardRefused { problem } => draft.card_refused(problem)?,
        Cause::CardDrawn => draft.card_drawn()?,
    }
    Ok(draft.finish())
}

/// A plan in the making.
struct Draft<'a> {
    cx: &'a Context<'a>,
    status_before: Status,
    plan: Plan,
}

impl<'a> Draft<'a> {
    fn new(cx: &'a Context<'a>, before: &Snapshot) -> Self {
        Self {
            cx,
            status_before: before.application.status,
            plan: Plan {
                after: before.clone(),
                events: Vec::new(),
                announcements: Vec::new(),
                licence: None,
                alerts: Vec::new(),
            },
        }
    }

    fn finish(mut self) -> Plan {
        if self.app_ref().status != self.status_before {
            self.announce();
        }
        self.plan
    }

    fn app(&mut self) -> &mut Application {
        &mut self.plan.after.application
    }

    fn app_ref(&self) -> &Application {
        &self.plan.after.application
    }

    fn event(&mut self, kind: EventType, actor: Actor, data: Value) {
        let stage = self.plan.after.application.stage;
        self.plan.events.push(NewEvent { kind, actor, stage, data });
    }

    fn system_event(&mut self, kind: EventType, data: Value) {
        self.event(kind, Actor::system(), data);
    }

    fn alert(&mut self, kind: AlertKind) {
        self.plan.alerts.push(kind.into());
    }

    /// Operations are told the letters; the applicant only what follows from them.
    fn alert_of_status(&mut self, letters: String) {
        self.plan.alerts.push(NewAlert { kind: AlertKind::StatusUnknown, detail: Some(letters) });
    }

    /// Tells the upstream system how the application stands now, if it wants to know.
    fn announce(&mut self) {
        let application = &self.plan.after.application;
        if application.callback_url.is_some() {
            let application = application.clone();
            self.plan.announcements.push(application);
        }
        self.status_before = self.plan.after.application.status;
    }

    fn later(&self, wait: Duration) -> DateTime<Utc> {
        TimeDelta::from_std(wait)
            .ok()
            .and_then(|wait| self.cx.now.checked_add_signed(wait))
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Nothing runs until an operator acts; the job leaves the table, the stage stays for the resumption.
    fn stall(&mut self, stage: Stage, failure: Failure, attempts: u32) {
        let now = self.cx.now;
        self.plan.after.drop_job(Slot::Main);
        let detail = failure.detail.clone();
        let data = json!({ "error": failure.code, "detail": failure.detail, "attempts": attempts });
        let app = self.app();
        app.status = Status::Stalled;
        app.waiting = Some(Waiting { reason: WaitReason::Operator, until: None, detail });
        app.last_error = Some(LastError { stage, failure, attempts, at: now });
        self.system_event(EventType::Stalled, data);
        self.alert(AlertKind::Stalled);
    }

    fn quarantined(&mut self, slot: Slot, fence: i64) -> Result<(), Refusal> {
        let job = self.plan.after.job(slot).filter(|job| job.fence == fence).ok_or(Refusal::Fenced)?;
        let (stage, attempts) = (job.stage, job.attempts);
        let failure = quarantine_failure(self.cx.now);
        match slot.channel() {
            Some(_) => self.give_up_notice(slot, failure),
            None => self.stall(stage, failure, attempts),
        }
        Ok(())
    }

    fn cancel(&mut self, actor: Actor, reason: &str) -> Result<(), Refusal> {
        match self.app().status {
            Status::Cancelled => return Err(Refusal::Nothing),
            status if status.is_decided() => return Err(Refusal::AlreadyDecided),
            _ => {}
        }
        self.withdraw_review();
        self.event(EventType::Cancelled, actor, json!({ "reason": reason }));
        self.end_cancelled();
        Ok(())
    }
}

/// The actor of a reviewer's act.
fn reviewer(name: &str) -> Actor {
    Actor::new(ActorKind::Reviewer, name)
}

#[cfg(test)]
mod tests;

//! The promise of one working day: set, warned of, breached, computed again when the calendar changes.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::domain::{
    application::{Deadline, Status},
    authority::IssuingAuthority,
    calendar::CalendarMissing,
    cause::Refusal,
    deadline::{due, instant_at},
    event::EventType,
    plan::AlertKind,
};

use super::Draft;

/// What an application gains in priority by each warning and by the breach.
const PRIORITY_STEP: i16 = 10;

impl Draft<'_> {
    pub(super) fn start_deadline(&mut self) {
        let now = self.cx.now;
        self.set_deadline(now);
    }

    fn set_deadline(&mut self, started_at: DateTime<Utc>) {
        match self.compute(started_at) {
            Ok(deadline) => {
                let data = json!({ "due_at": deadline.due_at, "calendar": deadline.calendar });
                self.put_deadline(deadline);
                self.system_event(EventType::DeadlineSet, data);
            }
            Err(missing) => {
                let calendar = self.cx.calendar.version().to_owned();
                self.put_deadline(Deadline { started_at, due_at: None, checks: Vec::new(), passed: 0, calendar });
                self.system_event(
                    EventType::DeadlineSet,
                    json!({ "problem": "calendar_missing", "year": missing.year }),
                );
                self.alert(AlertKind::CalendarMissing);
            }
        }
    }

    fn put_deadline(&mut self, deadline: Deadline) {
        if let Some(review) = &mut self.plan.after.review {
            review.due_at = deadline.due_at;
        }
        self.app().deadline = Some(deadline);
    }

    fn compute(&mut self, started_at: DateTime<Utc>) -> Result<Deadline, CalendarMissing> {
        let (calendar, rule) = (self.cx.calendar, &self.cx.workflow.deadline);
        let authority = self.app().authority().and_then(|text| IssuingAuthority::parse(text).ok());
        let due = due(calendar, rule, started_at, authority.as_ref())?;
        let mut checks = Vec::with_capacity(rule.warn_at.len() + 1);
        for &fraction in &rule.warn_at {
            checks.push(instant_at(calendar, rule, started_at, due.due_at, fraction, authority.as_ref())?);
        }
        checks.push(due.due_at);
        Ok(Deadline { started_at, due_at: Some(due.due_at), checks, passed: 0, calendar: due.calendar_version })
    }

    pub(super) fn deadline_reached(&mut self) -> Result<(), Refusal> {
        let now = self.cx.now;
        if self.app().next_deadline_check().is_none_or(|at| at > now) {
            return Err(Refusal::Nothing);
        }
        let app = self.app();
        let Some(deadline) = &mut app.deadline else { return Err(Refusal::Nothing) };
        let before = deadline.passed;
        deadline.passed = deadline.checks.iter().take_while(|at| **at <= now).count();
        let steps = i16::try_from(deadline.passed - before).unwrap_or(1);
        let (breached, due_at, passed) = (deadline.is_breached(), deadline.due_at, deadline.passed);
        let gain = steps.saturating_mul(PRIORITY_STEP);
        app.priority = app.priority.saturating_add(gain);
        let priority = app.priority;
        if let Some(review) = &mut self.plan.after.review {
            // Added, because an escalated review is ahead of its application.
            review.priority = review.priority.saturating_add(gain);
        }
        for job in &mut self.plan.after.jobs {
            job.priority = priority;
        }
        if breached {
            // Escalation never approves or rejects: it raises priority and tells operations.
            self.system_event(EventType::DeadlineBreached, json!({ "due_at": due_at }));
            self.alert(AlertKind::DeadlineBreached);
        } else {
            let share = passed.checked_sub(1).and_then(|step| self.cx.workflow.deadline.warn_at.get(step)).copied();
            self.system_event(EventType::DeadlineWarned, json!({ "due_at": due_at, "share": share }));
            self.alert(AlertKind::DeadlineWarned);
        }
        Ok(())
    }

    /// The same promise under the present calendar. A breach that happened stays in the log.
    pub(super) fn calendar_changed(&mut self) -> Result<(), Refusal> {
        let app = self.app();
        if app.notified_at.is_some() || app.status == Status::Cancelled {
            return Err(Refusal::Nothing);
        }
        let Some(deadline) = app.deadline.clone() else { return Err(Refusal::Nothing) };
        if deadline.calendar == self.cx.calendar.version() {
            return Err(Refusal::Nothing);
        }
        match self.compute(deadline.started_at) {
            Ok(new) if new.due_at == deadline.due_at => {
                let calendar = new.calendar;
                if let Some(deadline) = &mut self.app().deadline {
                    deadline.calendar = calendar;
                }
            }
            Err(_) if deadline.due_at.is_none() => {
                let calendar = self.cx.calendar.version().to_owned();
                self.app().deadline = Some(Deadline { calendar, ..deadline });
            }
            _ => self.set_deadline(deadline.started_at),
        }
        Ok(())
    }
}

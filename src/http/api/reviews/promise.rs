//! How much working time a task has left: one answer for lists, pages and the API.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::Application,
        calendar::Calendar,
        deadline::DeadlineRule,
        review::Review,
        time_left::{TimeLeft, Urgency, time_left},
    },
    engine::view::CALENDAR_MISSING,
    http::state::AppState,
};

/// The moment, the calendar and the office hours that promises are held against.
pub struct Promise {
    now: DateTime<Utc>,
    calendar: Arc<Calendar>,
    rule: Option<DeadlineRule>,
}

impl Promise {
    /// As things are now. The office hours are those of the workflows, which share them.
    pub fn of(state: &AppState) -> Self {
        let shared = &state.engine.shared;
        let rule = shared.workflows().iter().next().map(|workflow| workflow.deadline.clone());
        Self { now: shared.clock.now(), calendar: shared.calendar(), rule }
    }

    /// What a task has left.
    pub fn left(&self, review: &Review) -> TimeLeft {
        self.left_until(review.due_at, review.authority.as_deref())
    }

    /// What a promise to an authority's applicant has left.
    pub fn left_until(&self, due_at: Option<DateTime<Utc>>, authority: Option<&str>) -> TimeLeft {
        match &self.rule {
            Some(rule) => time_left(&self.calendar, rule, self.now, due_at, authority),
            None => TimeLeft { seconds: None, urgency: Urgency::Unknown },
        }
    }

    /// How the promise of an application stands.
    pub fn due(&self, application: &Application) -> DueBody {
        let due_at = application.deadline.as_ref().and_then(|deadline| deadline.due_at);
        let open = application.open_promise().and(due_at);
        let left = self.left_until(open, application.authority());
        DueBody {
            due_at,
            due_problem: (application.deadline.is_some() && due_at.is_none()).then_some(CALENDAR_MISSING),
            working_seconds_left: left.seconds,
            urgency: left.urgency,
        }
    }
}

/// How the promise of one working day to an applicant stands.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = DueTime)]
pub struct DueBody {
    /// The due time; null until face verification passes, and when the calendar has no data.
    pub due_at: Option<DateTime<Utc>>,
    /// Why there is no due time although the promise runs: `calendar_missing`.
    pub due_problem: Option<&'static str>,
    /// Working time until the due time, in seconds; below zero since it. Null without a due time, and once the promise is over
    /// because the applicant was told or withdrew.
    pub working_seconds_left: Option<i64>,
    /// How urgent that is.
    pub urgency: Urgency,
}

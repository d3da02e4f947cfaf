//! How much working time a task has left: one answer for lists, pages and the API.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        calendar::Calendar,
        deadline::DeadlineRule,
        review::Review,
        time_left::{TimeLeft, Urgency, time_left},
    },
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
}

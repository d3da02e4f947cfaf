//! How urgent a promise is: the working time that is left of it. Lists, pages and the forecast all ask this.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    authority::IssuingAuthority,
    calendar::Calendar,
    deadline::{DeadlineRule, working_time_between},
    wire::wire_enum,
};

/// Less working time than this is little.
const LITTLE: Duration = Duration::from_secs(2 * 3600);

wire_enum! {
    /// How urgent a promise is.
    pub enum Urgency as "urgency" {
        /// More than two working hours are left.
        Calm = "calm",
        /// Two working hours or less are left.
        Soon = "soon",
        /// The due time has passed.
        Overdue = "overdue",
        /// There is no due time: the calendar has no data, or the promise has not begun.
        Unknown = "unknown",
    }
}

/// How much working time is left of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLeft {
    /// In seconds; below zero the working time since the due time. None without a due time or calendar.
    pub seconds: Option<i64>,
    /// How urgent that is.
    pub urgency: Urgency,
}

/// The working time between `now` and a due time, by the office hours of `rule`.
pub fn time_left(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    due_at: Option<DateTime<Utc>>,
    authority: Option<&str>,
) -> TimeLeft {
    let Some(due_at) = due_at else { return TimeLeft { seconds: None, urgency: Urgency::Unknown } };
    let authority = authority.and_then(|text| IssuingAuthority::parse(text).ok());
    let between = |from, until| working_time_between(calendar, rule, from, until, authority.as_ref()).ok();
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    if due_at <= now {
        return TimeLeft { seconds: between(due_at, now).map(|time| -seconds(time)), urgency: Urgency::Overdue };
    }
    match between(now, due_at) {
        Some(left) => {
            let urgency = if left <= LITTLE { Urgency::Soon } else { Urgency::Calm };
            TimeLeft { seconds: Some(seconds(left)), urgency }
        }
        None => TimeLeft { seconds: None, urgency: Urgency::Unknown },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::BUILT_IN;

    #[test]
    fn nights_and_holidays_are_no_time() {
        let calendar = Calendar::parse(BUILT_IN).unwrap();
        let rule: DeadlineRule = serde_json::from_value(serde_json::json!({
            "working_days": 1, "starts_at": "face_verification", "close": "17:00:00", "on_breach": "escalate",
        }))
        .unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let due = Some(at("2026-11-23T17:00:00+08:00"));
        let left = |now: &str| {
            let left = time_left(&calendar, &rule, at(now), due, Some("蒙C"));
            (left.seconds, left.urgency)
        };
        // A Saturday, the Monday's morning, its last two hours, and after.
        assert_eq!(left("2026-11-21T12:00:00+08:00"), (Some(8 * 3600), Urgency::Calm));
        assert_eq!(left("2026-11-23T14:00:00+08:00"), (Some(3 * 3600), Urgency::Calm));
        assert_eq!(left("2026-11-23T15:00:00+08:00"), (Some(2 * 3600), Urgency::Soon));
        assert_eq!(left("2026-11-23T17:00:00+08:00"), (Some(0), Urgency::Overdue));
        assert_eq!(left("2026-11-24T10:00:00+08:00"), (Some(-3600), Urgency::Overdue));
        let none = time_left(&calendar, &rule, at("2026-11-23T14:00:00+08:00"), None, None);
        assert_eq!(none, TimeLeft { seconds: None, urgency: Urgency::Unknown });
    }
}

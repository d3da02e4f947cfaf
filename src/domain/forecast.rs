//! Which promises will be missed (时限预测): open reviews in the order of their due times, done at a pace, in office time.
//!
//! Pure: the caller brings the due times, the pace and the calendar.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    calendar::{Calendar, CalendarMissing, local_date},
    deadline::{DeadlineRule, working_time_between},
};

/// How fast reviews are done, and what would change it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Reviews in an hour of office time, all reviewers together.
    pub per_hour: f64,
    /// Office time that is added to each day on which the office is open.
    pub overtime: Duration,
    /// Whether nothing is reviewed at all.
    pub paused: bool,
}

/// What is to be expected at one pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// How many due times will be missed, those that are past already included.
    pub missed: usize,
    /// The first due time that will be missed.
    pub first: Option<DateTime<Utc>>,
}

/// How much slower and faster than measured the pace may turn out.
pub const RANGE: (f64, f64) = (0.75, 1.25);

/// What is to be expected of open reviews at a pace, the most urgent ones done first.
///
/// `dues` are their due times in rising order.
///
/// # Errors
/// The calendar has no data for a day until the last due time.
pub fn expect(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    dues: &[DateTime<Utc>],
    pace: Pace,
) -> Result<Expected, CalendarMissing> {
    let per_second = if pace.paused { 0.0 } else { pace.per_hour.max(0.0) / 3600.0 };
    let mut expected = Expected { missed: 0, first: None };
    let mut known: Option<(DateTime<Utc>, f64)> = None;
    // A promise that is missed anyway is still reviewed in its turn: the person behind it waits.
    for (place, &due) in dues.iter().enumerate() {
        let room = match known {
            Some((same, room)) if same == due => room,
            _ => room(calendar, rule, now, due, pace.overtime)? * per_second,
        };
        known = Some((due, room));
        // A millionth of a review is a rounding error.
        if (place + 1) as f64 > room + 1e-6 {
            expected.missed += 1;
            expected.first = expected.first.or(Some(due));
        }
    }
    Ok(expected)
}

/// Seconds of office time until a due time, with overtime on each working day between.
fn room(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    due: DateTime<Utc>,
    overtime: Duration,
) -> Result<f64, CalendarMissing> {
    if due <= now {
        return Ok(0.0);
    }
    let office = working_time_between(calendar, rule, now, due, None)?;
    // Overtime of the due day comes after the close of business, when it is too late.
    let (mut day, last) = (local_date(now), local_date(due));
    let mut evenings = 0_u32;
    while day < last {
        evenings += u32::from(calendar.is_working_day(day, None)?);
        let Some(next) = day.succ_opt() else { break };
        day = next;
    }
    let calendar_time = (due - now).to_std().unwrap_or_default();
    Ok((office + overtime * evenings).min(calendar_time).as_secs_f64())
}

/// The measured pace: reviews done within some time, by the office time in it; none where the office was hardly open.
pub fn measured(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    back: TimeDelta,
    done: u64,
) -> Result<Option<f64>, CalendarMissing> {
    let open = working_time_between(calendar, rule, now - back, now, None)?;
    let hours = open.as_secs_f64() / 3600.0;
    Ok((hours >= 0.25).then(|| done as f64 / hours))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{calendar::BUILT_IN, deadline::OnBreach, stage::Stage};

    fn calendar() -> Calendar {
        Calendar::parse(BUILT_IN).unwrap()
    }

    fn rule() -> DeadlineRule {
        let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
        DeadlineRule {
            working_days: 1,
            starts_at: Stage::FaceVerification,
            close: time(17),
            opens: time(9),
            warn_at: Vec::new(),
            on_breach: OnBreach::Escalate,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("{text}:00+08:00").parse().unwrap()
    }

    fn pace(per_hour: f64) -> Pace {
        Pace { per_hour, overtime: Duration::ZERO, paused: false }
    }

    #[test]
    fn the_office_is_closed_at_night_and_at_weekends() {
        // Friday, 15:00: two hours today, eight on Monday.
        let (now, monday) = (at("2026-11-20T15:00"), at("2026-11-23T17:00"));
        let of = |count: usize, pace| expect(&calendar(), &rule(), now, &vec![monday; count], pace).unwrap();
        assert_eq!(of(100, pace(10.0)), Expected { missed: 0, first: None });
        assert_eq!(of(103, pace(10.0)), Expected { missed: 3, first: Some(monday) });
        assert_eq!(of(5, pace(0.0)).missed, 5);
        assert_eq!(of(5, Pace { paused: true, ..pace(10.0) }).missed, 5);
        // An hour more on Friday; on Monday evening it would be too late.
        assert_eq!(of(113, Pace { overtime: Duration::from_secs(3600), ..pace(10.0) }).missed, 3);
    }

    #[test]
    fn the_most_urgent_ones_come_first_and_past_ones_are_missed() {
        let now = at("2026-11-20T15:00");
        let dues = [at("2026-11-20T12:00"), at("2026-11-20T17:00"), at("2026-11-20T17:00"), at("2026-11-23T17:00")];
        let found = expect(&calendar(), &rule(), now, &dues, pace(1.0)).unwrap();
        assert_eq!(found, Expected { missed: 2, first: Some(dues[0]) });
        assert_eq!(expect(&calendar(), &rule(), now, &[], pace(0.0)).unwrap().first, None);
    }

    #[test]
    fn a_pace_is_by_office_time() {
        let of = |now, hours, done| measured(&calendar(), &rule(), at(now), TimeDelta::hours(hours), done).unwrap();
        assert_eq!(of("2026-11-20T11:00", 2, 30), Some(15.0));
        assert_eq!(of("2026-11-21T11:00", 2, 30), None);
        assert_eq!(of("2026-11-23T10:00", 72, 16), Some(2.0));
    }

    proptest! {
        #[test]
        fn whoever_works_faster_misses_no_more(
            slow in 0.0..50.0_f64, more in 0.0..50.0_f64, mut hours in prop::collection::vec(0_i64..200, 0..40),
        ) {
            hours.sort_unstable();
            let now = at("2026-11-20T15:00");
            let dues: Vec<_> = hours.iter().map(|hours| now + TimeDelta::hours(*hours)).collect();
            let of = |per_hour| expect(&calendar(), &rule(), now, &dues, pace(per_hour)).unwrap().missed;
            prop_assert!(of(slow + more) <= of(slow));
        }
    }
}

//! How fast reviews are done (审核速度), and how much that changes from day to day: read off figures by the quarter of an hour.
//!
//! Only office time counts, as forecasts count it, and only while something waited: an idle reviewer is not a slow one.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::{
    calendar::{Calendar, CalendarMissing, local_date},
    deadline::{DeadlineRule, working_time_between},
};

/// How far back a pace is measured: the first of these that has office time.
const BACK: [TimeDelta; 3] = [TimeDelta::hours(8), TimeDelta::hours(24), TimeDelta::hours(96)];
/// The least office time, in hours, that a pace can be measured in.
const LEAST_HOURS: f64 = 0.25;
/// The least office time, in hours, of a day that counts for the spread, and how many days it takes.
const LEAST_OF_DAY: f64 = 1.0;
/// How many days it takes to know the spread.
const LEAST_DAYS: usize = 3;
/// The share of days that were slower than the slow end of the spread, and faster than the fast end.
const OUTSIDE: f64 = 0.1;

/// What was done in a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// When it began.
    pub from: DateTime<Utc>,
    /// How many of its minutes were measured.
    pub minutes: i64,
    /// Reviews decided for good.
    pub decided: i64,
    /// Minutes of reviewers at work, all of them added up; none where that was not measured.
    pub reviewers: Option<i64>,
    /// Whether nothing waited to be reviewed.
    pub idle: bool,
}

/// By how much the pace of a whole day differs from the usual one: factors, at most 1 and at least 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// A slow day's.
    pub slow: f64,
    /// A fast day's.
    pub fast: f64,
    /// How many days it was measured on; 0 for an assumed one.
    pub days: usize,
}

impl Spread {
    /// A quarter either way, while too few days were measured.
    pub const ASSUMED: Self = Self { slow: 0.75, fast: 1.25, days: 0 };
}

/// How fast reviews are done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Reviews in an hour of office time, all reviewers together.
    pub per_hour: f64,
    /// Reviewers at work, on average; none where that was not measured.
    pub reviewers: Option<f64>,
}

/// Office time with what was done in it.
#[derive(Default, Clone, Copy)]
struct Sum {
    hours: f64,
    decided: i64,
    /// Of the quarters in which reviewers were counted.
    counted_hours: f64,
    reviewer_hours: f64,
}

impl Sum {
    fn add(&mut self, hours: f64, work: &Work) {
        if hours <= 0.0 {
            return;
        }
        self.hours += hours;
        self.decided += work.decided;
        if let Some(minutes) = work.reviewers {
            self.counted_hours += hours;
            // Of a quarter that is partly outside office hours, the same part.
            self.reviewer_hours += minutes as f64 / work.minutes.max(1) as f64 * hours;
        }
    }

    fn pace(&self) -> f64 {
        self.decided as f64 / self.hours
    }
}

/// The pace of late; none where the office was hardly open, or nothing was decided.
///
/// # Errors
/// The calendar has no data for a day of the last four.
pub fn measured(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    works: &[Work],
) -> Result<Option<Measured>, CalendarMissing> {
    for back in BACK {
        let mut sum = Sum::default();
        for work in works.iter().filter(|work| work.from >= now - back) {
            sum.add(open_hours(calendar, rule, work)?, work);
        }
        if sum.hours >= LEAST_HOURS && sum.decided > 0 {
            let reviewers = (sum.reviewer_hours > 0.0).then(|| sum.reviewer_hours / sum.counted_hours);
            return Ok(Some(Measured { per_hour: sum.pace(), reviewers }));
        }
    }
    Ok(None)
}

/// How much the pace differs from day to day; [`Spread::ASSUMED`] while too few days were measured.
///
/// # Errors
/// The calendar has no data for a day that something was done on.
pub fn spread(calendar: &Calendar, rule: &DeadlineRule, works: &[Work]) -> Result<Spread, CalendarMissing> {
    let mut days: BTreeMap<NaiveDate, Sum> = BTreeMap::new();
    for work in works {
        days.entry(local_date(work.from)).or_default().add(open_hours(calendar, rule, work)?, work);
    }
    let mut paces: Vec<f64> = days.values().filter(|sum| sum.hours >= LEAST_OF_DAY).map(Sum::pace).collect();
    paces.sort_by(f64::total_cmp);
    let usual = quantile(&paces, 0.5);
    if paces.len() < LEAST_DAYS || usual <= 0.0 {
        return Ok(Spread::ASSUMED);
    }
    let at = |share| quantile(&paces, share) / usual;
    Ok(Spread { slow: at(OUTSIDE).min(1.0), fast: at(1.0 - OUTSIDE).max(1.0), days: paces.len() })
}

/// Hours of office time in which something waited.
fn open_hours(calendar: &Calendar, rule: &DeadlineRule, work: &Work) -> Result<f64, CalendarMissing> {
    if work.idle && work.decided <= 0 {
        return Ok(0.0);
    }
    let until = work.from + TimeDelta::minutes(work.minutes);
    Ok(working_time_between(calendar, rule, work.from, until, None)?.as_secs_f64() / 3600.0)
}

/// The value below which a share of sorted ones lies; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(0.0);
    let (low, high) = (at(place.floor()), at(place.ceil()));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{calendar::BUILT_IN, deadline::OnBreach, stage::Stage};

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

    /// So many reviews in each quarter of an hour from one time until another, by two reviewers.
    fn quarters(from: &str, until: &str, decided: i64) -> Vec<Work> {
        let (mut next, until) = (at(from), at(until));
        let mut works = Vec::new();
        while next < until {
            works.push(Work { from: next, minutes: 15, decided, reviewers: Some(30), idle: false });
            next += TimeDelta::minutes(15);
        }
        works
    }

    fn of(now: &str, works: &[Work]) -> Option<Measured> {
        measured(&Calendar::parse(BUILT_IN).unwrap(), &rule(), at(now), works).unwrap()
    }

    fn spread_of(works: &[Work]) -> Spread {
        spread(&Calendar::parse(BUILT_IN).unwrap(), &rule(), works).unwrap()
    }

    #[test]
    fn a_pace_is_of_office_time_and_of_what_was_done_in_it() {
        let works = quarters("2026-11-20T07:00", "2026-11-20T11:00", 5);
        let expected = Measured { per_hour: 20.0, reviewers: Some(2.0) };
        assert_eq!(of("2026-11-20T11:00", &works), Some(expected), "nothing of what was done before nine");
        assert_eq!(of("2026-11-23T10:00", &works), Some(expected), "the last office hours, however long ago");
        assert_eq!(of("2026-11-28T10:00", &works), None);
        assert_eq!(of("2026-11-21T11:00", &quarters("2026-11-21T07:00", "2026-11-21T11:00", 5)), None, "a Saturday");
        assert_eq!(of("2026-11-20T11:00", &[]), None);
    }

    #[test]
    fn waiting_for_work_is_not_slowness() {
        let mut works = quarters("2026-11-20T09:00", "2026-11-20T10:00", 5);
        works.extend(
            quarters("2026-11-20T10:00", "2026-11-20T11:00", 0).iter().map(|work| Work { idle: true, ..*work }),
        );
        assert_eq!(of("2026-11-20T11:00", &works).unwrap().per_hour, 20.0);
        works.extend(quarters("2026-11-20T11:00", "2026-11-20T12:00", 0));
        assert_eq!(of("2026-11-20T12:00", &works).unwrap().per_hour, 10.0);
    }

    #[test]
    fn reviewers_are_known_where_they_were_counted() {
        let mut works = quarters("2026-11-20T09:00", "2026-11-20T11:00", 5);
        works.iter_mut().take(4).for_each(|work| work.reviewers = None);
        assert_eq!(of("2026-11-20T11:00", &works).unwrap().reviewers, Some(2.0));
        works.iter_mut().for_each(|work| work.reviewers = Some(0));
        assert_eq!(of("2026-11-20T11:00", &works).unwrap().reviewers, None);
    }

    #[test]
    fn the_spread_is_that_of_whole_days() {
        let days = [("16", 10), ("17", 5), ("18", 10), ("19", 10), ("20", 20)];
        let day = |(day, decided): &(&str, i64)| {
            quarters(&format!("2026-11-{day}T08:00"), &format!("2026-11-{day}T18:00"), *decided)
        };
        let works: Vec<Work> = days.iter().flat_map(day).collect();
        let found = spread_of(&works);
        assert!((found.slow - 0.7).abs() < 1e-9 && (found.fast - 1.6).abs() < 1e-9, "{found:?}");
        assert_eq!(found.days, 5);
        assert_eq!(spread_of(&days.iter().take(2).flat_map(day).collect::<Vec<_>>()), Spread::ASSUMED);
        assert_eq!(spread_of(&quarters("2026-11-16T09:00", "2026-11-20T17:00", 0)), Spread::ASSUMED);
    }

    #[test]
    fn quantiles_of_few() {
        assert_eq!((quantile(&[], 0.5), quantile(&[3.0], 0.9), quantile(&[1.0, 2.0], 0.5)), (0.0, 3.0, 1.5));
    }
}

//! Which promises will be missed (时限预测): open reviews in the order of their due times, done at a pace, in office time.
//!
//! Pure: the caller brings the due times, the pace and the calendar.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    authority::IssuingAuthority,
    calendar::{Calendar, CalendarMissing, local_date},
    deadline::{DeadlineRule, working_time_between},
};

/// Promises that are due at one moment, of one issuing authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The due time.
    pub at: DateTime<Utc>,
    /// The authority, whose region may have days of its own.
    pub authority: Option<IssuingAuthority>,
    /// How many.
    pub count: u64,
}

/// How fast reviews are done, and what would change it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Reviews in an hour of office time, all reviewers together.
    pub per_hour: f64,
    /// Office time that is added to each day on which the office is open.
    pub overtime: Duration,
    /// Nothing is reviewed before this moment, if one is given.
    pub reviewed_from: Option<DateTime<Utc>>,
    /// No result reaches anybody before this moment, if one is given.
    pub told_from: Option<DateTime<Utc>>,
}

/// What is to be expected at one pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// How many due times will be missed, those that are past already included.
    pub missed: u64,
    /// The first due time that will be missed.
    pub first: Option<DateTime<Utc>>,
}

impl Expected {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        let first = self.first.into_iter().chain(other.first).min();
        Self { missed: self.missed + other.missed, first }
    }
}

/// What is to be expected of decided applications whose results reach nobody before a moment, if one is given.
///
/// `dues` stand in rising order of their due times.
pub fn told_late(dues: &[Due], now: DateTime<Utc>, told_from: Option<DateTime<Utc>>) -> Expected {
    let told = told_from.unwrap_or(now);
    let late = || dues.iter().filter(|due| due.at < told);
    Expected { missed: late().map(|due| due.count).sum(), first: late().next().map(|due| due.at) }
}

/// What is to be expected of open reviews at a pace, the most urgent ones done first.
///
/// `dues` stand in rising order of their due times.
///
/// # Errors
/// The calendar has no data for a day until the last due time.
pub fn expect(
    calendar: &Calendar,
    rule: &DeadlineRule,
    now: DateTime<Utc>,
    dues: &[Due],
    pace: Pace,
) -> Result<Expected, CalendarMissing> {
    let per_second = pace.per_hour.max(0.0) / 3600.0;
    let begins = pace.reviewed_from.unwrap_or(now).max(now);
    let mut expected = Expected { missed: 0, first: None };
    let mut before = 0_u64;
    // A promise that is missed anyway is still reviewed in its turn: the person behind it waits.
    for due in dues {
        let room = room(calendar, rule, begins, due, pace.overtime)? * per_second;
        // A millionth of a review is a rounding error.
        let done = ((room + 1e-6) as u64).saturating_sub(before).min(due.count);
        let in_time = if pace.told_from.is_some_and(|told| told > due.at) { 0 } else { done };
        if in_time < due.count {
            expected.missed += due.count - in_time;
            expected.first = expected.first.or(Some(due.at));
        }
        before += due.count;
    }
    Ok(expected)
}

/// Seconds of office time until a due time, with overtime on each working day between.
fn room(
    calendar: &Calendar,
    rule: &DeadlineRule,
    begins: DateTime<Utc>,
    due: &Due,
    overtime: Duration,
) -> Result<f64, CalendarMissing> {
    if due.at <= begins {
        return Ok(0.0);
    }
    let authority = due.authority.as_ref();
    let office = working_time_between(calendar, rule, begins, due.at, authority)?;
    // Overtime of the due day comes after the close of business, when it is too late.
    let (mut day, last) = (local_date(begins), local_date(due.at));
    let mut evenings = 0_u32;
    while day < last {
        evenings += u32::from(calendar.is_working_day(day, authority)?);
        let Some(next) = day.succ_opt() else { break };
        day = next;
    }
    let calendar_time = (due.at - begins).to_std().unwrap_or_default();
    Ok((office + overtime * evenings).min(calendar_time).as_secs_f64())
}

/// What was forecast at a time about the reviews that were open and in time then, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When it was said.
    pub at: DateTime<Utc>,
    /// The last due time that it is about.
    pub until: DateTime<Utc>,
    /// How many reviews it is about.
    pub open: u64,
    /// How many would miss their due time.
    pub missed: u64,
    /// As many at best.
    pub at_best: u64,
    /// As many at worst.
    pub at_worst: u64,
    /// How many did; none until the last due time has passed.
    pub came: Option<u64>,
}

/// How good forecasts were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HitRate {
    /// How many forecasts can be judged: what they were about has come.
    pub judged: u64,
    /// How often the truth lay between best and worst.
    pub within: u64,
    /// By how many reviews they were wrong, on average.
    pub mean_error: f64,
}

/// How good forecasts were; none while none that was about anything can be judged.
pub fn hit_rate(said: &[Said]) -> Option<HitRate> {
    let judged = || said.iter().filter(|said| said.open > 0).filter_map(|said| said.came.map(|came| (said, came)));
    let count = judged().count() as u64;
    let within = judged().filter(|(said, came)| (said.at_best..=said.at_worst).contains(came)).count() as u64;
    let error: u64 = judged().map(|(said, came)| said.missed.abs_diff(came)).sum();
    (count > 0).then(|| HitRate { judged: count, within, mean_error: error as f64 / count as f64 })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
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
        Pace { per_hour, overtime: Duration::ZERO, reviewed_from: None, told_from: None }
    }

    fn due(text: &str, count: u64) -> Due {
        Due { at: at(text), authority: None, count }
    }

    #[test]
    fn the_office_is_closed_at_night_and_at_weekends() {
        // Friday, 15:00: two hours today, eight on Monday.
        let (now, monday) = (at("2026-11-20T15:00"), "2026-11-23T17:00");
        let of = |count, pace| expect(&calendar(), &rule(), now, &[due(monday, count)], pace).unwrap();
        assert_eq!(of(100, pace(10.0)), Expected { missed: 0, first: None });
        assert_eq!(of(103, pace(10.0)), Expected { missed: 3, first: Some(at(monday)) });
        assert_eq!(of(5, pace(0.0)).missed, 5);
        // An hour more on Friday; on Monday evening it would be too late.
        assert_eq!(of(113, Pace { overtime: Duration::from_secs(3600), ..pace(10.0) }).missed, 3);
    }

    #[test]
    fn the_most_urgent_ones_come_first_and_past_ones_are_missed() {
        let now = at("2026-11-20T15:00");
        let dues = [due("2026-11-20T12:00", 1), due("2026-11-20T17:00", 2), due("2026-11-23T17:00", 1)];
        let found = expect(&calendar(), &rule(), now, &dues, pace(1.0)).unwrap();
        assert_eq!(found, Expected { missed: 2, first: Some(dues[0].at) });
        assert_eq!(expect(&calendar(), &rule(), now, &[], pace(0.0)).unwrap().first, None);
    }

    #[test]
    fn what_is_paused_is_late_until_it_goes_on() {
        let now = at("2026-11-20T15:00");
        let dues = [due("2026-11-20T17:00", 20), due("2026-11-23T17:00", 20)];
        let missed = |pace| expect(&calendar(), &rule(), now, &dues, pace).unwrap().missed;
        let from = |text| Some(at(text));
        assert_eq!(missed(pace(10.0)), 0);
        // An hour of ten reviews before the first due time; the rest keeps its turn.
        assert_eq!(missed(Pace { reviewed_from: from("2026-11-20T16:00"), ..pace(10.0) }), 10);
        assert_eq!(missed(Pace { reviewed_from: Some(DateTime::<Utc>::MAX_UTC), ..pace(10.0) }), 40);
        // Decided in time, and told too late.
        assert_eq!(missed(Pace { told_from: from("2026-11-20T18:00"), ..pace(10.0) }), 20);
        assert_eq!(missed(Pace { told_from: from("2026-11-20T16:00"), ..pace(10.0) }), 0);
        assert_eq!(missed(Pace { reviewed_from: from("2026-11-20T09:00"), ..pace(10.0) }), 0);
        let late = told_late(&dues, now, from("2026-11-20T18:00"));
        assert_eq!(late, Expected { missed: 20, first: Some(dues[0].at) });
        let all = late.and(told_late(&dues, now, Some(DateTime::<Utc>::MAX_UTC)));
        assert_eq!(all, Expected { missed: 60, first: Some(dues[0].at) });
        assert_eq!(told_late(&dues, now, None), Expected { missed: 0, first: None });
    }

    #[test]
    fn a_region_works_on_its_own_days() {
        let holiday = "[regions.\"宁\"]\nholidays = [2026-11-23]\nmake_up_workdays = []\n";
        let calendar = Calendar::parse(&format!("{BUILT_IN}\n{holiday}")).unwrap();
        let now = at("2026-11-20T15:00");
        let of = |authority: Option<&str>| {
            let authority = authority.map(|text| IssuingAuthority::parse(text).unwrap());
            let due = Due { authority, ..due("2026-11-23T17:00", 100) };
            expect(&calendar, &rule(), now, &[due], pace(10.0)).unwrap().missed
        };
        assert_eq!((of(None), of(Some("蒙C")), of(Some("宁A"))), (0, 0, 80));
    }

    #[test]
    fn forecasts_are_judged_by_what_came() {
        let said = |open, missed, came| Said {
            at: at("2026-11-20T10:00"),
            until: at("2026-11-20T17:00"),
            open,
            missed,
            at_best: missed / 2,
            at_worst: missed * 2,
            came,
        };
        assert_eq!(hit_rate(&[]), None);
        assert_eq!(hit_rate(&[said(9, 4, None), said(0, 0, Some(0))]), None, "nothing to judge");
        let all = [said(9, 4, Some(8)), said(9, 4, Some(1)), said(9, 0, Some(0)), said(9, 4, None)];
        assert_eq!(hit_rate(&all), Some(HitRate { judged: 3, within: 2, mean_error: 7.0 / 3.0 }));
    }

    proptest! {
        #[test]
        fn whoever_works_faster_misses_no_more(
            slow in 0.0..50.0_f64, more in 0.0..50.0_f64, mut hours in prop::collection::vec(0_i64..200, 0..40),
        ) {
            hours.sort_unstable();
            let now = at("2026-11-20T15:00");
            let due = |hours: &i64| Due { at: now + TimeDelta::hours(*hours), authority: None, count: 1 };
            let dues: Vec<_> = hours.iter().map(due).collect();
            let of = |per_hour| expect(&calendar(), &rule(), now, &dues, pace(per_hour)).unwrap().missed;
            prop_assert!(of(slow + more) <= of(slow));
        }
    }
}

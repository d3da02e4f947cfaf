//! The promise of one working day (一个工作日): when a result is due, and how much of that time is used.
//!
//! The day on which the time starts does not count (民法典 201), the last one ends with the close of
//! business (203), and working days are without statutory holidays (行政许可法 82).

use std::time::Duration;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::authority::IssuingAuthority;
use super::calendar::{self, Calendar, CalendarMissing};
use super::stage::Stage;
use super::wire::wire_enum;

pub use super::calendar::DayTrace;

wire_enum! {
    /// What a missed deadline leads to. It never approves or rejects by itself.
    pub enum OnBreach as "breach action" {
        /// Priority, a supervisor, and a mail to operations.
        Escalate = "escalate",
    }
}

/// The deadline of a workflow, as its file gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadlineRule {
    /// How many working days after the day on which the time starts; 0 means that same day.
    pub working_days: u32,
    /// The stage whose passing starts the time.
    pub starts_at: Stage,
    /// Close of business, local time, e.g. `17:00`.
    pub close: NaiveTime,
    /// Opening of business, local time; `09:00` unless given.
    #[serde(default = "nine")]
    pub opens: NaiveTime,
    /// The fractions of the working time, each between 0 and 1, at which operations are warned.
    #[serde(default)]
    pub warn_at: Vec<f64>,
    /// What a missed deadline leads to.
    pub on_breach: OnBreach,
}

/// A deadline rule that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeadlineRuleError {
    /// More working days than a promise can have.
    #[error("`working_days` must be at most {max}: `{0}`", max = DeadlineRule::MAX_WORKING_DAYS)]
    TooManyDays(u32),
    /// Offices close before they open.
    #[error("`opens` must be before `close`: `{opens}` and `{close}`")]
    OfficeHours {
        /// Opening of business.
        opens: NaiveTime,
        /// Close of business.
        close: NaiveTime,
    },
    /// A warning that is not between start and due time, or not after the one before.
    #[error("`warn_at` must be fractions between 0 and 1 in rising order: `{0}`")]
    WarnAt(f64),
}

impl DeadlineRule {
    /// The greatest number of working days, so that a due time is found quickly.
    pub const MAX_WORKING_DAYS: u32 = 60;

    /// Checks what the types allow but a deadline cannot be.
    pub fn validate(&self) -> Result<(), DeadlineRuleError> {
        if self.working_days > Self::MAX_WORKING_DAYS {
            return Err(DeadlineRuleError::TooManyDays(self.working_days));
        }
        if self.opens >= self.close {
            return Err(DeadlineRuleError::OfficeHours { opens: self.opens, close: self.close });
        }
        let mut least = 0.0;
        for fraction in &self.warn_at {
            if !(*fraction > least && *fraction < 1.0) {
                return Err(DeadlineRuleError::WarnAt(*fraction));
            }
            least = *fraction;
        }
        Ok(())
    }
}

const NINE: NaiveTime = NaiveTime::from_hms_opt(9, 0, 0).unwrap();

const fn nine() -> NaiveTime {
    NINE
}

/// A due time and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The moment until which the result has to be there.
    pub due_at: DateTime<Utc>,
    /// Every day that was looked at, the last one being the due day.
    pub trace: Vec<DayTrace>,
    /// The version of the calendar.
    pub calendar_version: String,
}

/// The due time of what starts at `start`: close of business on the working day that is
/// `working_days` after the local date of the start, in the region of the authority if one is given.
/// It is always later than `start`.
pub fn due(
    calendar: &Calendar,
    rule: &DeadlineRule,
    start: DateTime<Utc>,
    authority: Option<&IssuingAuthority>,
) -> Result<Due, CalendarMissing> {
    let first = local_date(start)?;
    // A promise for the same day counts that day while the office is open.
    let (mut day, wanted) = if rule.working_days == 0 { (first, 1) } else { (next_day(first)?, rule.working_days) };
    let mut counted = 0;
    let mut trace = Vec::new();
    loop {
        let looked_at = calendar.day(day, authority)?;
        trace.push(looked_at);
        let due_at = instant(day, rule.close)?;
        if looked_at.working && due_at > start {
            counted += 1;
        }
        if counted == wanted {
            return Ok(Due { due_at, trace, calendar_version: calendar.version().to_owned() });
        }
        day = next_day(day)?;
    }
}

/// How much office time (`opens` to `close` on working days) lies between two instants; zero when
/// `until` is not after `from`.
pub fn working_time_between(
    calendar: &Calendar,
    rule: &DeadlineRule,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    authority: Option<&IssuingAuthority>,
) -> Result<Duration, CalendarMissing> {
    let mut total = Duration::ZERO;
    walk(calendar, rule, from, until, authority, |_, open| {
        total += open;
        false
    })?;
    Ok(total)
}

/// The moment at which a fraction of the office time between start and due time is used, e.g. 0.8
/// for the 80 % warning; `due` itself when there is no office time between them. A fraction outside
/// `0..=1` counts as the nearer end.
pub fn instant_at(
    calendar: &Calendar,
    rule: &DeadlineRule,
    start: DateTime<Utc>,
    due: DateTime<Utc>,
    fraction: f64,
    authority: Option<&IssuingAuthority>,
) -> Result<DateTime<Utc>, CalendarMissing> {
    let fraction = if fraction.is_nan() { 1.0 } else { fraction.clamp(0.0, 1.0) };
    let total = working_time_between(calendar, rule, start, due, authority)?;
    if fraction == 0.0 {
        return Ok(start);
    }
    let mut left = total.mul_f64(fraction).min(total);
    let mut found = None;
    walk(calendar, rule, start, due, authority, |opened, open| {
        if left <= open {
            found = TimeDelta::from_std(left).ok().and_then(|left| opened.checked_add_signed(left));
            return true;
        }
        left -= open;
        false
    })?;
    Ok(found.unwrap_or(due))
}

/// The first date that is six calendar months after another (六个月内只可以更换一次): the same day of
/// the month, or the last day of a shorter month.
pub fn six_months_after(date: NaiveDate) -> NaiveDate {
    date.checked_add_months(Months::new(6)).unwrap_or(NaiveDate::MAX)
}

/// Shows each piece of office time between two instants to `piece` (its beginning, its length)
/// until that answers true.
fn walk(
    calendar: &Calendar,
    rule: &DeadlineRule,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    authority: Option<&IssuingAuthority>,
    mut piece: impl FnMut(DateTime<Utc>, Duration) -> bool,
) -> Result<(), CalendarMissing> {
    if until <= from {
        return Ok(());
    }
    let last = local_date(until)?;
    let mut day = local_date(from)?;
    while day <= last {
        if calendar.is_working_day(day, authority)? {
            let opened = instant(day, rule.opens)?.max(from);
            let closed = instant(day, rule.close)?.min(until);
            if let Ok(open) = (closed - opened).to_std()
                && !open.is_zero()
                && piece(opened, open)
            {
                return Ok(());
            }
        }
        day = next_day(day)?;
    }
    Ok(())
}

// A date at the very end of what chrono can say is in a year without data, whatever else it is.

fn local_date(at: DateTime<Utc>) -> Result<NaiveDate, CalendarMissing> {
    calendar::local(at).map(|local| local.date()).ok_or(CalendarMissing { year: at.naive_utc().year() })
}

fn next_day(date: NaiveDate) -> Result<NaiveDate, CalendarMissing> {
    date.checked_add_days(Days::new(1)).ok_or(CalendarMissing { year: date.year() })
}

fn instant(date: NaiveDate, time: NaiveTime) -> Result<DateTime<Utc>, CalendarMissing> {
    calendar::instant(date.and_time(time)).ok_or(CalendarMissing { year: date.year() })
}

#[cfg(test)]
mod tests;

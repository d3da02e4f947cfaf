//! The working-day calendar (工作日历): data with a version, make-up days and regional days.
//!
//! A year without data is an error, never a guess from the weekday.

mod file;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Utc, Weekday};

use super::authority::IssuingAuthority;
use super::wire::wire_enum;

/// 北京时间. The country has one zone without summer time, so a fixed offset is all there is to it.
pub const CHINA_TIME: FixedOffset = FixedOffset::east_opt(8 * 60 * 60).unwrap();

/// The calendar file that the program ships, `workflows/calendar/cn.toml`.
pub const BUILT_IN: &str = include_str!("../../workflows/calendar/cn.toml");

/// The calendar holds no data for a year that a working day has to be known of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the working-day calendar has no data for the year `{year}`")]
pub struct CalendarMissing {
    /// The first year without data.
    pub year: i32,
}

/// A calendar file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct CalendarError {
    /// The line of the file, from 1, where one line is to blame.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
}

wire_enum! {
    /// Why a day is a working day or not.
    pub enum DayKind as "day kind" {
        /// Monday to Friday.
        Weekday = "weekday",
        /// Saturday or Sunday.
        Weekend = "weekend",
        /// 放假: a day off by the national notice.
        Holiday = "holiday",
        /// 调休上班: a weekend day that is worked by the national notice.
        MakeUpWorkday = "make_up_workday",
        /// A day off in the region only.
        RegionalHoliday = "regional_holiday",
        /// A weekend day or national holiday that is worked in the region only.
        RegionalWorkday = "regional_workday",
    }
}

impl DayKind {
    /// Whether offices are open.
    pub const fn is_working(self) -> bool {
        matches!(self, Self::Weekday | Self::MakeUpWorkday | Self::RegionalWorkday)
    }
}

/// One day and why it counts or not: what a due time is explained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
pub struct DayTrace {
    /// The local date.
    pub date: NaiveDate,
    /// Whether it is a working day.
    pub working: bool,
    /// Why.
    pub why: DayKind,
}

/// A checked working-day calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    version: String,
    source: String,
    years: RangeInclusive<i32>,
    national: BTreeMap<NaiveDate, DayKind>,
    /// By the beginning of the issuing authority.
    regions: BTreeMap<String, BTreeMap<NaiveDate, DayKind>>,
}

impl Calendar {
    /// Reads a calendar file (`workflows/README.md` has the grammar).
    ///
    /// Refused are dates outside their year, listed twice or impossible, make-up days that are no
    /// weekend days, gaps between years, and years whose number of working days cannot be right:
    /// such as one whose lists were left empty.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        file::parse(text)
    }

    /// The version that is stored with every due time.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Where the data comes from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The years with data, without a gap.
    pub fn years(&self) -> RangeInclusive<i32> {
        self.years.clone()
    }

    /// The last day with data.
    pub fn data_ends(&self) -> NaiveDate {
        NaiveDate::from_ymd_opt(*self.years.end(), 12, 31).unwrap_or(NaiveDate::MAX)
    }

    /// What kind of day a local date is, for a region if an authority is given.
    pub fn day(&self, date: NaiveDate, authority: Option<&IssuingAuthority>) -> Result<DayTrace, CalendarMissing> {
        if !self.years.contains(&date.year()) {
            return Err(CalendarMissing { year: date.year() });
        }
        let why = authority
            .and_then(|authority| self.regional_day(date, authority))
            .or_else(|| self.national.get(&date).copied())
            .unwrap_or(if is_weekend(date) { DayKind::Weekend } else { DayKind::Weekday });
        Ok(DayTrace { date, working: why.is_working(), why })
    }

    /// Whether a local date is a working day, see [`Calendar::day`] for the reason.
    pub fn is_working_day(
        &self,
        date: NaiveDate,
        authority: Option<&IssuingAuthority>,
    ) -> Result<bool, CalendarMissing> {
        self.day(date, authority).map(|day| day.working)
    }

    /// How many working days a year has, without regional days; none where there is no data.
    pub fn working_days(&self, year: i32) -> usize {
        let first = NaiveDate::from_ymd_opt(year, 1, 1);
        let days = first.into_iter().flat_map(|first| first.iter_days()).take_while(|day| day.year() == year);
        days.filter(|day| self.is_working_day(*day, None).unwrap_or(false)).count()
    }

    /// The days from a date on that are no ordinary weekday or weekend: 放假 and 调休上班, without regional ones.
    pub fn special_days(&self, from: NaiveDate) -> impl Iterator<Item = DayTrace> {
        self.national.range(from..).map(|(&date, &why)| DayTrace { date, working: why.is_working(), why })
    }

    /// The longest prefix that lists the date decides.
    fn regional_day(&self, date: NaiveDate, authority: &IssuingAuthority) -> Option<DayKind> {
        self.regions
            .iter()
            .filter(|(prefix, _)| authority.is_within(prefix))
            .filter_map(|(prefix, days)| days.get(&date).map(|kind| (prefix.len(), *kind)))
            .max_by_key(|(length, _)| *length)
            .map(|(_, kind)| kind)
    }
}

/// Saturday or Sunday.
pub(crate) fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The local date and time of an instant; `None` only at the very ends of what a date can be.
pub fn local(at: DateTime<Utc>) -> Option<NaiveDateTime> {
    at.naive_utc().checked_add_offset(CHINA_TIME)
}

/// The instant of a local date and time; `None` only at the very ends of what a date can be.
pub fn instant(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    local.checked_sub_offset(CHINA_TIME).map(|utc| utc.and_utc())
}

/// The local date of an instant.
pub fn local_date(at: DateTime<Utc>) -> NaiveDate {
    local(at).map_or(NaiveDate::MAX, |local| local.date())
}

#[cfg(test)]
mod tests;

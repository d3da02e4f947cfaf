//! Reads and checks the calendar file.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use serde::Deserialize;
use toml::{Spanned, value::Datetime};

use super::{Calendar, CalendarError, DayKind, is_weekend};
use crate::domain::authority::IssuingAuthority;

/// How many working days a year can have. Since 2013 every year had 247 to 251; a year whose
/// make-up days were forgotten has at most 243, one whose lists are empty at least 260.
const PLAUSIBLE: std::ops::RangeInclusive<usize> = 244..=254;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    source: Spanned<String>,
    years: BTreeMap<Spanned<String>, Days>,
    #[serde(default)]
    regions: BTreeMap<Spanned<String>, Days>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    holidays: Vec<Spanned<Datetime>>,
    make_up_workdays: Vec<Spanned<Datetime>>,
}

/// Turns places in the text into errors with a line.
struct Source<'a>(&'a str);

impl Source<'_> {
    fn error(&self, span: std::ops::Range<usize>, reason: impl Into<String>) -> CalendarError {
        let before = self.0.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
        CalendarError { line: Some(before + 1), reason: reason.into() }
    }

    fn text(&self, text: &Spanned<String>, what: &str) -> Result<String, CalendarError> {
        let value = text.get_ref();
        if value.trim().is_empty() || value.chars().count() > 200 || value.chars().any(char::is_control) {
            return Err(self.error(text.span(), format!("`{what}` must be 1 to 200 characters on one line")));
        }
        Ok(value.clone())
    }

    fn date(&self, date: &Spanned<Datetime>) -> Result<NaiveDate, CalendarError> {
        let value = date.get_ref();
        let (Some(day), None, None) = (value.date, value.time, value.offset) else {
            return Err(self.error(date.span(), format!("not a date: `{value}`, write it as `2026-01-01`")));
        };
        NaiveDate::from_ymd_opt(i32::from(day.year), u32::from(day.month), u32::from(day.day))
            .ok_or_else(|| self.error(date.span(), format!("there is no such day: `{value}`")))
    }

    /// The days of one table; `allowed` says what is wrong with a date there.
    fn days(
        &self,
        days: &Days,
        holiday: DayKind,
        workday: DayKind,
        allowed: impl Fn(NaiveDate, DayKind) -> Result<(), String>,
    ) -> Result<BTreeMap<NaiveDate, DayKind>, CalendarError> {
        let mut found = BTreeMap::new();
        let holidays = days.holidays.iter().map(|date| (date, holiday));
        let workdays = days.make_up_workdays.iter().map(|date| (date, workday));
        for (spanned, kind) in holidays.chain(workdays) {
            let date = self.date(spanned)?;
            allowed(date, kind).map_err(|reason| self.error(spanned.span(), reason))?;
            if found.insert(date, kind).is_some() {
                return Err(self.error(spanned.span(), format!("listed twice: `{date}`")));
            }
        }
        Ok(found)
    }
}

pub(super) fn parse(text: &str) -> Result<Calendar, CalendarError> {
    let source = Source(text);
    let file: File = toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => source.error(span, error.message()),
        None => CalendarError { line: None, reason: error.message().to_owned() },
    })?;

    let mut national = BTreeMap::new();
    let mut years: Vec<i32> = Vec::new();
    for (name, days) in &file.years {
        let year = year(name.get_ref())
            .ok_or_else(|| source.error(name.span(), format!("not a year: `{}`, write four digits", name.get_ref())))?;
        // Four digits sort as the years do.
        if let Some(last) = years.last()
            && last + 1 != year
        {
            let missing = last + 1;
            return Err(source.error(name.span(), format!("the year `{missing}` before `{year}` is missing")));
        }
        years.push(year);
        let found = source.days(days, DayKind::Holiday, DayKind::MakeUpWorkday, |date, kind| {
            if date.year() != year {
                return Err(format!("`{date}` is not in the year `{year}`"));
            }
            weekend_if_worked(date, kind)
        })?;
        plausible(year, &found).map_err(|reason| source.error(name.span(), reason))?;
        national.extend(found);
    }
    let (Some(first), Some(last)) = (years.first(), years.last()) else {
        return Err(CalendarError { line: None, reason: "no year is listed, add `[years.2026]`".to_owned() });
    };

    let mut regions = BTreeMap::new();
    for (name, days) in &file.regions {
        let prefix = IssuingAuthority::parse(name.get_ref()).map_err(|error| {
            source.error(name.span(), format!("not the beginning of an issuing authority: {error}"))
        })?;
        let found = source.days(days, DayKind::RegionalHoliday, DayKind::RegionalWorkday, |date, kind| {
            if !(*first..=*last).contains(&date.year()) {
                return Err(format!("the calendar has no data for the year of `{date}`"));
            }
            if national.get(&date) == Some(&DayKind::Holiday) { Ok(()) } else { weekend_if_worked(date, kind) }
        })?;
        regions.insert(prefix.as_str().to_owned(), found);
    }

    Ok(Calendar {
        version: source.text(&file.version, "version")?,
        source: source.text(&file.source, "source")?,
        years: *first..=*last,
        national,
        regions,
    })
}

fn year(name: &str) -> Option<i32> {
    let is_year = name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_digit());
    is_year.then(|| name.parse().ok()).flatten().filter(|year| (2000..=2999).contains(year))
}

fn weekend_if_worked(date: NaiveDate, kind: DayKind) -> Result<(), String> {
    if kind.is_working() && !is_weekend(date) {
        let weekday = date.weekday();
        return Err(format!("a make-up working day must be a Saturday or Sunday: `{date}` is a {weekday}"));
    }
    Ok(())
}

fn plausible(year: i32, days: &BTreeMap<NaiveDate, DayKind>) -> Result<(), String> {
    for (month, day, name) in [(1, 1, "元旦"), (5, 1, "劳动节"), (10, 1, "国庆节")] {
        if let Some(date) = NaiveDate::from_ymd_opt(year, month, day)
            && days.get(&date) != Some(&DayKind::Holiday)
        {
            return Err(format!("the list cannot be complete: `{date}` ({name}) is no holiday in it"));
        }
    }
    let working = NaiveDate::from_ymd_opt(year, 1, 1)
        .into_iter()
        .flat_map(|first| first.iter_days())
        .take_while(|date| date.year() == year)
        .filter(|date| days.get(date).map_or(!is_weekend(*date), |kind| kind.is_working()))
        .count();
    if PLAUSIBLE.contains(&working) {
        return Ok(());
    }
    let (least, most) = PLAUSIBLE.into_inner();
    Err(format!("the year `{year}` would have {working} working days; between {least} and {most} are plausible"))
}

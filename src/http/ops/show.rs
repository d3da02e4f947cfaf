//! How pages show times, lengths of time and refusals.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::{
    domain::calendar::{self, CHINA_TIME},
    http::{pages::page::Page, params::has_four_digit_year, problem::Problem},
};

/// What stands where there is nothing.
pub(super) const NOTHING: &str = "—";

/// A moment in China Standard Time.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.with_timezone(&CHINA_TIME).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A moment, if there is one.
pub(super) fn moment_or(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| NOTHING.to_owned(), moment)
}

/// The moment that a field for local times holds (`2026-11-22T17:00`), in China Standard Time.
pub(super) fn field(text: &str) -> Option<DateTime<Utc>> {
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    calendar::instant(local).filter(|at| has_four_digit_year(*at))
}

/// A length of time in its two greatest units.
pub(super) fn length(page: &Page, seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match seconds {
        ..60 => page.fill("ops.length.seconds", &[&seconds.max(0)]),
        60..3600 => page.fill("ops.length.minutes", &[&minutes, &(seconds % 60)]),
        3600..86_400 => page.fill("ops.length.hours", &[&hours, &minutes]),
        _ => page.fill("ops.length.days", &[&days, &hours]),
    }
}

/// A length of time, if there is one.
pub(super) fn length_or(page: &Page, seconds: Option<i64>) -> String {
    seconds.map_or_else(|| NOTHING.to_owned(), |seconds| length(page, seconds))
}

/// What to tell a person of a refusal.
pub(super) fn refusal(page: &Page, problem: &Problem) -> String {
    let code = problem.errors().first().map_or(problem.code(), |fault| fault.code);
    let text = page.t_of("ops.problem.", code);
    if text.starts_with("ops.problem.") { page.fill("ops.refused", &[&code]) } else { text }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;

    #[test]
    fn times_are_those_of_china() {
        let at = field("2026-11-22T17:00").unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-22T09:00:00+00:00");
        assert_eq!(moment(at), "2026-11-22 17:00:00");
        assert_eq!((field(""), field("tomorrow"), moment_or(None)), (None, None, NOTHING.to_owned()));
    }

    #[test]
    fn lengths_have_two_units() {
        let headers: HeaderMap =
            [(axum::http::header::COOKIE, "greenlane_language=en".parse().unwrap())].into_iter().collect();
        let page = Page::of(&headers, "/ops".to_owned(), None);
        for (seconds, text) in [(-1, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
        {
            assert_eq!(length(&page, seconds), text);
        }
    }
}

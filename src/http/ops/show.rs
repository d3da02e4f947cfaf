//! How pages show times, lengths of time and refusals.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::{
    domain::calendar::{self, CHINA_TIME},
    http::{pages::page::Page, params::Moment, problem::Problem},
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

/// The moment that a field for local times holds (`2026-11-22T17:00`), in China Standard Time; none for an empty one.
///
/// # Errors
/// 422 `time_invalid`.
pub(super) fn field(pointer: &'static str, text: &str) -> Result<Option<Moment>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let moment = local.and_then(calendar::instant).and_then(Moment::of);
    moment.map(Some).ok_or_else(|| Problem::field(pointer, "time_invalid", "must be a time"))
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
        let at = field("/until", "2026-11-22T17:00").unwrap().unwrap().0;
        assert_eq!(at.to_rfc3339(), "2026-11-22T09:00:00+00:00");
        assert_eq!((moment(at).as_str(), moment_or(None).as_str()), ("2026-11-22 17:00:00", NOTHING));
        assert_eq!(field("/until", "").unwrap(), None);
        for wrong in ["tomorrow", "+10000-01-02T00:00", "-0001-01-01T00:00", "+262142-12-31T23:59"] {
            let problem = field("/until", wrong).unwrap_err();
            assert_eq!(problem.errors()[0].code, "time_invalid", "{wrong}");
        }
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

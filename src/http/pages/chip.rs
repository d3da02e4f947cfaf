//! Chips: what is said by a colour, a sign and a word.

use chrono::{DateTime, Utc};

use super::page::Page;
use crate::{domain::time_left::Urgency, http::api::reviews::promise::DueBody};

/// A chip.
pub struct Chip {
    /// `good`, `warn`, `bad` or `off`.
    pub kind: &'static str,
    /// What stands for the colour.
    pub sign: &'static str,
    /// What it says.
    pub text: String,
}

/// Due time and working time left.
pub fn deadline(page: &Page, due_at: Option<DateTime<Utc>>, seconds_left: Option<i64>, urgency: Urgency) -> Chip {
    let (kind, sign) = match urgency {
        Urgency::Calm => ("good", "◷"),
        Urgency::Soon => ("warn", "▲"),
        Urgency::Overdue => ("bad", "!"),
        Urgency::Unknown => ("off", "?"),
    };
    let due = due_at.map(|at| page.time(&at)).unwrap_or_default();
    let left = seconds_left.map(|seconds| page.length(&seconds)).unwrap_or_default();
    let text = match urgency {
        Urgency::Unknown => page.t("deadline.unknown").to_owned(),
        Urgency::Overdue => page.fill("deadline.overdue", &[&due, &left]),
        Urgency::Calm | Urgency::Soon => page.fill("deadline.left", &[&due, &left]),
    };
    Chip { kind, sign, text }
}

/// The due time of what hurries nobody any more.
pub fn settled(page: &Page, due_at: Option<DateTime<Utc>>) -> Chip {
    Chip { kind: "off", sign: "◷", text: due_at.map_or_else(|| "–".to_owned(), |at| page.time(&at)) }
}

/// The promise of an application: running, over, without a calendar, or not begun.
pub fn due(page: &Page, body: &DueBody) -> Chip {
    match (body.due_at, body.due_problem) {
        (None, None) => Chip { kind: "off", sign: "–", text: page.t("deadline.not_begun").to_owned() },
        (Some(_), _) if body.urgency == Urgency::Unknown => settled(page, body.due_at),
        _ => deadline(page, body.due_at, body.working_seconds_left, body.urgency),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};

    use super::*;

    #[test]
    fn due_times_have_a_colour_a_sign_and_a_word() {
        let headers: HeaderMap = [(header::COOKIE, "greenlane_language=en".parse().unwrap())].into_iter().collect();
        let page = Page::of(&headers, "/ops".to_owned(), None);
        let chip = |due_at: Option<&str>, due_problem, working_seconds_left, urgency| {
            let due_at = due_at.map(|at| at.parse().unwrap());
            let chip = due(&page, &DueBody { due_at, due_problem, working_seconds_left, urgency });
            (chip.kind, chip.sign, chip.text)
        };
        let at = Some("2026-11-23T09:00:00Z");
        let text = |kind, sign, text: &str| (kind, sign, text.to_owned());
        assert_eq!(chip(None, None, None, Urgency::Unknown), text("off", "–", "No due time yet"));
        assert_eq!(
            chip(None, Some("calendar_missing"), None, Urgency::Unknown),
            text("off", "?", "No due time: the calendar has no data")
        );
        assert_eq!(chip(at, None, None, Urgency::Unknown), text("off", "◷", "11-23 17:00"));
        assert_eq!(chip(at, None, Some(1800), Urgency::Soon).0, "warn");
        let overdue = chip(at, None, Some(-3600), Urgency::Overdue);
        assert_eq!((overdue.0, overdue.1, overdue.2.contains("11-23 17:00")), ("bad", "!", true));
    }
}

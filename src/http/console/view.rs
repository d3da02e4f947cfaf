//! What chips of the console say.

use crate::{
    domain::{
        photo_check::{Check, CheckResult, Measure},
        review::ReviewState,
    },
    http::{
        api::reviews::body::ReviewBody,
        pages::{
            chip::{self, Chip},
            page::Page,
        },
    },
};

use super::reasons;

/// Due time and working time left.
pub(super) fn deadline(page: &Page, review: &ReviewBody) -> Chip {
    // What is decided hurries nobody.
    if matches!(review.state, ReviewState::Decided | ReviewState::Withdrawn) {
        return chip::settled(page, review.due_at);
    }
    chip::deadline(page, review.due_at, review.working_seconds_left, review.urgency)
}

/// An automatic check.
pub(super) struct CheckChip {
    /// Result as colour, sign and word.
    pub(super) chip: Chip,
    /// What was checked.
    pub(super) label: &'static str,
    /// The value, and the limit where there is one.
    pub(super) measure: String,
}

/// The automatic checks, what speaks against the photo first.
pub(super) fn checks(page: &Page, checks: &serde_json::Value) -> Vec<CheckChip> {
    let mut checks: Vec<Check> = serde_json::from_value(checks.clone()).unwrap_or_default();
    let rank = |check: &Check| match check.result {
        CheckResult::Fail => 0,
        CheckResult::Flag => 1,
        CheckResult::NotChecked => 2,
        CheckResult::Pass => 3,
    };
    checks.sort_by_key(rank);
    checks.iter().map(|check| check_chip(page, check)).collect()
}

fn check_chip(page: &Page, check: &Check) -> CheckChip {
    let (kind, sign) = match check.result {
        CheckResult::Pass => ("good", "✓"),
        CheckResult::Flag => ("warn", "▲"),
        CheckResult::Fail => ("bad", "✕"),
        CheckResult::NotChecked => ("off", "–"),
    };
    let measure = match (&check.value, &check.limit) {
        (Some(value), Some(limit)) => page.fill("check.of", &[&shown(value), &shown(limit)]),
        (Some(value), None) => shown(value),
        (None, _) => String::new(),
    };
    let text = page.t_of("check.", check.result);
    CheckChip { chip: Chip { kind, sign, text }, label: reasons::label(page, check.code), measure }
}

fn shown(measure: &Measure) -> String {
    match measure {
        Measure::Number(number) => format!("{number}"),
        Measure::Text(text) => text.clone(),
    }
}

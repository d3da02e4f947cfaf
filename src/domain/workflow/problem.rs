//! What is wrong with a workflow file, and where.

use std::{fmt, ops::Range, path::PathBuf};

/// One thing that is wrong with a workflow file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file; empty when a text was parsed that came from no file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and the remedy where there is one.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.reason)
    }
}

/// Collects the problems of one text, so that all of them are told at once.
pub(super) struct Findings<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Findings<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, problems: Vec::new() }
    }

    /// Notes a problem at a byte range of the text.
    pub(super) fn at(&mut self, span: &Range<usize>, reason: impl Into<String>) {
        self.problems.push(Problem {
            file: PathBuf::new(),
            line: line_at(self.text, span.start),
            reason: reason.into(),
        });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Everything found, in the order of the lines.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort();
        self.problems.dedup();
        self.problems
    }
}

/// The line of a byte of the text, counted from 1.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

/// `, did you mean …?` when one of the known names is close to the given one; the list of them otherwise.
pub(super) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known.iter().map(|name| (distance(given, name), *name)).min();
    match nearest {
        Some((steps, name)) if steps <= 1 + name.len() / 4 => format!(", did you mean `{name}`?"),
        _ => format!(", known are `{}`", known.join("`, `")),
    }
}

/// Levenshtein distance: how many characters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            left = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, steps) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("timeout", "timeuot", 2),
            ("照片", "照", 1),
        ] {
            assert_eq!(distance(a, b), steps, "{a} {b}");
        }
    }

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(hint("elegible", ["eligible", "passed"]), ", did you mean `eligible`?");
        assert_eq!(hint("zzz", ["eligible", "passed"]), ", known are `eligible`, `passed`");
    }

    #[test]
    fn reads_as_file_line_reason() {
        let problem = Problem { file: "workflows/a.toml".into(), line: 3, reason: "missing `timeout`".into() };
        assert_eq!(problem.to_string(), "workflows/a.toml:3: missing `timeout`");
    }
}

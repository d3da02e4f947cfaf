//! Reads the state diagrams of `docs/lifecycle.md`.

use std::collections::BTreeSet;

const LIFECYCLE: &str = include_str!("../../../../docs/lifecycle.md");

/// An arrow of a diagram; `[*]` is the beginning and the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) label: String,
}

/// The arrows of the first state diagram after a heading.
pub(super) fn arrows(heading: &str) -> Vec<Arrow> {
    let (_, section) = LIFECYCLE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, diagram) = section.split_once("stateDiagram-v2\n").unwrap();
    let (diagram, _) = diagram.split_once("```").unwrap();
    diagram
        .lines()
        .map(|line| {
            let (from, rest) = line.split_once(" --> ").unwrap();
            let (to, label) = rest.split_once(": ").unwrap_or((rest, ""));
            Arrow { from: from.trim().to_owned(), to: to.trim().to_owned(), label: label.trim().to_owned() }
        })
        .collect()
}

/// From and to of the arrows between states.
pub(super) fn moves(heading: &str) -> BTreeSet<(String, String)> {
    let between = |arrow: &Arrow| arrow.from != "[*]" && arrow.to != "[*]";
    arrows(heading).into_iter().filter(between).map(|arrow| (arrow.from, arrow.to)).collect()
}

/// The states that a diagram ends in.
pub(super) fn ends(heading: &str) -> BTreeSet<String> {
    arrows(heading).into_iter().filter(|arrow| arrow.to == "[*]").map(|arrow| arrow.from).collect()
}

/// The first column of the first table after a heading, without its backticks.
pub(super) fn table(heading: &str) -> Vec<String> {
    let (_, section) = LIFECYCLE.split_once(&format!("\n## {heading}\n")).unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    rows.take_while(|line| line.starts_with('|'))
        .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

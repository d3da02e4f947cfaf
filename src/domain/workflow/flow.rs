//! The rules of the flow: every application gets to a decision, and no licence is issued past a check.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use super::{StageRule, Target, check::Placed, problem::Findings, text::END};
use crate::domain::{
    deadline::DeadlineRule,
    retry,
    stage::{Stage, outcome},
};

/// A stage of the flow, with the places to complain about.
pub(super) struct Node {
    pub(super) header: Range<usize>,
    /// The rule without its `on`, which is in the edges.
    pub(super) rule: StageRule,
    pub(super) edges: Vec<Edge>,
}

/// What follows one outcome.
pub(super) struct Edge {
    pub(super) outcome: &'static str,
    pub(super) target: Target,
    pub(super) span: Range<usize>,
}

/// The stages of a workflow.
pub(super) type Nodes = BTreeMap<Stage, Node>;

/// No licence without these: eligibility (R04, R19), the applicant in person (R08), and the photo review,
/// which answers `not_needed` by itself for a photo that was approved before (R33, R34).
const BEFORE_A_LICENCE: [Stage; 3] = [Stage::Eligibility, Stage::FaceVerification, Stage::PhotoReview];

/// Checks the flow; answers the rules with their outcomes, or `None` when a stage is named that is not there.
pub(super) fn check(
    findings: &mut Findings<'_>,
    nodes: Nodes,
    start: &Placed<Stage>,
    notices: &Placed<Stage>,
    starts_at: &Placed<Stage>,
) -> Option<BTreeMap<Stage, StageRule>> {
    if named_stages_exist(findings, &nodes, [start, notices, starts_at]) {
        ends(findings, &nodes, start, notices.0);
        reachability(findings, &nodes, start.0, notices.0);
        if let Some(edge) = circle(&nodes) {
            findings.at(
                &edge.span,
                format!("goes round in a circle: `{}` has run before, and nothing waits in between", edge.target),
            );
        }
        if starts_at.0 == notices.0 || !reach(&nodes, start.0, any_edge).contains(&starts_at.0) {
            findings
                .at(&starts_at.1, format!("`starts_at`: no application passes `{}` before its decision", starts_at.0));
        }
        let rules = nodes.into_iter().map(|(stage, node)| {
            let on = node.edges.iter().map(|edge| (edge.outcome.to_owned(), edge.target)).collect();
            (stage, StageRule { on, ..node.rule })
        });
        return Some(rules.collect());
    }
    None
}

/// Refuses a deadline that can be missed although every stage behaves as its rule allows.
pub(super) fn check_deadline(
    findings: &mut Findings<'_>,
    rules: &BTreeMap<Stage, StageRule>,
    deadline: &DeadlineRule,
    working_days_at: &Range<usize>,
    notices: Stage,
) {
    let mut after = BTreeSet::from([notices]);
    let mut ahead = vec![deadline.starts_at];
    while let Some(stage) = ahead.pop() {
        let targets = rules.get(&stage).into_iter().flat_map(|rule| rule.on.values());
        for target in targets {
            if let Target::Stage(next) = target
                && after.insert(*next)
            {
                ahead.push(*next);
            }
        }
    }
    let worst = after.iter().filter_map(|stage| rules.get(stage)).fold(Duration::ZERO, |sum, rule| {
        let running = rule.timeout.saturating_mul(rule.attempts);
        sum.saturating_add(running).saturating_add(rule.retry.total_worst(rule.attempts))
    });
    let office_day = (deadline.close - deadline.opens).to_std().unwrap_or_default();
    let promised = office_day.saturating_mul(deadline.working_days);
    if worst > promised {
        let minutes = worst.as_secs().div_ceil(60);
        let reason = format!(
            "`working_days`: the stages after `{}` may retry for {minutes} minutes, and the office time until the deadline is only {}",
            deadline.starts_at,
            retry::format_duration(promised),
        );
        findings.at(working_days_at, reason);
    }
}

fn named_stages_exist(findings: &mut Findings<'_>, nodes: &Nodes, named: [&Placed<Stage>; 3]) -> bool {
    let targets =
        nodes.values().flat_map(|node| &node.edges).filter_map(|edge| Some((edge.next()?, edge.span.clone())));
    let mut all = true;
    for (stage, span) in named.into_iter().cloned().chain(targets) {
        if !nodes.contains_key(&stage) {
            findings.at(&span, format!("`{stage}` has no table `[stages.{stage}]`"));
            all = false;
        }
    }
    all
}

/// The decision is made by `generation`, and told by the notices stage; nothing else ends.
fn ends(findings: &mut Findings<'_>, nodes: &Nodes, start: &Placed<Stage>, notices: Stage) {
    if start.0 == notices {
        findings.at(&start.1, format!("`start`: `{notices}` sends the notices, which come after the decision"));
    }
    for (stage, node) in nodes {
        for Edge { target, span, .. } in &node.edges {
            let last = *stage == notices || *stage == Stage::Generation;
            match target {
                Target::End if !last => findings.at(
                    span,
                    format!("`{END}` before a decision: only `{}` and the notices may end", Stage::Generation),
                ),
                Target::Stage(_) if last => findings.at(span, format!("only `{END}` may follow `{stage}`")),
                Target::Stage(next) if *next == notices => {
                    findings.at(span, format!("`{notices}` sends the notices and runs by itself after the decision"));
                }
                _ => {}
            }
        }
    }
}

fn reachability(findings: &mut Findings<'_>, nodes: &Nodes, start: Stage, notices: Stage) {
    let reached = reach(nodes, start, any_edge);
    for (stage, node) in nodes.iter().filter(|(stage, _)| **stage != notices) {
        if !reached.contains(stage) {
            findings.at(&node.header, format!("nothing leads to `{stage}`"));
        } else if !reach(nodes, *stage, any_edge).contains(&Stage::Generation) {
            findings.at(&node.header, format!("no way leads from `{stage}` to an end"));
        }
    }
    if let Some(node) = nodes.get(&Stage::Generation) {
        for check in BEFORE_A_LICENCE {
            let past_it = |edge: &Edge| edge.next() != Some(check);
            if start != check && reach(nodes, start, past_it).contains(&Stage::Generation) {
                findings.at(&node.header, format!("a licence could be generated without `{check}`"));
            }
        }
    }
}

/// Every stage that can come from `from` on over the allowed edges, itself included.
fn reach(nodes: &Nodes, from: Stage, allowed: impl Fn(&Edge) -> bool) -> BTreeSet<Stage> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![from];
    while let Some(stage) = ahead.pop() {
        if reached.insert(stage) {
            ahead.extend(
                nodes
                    .get(&stage)
                    .into_iter()
                    .flat_map(|node| &node.edges)
                    .filter(|edge| allowed(edge))
                    .filter_map(Edge::next),
            );
        }
    }
    reached
}

const fn any_edge(_: &Edge) -> bool {
    true
}

/// The last edge of the file that is part of a circle in which nothing waits.
fn circle(nodes: &Nodes) -> Option<&Edge> {
    // Only an approval has waited for somebody; a review that was not needed has not.
    let at_once = |edge: &Edge| edge.outcome != outcome::APPROVED;
    nodes
        .iter()
        .flat_map(|(from, node)| node.edges.iter().map(move |edge| (*from, edge)))
        .filter(|(from, edge)| at_once(edge) && edge.next().is_some_and(|to| reach(nodes, to, at_once).contains(from)))
        .map(|(_, edge)| edge)
        .max_by_key(|edge| edge.span.start)
}

impl Edge {
    const fn next(&self) -> Option<Stage> {
        match self.target {
            Target::Stage(stage) => Some(stage),
            Target::End => None,
        }
    }
}

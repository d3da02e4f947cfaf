//! From a file as it is written to a [`Workflow`], or everything that is wrong with it.

use std::{collections::BTreeMap, fmt::Display, ops::Range, str::FromStr};

use chrono::NaiveTime;
use toml::Spanned;

use super::{
    LONGEST_TIMEOUT, Notice, Notices, Problem, StageRule, Target, Workflow, flow, id, pin,
    problem::{Findings, hint},
    text::{self, DeadlineText, END, NoticeText, NoticesText, StageText, WorkflowText},
    value::{Field, Wait},
};
use crate::domain::{
    application::{Channel, Kind},
    deadline::{DeadlineRule, DeadlineRuleError, OnBreach},
    message::NoticeTemplate,
    retry,
    stage::Stage,
};

/// A value and where it stands.
pub(super) type Placed<T> = (T, Range<usize>);

/// What a limit on a value protects from: a mistyped number, and sums that overflow.
const MAX_ATTEMPTS: u32 = 100;
const MAX_CONCURRENCY: u32 = 10_000;

/// Reads and checks a text.
pub(super) fn workflow(source: &str) -> Result<Workflow, Vec<Problem>> {
    let mut findings = Findings::new(source);
    let checked =
        text::read(source, &mut findings).and_then(|raw| Checker { findings: &mut findings }.workflow(raw, source));
    match checked {
        Some(workflow) if findings.is_empty() => Ok(workflow),
        _ => Err(findings.into_problems()),
    }
}

/// The steps of one check. Each step notes its problems and answers `None` where its value cannot be had,
/// so that the others still run.
struct Checker<'f, 't> {
    findings: &'f mut Findings<'t>,
}

/// The rule of a deadline, and where to complain about its length.
struct Deadline {
    rule: DeadlineRule,
    starts_at: Range<usize>,
    working_days: Range<usize>,
}

impl Checker<'_, '_> {
    fn workflow(&mut self, raw: WorkflowText, source: &str) -> Option<Workflow> {
        let top = 0..0;
        let name = self.name("name", raw.name, &top);
        let version = self.at_least_one("version", raw.version, u32::MAX, &top);
        let kind = self.named("applies_to", raw.applies_to, &top, Kind::ALL);
        let start = self.named("start", raw.start, &top, Stage::ALL);
        let deadline = self.section("deadline", raw.deadline).and_then(|(text, span)| self.deadline(text, &span));
        let stages = self.section("stages", raw.stages).and_then(|(stages, _)| self.stages(stages));
        let notices = self.section("notices", raw.notices).and_then(|(text, span)| self.notices(text, &span));

        // The flow is judged only when every part of it is understood: half a graph gives false alarms.
        let (stages, start, (notices, notices_at), deadline) = (stages?, start?, notices?, deadline?);
        let rules = flow::check(
            self.findings,
            stages,
            &start,
            &(notices.stage, notices_at),
            &(deadline.rule.starts_at, deadline.starts_at),
        )?;
        flow::check_deadline(self.findings, &rules, &deadline.rule, &deadline.working_days, notices.stage);

        let mut workflow = Workflow {
            name: name?,
            version: version?,
            kind: kind?.0,
            hash: String::new(),
            source: source.to_owned(),
            start: start.0,
            deadline: deadline.rule,
            stages: rules,
            notices,
        };
        workflow.hash =
            pin::hash(&workflow).map_err(|error| self.findings.at(&top, format!("cannot be pinned: {error}"))).ok()?;
        Some(workflow)
    }

    fn deadline(&mut self, text: DeadlineText, owner: &Range<usize>) -> Option<Deadline> {
        let working_days = self.need("working_days", text.working_days, owner);
        let starts_at = self.named("starts_at", text.starts_at, owner, Stage::ALL);
        let opens = self.time("opens", text.opens, owner);
        let close = self.time("close", text.close, owner);
        let warn_at = self.need("warn_at", text.warn_at, owner);
        let on_breach = self.named("on_breach", text.on_breach, owner, OnBreach::ALL);
        let ((working_days, days_at), (starts_at, start_at), (opens, opens_at)) = (working_days?, starts_at?, opens?);
        let (warn_at, warn_span) = warn_at?;
        let rule = DeadlineRule { working_days, starts_at, close: close?.0, opens, warn_at, on_breach: on_breach?.0 };
        if let Err(error) = rule.validate() {
            let span = match error {
                DeadlineRuleError::TooManyDays(_) => &days_at,
                DeadlineRuleError::OfficeHours { .. } => &opens_at,
                DeadlineRuleError::WarnAt(_) => &warn_span,
            };
            self.findings.at(span, error.to_string());
        }
        Some(Deadline { rule, starts_at: start_at, working_days: days_at })
    }

    fn stages(&mut self, texts: BTreeMap<Spanned<String>, StageText>) -> Option<flow::Nodes> {
        let count = texts.len();
        let nodes: flow::Nodes = texts
            .into_iter()
            .filter_map(|(key, text)| {
                let stage = self.known(key.get_ref(), &key.span(), Stage::ALL);
                let node = self.stage(stage, text, key.span());
                stage.zip(node)
            })
            .collect();
        (nodes.len() == count).then_some(nodes)
    }

    fn stage(&mut self, stage: Option<Stage>, text: StageText, header: Range<usize>) -> Option<flow::Node> {
        if let Some((uses, span)) = self.named("uses", text.uses, &header, Stage::ALL)
            && stage.is_some_and(|stage| stage != uses)
        {
            self.findings
                .at(&span, format!("uses `{uses}`: a stage has the name of the registered stage that it uses"));
        }
        let timeout = self.need("timeout", text.timeout, &header);
        if let Some((Wait(length), span)) = &timeout
            && *length > LONGEST_TIMEOUT
        {
            let most = retry::format_duration(LONGEST_TIMEOUT);
            self.findings.at(span, format!("`timeout`: one attempt may take `{most}` at most"));
        }
        let attempts = self.at_least_one("attempts", text.attempts, MAX_ATTEMPTS, &header);
        let retry = self.need("retry", text.retry, &header);
        let concurrency = self.at_least_one("concurrency", text.concurrency, MAX_CONCURRENCY, &header);
        let rate = text.rate.map(|rate| self.need("rate", Some(rate), &header));
        let Some(on) = text.on else {
            self.findings.at(&header, "missing `on`");
            return None;
        };
        let edges = self.edges(stage?, on);
        let rate = match rate {
            None => None,
            Some(read) => Some(read?.0.0),
        };
        let (retry, _) = retry?;
        let rule = StageRule {
            timeout: timeout?.0.0,
            attempts: attempts?,
            retry: retry.0,
            concurrency: usize::try_from(concurrency?).ok()?,
            rate,
            on: BTreeMap::new(),
        };
        Some(flow::Node { header, rule, edges: edges? })
    }

    fn edges(
        &mut self,
        stage: Stage,
        on: Spanned<BTreeMap<Spanned<String>, Field<String>>>,
    ) -> Option<Vec<flow::Edge>> {
        let span = on.span();
        let texts = on.into_inner();
        let mut complete = true;
        for outcome in stage.outcomes() {
            if !texts.keys().any(|key| key.get_ref() == outcome) {
                self.findings.at(&span, format!("nothing follows the outcome `{outcome}` of `{stage}`"));
                complete = false;
            }
        }
        let mut edges = Vec::new();
        for (key, target) in texts {
            let outcome = stage.outcomes().iter().find(|outcome| *outcome == key.get_ref());
            if outcome.is_none() {
                let known = hint(key.get_ref(), stage.outcomes().iter().copied());
                self.findings.at(&key.span(), format!("`{stage}` has no outcome `{key}`{known}"));
            }
            let target = self.need(&key.to_string(), Some(target), &span).and_then(|(target, span)| {
                if target == END {
                    return Some((Target::End, span));
                }
                let names = Stage::ALL.iter().map(|stage| stage.as_str()).chain([END]);
                match target.parse() {
                    Ok(stage) => Some((Target::Stage(stage), span)),
                    Err(_) => {
                        self.findings.at(&span, format!("unknown stage: `{target}`{}", hint(&target, names)));
                        None
                    }
                }
            });
            match outcome.zip(target) {
                Some((outcome, (target, span))) => edges.push(flow::Edge { outcome, target, span }),
                None => complete = false,
            }
        }
        complete.then_some(edges)
    }

    fn notices(&mut self, text: NoticesText, owner: &Range<usize>) -> Option<Placed<Notices>> {
        let stage = self.named("stage", text.stage, owner, Stage::ALL);
        let issued = self.notice(NoticeTemplate::Issued, text.issued, owner);
        let rejected = self.notice(NoticeTemplate::Rejected, text.rejected, owner);
        let (stage, span) = stage?;
        Some((Notices { stage, issued: issued?, rejected: rejected? }, span))
    }

    /// A notice has the text of its decision, which the stage sends and the gateway has approved; its name says so.
    fn notice(
        &mut self,
        of: NoticeTemplate,
        text: Option<Spanned<NoticeText>>,
        owner: &Range<usize>,
    ) -> Option<Notice> {
        let Some(text) = text else {
            self.findings.at(owner, format!("missing `{of}`"));
            return None;
        };
        let span = text.span();
        let text = text.into_inner();
        let template = self.named("template", text.template, &span, &[of]).map(|(name, _)| name);
        if template.is_some_and(|name| name != of) {
            self.findings.at(&span, format!("`template`: after this decision the text is `{of}`"));
        }
        let (names, span) = self.need("channels", text.channels, &span)?;
        if names.is_empty() {
            self.findings.at(&span, "`channels`: at least one is needed");
        }
        let mut channels: Vec<Channel> = Vec::new();
        for name in &names {
            match self.known(name, &span, Channel::ALL) {
                Some(twice) if channels.contains(&twice) => {
                    self.findings.at(&span, format!("`channels`: `{twice}` is there twice"));
                }
                Some(channel) => channels.push(channel),
                None => {}
            }
        }
        Some(Notice { channels, template: template?.to_string() })
    }

    fn section<T>(&mut self, key: &str, section: Option<Spanned<T>>) -> Option<Placed<T>> {
        let Some(section) = section else {
            self.findings.at(&(0..0), format!("missing `[{key}]`"));
            return None;
        };
        let span = section.span();
        Some((section.into_inner(), span))
    }

    fn need<T>(&mut self, key: &str, field: Option<Field<T>>, owner: &Range<usize>) -> Option<Placed<T>> {
        match field {
            Some(Field { span, value: Ok(value) }) => return Some((value, span)),
            Some(Field { span, value: Err(reason) }) => self.findings.at(&span, format!("`{key}`: {reason}")),
            None => self.findings.at(owner, format!("missing `{key}`")),
        }
        None
    }

    fn at_least_one(&mut self, key: &str, field: Option<Field<u32>>, max: u32, owner: &Range<usize>) -> Option<u32> {
        let (value, span) = self.need(key, field, owner)?;
        if (1..=max).contains(&value) {
            return Some(value);
        }
        self.findings.at(&span, format!("`{key}`: must be from 1 to {max}: `{value}`"));
        None
    }

    fn name(&mut self, key: &str, field: Option<Field<String>>, owner: &Range<usize>) -> Option<String> {
        let (name, span) = self.need(key, field, owner)?;
        if id::is_name(&name) {
            return Some(name);
        }
        self.findings.at(&span, format!("`{key}`: not a name of up to 64 characters in snake_case: `{name}`"));
        None
    }

    fn time(&mut self, key: &str, field: Option<Field<String>>, owner: &Range<usize>) -> Option<Placed<NaiveTime>> {
        let (text, span) = self.need(key, field, owner)?;
        match NaiveTime::parse_from_str(&text, "%H:%M") {
            Ok(time) => Some((time, span)),
            Err(_) => {
                self.findings.at(&span, format!("`{key}`: not a time of day like `09:00`: `{text}`"));
                None
            }
        }
    }

    fn named<T: Named>(
        &mut self,
        key: &str,
        field: Option<Field<String>>,
        owner: &Range<usize>,
        all: &[T],
    ) -> Option<Placed<T>> {
        let (name, span) = self.need(key, field, owner)?;
        let value = self.known(&name, &span, all)?;
        Some((value, span))
    }

    fn known<T: Named>(&mut self, name: &str, span: &Range<usize>, all: &[T]) -> Option<T> {
        name.parse::<T>()
            .map_err(|error| {
                let known: Vec<String> = all.iter().map(ToString::to_string).collect();
                self.findings.at(span, format!("{error}{}", hint(name, known.iter().map(String::as_str))));
            })
            .ok()
    }
}

/// An enum that travels by name.
trait Named: FromStr<Err: Display> + Display {}
impl<T: FromStr<Err: Display> + Display> Named for T {}

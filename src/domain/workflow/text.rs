//! A workflow file as it is written. These types are also the source of the published JSON Schema,
//! so that what an editor accepts and what the program reads are one list.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::Deserialize;
use toml::{Spanned, de::DeTable};

use super::{
    problem::{Findings, hint, line_at},
    value::{Field, Rate, Retry, Wait},
};
use crate::domain::{
    application::{Channel, Kind},
    deadline::OnBreach,
    stage::Stage,
};

/// What follows an outcome when nothing more is to be done.
pub(super) const END: &str = "end";

/// A workflow of Greenlane: the stages that an application passes, and what follows each outcome.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a workflow")]
#[schemars(title = "Greenlane workflow", deny_unknown_fields)]
pub(super) struct WorkflowText {
    /// The name in snake_case; with the version it identifies the release.
    #[schemars(required, pattern(r"^[a-z][a-z0-9_]{0,63}$"))]
    pub(super) name: Option<Field<String>>,
    /// Counted up with every change, because a released version is never edited.
    #[schemars(required, range(min = 1))]
    pub(super) version: Option<Field<u32>>,
    /// The kind of application that the workflow is for.
    #[schemars(schema_with = "kinds")]
    pub(super) applies_to: Option<Field<String>>,
    /// The stage that comes first.
    #[schemars(schema_with = "stages")]
    pub(super) start: Option<Field<String>>,
    /// The promise to the applicant.
    #[schemars(with = "DeadlineText")]
    pub(super) deadline: Option<Spanned<DeadlineText>>,
    /// The stages by name.
    #[schemars(with = "BTreeMap<String, StageText>")]
    pub(super) stages: Option<Spanned<BTreeMap<Spanned<String>, StageText>>>,
    /// What the applicant is told after the decision, whatever it was.
    #[schemars(with = "NoticesText")]
    pub(super) notices: Option<Spanned<NoticesText>>,
}

/// When the result is due.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a table of the deadline")]
#[schemars(rename = "Deadline", deny_unknown_fields)]
pub(super) struct DeadlineText {
    /// How many working days after the day on which the clock starts.
    #[schemars(required, range(min = 1, max = 60))]
    pub(super) working_days: Option<Field<u32>>,
    /// The clock starts when this stage passes.
    #[schemars(schema_with = "stages")]
    pub(super) starts_at: Option<Field<String>>,
    /// When offices open, `HH:MM` in Asia/Shanghai.
    #[schemars(required, pattern(r"^[0-2][0-9]:[0-5][0-9]$"))]
    pub(super) opens: Option<Field<String>>,
    /// When offices close, `HH:MM` in Asia/Shanghai; the result is due then.
    #[schemars(required, pattern(r"^[0-2][0-9]:[0-5][0-9]$"))]
    pub(super) close: Option<Field<String>>,
    /// The parts of the time at which operations are warned, rising, above 0 and below 1.
    #[schemars(required)]
    pub(super) warn_at: Option<Field<Vec<f64>>>,
    /// What a missed deadline does. It never approves or rejects.
    #[schemars(schema_with = "breach_actions")]
    pub(super) on_breach: Option<Field<String>>,
}

/// How one stage runs, and what follows.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a table of the stage")]
#[schemars(rename = "Stage", deny_unknown_fields)]
pub(super) struct StageText {
    /// The registered stage; the same as the table's name.
    #[schemars(schema_with = "stages")]
    pub(super) uses: Option<Field<String>>,
    /// How long one attempt may take.
    #[schemars(required)]
    pub(super) timeout: Option<Field<Wait>>,
    /// How many attempts before the application is stalled for an operator.
    #[schemars(required, range(min = 1, max = 100))]
    pub(super) attempts: Option<Field<u32>>,
    /// The waits between the attempts.
    #[schemars(required)]
    pub(super) retry: Option<Field<Retry>>,
    /// How many applications one process handles in this stage at the same time.
    #[schemars(required, range(min = 1, max = 10_000))]
    pub(super) concurrency: Option<Field<u32>>,
    /// How often the stage may start, over all processes; not limited without it.
    #[serde(default)]
    #[schemars(with = "Rate")]
    pub(super) rate: Option<Field<Rate>>,
    /// What follows each outcome: a stage or `end`. Rejections need no entry.
    #[schemars(schema_with = "outcomes")]
    pub(super) on: Option<Spanned<BTreeMap<Spanned<String>, Field<String>>>>,
}

/// What the applicant is told after the decision.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a table of the notices")]
#[schemars(rename = "Notices", deny_unknown_fields)]
pub(super) struct NoticesText {
    /// The stage that sends them.
    #[schemars(schema_with = "stages")]
    pub(super) stage: Option<Field<String>>,
    /// When the licence was issued.
    #[schemars(with = "NoticeText")]
    pub(super) issued: Option<Spanned<NoticeText>>,
    /// When the application was rejected, at whatever stage.
    #[schemars(with = "NoticeText")]
    pub(super) rejected: Option<Spanned<NoticeText>>,
}

/// One notice.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a table of the notice")]
#[schemars(rename = "Notice", deny_unknown_fields)]
pub(super) struct NoticeText {
    /// The ways by which it is sent, each once.
    #[schemars(schema_with = "channels")]
    pub(super) channels: Option<Field<Vec<String>>>,
    /// The name of its text.
    #[schemars(required, pattern(r"^[a-z][a-z0-9_]{0,63}$"))]
    pub(super) template: Option<Field<String>>,
}

/// Reads a text into its structure. Nothing is left out: a missing or unreadable value stays so, to be told by the checks.
pub(super) fn read(text: &str, findings: &mut Findings<'_>) -> Option<WorkflowText> {
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // An error at the end of the text has no span of its own.
        findings.at(&error.span().unwrap_or(text.len()..text.len()), error.message());
    }
    if !errors.is_empty() {
        return None;
    }
    unknown_keys(table.get_ref(), findings);
    WorkflowText::deserialize(toml::Deserializer::from(table))
        .map_err(|error| findings.at(&error.span().unwrap_or(0..0), error.message()))
        .ok()
}

fn unknown_keys(workflow: &DeTable<'_>, findings: &mut Findings<'_>) {
    refuse_unknown::<WorkflowText>(Some(workflow), findings);
    refuse_unknown::<DeadlineText>(table(workflow, "deadline"), findings);
    for stage in table(workflow, "stages").into_iter().flat_map(|stages| stages.values()) {
        refuse_unknown::<StageText>(stage.get_ref().as_table(), findings);
    }
    let notices = table(workflow, "notices");
    refuse_unknown::<NoticesText>(notices, findings);
    for notice in ["issued", "rejected"] {
        refuse_unknown::<NoticeText>(notices.and_then(|notices| table(notices, notice)), findings);
    }
}

fn table<'a, 'i>(parent: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    parent.get(key).and_then(|value| value.get_ref().as_table())
}

fn refuse_unknown<T: JsonSchema>(table: Option<&DeTable<'_>>, findings: &mut Findings<'_>) {
    let Some(table) = table else { return };
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let known: Vec<&str> = schema
        .get("properties")
        .and_then(|keys| keys.as_object())
        .into_iter()
        .flat_map(|keys| keys.keys().map(String::as_str))
        .collect();
    for key in table.keys() {
        let name: &str = key.get_ref();
        if !known.contains(&name) {
            findings.at(&key.span(), format!("unknown key `{name}`{}", hint(name, known.iter().copied())));
        }
    }
}

/// The line of a top-level key, for problems that only show between files.
pub(super) fn line_of(text: &str, key: &str) -> usize {
    let (table, _) = DeTable::parse_recoverable(text);
    let key = table.get_ref().keys().find(|name| name.get_ref() == key).map_or(0, |name| name.span().start);
    line_at(text, key)
}

/// The JSON Schema of a workflow file, for editors. It knows less than the checks: they also follow the flow.
pub fn json_schema_text() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<WorkflowText>();
    serde_json::to_string_pretty(schema.as_value()).map(|text| text + "\n").unwrap_or_default()
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> Schema {
    json_schema!({ "type": "string", "enum": names.into_iter().collect::<Vec<_>>() })
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    one_of(Kind::ALL.iter().map(|kind| kind.as_str()))
}

fn stages(_: &mut SchemaGenerator) -> Schema {
    one_of(Stage::ALL.iter().map(|stage| stage.as_str()))
}

fn breach_actions(_: &mut SchemaGenerator) -> Schema {
    one_of(OnBreach::ALL.iter().map(|action| action.as_str()))
}

fn channels(_: &mut SchemaGenerator) -> Schema {
    let channel = one_of(Channel::ALL.iter().map(|channel| channel.as_str()));
    json_schema!({ "type": "array", "items": channel, "minItems": 1, "uniqueItems": true })
}

fn outcomes(_: &mut SchemaGenerator) -> Schema {
    let target = one_of(Stage::ALL.iter().map(|stage| stage.as_str()).chain([END]));
    json_schema!({ "type": "object", "additionalProperties": target })
}

//! Workflow definitions: which stages an application passes, how each runs, and what follows its outcomes.
//!
//! A definition is data (`workflows/*.toml`, grammar in `workflows/README.md`); conditions live in the stages.
//! [`Workflow::parse`] accepts only definitions under which no application can get lost.

mod check;
mod flow;
mod id;
mod mermaid;
mod pin;
mod problem;
mod set;
mod text;
mod value;

use std::{collections::BTreeMap, fmt, time::Duration};

pub use self::{
    id::{InvalidWorkflowId, WorkflowId},
    problem::Problem,
    set::{EditedRelease, Found, WorkflowSet},
    text::json_schema_text,
};
use super::{
    application::{Channel, Kind, Status},
    deadline::DeadlineRule,
    retry::RetrySchedule,
    stage::Stage,
};

/// The longest time limit of one attempt: a stage asks and answers, and what takes longer is waited for by asking again.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);

/// One release of a workflow, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Workflow {
    /// The name, snake_case.
    pub name: String,
    /// The release, counted from 1.
    pub version: u32,
    /// The kind of application that it is for.
    pub kind: Kind,
    /// SHA-256 in lower-case hex over the meaning: comments and layout do not change it.
    pub hash: String,
    /// The text of the file, stored when a process first starts with the release.
    pub source: String,
    /// The stage that comes first.
    pub start: Stage,
    /// The promise to the applicant.
    pub deadline: DeadlineRule,
    /// The stages in use.
    pub stages: BTreeMap<Stage, StageRule>,
    /// What the applicant is told after the decision.
    pub notices: Notices,
}

/// What follows an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The application goes on with this stage.
    Stage(Stage),
    /// Nothing: the application is decided, or, after the notices, done.
    End,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage) => stage.fmt(f),
            Self::End => f.write_str(text::END),
        }
    }
}

/// How one stage runs, and what follows.
#[derive(Debug, Clone, PartialEq)]
pub struct StageRule {
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts before the application is stalled, at least 1.
    pub attempts: u32,
    /// The waits between the attempts, before `[workflow] retry_scale` of the configuration.
    pub retry: RetrySchedule,
    /// How many applications one process handles in this stage at the same time, at least 1.
    pub concurrency: usize,
    /// Starts per second over all processes; `None` is unlimited.
    pub rate: Option<f64>,
    /// What follows each outcome; every outcome of the stage is here.
    pub on: BTreeMap<String, Target>,
}

/// What the applicant is told after the decision, and by which stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notices {
    /// The stage that runs after the decision, whatever it was.
    pub stage: Stage,
    /// When the licence was issued.
    pub issued: Notice,
    /// When the application was rejected, at whatever stage.
    pub rejected: Notice,
}

impl Notices {
    /// The notice of a decision; none while undecided, and none for a withdrawal, which upstream itself made.
    pub const fn after(&self, status: Status) -> Option<&Notice> {
        match status {
            Status::Issued => Some(&self.issued),
            Status::Rejected => Some(&self.rejected),
            Status::InProgress | Status::InReview | Status::Stalled | Status::Cancelled => None,
        }
    }
}

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The ways by which it is sent: at least one, each once.
    pub channels: Vec<Channel>,
    /// The name of its text.
    pub template: String,
}

impl Workflow {
    /// Reads and checks a definition.
    ///
    /// # Errors
    /// Every problem of the text at once, in the order of its lines, with empty file names.
    pub fn parse(text: &str) -> Result<Self, Vec<Problem>> {
        check::workflow(text)
    }

    /// The name and version, e.g. `first_issue@1`.
    pub fn id(&self) -> WorkflowId {
        WorkflowId::new(self.name.clone(), self.version)
    }

    /// What follows an outcome of a stage; `None` when the workflow has no such stage or the stage no such outcome.
    pub fn next(&self, stage: Stage, outcome: &str) -> Option<Target> {
        self.stages.get(&stage)?.on.get(outcome).copied()
    }

    /// How a stage runs in this workflow; `None` when the workflow does not use it.
    pub fn rule(&self, stage: Stage) -> Option<&StageRule> {
        self.stages.get(&stage)
    }

    /// The flow as Mermaid text.
    pub fn mermaid(&self) -> String {
        mermaid::flowchart(self)
    }
}

#[cfg(test)]
pub(crate) mod tests;

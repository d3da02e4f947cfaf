//! `greenlane workflow`: look at the workflow files and check them.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use comfy_table::{Table, presets};

use crate::{
    config::workflow_files,
    domain::{
        retry::format_duration,
        workflow::{Problem, Workflow, WorkflowSet},
    },
};

/// The configuration is refused (sysexits `EX_CONFIG`).
const CONFIGURATION_REFUSED: u8 = 78;

/// What to do with the workflow files.
#[derive(Debug, Subcommand)]
pub enum WorkflowCommand {
    /// List the workflows, the newest version of each kind first to serve new applications
    List,
    /// Check workflow files; prints every error as `file:line: reason`
    Check {
        /// A file or a folder [default: the configured folder]
        path: Option<PathBuf>,
    },
    /// Show one workflow
    Show {
        /// `first_issue` for its newest version, or `first_issue@1`
        name: String,
    },
    /// Print one workflow as a Mermaid flowchart
    Graph {
        /// `first_issue` for its newest version, or `first_issue@1`
        name: String,
    },
}

impl WorkflowCommand {
    /// Runs the command on the configured folder.
    ///
    /// Answers 0, 1 for problems found by `check` or an unknown name, and 78 when another command finds the
    /// folder unusable.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn run(self, dir: &Path) -> anyhow::Result<ExitCode> {
        let text = match self {
            Self::Check { path } => return check(path.as_deref().unwrap_or(dir)),
            Self::List => with_set(dir, |set| Ok(list(set))),
            Self::Show { name } => with_set(dir, |set| find(set, &name).map(show)),
            Self::Graph { name } => with_set(dir, |set| find(set, &name).map(Workflow::mermaid)),
        };
        match text {
            Ok(text) => {
                io::stdout().write_all(text.as_bytes())?;
                Ok(ExitCode::SUCCESS)
            }
            Err(Refusal { code, lines }) => {
                for line in lines {
                    eprintln!("{line}");
                }
                Ok(ExitCode::from(code))
            }
        }
    }
}

/// Why there is nothing to print.
struct Refusal {
    code: u8,
    lines: Vec<String>,
}

fn with_set(dir: &Path, print: impl FnOnce(&WorkflowSet) -> Result<String, Refusal>) -> Result<String, Refusal> {
    let set = workflow_files::load(dir).map_err(|problems| Refusal {
        code: CONFIGURATION_REFUSED,
        lines: problems.iter().map(Problem::to_string).collect(),
    })?;
    print(&set)
}

fn check(path: &Path) -> anyhow::Result<ExitCode> {
    let problems = if path.is_dir() { workflow_files::load(path).err() } else { workflow_files::load_file(path).err() };
    let Some(problems) = problems else {
        eprintln!("no problems: `{}`", path.display());
        return Ok(ExitCode::SUCCESS);
    };
    let mut out = io::stdout().lock();
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    Ok(ExitCode::FAILURE)
}

fn find<'s>(set: &'s WorkflowSet, name: &str) -> Result<&'s Workflow, Refusal> {
    let by_id = name.parse().ok().and_then(|id| set.get(&id));
    // Releases are in the order of their versions, so the last of a name is its newest.
    let found = by_id.or_else(|| set.iter().filter(|workflow| workflow.name == name).last());
    found.map(AsRef::as_ref).ok_or_else(|| {
        let known: Vec<String> = set.iter().map(|workflow| workflow.id().to_string()).collect();
        Refusal {
            code: 1,
            lines: vec![format!("unknown workflow: `{name}`"), format!("hint: known are `{}`", known.join("`, `"))],
        }
    })
}

fn list(set: &WorkflowSet) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["WORKFLOW", "KIND", "NEW APPLICATIONS", "STAGES", "HASH"]);
    for workflow in set.iter() {
        let newest = set.newest(workflow.kind).version == workflow.version;
        let hash: String = workflow.hash.chars().take(12).collect();
        let cells = [
            workflow.id().to_string(),
            workflow.kind.to_string(),
            yes_no(newest),
            workflow.stages.len().to_string(),
            hash,
        ];
        table.add_row(cells);
    }
    format!("{}\n", table.trim_fmt())
}

fn show(workflow: &Workflow) -> String {
    let deadline = &workflow.deadline;
    let mut text = format!(
        "workflow   {}\nkind       {}\nhash       {}\nstart      {}\n\
         deadline   {} working day(s) after {}, at {}\nnotices    {}: issued `{}`, rejected `{}`\n\n",
        workflow.id(),
        workflow.kind,
        workflow.hash,
        workflow.start,
        deadline.working_days,
        deadline.starts_at,
        deadline.close.format("%H:%M"),
        workflow.notices.stage,
        workflow.notices.issued.template,
        workflow.notices.rejected.template,
    );
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "STAGE",
        "TIMEOUT",
        "ATTEMPTS",
        "RETRIES TAKE UP TO",
        "CONCURRENCY",
        "RATE",
        "ON",
    ]);
    for (stage, rule) in &workflow.stages {
        let on: Vec<String> = rule.on.iter().map(|(outcome, target)| format!("{outcome} → {target}")).collect();
        let retries = rule.retry.total_worst(rule.attempts).as_secs().div_ceil(60);
        table.add_row([
            stage.to_string(),
            format_duration(rule.timeout),
            rule.attempts.to_string(),
            format!("{retries}m"),
            rule.concurrency.to_string(),
            rule.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate}/s")),
            on.join(", "),
        ]);
    }
    text.push_str(&table.trim_fmt());
    text.push('\n');
    text
}

fn yes_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> WorkflowSet {
        workflow_files::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows")).unwrap()
    }

    #[test]
    fn a_name_or_an_id_finds_a_workflow() {
        let set = shipped();
        for name in ["reissue", "reissue@1"] {
            assert_eq!(find(&set, name).unwrap_or_else(|_| unreachable!("{name}")).name, "reissue");
        }
        for name in ["", "reissue@2", "reissue@", "renewal"] {
            let refusal = find(&set, name).err().unwrap();
            assert_eq!(refusal.code, 1);
            assert_eq!(refusal.lines[0], format!("unknown workflow: `{name}`"));
        }
    }

    #[test]
    fn each_workflow_is_a_line_of_the_list() {
        let text = list(&shipped());
        let lines: Vec<&str> = text.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
        assert_eq!(lines, ["WORKFLOW", "first_issue@1", "photo_change@1", "reissue@1"]);
    }

    #[test]
    fn a_workflow_is_shown_with_every_stage() {
        let set = shipped();
        let text = show(set.newest(crate::domain::application::Kind::FirstIssue));
        assert!(text.starts_with("workflow   first_issue@1\n"), "{text}");
        for stage in crate::domain::stage::Stage::ALL {
            assert!(text.lines().any(|line| line.trim_start().starts_with(stage.as_str())), "{stage}: {text}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_a_refused_configuration() {
        let missing = Path::new(env!("CARGO_MANIFEST_DIR")).join("no-such-folder");
        let refusal = with_set(&missing, |set| Ok(list(set))).err().unwrap();
        assert_eq!((refusal.code, refusal.lines.len()), (CONFIGURATION_REFUSED, 1));
    }
}

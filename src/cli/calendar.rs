//! `greenlane calendar`: the working-day calendar in use, and its replacement.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use chrono::{DateTime, Datelike, Utc};
use clap::{Subcommand, builder::NonEmptyStringValueParser};

use super::{output::line, told};
use crate::{
    administration::{
        Administrator,
        calendar::{Change, Unfit, candidate, preview},
    },
    domain::{
        calendar::{CHINA_TIME, Calendar, local_date},
        workflow::WorkflowSet,
    },
    store::Store,
};

/// What to do with the working-day calendar.
#[derive(Debug, Subcommand)]
pub enum CalendarCommand {
    /// Show the calendar in use; fails when its data ends soon
    Check,
    /// Replace the calendar; running processes follow within seconds
    Import {
        /// The calendar file
        file: PathBuf,
        /// Import nothing, and list the open tasks whose due time would change
        #[arg(long)]
        dry_run: bool,
        /// Why, for the audit log
        #[arg(long, value_parser = NonEmptyStringValueParser::new(), conflicts_with = "dry_run")]
        reason: Option<String>,
    },
}

impl CalendarCommand {
    /// Runs the command. `current` is the calendar in use; operators want `warn_days` to replace it.
    ///
    /// Answers 0, or 1 for a file that cannot be used and for data that ends within `warn_days`.
    ///
    /// # Errors
    /// The database does not answer, or standard output cannot be written.
    pub async fn run(
        self,
        store: &dyn Store,
        workflows: &WorkflowSet,
        current: &Calendar,
        warn_days: u32,
    ) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check => check(current, store.now().await?, warn_days),
            Self::Import { file, dry_run, reason } => {
                import(store, workflows, current, &file, dry_run, reason.as_deref()).await
            }
        }
    }
}

fn check(calendar: &Calendar, now: DateTime<Utc>, warn_days: u32) -> anyhow::Result<ExitCode> {
    line(format_args!("version    {}\nsource     {}", calendar.version(), calendar.source()))?;
    for year in calendar.years() {
        line(format_args!("{year}       {} working days", calendar.working_days(year)))?;
    }
    let ends = calendar.data_ends();
    let left = (ends - local_date(now)).num_days();
    line(format_args!("data ends  {ends}, days left: {left}"))?;
    if left >= i64::from(warn_days) {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("the calendar's data ends within {warn_days} days\nhint: import one with the next year");
    Ok(ExitCode::FAILURE)
}

async fn import(
    store: &dyn Store,
    workflows: &WorkflowSet,
    current: &Calendar,
    file: &Path,
    dry_run: bool,
    reason: Option<&str>,
) -> anyhow::Result<ExitCode> {
    let source = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let candidate = match candidate(source, current) {
        Ok(candidate) => candidate,
        Err(unfit @ Unfit::InUse(_)) => {
            eprintln!("{unfit}");
            return Ok(ExitCode::SUCCESS);
        }
        Err(Unfit::Wrong(error)) => {
            eprintln!("{}:{}: {}", file.display(), error.line.unwrap_or(1), error.reason);
            return Ok(ExitCode::FAILURE);
        }
        Err(unfit @ Unfit::VersionTaken(_)) => {
            eprintln!("{unfit}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if !candidate.calendar.years().contains(&local_date(store.now().await?).year()) {
        eprintln!("warning: it has no data for this year");
    }
    if dry_run {
        let found = preview(store, workflows, &candidate.calendar, usize::MAX).await?;
        for Change { application, status, from, to } in &found.changes {
            line(format_args!("{application}  {status}  {} → {}", local(*from), local(*to)))?;
        }
        eprintln!("{} of {} open due times would change", found.changes.len(), found.looked_at);
        return Ok(ExitCode::SUCCESS);
    }
    let version = candidate.calendar.version().to_owned();
    let imported = Administrator::at_shell(store).import_calendar(candidate, reason).await;
    told(imported.map(|()| format!("imported: `{version}`; due times are computed again within seconds")))
}

fn local(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(
        || "no calendar".to_owned(),
        |at| at.with_timezone(&CHINA_TIME).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::{
            application::{Deadline, Status},
            calendar::BUILT_IN,
        },
        engine::fixture::Site,
        store::types::{EventFilter, Page, Write},
    };

    fn built_in() -> Calendar {
        Calendar::parse(BUILT_IN).unwrap()
    }

    /// A promise that started on Thursday, 2026-11-19, and is due on the Friday.
    fn promised(write: &mut Write) {
        write.after_mut().application.deadline = Some(Deadline {
            started_at: "2026-11-19T02:00:00Z".parse().unwrap(),
            due_at: Some("2026-11-20T09:00:00Z".parse().unwrap()),
            checks: Vec::new(),
            passed: 0,
            calendar: built_in().version().to_owned(),
        });
    }

    /// The shipped calendar under another version, with that Friday off and worked up on the Saturday.
    fn changed() -> String {
        let version = format!("{:?}", built_in().version());
        let text = BUILT_IN.replace(&version, "\"another\"");
        let (before, year) = text.split_once("[years.2026]").unwrap();
        let year = year.replacen("holidays = [", "holidays = [2026-11-20, ", 1).replacen(
            "make_up_workdays = [",
            "make_up_workdays = [2026-11-21, ",
            1,
        );
        format!("{before}[years.2026]{year}")
    }

    async fn import_file(site: &Site, text: &str, dry_run: bool) -> ExitCode {
        let file = std::env::temp_dir().join(format!("greenlane-calendar-{}.toml", uuid::Uuid::now_v7()));
        std::fs::write(&file, text).unwrap();
        let command = CalendarCommand::Import { file: file.clone(), dry_run, reason: Some("the notice".to_owned()) };
        let workflows = site.engine.shared.workflows();
        let code = command.run(site.store(), &workflows, &built_in(), 30).await.unwrap();
        std::fs::remove_file(file).unwrap();
        code
    }

    #[tokio::test]
    async fn a_dry_run_finds_what_would_change_and_imports_nothing() {
        let site = Site::start().await;
        let (one, other) = (site.admit(1).await.id, site.admit(2).await.id);
        site.change(one, promised).await;
        assert_eq!(import_file(&site, &changed(), true).await, ExitCode::SUCCESS);
        assert!(site.store().latest_calendar().await.unwrap().is_none());

        let (workflows, calendar) = (site.engine.shared.workflows(), Calendar::parse(&changed()).unwrap());
        let at = |text: &str| Some(text.parse::<DateTime<Utc>>().unwrap());
        let expected = Change {
            application: one,
            status: Status::InProgress,
            from: at("2026-11-20T09:00:00Z"),
            to: at("2026-11-21T09:00:00Z"),
        };
        let found = preview(site.store(), &workflows, &calendar, 10).await.unwrap();
        assert_eq!(
            (found.looked_at, found.complete, found.changes),
            (1, true, vec![expected]),
            "{other} has no promise"
        );
        let capped = preview(site.store(), &workflows, &calendar, 0).await.unwrap();
        assert!(!capped.complete && capped.changes.is_empty());
    }

    #[tokio::test]
    async fn an_import_is_stored_once_and_recorded() {
        let site = Site::start().await;
        assert_eq!(import_file(&site, BUILT_IN, false).await, ExitCode::SUCCESS, "in use already");
        assert!(site.store().latest_calendar().await.unwrap().is_none());
        assert_eq!(import_file(&site, &changed(), false).await, ExitCode::SUCCESS);
        let stored = site.store().latest_calendar().await.unwrap().unwrap();
        assert_eq!((stored.version.as_str(), stored.source), ("another", changed()));
        let filter = EventFilter { kind: Some("calendar_imported".to_owned()), ..EventFilter::default() };
        let acts = site.store().search_events(&filter, &Page { limit: 10, after: None }).await.unwrap().items;
        let data: serde_json::Value = serde_json::from_str(&acts[0].data).unwrap();
        assert_eq!((acts.len(), &data["version"], &data["reason"]), (1, &json!("another"), &json!("the notice")));
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused() {
        let site = Site::start().await;
        let same_version = changed().replace("\"another\"", &format!("{:?}", built_in().version()));
        for text in ["", "[[", "version = \"x\"\n", &same_version] {
            for dry_run in [true, false] {
                assert_eq!(import_file(&site, text, dry_run).await, ExitCode::FAILURE, "{text}");
            }
        }
        assert!(site.store().latest_calendar().await.unwrap().is_none());
    }

    #[test]
    fn data_that_ends_soon_fails_the_check() {
        let (calendar, day) = (built_in(), |text: &str| text.parse::<DateTime<Utc>>().unwrap());
        let ends = calendar.data_ends().and_hms_opt(0, 0, 0).unwrap().and_utc();
        for (days_before, code) in [(60, ExitCode::SUCCESS), (10, ExitCode::FAILURE), (-10, ExitCode::FAILURE)] {
            assert_eq!(
                check(&calendar, ends - chrono::TimeDelta::days(days_before), 30).unwrap(),
                code,
                "{days_before}"
            );
        }
        assert_eq!(check(&calendar, day("2026-01-01T00:00:00Z"), 30).unwrap(), ExitCode::SUCCESS);
        assert_eq!(calendar.working_days(2026), 248);
    }
}

//! `greenlane calendar`: the working-day calendar in use, and its replacement.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use chrono::{DateTime, Datelike, Utc};
use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{action::record, output::line};
use crate::{
    domain::{
        application::{Application, Deadline},
        authority::IssuingAuthority,
        calendar::{CHINA_TIME, Calendar, local_date},
        deadline,
        ids::ApplicationId,
        workflow::WorkflowSet,
    },
    store::{Store, types::StoredCalendar},
};

/// Questions to the database side by side.
const SIDE_BY_SIDE: usize = 4;

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
            Self::Import { file, dry_run } => import(store, workflows, current, &file, dry_run).await,
        }
    }
}

fn check(calendar: &Calendar, now: DateTime<Utc>, warn_days: u32) -> anyhow::Result<ExitCode> {
    line(format_args!("version    {}\nsource     {}", calendar.version(), calendar.source()))?;
    for year in calendar.years() {
        line(format_args!("{year}       {} working days", working_days(calendar, year)))?;
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

fn working_days(calendar: &Calendar, year: i32) -> usize {
    let first = chrono::NaiveDate::from_ymd_opt(year, 1, 1);
    let days = first.into_iter().flat_map(|first| first.iter_days()).take_while(|day| day.year() == year);
    days.filter(|day| calendar.is_working_day(*day, None).unwrap_or(false)).count()
}

async fn import(
    store: &dyn Store,
    workflows: &WorkflowSet,
    current: &Calendar,
    file: &Path,
    dry_run: bool,
) -> anyhow::Result<ExitCode> {
    let source = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let calendar = match Calendar::parse(&source) {
        Ok(calendar) => calendar,
        Err(error) => {
            eprintln!("{}:{}: {}", file.display(), error.line.unwrap_or(1), error.reason);
            return Ok(ExitCode::FAILURE);
        }
    };
    let version = calendar.version();
    if version == current.version() {
        if calendar == *current {
            eprintln!("in use already: `{version}`");
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("in use with other contents: `{version}`\nhint: give the new calendar a version of its own");
        return Ok(ExitCode::FAILURE);
    }
    let now = store.now().await?;
    if !calendar.years().contains(&local_date(now).year()) {
        eprintln!("warning: it has no data for this year");
    }
    if dry_run {
        return list_changes(store, workflows, &calendar).await;
    }
    let years = calendar.years();
    let data = json!({ "version": version, "replaces": current.version(), "years": [years.start(), years.end()] });
    store.import_calendar(&StoredCalendar { version: version.to_owned(), source, imported_at: now }).await?;
    record(store, "calendar_imported", data).await?;
    eprintln!("imported: `{version}`; due times are computed again within seconds");
    Ok(ExitCode::SUCCESS)
}

async fn list_changes(store: &dyn Store, workflows: &WorkflowSet, calendar: &Calendar) -> anyhow::Result<ExitCode> {
    let ids = store.outdated_deadlines(calendar.version(), usize::MAX).await?;
    let open = ids.len();
    let changes = ids.into_iter().map(|id| change(store, workflows, calendar, id));
    let mut changes = stream::iter(changes).buffered(SIDE_BY_SIDE);
    let mut changed = 0;
    while let Some(change) = changes.try_next().await? {
        if let Some(text) = change {
            changed += 1;
            line(text)?;
        }
    }
    eprintln!("{changed} of {open} open due times would change");
    Ok(ExitCode::SUCCESS)
}

/// How an application's due time would change, if it would.
async fn change(
    store: &dyn Store,
    workflows: &WorkflowSet,
    calendar: &Calendar,
    id: ApplicationId,
) -> anyhow::Result<Option<String>> {
    // Completed, or gone, since the list was read.
    let Some(view) = store.application(id).await? else { return Ok(None) };
    let Some(old) = &view.application.deadline else { return Ok(None) };
    let new = due(&view.application, old, workflows, calendar)?;
    Ok((new != old.due_at)
        .then(|| format!("{id}  {}  {} → {}", view.application.status, local(old.due_at), local(new))))
}

fn due(
    application: &Application,
    old: &Deadline,
    workflows: &WorkflowSet,
    calendar: &Calendar,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let workflow = workflows
        .get(&application.workflow)
        .with_context(|| format!("unknown workflow version: `{}`", application.workflow))?;
    let authority = application.authority().and_then(|text| IssuingAuthority::parse(text).ok());
    let due = deadline::due(calendar, &workflow.deadline, old.started_at, authority.as_ref());
    Ok(due.ok().map(|due| due.due_at))
}

fn local(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(
        || "no calendar".to_owned(),
        |at| at.with_timezone(&CHINA_TIME).to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::calendar::BUILT_IN, engine::fixture::Site, store::types::Write};

    fn built_in() -> Calendar {
        Calendar::parse(BUILT_IN).unwrap()
    }

    /// A promise that started on Thursday, 2026-11-19, and is due on the Friday.
    fn promised(write: &mut Write) {
        write.after.application.deadline = Some(Deadline {
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
        let command = CalendarCommand::Import { file: file.clone(), dry_run };
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
        let change = async |id| change(site.store(), &workflows, &calendar, id).await.unwrap();
        let expected = format!("{one}  in_progress  2026-11-20T17:00:00+08:00 → 2026-11-21T17:00:00+08:00");
        assert_eq!(change(one).await, Some(expected));
        assert_eq!(change(other).await, None, "no promise yet");
    }

    #[tokio::test]
    async fn an_import_is_stored_once_and_recorded() {
        let site = Site::start().await;
        assert_eq!(import_file(&site, BUILT_IN, false).await, ExitCode::SUCCESS, "in use already");
        assert!(site.store().latest_calendar().await.unwrap().is_none());
        assert_eq!(import_file(&site, &changed(), false).await, ExitCode::SUCCESS);
        let stored = site.store().latest_calendar().await.unwrap().unwrap();
        assert_eq!((stored.version.as_str(), stored.source), ("another", changed()));
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
        assert_eq!(working_days(&calendar, 2026), 248);
    }
}

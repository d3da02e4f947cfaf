//! The working-day calendar: what a new one would change, and its import.

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::{Administrator, Refused};
use crate::{
    domain::{
        application::{Application, Deadline, Status},
        authority::IssuingAuthority,
        calendar::{Calendar, CalendarError},
        deadline,
        ids::ApplicationId,
        workflow::WorkflowSet,
    },
    store::{Store, types::StoredCalendar},
};

/// Questions to the database side by side.
const SIDE_BY_SIDE: usize = 4;

/// A checked calendar that is another than the one in use.
#[derive(Debug)]
pub struct Candidate {
    /// The calendar.
    pub calendar: Calendar,
    source: String,
    replaces: String,
}

/// Why a file is not imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It cannot be used.
    #[error("line {}: {}", .0.line.unwrap_or(1), .0.reason)]
    Wrong(CalendarError),
    /// It is the one in use.
    #[error("in use already: `{0}`")]
    InUse(String),
    /// Its version is that of the one in use, and its contents are others.
    #[error("in use with other contents: `{0}`; give the new calendar a version of its own")]
    VersionTaken(String),
}

/// A due time that would be another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of this application.
    pub application: ApplicationId,
    /// How it stands.
    pub status: Status,
    /// The due time now; none without data.
    pub from: Option<DateTime<Utc>>,
    /// The due time then.
    pub to: Option<DateTime<Utc>>,
}

/// What a calendar would change.
#[derive(Debug)]
pub struct Preview {
    /// How many open promises were looked at.
    pub looked_at: usize,
    /// Whether that were all.
    pub complete: bool,
    /// What would change, oldest application first.
    pub changes: Vec<Change>,
}

/// The newest import.
///
/// # Errors
/// The database does not answer, or the import does not parse, which it did when it was made.
pub async fn imported(store: &dyn Store) -> Result<Option<Calendar>, Refused> {
    let Some(stored) = store.latest_calendar().await? else { return Ok(None) };
    Calendar::parse(&stored.source).map(Some).map_err(|error| Refused::Failed(Box::new(error)))
}

/// Checks a file against the calendar in use.
///
/// # Errors
/// [`Unfit`].
pub fn candidate(source: String, in_use: &Calendar) -> Result<Candidate, Unfit> {
    let calendar = Calendar::parse(&source).map_err(Unfit::Wrong)?;
    let version = calendar.version();
    if version == in_use.version() {
        let version = version.to_owned();
        return Err(if calendar == *in_use { Unfit::InUse(version) } else { Unfit::VersionTaken(version) });
    }
    Ok(Candidate { calendar, source, replaces: in_use.version().to_owned() })
}

/// The due times that a calendar would change, among at most so many open promises.
///
/// # Errors
/// The database does not answer, or holds an application of an unknown workflow.
pub async fn preview(
    store: &dyn Store,
    workflows: &WorkflowSet,
    calendar: &Calendar,
    most: usize,
) -> Result<Preview, Refused> {
    let mut ids = store.outdated_deadlines(calendar.version(), most.saturating_add(1)).await?;
    let complete = ids.len() <= most;
    ids.truncate(most);
    let looked_at = ids.len();
    let changes = ids.into_iter().map(|id| change(store, workflows, calendar, id));
    let changes: Vec<Option<Change>> = stream::iter(changes).buffered(SIDE_BY_SIDE).try_collect().await?;
    Ok(Preview { looked_at, complete, changes: changes.into_iter().flatten().collect() })
}

/// How an application's due time would change, if it would.
async fn change(
    store: &dyn Store,
    workflows: &WorkflowSet,
    calendar: &Calendar,
    id: ApplicationId,
) -> Result<Option<Change>, Refused> {
    // Completed, or gone, since the list was read.
    let Some(view) = store.application(id).await? else { return Ok(None) };
    let Some(old) = &view.application.deadline else { return Ok(None) };
    let (from, to) = (old.due_at, due(&view.application, old, workflows, calendar)?);
    Ok((from != to).then_some(Change { application: id, status: view.application.status, from, to }))
}

fn due(
    application: &Application,
    old: &Deadline,
    workflows: &WorkflowSet,
    calendar: &Calendar,
) -> Result<Option<DateTime<Utc>>, Refused> {
    let unknown = || Refused::Failed(format!("unknown workflow version: `{}`", application.workflow).into());
    let workflow = workflows.get(&application.workflow).ok_or_else(unknown)?;
    let authority = application.authority().and_then(|text| IssuingAuthority::parse(text).ok());
    let due = deadline::due(calendar, &workflow.deadline, old.started_at, authority.as_ref());
    Ok(due.ok().map(|due| due.due_at))
}

impl Administrator<'_> {
    /// Imports a calendar; running processes follow within seconds, and open due times with them.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn import_calendar(&self, candidate: Candidate, reason: Option<&str>) -> Result<(), Refused> {
        let Candidate { calendar, source, replaces } = candidate;
        let (version, years, imported_at) = (calendar.version(), calendar.years(), self.store.now().await?);
        let stored = StoredCalendar { version: version.to_owned(), source, imported_at };
        self.store.import_calendar(&stored).await?;
        let data = json!({
            "version": version, "replaces": replaces, "years": [years.start(), years.end()], "reason": reason,
        });
        Ok(self.record("calendar_imported", data).await?)
    }
}

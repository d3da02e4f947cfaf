//! The working-day calendar: what is in use, what another one would change, and its import.

use axum::{body::Body, extract::State, http::HeaderMap};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    administration::calendar::{Candidate, Change, candidate, imported, preview},
    domain::{
        application::Status,
        calendar::{Calendar, DayTrace, local_date},
        ids::ApplicationId,
        wire::wire_enum,
    },
    http::{
        api::written_field,
        auth::{Authorised, Caller, HandleCalendar, ReadOperations, Scope, forbidden},
        body::{self, Json},
        params::Params,
        problem::Problem,
        state::AppState,
    },
};

use super::{administrator, stalled::LONGEST_REASON};

/// The largest file, in bytes: a year takes less than two thousand.
pub(in crate::http) const LARGEST: usize = 256 * 1024;
/// The special days that are told.
const DAYS: usize = 30;
/// The open promises that a dry run looks at.
const LOOKED_AT: usize = 10_000;
/// The changes that a dry run names.
const NAMED: usize = 200;

/// The calendar in use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Calendar)]
pub(in crate::http) struct CalendarBody {
    /// Its version, which stands with every due time.
    pub(in crate::http) version: String,
    /// Where the data comes from.
    pub(in crate::http) source: String,
    /// The years with data.
    pub(in crate::http) years: Vec<YearBody>,
    /// The last day with data.
    pub(in crate::http) data_ends: NaiveDate,
    /// The days until then.
    pub(in crate::http) days_left: i64,
    /// The next days off and make-up working days, at most 30, without regional ones.
    pub(in crate::http) next: Vec<DayTrace>,
}

/// A year with data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarYear)]
pub(in crate::http) struct YearBody {
    /// The year.
    pub(in crate::http) year: i32,
    /// Its working days.
    pub(in crate::http) working_days: usize,
}

/// See the working-day calendar in use.
#[utoipa::path(get, path = "/v1/ops/calendar", operation_id = "get_calendar", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "The calendar", body = CalendarBody)))]
pub(super) async fn get(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<CalendarBody>, Problem> {
    Ok(Json(shown(&state).await?))
}

/// The calendar in use.
pub(in crate::http) async fn shown(state: &AppState) -> Result<CalendarBody, Problem> {
    let (calendar, today) = (in_use(state).await?, local_date(state.engine.shared.clock.now()));
    Ok(CalendarBody {
        version: calendar.version().to_owned(),
        source: calendar.source().to_owned(),
        years: calendar.years().map(|year| YearBody { year, working_days: calendar.working_days(year) }).collect(),
        data_ends: calendar.data_ends(),
        days_left: (calendar.data_ends() - today).num_days(),
        next: calendar.special_days(today).take(DAYS).collect(),
    })
}

/// The newest import, which this process may not follow itself; else the one that it started with.
async fn in_use(state: &AppState) -> Result<Calendar, Problem> {
    let shared = &state.engine.shared;
    Ok(imported(shared.store.as_ref()).await?.unwrap_or_else(|| Calendar::clone(&shared.calendar())))
}

wire_enum! {
    /// Yes or no.
    pub enum Flag as "flag" {
        /// Yes.
        Yes = "true",
        /// No.
        No = "false",
    }
}

/// Whether it is meant, and why.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImportParams {
    /// Import nothing, and list the open applications whose due time would change.
    #[param(value_type = Option<bool>)]
    dry_run: Option<Flag>,
    /// Why, 1 to 500 characters; required unless it is a dry run.
    reason: Option<String>,
}

/// What an import changes, or would.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarImport)]
pub(in crate::http) struct ImportBody {
    /// The new calendar's version.
    pub(in crate::http) version: String,
    /// The years that it has data for.
    pub(in crate::http) years: Vec<i32>,
    /// Whether it has data for this year.
    pub(in crate::http) has_this_year: bool,
    /// Whether it is imported; false for a dry run.
    pub(in crate::http) imported: bool,
    /// Due times that a dry run found to change.
    pub(in crate::http) preview: Option<PreviewBody>,
}

/// Due times that would change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarPreview)]
pub(in crate::http) struct PreviewBody {
    /// Open due times that were looked at, at most 10,000.
    pub(in crate::http) looked_at: usize,
    /// Whether these were all.
    pub(in crate::http) complete: bool,
    /// How many of them would change.
    pub(in crate::http) total: usize,
    /// The first 200 of those.
    pub(in crate::http) items: Vec<ChangeBody>,
}

/// A due time that would change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalendarChange)]
pub(in crate::http) struct ChangeBody {
    /// The application.
    pub(in crate::http) application_id: ApplicationId,
    /// How it stands.
    pub(in crate::http) status: Status,
    /// The due time now; null without data.
    pub(in crate::http) from: Option<DateTime<Utc>>,
    /// The due time then.
    pub(in crate::http) to: Option<DateTime<Utc>>,
}

impl From<Change> for ChangeBody {
    fn from(change: Change) -> Self {
        Self { application_id: change.application, status: change.status, from: change.from, to: change.to }
    }
}

/// Import a calendar, or see what that would change. The body is a calendar file (TOML). A dry run needs `ops:read`, an
/// import `ops:write` and a reason. 409 `calendar_in_use`, `calendar_version_taken`; 422 `calendar_invalid` with the line.
#[utoipa::path(post, path = "/v1/ops/calendar", operation_id = "import_calendar", tag = "operations",
    security(("key" = ["ops:write"]), ("key" = ["ops:read"])), params(ImportParams),
    request_body(content = String, content_type = "application/toml"),
    responses((status = 200, description = "Imported, or what would change", body = ImportBody)))]
pub(super) async fn import(
    State(state): State<AppState>,
    caller: Authorised<HandleCalendar>,
    Params(params): Params<ImportParams>,
    headers: HeaderMap,
    sent: Body,
) -> Result<Json<ImportBody>, Problem> {
    let is_dry = params.dry_run == Some(Flag::Yes);
    let needed = if is_dry { Scope::OpsRead } else { Scope::OpsWrite };
    if !caller.has(needed) {
        return Err(forbidden(&[needed]));
    }
    if !["application/toml", "text/plain"].contains(&body::media_type(&headers).as_str()) {
        return Err(body::unsupported("application/toml or text/plain"));
    }
    let sent = body::read(sent, LARGEST).await?;
    let source = String::from_utf8(sent.into());
    let source = source.map_err(|_| Problem::field("", "calendar_invalid", "must be UTF-8"))?;
    let done = if is_dry {
        try_out(&state, source).await?
    } else {
        replace(&state, &caller, source, params.reason.as_deref().unwrap_or_default()).await?
    };
    Ok(Json(done))
}

/// What a calendar file would change.
pub(in crate::http) async fn try_out(state: &AppState, source: String) -> Result<ImportBody, Problem> {
    let shared = &state.engine.shared;
    let candidate = candidate(source, &in_use(state).await?)?;
    let found = preview(shared.store.as_ref(), &shared.workflows(), &candidate.calendar, LOOKED_AT).await?;
    let preview = PreviewBody {
        looked_at: found.looked_at,
        complete: found.complete,
        total: found.changes.len(),
        items: found.changes.into_iter().take(NAMED).map(ChangeBody::from).collect(),
    };
    Ok(ImportBody { preview: Some(preview), ..described(state, &candidate) })
}

/// Imports a calendar file in somebody's name.
pub(in crate::http) async fn replace(
    state: &AppState,
    caller: &Caller,
    source: String,
    reason: &str,
) -> Result<ImportBody, Problem> {
    written_field("/reason", reason, LONGEST_REASON)?;
    let candidate = candidate(source, &in_use(state).await?)?;
    let described = described(state, &candidate);
    administrator(state, caller).import_calendar(candidate, Some(reason)).await?;
    Ok(ImportBody { imported: true, ..described })
}

fn described(state: &AppState, candidate: &Candidate) -> ImportBody {
    use chrono::Datelike as _;
    let (years, today) = (candidate.calendar.years(), local_date(state.engine.shared.clock.now()));
    ImportBody {
        version: candidate.calendar.version().to_owned(),
        has_this_year: years.contains(&today.year()),
        years: years.collect(),
        imported: false,
        preview: None,
    }
}

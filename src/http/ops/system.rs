//! Processes, providers, workflows and the calendar in use.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    schedules,
    show::{moment, moment_or},
};
use crate::{
    domain::{
        breaker::{self, BreakerState},
        calendar::local_date,
        provider_error::Provider,
    },
    http::{
        api::ops::queues::breakers,
        auth::ReadOperations,
        pages::page::{Page, html},
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::Process,
};

/// A process that was not heard of for so many seconds is late.
const LATE: i64 = 30;

#[derive(Template)]
#[template(path = "ops/system.html")]
struct System {
    page: Page,
    processes: Vec<Row>,
    schedules: Vec<schedules::Row>,
    providers: Vec<(Provider, BreakerState, String)>,
    workflows: Vec<String>,
    calendar: String,
    source: String,
    ends: String,
    days_left: i64,
}

struct Row {
    process: Process,
    roles: String,
    started: String,
    seen: String,
    in_flight: u64,
    late: bool,
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
) -> Result<Response, Problem> {
    let shared = &state.engine.shared;
    let now = shared.clock.now();
    let row = |process: Process| Row {
        roles: process.roles.join(", "),
        started: moment(process.started_at),
        seen: moment(process.seen_at),
        in_flight: process.stats.get("in_flight").and_then(serde_json::Value::as_u64).unwrap_or_default(),
        late: (now - process.seen_at).num_seconds() > LATE,
        process,
    };
    let calendar = shared.calendar();
    let processes = shared.store.processes().await?;
    let reports = breakers(&processes);
    let providers = Provider::ALL
        .iter()
        .filter_map(|provider| breaker::worst(&reports, &[*provider]))
        .map(|report| (report.provider, report.state, moment_or(report.opened_at)))
        .collect();
    let schedules = schedules::rows(&state, &page).await?;
    Ok(html(&System {
        page,
        schedules,
        processes: processes.into_iter().map(row).collect(),
        providers,
        workflows: shared.workflows().iter().map(|workflow| workflow.id().to_string()).collect(),
        calendar: calendar.version().to_owned(),
        source: calendar.source().to_owned(),
        ends: calendar.data_ends().to_string(),
        days_left: (calendar.data_ends() - local_date(now)).num_days(),
    }))
}

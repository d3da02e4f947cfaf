//! How everything stands, on one page.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::show::{NOTHING, length_or, moment, moment_or};
use crate::{
    domain::{application::Status, stage::Stage},
    http::{
        api::ops::{
            forecast::{self, ForecastBody, Number, WhatIf},
            overview::{OverviewBody, look},
        },
        auth::ReadOperations,
        pages::page::{Page, html},
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::DONE,
};

#[derive(Template)]
#[template(path = "ops/overview.html")]
struct Overview {
    page: Page,
    body: OverviewBody,
    at: String,
    oldest: String,
    next_due: String,
    caught_up: String,
    webhook_age: String,
    stalled: i64,
    stages: Vec<Row>,
    statuses: Vec<(Status, i64)>,
    done: i64,
    forecast: ForecastBody,
    late: usize,
    pace: String,
    first_missed: String,
    asked: WhatIfForm,
}

/// Another pace, as it stands in the address; what is no number changes nothing.
#[derive(Default, Deserialize)]
pub(super) struct WhatIfForm {
    #[serde(default)]
    per_hour: String,
    #[serde(default)]
    overtime: String,
}

impl WhatIfForm {
    fn what_if(&self) -> WhatIf {
        WhatIf { per_hour: number(&self.per_hour), overtime_minutes: number(&self.overtime) }
    }
}

fn number<const MOST: u32>(text: &str) -> Option<Number<MOST>> {
    Number::try_from(text.to_owned()).ok()
}

/// A stage of the funnel.
struct Row {
    stage: Stage,
    here: i64,
    stalled: i64,
    per_minute: u64,
    /// In hundredths of the fullest stage.
    share: i64,
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(asked): Query<WhatIfForm>,
) -> Result<Response, Problem> {
    let forecast = forecast::look(&state, asked.what_if()).await?;
    let body = look(&state).await?;
    let here = |stage: Stage| body.by_stage.get(stage.as_str()).copied().unwrap_or(0);
    let fullest = Stage::ALL.iter().map(|&stage| here(stage)).max().unwrap_or(0).max(1);
    let row = |&stage: &Stage| Row {
        stage,
        here: here(stage),
        stalled: body.stalled_by_stage.get(&stage).copied().unwrap_or(0),
        per_minute: body.throughput.per_minute.get(&stage).copied().unwrap_or(0),
        share: here(stage) * 100 / fullest,
    };
    let seconds = body.forecast.caught_up_in_seconds.and_then(|seconds| i64::try_from(seconds).ok());
    Ok(html(&Overview {
        at: moment(body.at),
        oldest: length_or(&page, body.oldest_waiting_seconds),
        next_due: moment_or(body.reviews.next_due),
        caught_up: length_or(&page, seconds),
        webhook_age: length_or(&page, body.webhooks.oldest_seconds),
        stalled: body.by_status.get(&Status::Stalled).copied().unwrap_or(0),
        stages: Stage::ALL.iter().map(row).collect(),
        statuses: Status::ALL
            .iter()
            .map(|status| (*status, body.by_status.get(status).copied().unwrap_or(0)))
            .collect(),
        pace: forecast.per_hour.map_or_else(|| NOTHING.to_owned(), |pace| format!("{pace:.1}")),
        first_missed: moment_or(forecast.first_missed),
        late: forecast.missed.unwrap_or_default(),
        forecast,
        asked,
        done: body.by_stage.get(DONE).copied().unwrap_or(0),
        body,
        page,
    }))
}

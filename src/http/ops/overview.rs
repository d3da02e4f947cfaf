//! How everything stands, on one page.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::charts::{Chart, drawn};
use super::show::{NOTHING, length_or, moment, moment_or};
use crate::{
    domain::{application::Status, stage::Stage},
    http::{
        api::ops::{
            figures::Span,
            forecast::{self, ForecastBody, Number, Stages, WhatIf},
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
    late: u64,
    pace: String,
    reviewers: String,
    per_reviewer: String,
    mean_error: String,
    paused: String,
    charts: Vec<Chart>,
    first_missed: String,
    asked: WhatIfForm,
}

/// Another pace, as it stands in the address; what is no number changes nothing.
#[derive(Default, Deserialize)]
pub(super) struct WhatIfForm {
    #[serde(default)]
    per_hour: String,
    #[serde(default)]
    reviewers: String,
    #[serde(default)]
    overtime: String,
    #[serde(default)]
    paused: String,
}

impl WhatIfForm {
    /// None where nothing would be different.
    fn what_if(&self) -> Option<WhatIf> {
        let what_if = WhatIf {
            per_hour: number(&self.per_hour),
            reviewers: number(&self.reviewers),
            overtime_minutes: number(&self.overtime),
            paused: Stages::try_from(self.paused.clone()).ok(),
        };
        (what_if != WhatIf::default()).then_some(what_if)
    }
}

fn one_digit(value: Option<f64>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| format!("{value:.1}"))
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
    wait_p95: u32,
    run_p95: u32,
    /// In hundredths of the fullest stage.
    share: i64,
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(asked): Query<WhatIfForm>,
) -> Result<Response, Problem> {
    let body = look(&state).await?;
    let forecast = match asked.what_if() {
        Some(what_if) => forecast::look(&state, what_if).await?,
        None => body.forecast.breaches.clone(),
    };
    let charts = drawn(&state, &page, Span::Hour, &["runs", "reviews", "deadlines"]).await?;
    let here = |stage: Stage| body.by_stage.get(stage.as_str()).copied().unwrap_or(0);
    let fullest = Stage::ALL.iter().map(|&stage| here(stage)).max().unwrap_or(0).max(1);
    let row = |&stage: &Stage| Row {
        stage,
        here: here(stage),
        stalled: body.stalled_by_stage.get(&stage).copied().unwrap_or(0),
        per_minute: body.throughput.per_minute.get(&stage).copied().unwrap_or(0),
        wait_p95: body.wait_ms.get(&stage).map_or(0, |wait| wait.p95),
        run_p95: body.run_ms.get(&stage).map_or(0, |run| run.p95),
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
        pace: one_digit(forecast.per_hour),
        reviewers: one_digit(forecast.reviewers),
        per_reviewer: one_digit(forecast.per_reviewer),
        mean_error: one_digit(forecast.record.as_ref().map(|record| record.mean_error)),
        paused: forecast
            .paused
            .iter()
            .map(|stage| page.t_of("ops.stage.", stage))
            .collect::<Vec<_>>()
            .join(page.t("ops.chart.separator")),
        charts,
        first_missed: moment_or(forecast.first_missed),
        late: forecast.missed.unwrap_or_default(),
        forecast,
        asked,
        done: body.by_stage.get(DONE).copied().unwrap_or(0),
        body,
        page,
    }))
}

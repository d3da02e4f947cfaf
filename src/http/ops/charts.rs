//! Charts from the product's own figures.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;
use serde_json::json;

use super::show::moment;
use crate::{
    domain::stage::Stage,
    engine::sweep::figures::{CLAIMED, DECIDED, OPEN, REVIEWERS},
    http::{
        api::ops::figures::{FiguresBody, PointBody, Span, read},
        auth::ReadOperations,
        pages::page::{Page, html},
        person::Person,
        problem::Problem,
        state::AppState,
    },
};

/// How far back.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    span: String,
}

#[derive(Template)]
#[template(path = "ops/charts.html")]
struct Charts {
    page: Page,
    span: Span,
    charts: Vec<Chart>,
}

/// A chart: one message names it, another its unit; its numbers stand in a table and, for the script, as JSON.
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) lines: Vec<String>,
    pub(super) rows: Vec<(String, Vec<String>)>,
    pub(super) data: String,
}

/// Which of a point's values a chart shows.
type Value = fn(&PointBody) -> f64;

/// A line: its name and series.
type Line = (String, String);

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let span: Span = asked.span.parse().unwrap_or(Span::Hour);
    let charts = drawn(&state, &page, span, &ALL).await?;
    Ok(html(&Charts { page, span, charts }))
}

/// Every chart, in order.
const ALL: [&str; 6] = ["runs", "reviews", "deadlines", "oldest", "wait_p95", "run_p95"];

/// Some of the charts over a span that ends now.
pub(super) async fn drawn(
    state: &AppState,
    page: &Page,
    span: Span,
    wanted: &[&'static str],
) -> Result<Vec<Chart>, Problem> {
    let all: Vec<_> = wanted.iter().map(|id| (*id, lines(page, id))).collect();
    let keys: Vec<&str> = all.iter().flat_map(|(_, (_, lines))| lines.iter().map(|(_, key)| key.as_str())).collect();
    let mut found = read(state, &keys, span).await?.into_iter();
    let draw = |(id, (value, lines)): &(&'static str, (Value, Vec<Line>))| {
        let series: Vec<_> = lines.iter().map(|(name, _)| name.clone()).zip(&mut found).collect();
        Chart::of(page, id, page.t_of("ops.chart.", id), *value, &series)
    };
    Ok(all.iter().map(draw).collect())
}

/// The lines of a chart, and which of their values it shows.
fn lines(page: &Page, id: &str) -> (Value, Vec<Line>) {
    let by_stage = |family: &str| -> Vec<Line> {
        Stage::ALL
            .iter()
            .filter(|stage| **stage != Stage::PhotoReview)
            .map(|stage| (page.t_of("ops.stage.", stage), format!("{family}.{stage}")))
            .collect()
    };
    let line = |name: &str, series: &str| (name.to_owned(), series.to_owned());
    let most: Value = |point| point.most as f64;
    let mean: Value = |point| point.mean;
    match id {
        "runs" => (mean, by_stage("runs")),
        "reviews" => (
            most,
            vec![
                line(page.t("ops.chart.open"), OPEN),
                line(page.t("ops.chart.claimed"), CLAIMED),
                line(page.t("ops.chart.reviewers"), REVIEWERS),
                line(page.t("ops.chart.decided"), DECIDED),
            ],
        ),
        "deadlines" => (
            most,
            vec![
                line(page.t("ops.chart.at_risk"), "deadlines.at_risk"),
                line(page.t("ops.chart.breached"), "deadlines.breached"),
                line(page.t("ops.chart.stalled"), "stalled"),
            ],
        ),
        family => (most, by_stage(family)),
    }
}

impl Chart {
    fn of(page: &Page, id: &'static str, title: String, value: Value, series: &[(String, FiguresBody)]) -> Self {
        let mut times: Vec<i64> =
            series.iter().flat_map(|(_, body)| body.points.iter().map(|point| point.at)).collect();
        times.sort_unstable();
        times.dedup();
        let values: Vec<Vec<Option<f64>>> =
            series.iter().map(|(_, body)| times.iter().map(|at| at_time(body, *at).map(value)).collect()).collect();
        let shown = |value: Option<&Option<f64>>| {
            value.copied().flatten().map_or_else(|| super::show::NOTHING.to_owned(), number)
        };
        let row = |(place, at): (usize, &i64)| {
            let at = chrono::DateTime::from_timestamp(*at, 0).map_or_else(String::new, moment);
            (at, values.iter().map(|line| shown(line.get(place))).collect())
        };
        let told = series.iter().zip(&values).map(|((name, _), line)| summary(page, name, line));
        Self {
            summary: told.collect::<Vec<_>>().join(page.t("ops.chart.separator")),
            rows: times.iter().enumerate().rev().map(row).collect(),
            lines: series.iter().map(|(name, _)| name.clone()).collect(),
            data: json!({ "names": series.iter().map(|(name, _)| name).collect::<Vec<_>>(), "times": times, "values": values })
                .to_string(),
            id,
            title,
        }
    }
}

fn at_time(body: &FiguresBody, at: i64) -> Option<&PointBody> {
    body.points.binary_search_by_key(&at, |point| point.at).ok().and_then(|place| body.points.get(place))
}

/// The last and the greatest value of a line in words.
fn summary(page: &Page, name: &str, line: &[Option<f64>]) -> String {
    let known: Vec<f64> = line.iter().copied().flatten().collect();
    let Some(last) = known.last() else { return page.fill("ops.chart.no_data", &[&name]) };
    let most = known.iter().copied().fold(0.0, f64::max);
    page.fill("ops.chart.summary", &[&name, &number(*last), &number(most)])
}

/// A whole number where it is one, else one digit after the point.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

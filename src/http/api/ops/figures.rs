//! The figures behind the charts.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::wire::wire_enum,
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::Params,
        problem::Problem,
        state::AppState,
    },
    store::insight::Slot,
};

wire_enum! {
    /// How far a chart looks back.
    pub enum Span as "span" {
        /// By the minute.
        Hour = "1h",
        /// By the quarter of an hour.
        Day = "24h",
        /// By three hours.
        Fortnight = "14d",
    }
}

impl Span {
    /// Minutes back, and minutes that one point stands for.
    pub const fn minutes(self) -> (i64, i64) {
        match self {
            Self::Hour => (60, 1),
            Self::Day => (24 * 60, 15),
            Self::Fortnight => (14 * 24 * 60, 180),
        }
    }
}

/// The longest name of a series.
const LONGEST_SERIES: usize = 64;

/// Which series, and how far back.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FigureParams {
    /// E.g. `reviews.open`, `runs.eligibility`, `oldest.generation`.
    series: String,
    /// An hour unless given.
    span: Option<Span>,
}

/// A series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Figures)]
pub(in crate::http) struct FiguresBody {
    /// What was measured.
    pub(in crate::http) series: String,
    /// How far back.
    pub(in crate::http) span: Span,
    /// Seconds between two points.
    pub(in crate::http) step_seconds: i64,
    /// The points, oldest first; a point without a measurement is left out.
    pub(in crate::http) points: Vec<PointBody>,
}

/// A point of a series.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Point)]
pub(in crate::http) struct PointBody {
    /// Its beginning, in seconds since 1970-01-01T00:00Z.
    pub(in crate::http) at: i64,
    /// The mean over its minutes.
    pub(in crate::http) mean: f64,
    /// The greatest value of a minute.
    pub(in crate::http) most: i64,
    /// All minutes added up.
    pub(in crate::http) sum: i64,
}

/// See a series of figures by time.
#[utoipa::path(get, path = "/v1/ops/figures", operation_id = "get_figures", tag = "operations", security(("key" = ["ops:read"])),
    params(FigureParams), responses((status = 200, description = "The series; empty for an unknown one", body = FiguresBody)))]
pub(super) async fn figures(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<FigureParams>,
) -> Result<Json<FiguresBody>, Problem> {
    if params.series.is_empty() || params.series.len() > LONGEST_SERIES {
        return Err(Problem::field("/series", "length_wrong", "must have 1 to 64 characters"));
    }
    let span = params.span.unwrap_or(Span::Hour);
    let mut found = slots(&state, &[&params.series], span).await?;
    let slots = found.remove(&params.series).unwrap_or_default();
    Ok(Json(FiguresBody::of(params.series, span, slots)))
}

/// Several series over a span that ends now, in the order asked for.
pub(in crate::http) async fn read(state: &AppState, series: &[&str], span: Span) -> Result<Vec<FiguresBody>, Problem> {
    let mut found = slots(state, series, span).await?;
    let body = |series: &&str| FiguresBody::of((*series).to_owned(), span, found.remove(*series).unwrap_or_default());
    Ok(series.iter().map(body).collect())
}

async fn slots(state: &AppState, series: &[&str], span: Span) -> Result<BTreeMap<String, Vec<Slot>>, Problem> {
    let shared = &state.engine.shared;
    let (back, step) = span.minutes();
    let now = shared.clock.now().timestamp().div_euclid(60);
    let from = (now - back).div_euclid(step) * step;
    Ok(shared.store.figures(series, from, step).await?)
}

impl FiguresBody {
    fn of(series: String, span: Span, slots: Vec<Slot>) -> Self {
        let point = |slot: Slot| PointBody {
            at: slot.minute * 60,
            mean: slot.sum as f64 / slot.minutes.max(1) as f64,
            most: slot.most,
            sum: slot.sum,
        };
        let step_seconds = span.minutes().1 * 60;
        Self { series, span, step_seconds, points: slots.into_iter().map(point).collect() }
    }
}

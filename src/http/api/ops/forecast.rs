//! Which promises will be missed, at the present pace and at another one.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{forecast::Expected, stage::Stage},
    engine::forecast::{self, Forecast},
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::Params,
        problem::Problem,
        state::AppState,
    },
};

/// What would be different; absent fields change nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct WhatIf {
    /// Reviews in an hour of office time, 0 to 100,000.
    #[param(inline, value_type = Option<u32>)]
    pub(in crate::http) per_hour: Option<Number<100_000>>,
    /// Reviewers at work, 0 to 10,000, each as fast as measured. Does not count beside `per_hour`.
    #[param(inline, value_type = Option<u32>)]
    pub(in crate::http) reviewers: Option<Number<10_000>>,
    /// Minutes of overtime on each working day, 0 to 600.
    #[param(inline, value_type = Option<u32>)]
    pub(in crate::http) overtime_minutes: Option<Number<600>>,
    /// Stages that do not run, with commas between, besides those that are paused.
    #[param(inline, value_type = Option<String>)]
    pub(in crate::http) paused: Option<Stages>,
}

impl From<WhatIf> for forecast::WhatIf {
    fn from(what_if: WhatIf) -> Self {
        let minutes = what_if.overtime_minutes.map_or(0, |Number(minutes)| u64::from(minutes));
        Self {
            per_hour: what_if.per_hour.map(|Number(pace)| pace),
            reviewers: what_if.reviewers.map(|Number(reviewers)| reviewers),
            overtime: Duration::from_secs(minutes * 60),
            paused: what_if.paused.map(|Stages(stages)| stages).unwrap_or_default(),
        }
    }
}

/// A number of the query, at most `MOST`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::http) struct Number<const MOST: u32>(pub(in crate::http) u32);

impl<const MOST: u32> TryFrom<String> for Number<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number <= MOST);
        number.map(Self).ok_or_else(|| format!("must be a number from 0 to {MOST}"))
    }
}

/// Stages of the query.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::http) struct Stages(pub(in crate::http) Vec<Stage>);

impl TryFrom<String> for Stages {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let stages: Result<Vec<Stage>, _> = text.split(',').map(str::parse).collect();
        stages.map(Self).map_err(|_| "must be names of stages with commas between".to_owned())
    }
}

/// What is to be expected of the reviews that are open now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = BreachForecast)]
pub struct ForecastBody {
    /// Open reviews with a due time; at most 100,000 are looked at.
    pub open: u64,
    /// Decided applications that wait at a paused stage; they are counted among the missed ones where they will be late.
    pub held: u64,
    /// Reviews in an hour of office time: measured, or the one that was asked for; null while nothing was measured.
    pub per_hour: Option<f64>,
    /// Reviewers at work, on average of the time that the pace was measured in; null while that is not known.
    pub reviewers: Option<f64>,
    /// Reviews in an hour of one of them.
    pub per_reviewer: Option<f64>,
    /// Stages that do not run, really or supposed to.
    pub paused: Vec<Stage>,
    /// How many due times will be missed; null while there is no pace, or when the calendar has no data.
    pub missed: Option<u64>,
    /// As many at the pace of a fast day.
    pub missed_at_best: Option<u64>,
    /// As many at the pace of a slow day.
    pub missed_at_worst: Option<u64>,
    /// The first due time that will be missed.
    pub first_missed: Option<DateTime<Utc>>,
    /// What a slow and a fast day are.
    pub range: RangeBody,
    /// How good the forecasts of the last 14 days were; null while none can be judged.
    pub record: Option<RecordBody>,
}

/// The range of a forecast.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = ForecastRange)]
pub struct RangeBody {
    /// Multiplies the pace on a slow day: one in ten is slower.
    pub slow: f64,
    /// Multiplies the pace on a fast day: one in ten is faster.
    pub fast: f64,
    /// On how many days that was measured; 0 when a quarter either way is assumed, because three are not there yet.
    pub days: usize,
}

/// How good forecasts were. One is kept for each hour.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
#[schema(as = ForecastRecord)]
pub struct RecordBody {
    /// How many can be judged: every due time that they were about has passed.
    pub judged: u64,
    /// How many of them had the truth in their range.
    pub within: u64,
    /// `within` of `judged`, 0 to 1.
    pub hit_rate: f64,
    /// By how many missed due times they were wrong, on average.
    pub mean_error: f64,
}

impl From<Forecast> for ForecastBody {
    fn from(forecast: Forecast) -> Self {
        let missed = |expected: Option<Expected>| expected.map(|expected| expected.missed);
        Self {
            open: forecast.open,
            held: forecast.held,
            per_hour: forecast.per_hour,
            reviewers: forecast.reviewers,
            per_reviewer: forecast.per_reviewer,
            missed: missed(forecast.expected),
            missed_at_best: missed(forecast.best),
            missed_at_worst: missed(forecast.worst),
            first_missed: forecast.expected.and_then(|expected| expected.first),
            range: RangeBody { slow: forecast.spread.slow, fast: forecast.spread.fast, days: forecast.spread.days },
            record: forecast.record.map(|record| RecordBody {
                judged: record.judged,
                within: record.within,
                hit_rate: record.within as f64 / record.judged.max(1) as f64,
                mean_error: record.mean_error,
            }),
            paused: forecast.paused,
        }
    }
}

/// Forecast which due times of open reviews will be missed.
#[utoipa::path(get, path = "/v1/ops/forecast", operation_id = "forecast_breaches", tag = "operations", security(("key" = ["ops:read"])),
    params(WhatIf), responses((status = 200, description = "At the present pace, or what would be", body = ForecastBody)))]
pub(super) async fn forecast(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(what_if): Params<WhatIf>,
) -> Result<Json<ForecastBody>, Problem> {
    look(&state, what_if).await.map(Json)
}

/// The forecast, as it is or as it would be.
pub(in crate::http) async fn look(state: &AppState, what_if: WhatIf) -> Result<ForecastBody, Problem> {
    Ok(forecast::look(&state.engine.shared, &what_if.into()).await?.into())
}

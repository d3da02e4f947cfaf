//! Which promises will be missed, at the present pace and at another one.

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::forecast::{Expected, Pace, RANGE, expect, measured},
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::Params,
        problem::Problem,
        state::AppState,
    },
};

/// How many hours back the pace is measured: the first ones that have office time.
const BACK: [i64; 3] = [8, 24, 96];
/// The most open reviews that are looked at.
const MOST: usize = 10_000;

/// What would be different; absent fields change nothing.
#[derive(Debug, Clone, Copy, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct WhatIf {
    /// Reviews in an hour of office time, 0 to 100,000.
    #[param(inline, value_type = Option<u32>)]
    pub(in crate::http) per_hour: Option<Number<100_000>>,
    /// Minutes of overtime on each working day, 0 to 600.
    #[param(inline, value_type = Option<u32>)]
    pub(in crate::http) overtime_minutes: Option<Number<600>>,
}

/// A number of the query, at most `MOST`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::http) struct Number<const MOST: u32>(pub(in crate::http) u32);

impl<const MOST: u32> TryFrom<String> for Number<MOST> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number <= MOST);
        number.map(Self).ok_or_else(|| format!("must be a number from 0 to {MOST}"))
    }
}

/// What is to be expected of the reviews that are open now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BreachForecast)]
pub(in crate::http) struct ForecastBody {
    /// Open reviews with a due time; at most 10,000 are looked at.
    pub(in crate::http) open: usize,
    /// Reviews in an hour of office time: measured, or the one that was asked for; null while nothing was measured.
    pub(in crate::http) per_hour: Option<f64>,
    /// How many due times will be missed; null while there is no pace, or when the calendar has no data.
    pub(in crate::http) missed: Option<usize>,
    /// As many at a pace a quarter faster.
    pub(in crate::http) missed_at_best: Option<usize>,
    /// As many at a pace a quarter slower.
    pub(in crate::http) missed_at_worst: Option<usize>,
    /// The first due time that will be missed.
    pub(in crate::http) first_missed: Option<DateTime<Utc>>,
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
    let shared = &state.engine.shared;
    let (now, calendar, workflows) = (shared.clock.now(), shared.calendar(), shared.workflows());
    let dues = shared.store.open_dues(MOST).await?;
    let mut body = ForecastBody {
        open: dues.len(),
        per_hour: what_if.per_hour.map(|Number(pace)| f64::from(pace)),
        missed: None,
        missed_at_best: None,
        missed_at_worst: None,
        first_missed: None,
    };
    // All workflows promise by the same office hours; the first one's rule stands for them.
    let Some(rule) = workflows.iter().next().map(|workflow| &workflow.deadline) else { return Ok(body) };
    for back in BACK {
        if body.per_hour.is_some() {
            break;
        }
        let back = TimeDelta::hours(back);
        let from = (now - back).timestamp().div_euclid(60);
        let slots = shared.store.figures("reviews.decided", from, 60).await?;
        let done = slots.iter().map(|slot| u64::try_from(slot.sum).unwrap_or_default()).sum();
        body.per_hour = measured(&calendar, rule, now, back, done).unwrap_or_default().filter(|pace| *pace > 0.0);
    }
    let Some(per_hour) = body.per_hour else { return Ok(body) };
    let overtime = Duration::from_secs(what_if.overtime_minutes.map_or(0, |Number(minutes)| u64::from(minutes) * 60));
    let at = |factor: f64| {
        let pace = Pace { per_hour: per_hour * factor, overtime, paused: false };
        expect(&calendar, rule, now, &dues, pace).ok()
    };
    let missed = |expected: Option<Expected>| expected.map(|expected| expected.missed);
    let expected = at(1.0);
    body.first_missed = expected.and_then(|expected| expected.first);
    body.missed = missed(expected);
    (body.missed_at_worst, body.missed_at_best) = (missed(at(RANGE.0)), missed(at(RANGE.1)));
    Ok(body)
}

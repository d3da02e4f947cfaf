//! The forecast of missed due times: what is open, how fast it is done, what is paused, and how good earlier forecasts were.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::{
        forecast::{Due, Expected, HitRate, Pace, Said, expect, hit_rate, told_late},
        pace::{Spread, Work, measured, spread},
        stage::Stage,
    },
    store::{
        Result,
        insight::{QUARTER, Slot},
        types::Pause,
    },
};

use super::{
    shared::Shared,
    sweep::figures::{CLAIMED, DECIDED, OPEN, REVIEWERS},
};

/// How far back paces and earlier forecasts are looked at.
pub const BACK: TimeDelta = TimeDelta::days(14);
/// The most promises that are looked at, the most urgent ones.
const MOST: u64 = 100_000;

/// What would be different; nothing by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WhatIf {
    /// Reviews in an hour of office time.
    pub per_hour: Option<u32>,
    /// Reviewers at work, each as fast as measured; does not count beside a pace.
    pub reviewers: Option<u32>,
    /// Office time that is added to each working day.
    pub overtime: Duration,
    /// Stages that do not run, besides those that are paused.
    pub paused: Vec<Stage>,
}

/// What is to be expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The last due time that it is about.
    pub until: Option<DateTime<Utc>>,
    /// Open reviews with a due time.
    pub open: u64,
    /// How many of them are past it.
    pub overdue: u64,
    /// Decided applications that wait at a paused stage.
    pub held: u64,
    /// Reviews in an hour of office time.
    pub per_hour: Option<f64>,
    /// Reviewers at work, on average of the measured time.
    pub reviewers: Option<f64>,
    /// Reviews in an hour of one of them.
    pub per_reviewer: Option<f64>,
    /// How much paces differ from day to day.
    pub spread: Spread,
    /// What does not run.
    pub paused: Vec<Stage>,
    /// What is expected at the pace; none without one, or when the calendar has no data.
    pub expected: Option<Expected>,
    /// On a fast day.
    pub best: Option<Expected>,
    /// On a slow day.
    pub worst: Option<Expected>,
    /// How good the forecasts of the last days were.
    pub record: Option<HitRate>,
}

impl Forecast {
    /// What is kept of it: what it says of reviews that are in time. None without a pace, or when nothing has a due time.
    pub fn said(&self) -> Option<Said> {
        let in_time =
            |expected: Option<Expected>| expected.map(|expected| expected.missed.saturating_sub(self.overdue));
        Some(Said {
            at: self.at,
            until: self.until?,
            open: self.open - self.overdue,
            missed: in_time(self.expected)?,
            at_best: in_time(self.best)?,
            at_worst: in_time(self.worst)?,
            came: None,
        })
    }
}

/// The forecast, as it is or as it would be.
///
/// # Errors
/// Those of the store.
pub async fn look(shared: &Shared, what_if: &WhatIf) -> Result<Forecast> {
    let (now, calendar, workflows) = (shared.clock.now(), shared.calendar(), shared.workflows());
    let dues = shared.store.open_dues(MOST).await?;
    let (paused, from) = pauses(&shared.store.pauses().await?, &what_if.paused);
    let told_from = [Stage::Generation, Stage::Notification].into_iter().filter_map(&from).max();
    let held = held(shared, &paused).await?;
    let mut forecast = Forecast {
        at: now,
        until: dues.last().map(|due| due.at),
        open: sum(&dues),
        overdue: dues.iter().filter(|due| due.at <= now).map(|due| due.count).sum(),
        held: sum(&held),
        per_hour: None,
        reviewers: None,
        per_reviewer: None,
        spread: Spread::ASSUMED,
        paused,
        expected: None,
        best: None,
        worst: None,
        record: hit_rate(&shared.store.forecasts(now - BACK).await?),
    };
    // All workflows promise by the same office hours; the first one's rule stands for them.
    let Some(rule) = workflows.iter().next().map(|workflow| &workflow.deadline) else { return Ok(forecast) };
    let works = works(shared, now).await?;
    let pace = measured(&calendar, rule, now, &works).unwrap_or_default();
    forecast.spread = spread(&calendar, rule, &works).unwrap_or(Spread::ASSUMED);
    forecast.reviewers = pace.and_then(|pace| pace.reviewers);
    forecast.per_reviewer = pace.and_then(|pace| Some(pace.per_hour / pace.reviewers?));
    forecast.per_hour = match (what_if.per_hour, what_if.reviewers) {
        (Some(per_hour), _) => Some(f64::from(per_hour)),
        (None, Some(reviewers)) => forecast.per_reviewer.map(|each| each * f64::from(reviewers)),
        (None, None) => pace.map(|pace| pace.per_hour),
    };
    let Some(per_hour) = forecast.per_hour else { return Ok(forecast) };
    let at = |factor: f64| {
        let reviewed_from = from(Stage::PhotoReview);
        let pace = Pace { per_hour: per_hour * factor, overtime: what_if.overtime, reviewed_from, told_from };
        let expected = expect(&calendar, rule, now, &dues, pace).ok()?;
        Some(expected.and(told_late(&held, now, told_from)))
    };
    (forecast.expected, forecast.best, forecast.worst) = (at(1.0), at(forecast.spread.fast), at(forecast.spread.slow));
    Ok(forecast)
}

fn sum(dues: &[Due]) -> u64 {
    dues.iter().map(|due| due.count).sum()
}

/// What does not run, and from when on each of that runs again: at a supposed pause never.
fn pauses(real: &[Pause], supposed: &[Stage]) -> (Vec<Stage>, impl Fn(Stage) -> Option<DateTime<Utc>> + use<>) {
    let never = DateTime::<Utc>::MAX_UTC;
    let mut all: Vec<(Stage, DateTime<Utc>)> =
        real.iter().map(|pause| (pause.stage, pause.until.unwrap_or(never))).collect();
    all.extend(supposed.iter().map(|stage| (*stage, never)));
    let mut stages: Vec<Stage> = all.iter().map(|(stage, _)| *stage).collect();
    stages.sort_unstable();
    stages.dedup();
    (stages, move |stage| all.iter().filter(|(other, _)| *other == stage).map(|(_, until)| *until).max())
}

/// Decided applications that wait at a paused stage.
async fn held(shared: &Shared, paused: &[Stage]) -> Result<Vec<Due>> {
    let mut held = Vec::new();
    for stage in paused.iter().filter(|stage| matches!(stage, Stage::Generation | Stage::Notification)) {
        held.extend(shared.store.dues_at(*stage, MOST).await?);
    }
    held.sort_by_key(|due| due.at);
    Ok(held)
}

/// What was done in each quarter of an hour of the last days.
async fn works(shared: &Shared, now: DateTime<Utc>) -> Result<Vec<Work>> {
    let from = (now - BACK).timestamp().div_euclid(60);
    let found = shared.store.figures(&[DECIDED, REVIEWERS, OPEN, CLAIMED], from, QUARTER).await?;
    let at = |series: &str, minute: i64| -> Option<&Slot> {
        let slots = found.get(series)?;
        slots.binary_search_by_key(&minute, |slot| slot.minute).ok().and_then(|place| slots.get(place))
    };
    let work = |slot: &Slot| {
        let waiting = at(OPEN, slot.minute).zip(at(CLAIMED, slot.minute));
        Some(Work {
            from: DateTime::from_timestamp(slot.minute * 60, 0)?,
            minutes: slot.minutes,
            decided: slot.sum,
            reviewers: at(REVIEWERS, slot.minute).map(|slot| slot.sum * QUARTER / slot.minutes.max(1)),
            idle: waiting.is_some_and(|(open, claimed)| open.most + claimed.most == 0),
        })
    };
    Ok(found.get(DECIDED).into_iter().flatten().filter_map(work).collect())
}

//! Due times of what is open, and what was forecast about them.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;
use crate::domain::{
    forecast::{Due, Said},
    stage::Stage,
};

/// Forecasts and what they are made from.
#[async_trait]
pub trait Forecasts: Send + Sync {
    /// The due times of open and claimed reviews that have one, in rising order, of the `limit` most urgent ones.
    async fn open_dues(&self, limit: u64) -> Result<Vec<Due>>;
    /// The due times of decided applications whose promise is open and who wait for a worker at a stage, in rising order,
    /// of at most `limit` applications.
    async fn dues_at(&self, stage: Stage, limit: u64) -> Result<Vec<Due>>;
    /// Keeps a forecast, unless one of the same hour is kept already; what came of it is not known yet.
    async fn put_forecast(&self, said: &Said) -> Result<()>;
    /// The forecasts that were made from a moment on, oldest first.
    async fn forecasts(&self, from: DateTime<Utc>) -> Result<Vec<Said>>;
    /// How many reviews that were open and in time at `at` were not decided in time, of those due until `until`, which is
    /// past. Withdrawn ones do not count.
    async fn missed_between(&self, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64>;
    /// Writes down what came of the forecast of an hour.
    async fn judge_forecast(&self, at: DateTime<Utc>, came: u64) -> Result<()>;
    /// Forgets what was said before a moment.
    async fn forget_forecasts(&self, before: DateTime<Utc>) -> Result<()>;
}

/// The hour that a forecast is kept under.
pub(super) fn hour(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}

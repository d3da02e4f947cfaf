//! What dashboards look at beyond the queues: figures by the minute, and stalled applications by error. Every question is
//! answered from a bounded number of rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;

/// Minutes that a roll-up of figures stands for.
pub const QUARTER: i64 = 15;
/// The most stalled applications that are looked at to group them: the newest ones.
pub const GROUPED: usize = 4_000;

/// A value of a series in a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// What was measured, e.g. `runs.eligibility`.
    pub series: String,
    /// Minutes since 1970-01-01T00:00Z.
    pub minute: i64,
    /// The value; the series says in which unit.
    pub value: i64,
}

/// Several minutes of a series together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The first minute, a multiple of the step.
    pub minute: i64,
    /// The values added up.
    pub sum: i64,
    /// The greatest value.
    pub most: i64,
    /// How many minutes have a value.
    pub minutes: i64,
}

/// Applications that wait for an operator because of the same error at the same stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StalledGroup {
    /// Wire name of the stage that stalled, or `done`.
    pub stage: String,
    /// The error's code.
    pub error_code: String,
    /// How many, counted over the newest [`GROUPED`] of all.
    pub count: u64,
    /// When the first of them failed.
    pub first_at: DateTime<Utc>,
    /// When the last of them failed.
    pub last_at: DateTime<Utc>,
}

/// Questions of dashboards.
#[async_trait]
pub trait Insight: Send + Sync {
    /// Stores figures, and rolls them up by the quarter of an hour; a series that has a value for the minute keeps it.
    async fn put_figures(&self, figures: &[Figure]) -> Result<()>;
    /// Each of these series from a minute on, `step` minutes together, oldest first; one without figures is left out.
    /// A step of whole quarters is read from the roll-up.
    async fn figures(&self, series: &[&str], from: i64, step: i64) -> Result<BTreeMap<String, Vec<Slot>>>;
    /// The last minute that a series has a value for.
    async fn last_figure(&self, series: &str) -> Result<Option<i64>>;
    /// Forgets the figures before a minute, and the roll-up before another.
    async fn forget_figures(&self, minutes: i64, quarters: i64) -> Result<()>;
    /// How many photo reviews were settled for good in each minute from one moment until before another: by approval, or by
    /// a reviewer's rejection. Minutes without any are left out.
    async fn reviews_settled(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<BTreeMap<i64, i64>>;
    /// Applications that wait for an operator, grouped, the greatest group first.
    async fn stalled_groups(&self) -> Result<Vec<StalledGroup>>;
}

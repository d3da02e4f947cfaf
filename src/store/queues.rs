//! What the store says about queues: paused, limited, and how much waits.

use chrono::{DateTime, Utc};

use crate::domain::stage::Stage;

/// A paused queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The stage whose jobs are not started.
    pub stage: Stage,
    /// Why.
    pub reason: String,
    /// Who paused it.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Ends by itself at this moment.
    pub until: Option<DateTime<Utc>>,
}

/// How much an operator lets a queue do, instead of what its workflow says.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueLimit {
    /// The stage.
    pub stage: Stage,
    /// Runs at once in each process; none: as the workflow says.
    pub concurrency: Option<usize>,
    /// Starts per second over all processes; none: as the workflow says.
    pub rate: Option<f64>,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub actor: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// What waits in a queue. Counts are capped at 10,000, so that a page never costs a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueDepth {
    /// The stage.
    pub stage: Stage,
    /// Due and leased to nobody.
    pub ready: u64,
    /// Leased.
    pub running: u64,
    /// Not due yet.
    pub scheduled: u64,
    /// Since when the oldest ready job is due.
    pub oldest_ready: Option<DateTime<Utc>>,
}

//! How reconcilers ran last, over all processes.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    domain::{ids::LeaseId, wire::wire_enum},
    store,
};

wire_enum! {
    /// Which run.
    pub enum RunKind as "kind of run" {
        /// The last one.
        Last = "last",
        /// The last one that found something to do.
        Worked = "worked",
        /// The last one that failed.
        Failed = "failed",
    }
}

/// A run of a reconciler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRun {
    /// The reconciler's wire name; a process of another version may have others.
    pub name: String,
    /// Which run it is.
    pub kind: RunKind,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub took_ms: u64,
    /// How much it found to do.
    pub items: u64,
    /// What went wrong.
    pub error: Option<String>,
    /// How long the reconciler may sleep between two runs.
    pub period_ms: u64,
    /// The process.
    pub process: LeaseId,
}

/// The last runs of reconcilers.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// Stores runs, at most one of each name and kind; a later one that is stored already stays.
    async fn note_sweeps(&self, runs: &[SweepRun]) -> store::Result<()>;
    /// Every stored run, by name and kind.
    async fn sweep_runs(&self) -> store::Result<Vec<SweepRun>>;
}

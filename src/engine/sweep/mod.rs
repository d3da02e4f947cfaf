//! Reconcilers: each takes no input, runs on a clock and on a signal, is idempotent, and has a file of its own.

pub mod alerts;
pub mod batches;
pub mod calendar;
pub mod checkpoints;
pub mod deadlines;
pub mod figures;
pub mod forecasts;
pub mod gauges;
pub mod licences;
pub mod outbox;
mod reconciler;
pub mod rescue;
pub mod retention;
pub mod reviews;
pub mod runs;
pub mod sessions;
pub mod verdicts;

pub use reconciler::Reconciler;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rand::RngExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::domain::{
    cause::{Cause, Refusal},
    ids::ApplicationId,
};

use super::{
    backoff::Backoff,
    commit::{ApplyError, Committer},
    shared::Shared,
};

/// A reconciler.
#[async_trait]
pub trait Sweep: Send + Sync + 'static {
    /// Which one it is.
    fn reconciler(&self) -> Reconciler;

    /// How long it may sleep between two looks.
    fn period(&self) -> Duration;

    /// Looks, and does what is to be done.
    ///
    /// # Errors
    /// Whatever went wrong; it is logged, and the sweep looks again.
    async fn run(&self) -> anyhow::Result<Swept>;

    /// What wakes it before its period is over.
    fn signal(&self) -> Option<&Notify> {
        None
    }
}

/// What a run found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// How much there was to do.
    pub items: u64,
    /// Whether there is more to do at once.
    pub more: bool,
}

impl Swept {
    /// Everything that there was.
    pub fn of(items: usize) -> Self {
        Self { items: u64::try_from(items).unwrap_or(u64::MAX), more: false }
    }

    /// At most so many at a time: a full batch means that there may be more.
    pub fn batch(items: usize, most: usize) -> Self {
        Self { more: items >= most, ..Self::of(items) }
    }
}

/// Runs one reconciler until `stop`.
pub async fn run(sweep: Arc<dyn Sweep>, shared: Arc<Shared>, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let result = tokio::select! {
            () = stop.cancelled() => return,
            result = sweep.run() => result,
        };
        shared.runs.note(&shared, sweep.as_ref(), begun.elapsed(), &result);
        let more = match result {
            Ok(swept) => {
                backoff.reset();
                swept.more
            }
            Err(error) => {
                let sweep = sweep.reconciler().as_str();
                tracing::warn!(sweep, error = format!("{error:#}"), "reconciler will look again");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = backoff.wait() => {}
                }
                false
            }
        };
        if !more {
            let pause = sweep.period().mul_f64(rand::rng().random_range(0.8..1.2));
            let signalled = async {
                match sweep.signal() {
                    Some(signal) => signal.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = signalled => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Applies the same cause to each application; those that do not need it any more are no error.
async fn apply_to_all(committer: &Committer, ids: Vec<ApplicationId>, cause: &Cause) -> anyhow::Result<()> {
    let results = futures::future::join_all(ids.into_iter().map(|id| committer.apply(id, cause.clone(), None))).await;
    for result in results {
        match result {
            Ok(_) | Err(ApplyError::Refused(Refusal::Nothing) | ApplyError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

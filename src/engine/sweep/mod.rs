//! Reconcilers: each takes no input, runs on a clock and on a signal, is idempotent, and has a file of its own.

pub mod alerts;
pub mod batches;
pub mod calendar;
pub mod checkpoints;
pub mod deadlines;
pub mod figures;
pub mod gauges;
pub mod licences;
pub mod outbox;
pub mod rescue;
pub mod retention;
pub mod reviews;
pub mod sessions;
pub mod verdicts;

use std::{sync::Arc, time::Duration};

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
};

/// A reconciler.
#[async_trait]
pub trait Sweep: Send + Sync + 'static {
    /// A noun for logs.
    fn name(&self) -> &'static str;

    /// How long it may sleep between two looks.
    fn period(&self) -> Duration;

    /// Looks, and does what is to be done; true when there is more to do at once.
    ///
    /// # Errors
    /// Whatever went wrong; it is logged, and the sweep looks again.
    async fn run(&self) -> anyhow::Result<bool>;

    /// What wakes it before its period is over.
    fn signal(&self) -> Option<&Notify> {
        None
    }
}

/// Runs one reconciler until `stop`.
pub async fn run(sweep: Arc<dyn Sweep>, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let more = tokio::select! {
            () = stop.cancelled() => return,
            result = sweep.run() => match result {
                Ok(more) => {
                    backoff.reset();
                    more
                }
                Err(error) => {
                    tracing::warn!(sweep = sweep.name(), error = format!("{error:#}"), "reconciler will look again");
                    backoff.wait().await;
                    false
                }
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

//! Keeps this process's lease alive, and what the table says it holds equal to what it really runs.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use tokio_util::sync::CancellationToken;

use crate::{
    domain::{breaker::BreakerReport, stage::Stage},
    store::{
        self,
        types::{Held, Process},
    },
};

use super::{backoff::Backoff, shared::Shared, stats::StageFigures};

/// Tells how the circuit breakers of a process stand; nothing where no stage calls a provider.
pub type BreakerReports = Arc<dyn Fn() -> Vec<BreakerReport> + Send + Sync>;

/// Who this process is, beside its lease.
#[derive(Clone)]
pub struct Identity {
    /// The roles that it runs.
    pub roles: Vec<String>,
    /// Host name.
    pub host: String,
    /// Program version.
    pub version: String,
    /// Its circuit breakers.
    pub breakers: BreakerReports,
}

/// Renews the lease until `stop`; `failed_at` is set to the moment of the last failure.
pub async fn lease_loop(
    shared: Arc<Shared>,
    identity: Identity,
    stop: CancellationToken,
    failed_at: Arc<Mutex<Option<Instant>>>,
) {
    let started_at = shared.clock.now();
    let mut orphans = HashSet::new();
    let mut backoff = Backoff::new();
    loop {
        match beat(&shared, &identity, started_at, &mut orphans).await {
            Ok(()) => {
                backoff.reset();
                let pause = shared.settings.lease / 3;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(pause.min(Duration::from_secs(3))) => {}
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "lease renewal will be tried again");
                *failed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                backoff.wait().await;
            }
        }
        if stop.is_cancelled() {
            return;
        }
    }
}

/// The heartbeat before anything may be claimed.
pub(super) async fn first_beat(shared: &Shared, identity: &Identity) -> store::Result<()> {
    beat(shared, identity, shared.clock.now(), &mut HashSet::new()).await
}

async fn beat(
    shared: &Shared,
    identity: &Identity,
    started_at: DateTime<Utc>,
    orphans: &mut HashSet<Held>,
) -> store::Result<()> {
    shared.clock.sync(shared.store.as_ref()).await?;
    let process = describe(shared, identity, started_at);
    shared.store.heartbeat(&process, shared.settings.lease).await?;
    shared.follow_operators().await?;
    if let Err(error) = shared.follow_calendar().await {
        tracing::warn!(error = format!("{error:#}"), "going on with the calendar that was in use");
    }
    release_orphans(shared, orphans).await
}

/// A job that the table says is ours but that nobody here runs would wait for ever: a commit whose answer was lost may
/// have leased it. Seen twice with the same fence, it is given back.
async fn release_orphans(shared: &Shared, seen: &mut HashSet<Held>) -> store::Result<()> {
    let in_table = shared.store.held_by(shared.lease).await?;
    let here: HashSet<Held> = shared.ledger.held().into_iter().collect();
    let orphans: HashSet<Held> = in_table.into_iter().filter(|held| !here.contains(held)).collect();
    let twice: Vec<Held> = orphans.intersection(seen).copied().collect();
    if !twice.is_empty() {
        tracing::warn!(jobs = twice.len(), "giving back jobs that nobody runs");
        shared.store.release(shared.lease, &twice).await?;
        shared.jobs.notify_one();
    }
    *seen = orphans;
    Ok(())
}

fn describe(shared: &Shared, identity: &Identity, started_at: DateTime<Utc>) -> Process {
    let now = shared.clock.now();
    let second = u64::try_from(now.timestamp()).unwrap_or_default();
    let stages: BTreeMap<Stage, StageFigures> = Stage::ALL
        .iter()
        .filter(|stage| shared.places.concurrency(**stage) > 0)
        .map(|&stage| {
            let concurrency = shared.places.concurrency(stage);
            let running = shared.places.taken(stage);
            (stage, StageFigures { concurrency, running, ..shared.stats.figures(stage, second) })
        })
        .collect();
    Process {
        lease: shared.lease,
        roles: identity.roles.clone(),
        host: identity.host.clone(),
        pid: std::process::id(),
        version: identity.version.clone(),
        started_at,
        seen_at: now,
        stats: serde_json::json!({
            "in_flight": shared.ledger.len(), "stages": stages, "breakers": (identity.breakers)(),
        }),
    }
}

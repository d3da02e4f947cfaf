//! Runs stages durably: claim, run, plan, commit, continue; and the reconcilers under `sweep`.
//!
//! The path of an application reads in [`admit`], [`claim`], [`backend`] and [`commit`]; what each step means is
//! decided by [`crate::domain::transition`].

pub mod admit;
pub mod backend;
mod backoff;
mod batch;
mod chain;
pub mod claim;
pub mod clock;
pub mod commit;
pub mod dispatch;
#[cfg(test)]
pub(crate) mod fixture;
pub mod forecast;
mod known;
pub mod lease;
pub mod places;
pub mod planner;
pub mod run;
pub mod shared;
pub mod stats;
pub mod sweep;
pub mod turns;
pub mod view;
mod workers;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use admit::Admitter;
use commit::Committer;
use lease::Identity;
use run::StageRunner;
use shared::Shared;
use sweep::Sweep;

/// How long giving back may take after the drain: a database that is away must not keep a process from ending.
const GIVE_BACK: Duration = Duration::from_secs(3);

/// The engine of one process, whatever its roles.
#[derive(Clone)]
pub struct Engine {
    /// What every part looks at.
    pub shared: Arc<Shared>,
    /// Commits causes.
    pub committer: Committer,
    /// Commits new applications.
    pub admitter: Admitter,
    failed_at: Arc<Mutex<Option<Instant>>>,
    claiming: CancellationToken,
    beating: CancellationToken,
    /// What ends with `claiming`.
    tasks: TaskTracker,
    /// What ends with `beating`.
    beats: TaskTracker,
}

impl Engine {
    /// Starts committing; nothing runs yet.
    pub fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self {
            committer: Committer::start(&shared),
            admitter: Admitter::start(&shared),
            shared,
            failed_at: Arc::default(),
            claiming: CancellationToken::new(),
            beating: CancellationToken::new(),
            tasks: TaskTracker::new(),
            beats: TaskTracker::new(),
        }
    }

    /// Takes the lease of this process and keeps it, and listens for wake-ups.
    ///
    /// # Errors
    /// When the database does not take the first heartbeat.
    pub async fn start(&self, identity: Identity) -> crate::store::Result<()> {
        lease::first_beat(&self.shared, &identity).await?;
        let (shared, stop) = (Arc::clone(&self.shared), self.beating.clone());
        self.beats.spawn(lease::lease_loop(shared, identity, stop, Arc::clone(&self.failed_at)));
        self.beats.spawn(listen(Arc::clone(&self.shared), self.beating.clone()));
        self.beats.spawn(sweep::runs::keep(Arc::clone(&self.shared), self.beating.clone()));
        Ok(())
    }

    /// The worker role: runs these stages.
    pub fn work(&self, stages: Vec<Arc<dyn StageRunner>>) {
        workers::start(self, stages);
        let (shared, committer, stop) = (Arc::clone(&self.shared), self.committer.clone(), self.claiming.clone());
        self.tasks.spawn(claim::claim_loop(shared, committer, stop));
    }

    /// Runs reconcilers until the drain.
    pub fn sweep(&self, sweeps: Vec<Arc<dyn Sweep>>) {
        for sweep in sweeps {
            self.tasks.spawn(sweep::run(sweep, Arc::clone(&self.shared), self.claiming.clone()));
        }
    }

    /// When the lease could last not be renewed, if ever.
    pub fn last_failure(&self) -> Option<Instant> {
        *self.failed_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// SIGTERM: claims nothing new at once, lets running stages end within the drain time, gives back the rest.
    pub async fn drain(&self) {
        self.shared.places.close();
        self.claiming.cancel();
        let quiet = async {
            self.tasks.close();
            self.tasks.wait().await;
            while !self.shared.places.are_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _out_of_time = tokio::time::timeout(self.shared.settings.drain, quiet).await;
        self.beating.cancel();
        match tokio::time::timeout(GIVE_BACK, self.give_back()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "leases end by themselves");
            }
            Err(_) => tracing::warn!("the database did not answer in time: leases end by themselves"),
        }
    }

    /// What the table says is ours, which is more than the ledger knows: runs that never got their turn have left it.
    async fn give_back(&self) -> crate::store::Result<()> {
        self.beats.close();
        // A late heartbeat would bring the process back after its farewell.
        self.beats.wait().await;
        let (store, lease) = (&self.shared.store, self.shared.lease);
        store.release(lease, &store.held_by(lease).await?).await?;
        store.farewell(lease).await
    }
}

/// Turns wake-ups from other processes into local ones.
async fn listen(shared: Arc<Shared>, stop: CancellationToken) {
    use crate::hints::Wake;
    let mut wakes = shared.hints.subscribe();
    loop {
        let wake = tokio::select! {
            () = stop.cancelled() => return,
            wake = wakes.next() => wake,
        };
        match wake {
            None => return,
            Some(Wake::All) => {
                shared.jobs.notify_one();
                shared.webhooks.notify_one();
            }
            Some(Wake::Topic(topic)) => match topic.as_ref() {
                shared::JOBS => shared.jobs.notify_one(),
                shared::WEBHOOKS => shared.webhooks.notify_one(),
                shared::QUEUES => {
                    // A heartbeat follows in any case.
                    let _later = shared.follow_operators().await;
                }
                _ => {}
            },
        }
    }
}

#[cfg(test)]
mod tests;

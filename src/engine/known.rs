//! The states that this process committed last, so that the next plan needs no look into the database.
//!
//! Only of applications that it holds a job of, and only ever a hint: what is planned from them is written if the
//! database still has that revision, and planned anew from the database otherwise.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::domain::{ids::ApplicationId, ids::LeaseId, plan::Snapshot};

/// States kept at most: more than a process has places for. Beyond it everything is forgotten, which costs a look.
const LIMIT: usize = 20_000;

/// The states by application.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<ApplicationId, Snapshot>>);

impl Known {
    /// Takes a state out: two plans are never made from one.
    pub(super) fn take(&self, id: ApplicationId) -> Option<Snapshot> {
        self.lock().remove(&id)
    }

    /// Whether a state is known.
    pub(super) fn has(&self, id: ApplicationId) -> bool {
        self.lock().contains_key(&id)
    }

    /// Keeps a committed state while a job of it is leased to this process.
    pub(super) fn keep(&self, lease: LeaseId, state: Snapshot) {
        if state.jobs.iter().any(|job| job.lease == Some(lease)) {
            let mut known = self.lock();
            if known.len() >= LIMIT {
                known.clear();
            }
            known.insert(state.application.id, state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApplicationId, Snapshot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The states that this process committed last, so that the next plan needs no look into the database.
//!
//! Only of applications that it holds a job of, and only ever a hint: what is planned from them is written if the
//! database still has that revision, and planned anew from the database otherwise.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::domain::{ids::ApplicationId, ids::LeaseId, plan::Snapshot};

/// States kept at most: more than a process has places for. Beyond it everything is forgotten, which costs a look.
const LIMIT: usize = 20_000;

/// The states by application.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<ApplicationId, Arc<Snapshot>>>);

impl Known {
    /// Takes a state out: two plans are never made from one.
    pub(super) fn take(&self, id: ApplicationId) -> Option<Arc<Snapshot>> {
        self.lock().remove(&id)
    }

    /// Keeps a committed state if a job of it is leased to this process; forgets what it knew of it otherwise.
    pub(super) fn keep(&self, lease: LeaseId, state: &Arc<Snapshot>) {
        let mut known = self.lock();
        if state.jobs.iter().any(|job| job.lease == Some(lease)) {
            if known.len() >= LIMIT {
                known.clear();
            }
            known.insert(state.application.id, Arc::clone(state));
        } else {
            known.remove(&state.application.id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApplicationId, Arc<Snapshot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

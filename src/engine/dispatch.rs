//! Hands leased jobs to the apalis worker of their stage.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::domain::stage::Stage;

use super::run::Run;

/// One channel per stage. Unbounded, because every run in it holds one of the stage's places.
#[derive(Debug, Default)]
pub struct Dispatcher(RwLock<HashMap<Stage, UnboundedSender<Run>>>);

impl Dispatcher {
    /// Opens the channel of a stage; a later call replaces it (a restarted worker).
    pub fn open(&self, stage: Stage) -> UnboundedReceiver<Run> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(stage, sender);
        receiver
    }

    /// Hands a run over. Without a worker it is dropped, and the lease reconciler gives the job back.
    pub fn send(&self, run: Run) {
        let stage = run.job().stage;
        let channels = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if channels.get(&stage).is_none_or(|sender| sender.send(run).is_err()) {
            tracing::debug!(stage.name = %stage, "no worker takes the job");
        }
    }
}

//! Places: how many jobs of each stage this process may hold at once, and which stages it may start at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{domain::stage::Stage, store::types::Want};

/// Jobs held for each that can run at once. What a process continues with waits here for its turn: through the table it
/// would be written, claimed and read again, which costs as much as running it.
const HELD_PER_PLACE: usize = 4;

/// The places of one process. A process without the worker role has none.
#[derive(Debug, Default)]
pub struct Places {
    /// How many run at once, and the places of those held.
    by_stage: BTreeMap<Stage, (usize, Arc<Semaphore>)>,
    paused: RwLock<Vec<Stage>>,
    closed: AtomicBool,
}

impl Places {
    /// So many jobs of each stage at once.
    pub fn new(concurrency: impl IntoIterator<Item = (Stage, usize)>) -> Self {
        let held = |n: usize| Arc::new(Semaphore::new(n.saturating_mul(HELD_PER_PLACE).min(Semaphore::MAX_PERMITS)));
        let by_stage = concurrency.into_iter().map(|(stage, n)| (stage, (n, held(n)))).collect();
        Self { by_stage, ..Self::default() }
    }

    /// Takes a place if one is free and the stage may be started.
    pub fn take(&self, stage: Stage) -> Option<OwnedSemaphorePermit> {
        if !self.may_start(stage) {
            return None;
        }
        let (_, semaphore) = self.by_stage.get(&stage)?;
        Arc::clone(semaphore).try_acquire_owned().ok()
    }

    /// What could be claimed now: nothing that would have to wait here.
    pub fn wants(&self) -> Vec<Want> {
        self.by_stage
            .iter()
            .filter(|(stage, _)| self.may_start(**stage))
            .map(|(&stage, (n, _))| Want { stage, limit: n.saturating_sub(self.taken(stage)) })
            .filter(|want| want.limit > 0)
            .collect()
    }

    /// The stages that may be started.
    pub fn stages(&self) -> Vec<Stage> {
        self.by_stage.keys().copied().filter(|stage| self.may_start(*stage)).collect()
    }

    /// How many jobs of a stage run at once.
    pub fn concurrency(&self, stage: Stage) -> usize {
        self.by_stage.get(&stage).map_or(0, |(n, _)| *n)
    }

    /// How many jobs are held, running or waiting for their turn.
    pub fn taken(&self, stage: Stage) -> usize {
        self.by_stage
            .get(&stage)
            .map_or(0, |(n, held)| n.saturating_mul(HELD_PER_PLACE).saturating_sub(held.available_permits()))
    }

    /// Replaces the list of paused stages; answers whether one was resumed.
    pub fn set_paused(&self, stages: Vec<Stage>) -> bool {
        let mut paused = self.paused.write().unwrap_or_else(PoisonError::into_inner);
        let resumed = paused.iter().any(|stage| !stages.contains(stage));
        *paused = stages;
        resumed
    }

    /// No new jobs from now on, neither by claim nor by continuation.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Whether [`Places::close`] was called.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn may_start(&self, stage: Stage) -> bool {
        !self.is_closed() && !self.paused.read().unwrap_or_else(PoisonError::into_inner).contains(&stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: Stage = Stage::Eligibility;

    fn places() -> Places {
        Places::new([(STAGE, 2), (Stage::Generation, 1)])
    }

    fn wanted(places: &Places) -> Vec<(Stage, usize)> {
        places.wants().into_iter().map(|want| (want.stage, want.limit)).collect()
    }

    #[test]
    fn a_place_is_free_again_when_its_holder_is_gone() {
        let places = places();
        let first = places.take(STAGE).unwrap();
        let second = places.take(STAGE).unwrap();
        assert_eq!((places.taken(STAGE), places.concurrency(STAGE)), (2, 2));
        assert_eq!(wanted(&places), [(Stage::Generation, 1)], "what could not run at once is not claimed");
        drop(first);
        assert_eq!((places.taken(STAGE), wanted(&places)), (1, vec![(STAGE, 1), (Stage::Generation, 1)]));
        drop(second);
        assert_eq!(places.taken(STAGE), 0);
    }

    #[test]
    fn some_more_wait_for_their_turn() {
        let places = places();
        let held: Vec<_> = std::iter::from_fn(|| places.take(STAGE)).collect();
        assert_eq!((held.len(), places.taken(STAGE)), (2 * HELD_PER_PLACE, 2 * HELD_PER_PLACE));
        assert_eq!(wanted(&places), [(Stage::Generation, 1)]);
        drop(held);
        assert_eq!(wanted(&places), [(STAGE, 2), (Stage::Generation, 1)]);
    }

    #[test]
    fn a_stage_without_places_starts_nothing() {
        let places = places();
        assert!(places.take(Stage::Notification).is_none());
        assert_eq!((places.taken(Stage::Notification), places.concurrency(Stage::Notification)), (0, 0));
        assert!(Places::default().wants().is_empty());
    }

    #[test]
    fn a_paused_stage_starts_nothing_and_keeps_what_it_has() {
        let places = places();
        let running = places.take(STAGE);
        assert!(!places.set_paused(vec![STAGE]), "nothing was resumed");
        assert!(places.take(STAGE).is_none());
        assert_eq!((places.taken(STAGE), places.stages()), (1, vec![Stage::Generation]));
        assert_eq!(wanted(&places), [(Stage::Generation, 1)]);
        assert!(!places.set_paused(vec![STAGE, Stage::Generation]));
        assert!(places.set_paused(vec![Stage::Generation]), "one of them was");
        assert!(places.take(STAGE).is_some());
        drop(running);
    }

    #[test]
    fn a_closing_process_starts_nothing_more() {
        let places = places();
        places.close();
        assert!(places.is_closed() && places.take(STAGE).is_none());
        assert!(places.wants().is_empty() && places.stages().is_empty());
    }
}

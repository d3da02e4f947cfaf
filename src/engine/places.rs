//! Places: how many jobs of each stage this process may hold, how many of them run at once, and which stages it may
//! start at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::{domain::stage::Stage, store::types::Want};

use super::turns::{Turn, Turns};

/// Jobs held for each that can run at once. What a process continues with waits here for its turn: through the table it
/// would be written, claimed and read again, which costs as much as running it.
const HELD_PER_TURN: usize = 8;

/// The places of one process. A process without the worker role has none.
#[derive(Debug, Default)]
pub struct Places {
    by_stage: BTreeMap<Stage, Room>,
    paused: RwLock<Vec<Stage>>,
    closed: AtomicBool,
}

/// One stage's places.
#[derive(Debug)]
struct Room {
    /// How many run at once where no operator says otherwise.
    own: usize,
    turns: Arc<Turns>,
    held: Arc<AtomicUsize>,
}

impl Room {
    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// The place of a job that this process holds; free when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Places {
    /// So many runs of each stage at once.
    pub fn new(concurrency: impl IntoIterator<Item = (Stage, usize)>) -> Self {
        let room = |own| Room { own, turns: Turns::new(own), held: Arc::default() };
        let by_stage = concurrency.into_iter().map(|(stage, own)| (stage, room(own))).collect();
        Self { by_stage, ..Self::default() }
    }

    /// Takes a place if one is free and the stage may be started.
    pub fn take(&self, stage: Stage) -> Option<Place> {
        let room = self.by_stage.get(&stage).filter(|_| self.may_start(stage))?;
        let room_for = room.turns.limit().saturating_mul(HELD_PER_TURN);
        let more = |held| (held < room_for).then_some(held + 1);
        room.held.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Place(Arc::clone(&room.held)))
    }

    /// Waits until a run of the stage may begin. None once the process closes: the job goes back into the table.
    pub async fn turn(&self, stage: Stage) -> Option<Turn> {
        self.by_stage.get(&stage)?.turns.take().await
    }

    /// What could be claimed now: nothing that would have to wait here.
    pub fn wants(&self) -> Vec<Want> {
        self.by_stage
            .iter()
            .filter(|(stage, _)| self.may_start(**stage))
            .map(|(&stage, room)| Want { stage, limit: room.turns.limit().saturating_sub(room.held()) })
            .filter(|want| want.limit > 0)
            .collect()
    }

    /// The stages that may be started.
    pub fn stages(&self) -> Vec<Stage> {
        self.by_stage.keys().copied().filter(|stage| self.may_start(*stage)).collect()
    }

    /// How many jobs of a stage run at once.
    pub fn concurrency(&self, stage: Stage) -> usize {
        self.by_stage.get(&stage).map_or(0, |room| room.turns.limit())
    }

    /// How many jobs are held, running or waiting for their turn.
    pub fn taken(&self, stage: Stage) -> usize {
        self.by_stage.get(&stage).map_or(0, Room::held)
    }

    /// Whether no job is held, nor about to be.
    pub fn are_empty(&self) -> bool {
        self.by_stage.values().all(|room| room.held() == 0)
    }

    /// Replaces the list of paused stages; answers whether one was resumed.
    pub fn set_paused(&self, stages: Vec<Stage>) -> bool {
        let mut paused = self.paused.write().unwrap_or_else(PoisonError::into_inner);
        let resumed = paused.iter().any(|stage| !stages.contains(stage));
        *paused = stages;
        resumed
    }

    /// Lets so many run at once as operators say, else as many as at the start; answers whether a stage has more now.
    pub fn set_limits(&self, said: impl Fn(Stage) -> Option<usize>) -> bool {
        let more = |(stage, room): (&Stage, &Room)| room.turns.set_limit(said(*stage).unwrap_or(room.own));
        self.by_stage.iter().map(more).fold(false, |any, more| any | more)
    }

    /// No new jobs from now on, neither by claim nor by continuation, and no turn for those that wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.by_stage.values().for_each(|room| room.turns.close());
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
        assert_eq!((held.len(), places.taken(STAGE)), (2 * HELD_PER_TURN, 2 * HELD_PER_TURN));
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

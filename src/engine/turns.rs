//! Turns: how many runs of a stage go on at once in this process. Operators change the number while runs go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The turns of one stage, given in the order in which they were asked for.
#[derive(Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    size: Mutex<Size>,
}

#[derive(Debug)]
struct Size {
    limit: usize,
    /// Turns beyond the limit that are still taken: they go away when they end.
    excess: usize,
}

impl Turns {
    /// So many at once.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { free: Arc::new(Semaphore::new(limit)), size: Mutex::new(Size { limit, excess: 0 }) })
    }

    /// How many at once.
    pub fn limit(&self) -> usize {
        self.size().limit
    }

    /// More or fewer from now on; what runs goes on. Answers whether there are more.
    pub fn set_limit(&self, limit: usize) -> bool {
        let mut size = self.size();
        let more = limit.saturating_sub(size.limit);
        let fewer = size.limit.saturating_sub(limit);
        let kept = more.min(size.excess);
        self.free.add_permits(more - kept);
        size.excess = size.excess - kept + (fewer - self.free.forget_permits(fewer));
        size.limit = limit;
        more > 0
    }

    /// Waits for a turn; none once the turns are closed.
    pub async fn take(self: &Arc<Self>) -> Option<Turn> {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok()?;
        Some(Turn { permit: Some(permit), turns: Arc::clone(self) })
    }

    /// Nobody gets a turn any more, not even who waits for one.
    pub fn close(&self) {
        self.free.close();
    }

    fn size(&self) -> MutexGuard<'_, Size> {
        self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn; the next one's when it is dropped.
#[derive(Debug)]
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    turns: Arc<Turns>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut size = self.turns.size();
        if size.excess > 0
            && let Some(permit) = self.permit.take()
        {
            size.excess -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn take(turns: &Arc<Turns>) -> Option<Turn> {
        turns.take().now_or_never().flatten()
    }

    #[test]
    fn fewer_turns_count_as_soon_as_those_that_are_taken_end() {
        let turns = Turns::new(3);
        let mut taken: Vec<_> = std::iter::from_fn(|| take(&turns)).collect();
        assert_eq!(taken.len(), 3);
        assert!(!turns.set_limit(1));
        for _ in 0..2 {
            taken.pop();
            assert!(take(&turns).is_none(), "{} go on", taken.len());
        }
        taken.pop();
        let one = take(&turns);
        assert!(one.is_some() && take(&turns).is_none());
        assert!(turns.set_limit(2));
        assert!(take(&turns).is_some());
        assert_eq!(turns.limit(), 2);
    }

    #[test]
    fn a_number_that_goes_down_and_up_again_is_the_same() {
        let turns = Turns::new(4);
        let taken: Vec<_> = std::iter::from_fn(|| take(&turns)).take(3).collect();
        for limit in [1, 2, 1, 4, 0, 4] {
            turns.set_limit(limit);
        }
        drop(taken);
        assert_eq!(std::iter::from_fn(|| take(&turns)).collect::<Vec<_>>().len(), 4);
    }

    #[tokio::test]
    async fn who_waits_is_sent_away_when_the_turns_close() {
        let turns = Turns::new(1);
        let first = turns.take().await;
        let mut second = Box::pin(turns.take());
        assert!(second.as_mut().now_or_never().is_none());
        turns.close();
        assert!(second.await.is_none() && first.is_some());
    }
}

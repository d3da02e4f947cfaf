//! A value that may be a moment old: many callers, one look.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// Remembers one value for a short time. Callers that come together wait for one look.
#[derive(Debug)]
pub(super) struct Cached<T> {
    keep: Duration,
    slot: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Remembers for so long.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, slot: Mutex::new(None) }
    }

    /// The remembered value, or a fresh one.
    ///
    /// # Errors
    /// Those of `load`; nothing is remembered then.
    pub(super) async fn get<E>(&self, load: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E> {
        let mut slot = self.slot.lock().await;
        if let Some((at, value)) = slot.as_ref()
            && at.elapsed() < self.keep
        {
            return Ok(value.clone());
        }
        let value = load().await?;
        *slot = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    /// Forgets: the next caller looks again.
    pub(super) async fn forget(&self) {
        *self.slot.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looks_once_until_it_forgets() {
        let cached = Cached::new(Duration::from_secs(3600));
        assert_eq!(cached.get(async || Ok::<_, ()>(1)).await, Ok(1));
        assert_eq!(cached.get(async || Ok::<_, ()>(2)).await, Ok(1));
        cached.forget().await;
        assert_eq!(cached.get(async || Err::<i32, _>("away")).await, Err("away"));
        assert_eq!(cached.get(async || Ok::<_, ()>(3)).await, Ok(3));
    }
}

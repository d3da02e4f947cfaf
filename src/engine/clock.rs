//! The database's clock, read without asking the database each time: plans and due times use it, so that a
//! worker's own clock or time zone changes nothing.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Instant,
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::{self, Store};

/// The database's time, carried forward by the process's monotonic clock between two looks.
#[derive(Debug)]
pub struct DbClock {
    origin: Instant,
    /// Database time at `origin`, in microseconds since 1970.
    at_origin: AtomicI64,
}

impl DbClock {
    /// Asks the database once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(store: &dyn Store) -> store::Result<Self> {
        let clock = Self { origin: Instant::now(), at_origin: AtomicI64::new(0) };
        clock.sync(store).await?;
        Ok(clock)
    }

    /// Asks again: the two clocks drift.
    ///
    /// # Errors
    /// When the database does not answer; the clock goes on as before.
    pub async fn sync(&self, store: &dyn Store) -> store::Result<()> {
        let before = self.micros();
        let now = store.now().await?;
        let middle = i64::midpoint(before, self.micros());
        self.at_origin.store(now.timestamp_micros() - middle, Ordering::Relaxed);
        Ok(())
    }

    /// Now, in microseconds like the databases.
    pub fn now(&self) -> DateTime<Utc> {
        let micros = self.at_origin.load(Ordering::Relaxed) + self.micros();
        DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros)
    }

    /// Moves the clock on.
    #[cfg(test)]
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.at_origin.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
    }

    fn micros(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

//! The store on an embedded SQLite file: one writing connection, a few reading ones, durable at every commit.
//!
//! The database's clock is this machine's. Each statement costs a trip to the connection's own thread, so one statement takes
//! many rows: as bound values (`values`) where every application writes them, as one JSON parameter elsewhere.

mod admit;
mod applications;
mod audit;
mod batches;
mod ceiling;
mod codec;
mod commit;
mod forecasts;
mod insight;
mod jobs;
mod licences;
mod lifecycle;
mod open;
mod operations;
mod retention;
mod reviews;
mod schedules;
mod users;
mod values;
mod webhooks;
mod write;

use std::{fs::File, future::Future, io, time::Duration};

use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction, pool::PoolConnection};
use tokio::runtime::Handle;

use super::{Result, StoreError};

/// Everything in one SQLite file. Safe to share; several processes may open one file, one of them exclusively.
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    limit: Duration,
    _lock: Option<File>,
}

impl SqliteStore {
    /// Ends a call that has no answer after the time limit.
    async fn within<T>(&self, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        within(self.limit, call).await
    }

    /// [`within`](Self::within) the limit on a thread of its own: a transaction of many statements would wait between any two
    /// for a thread of the runtime to be free, and every other one for its end.
    async fn apart<T: Send + 'static>(&self, call: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let (runtime, call) = (Handle::current(), within(self.limit, call));
        match tokio::task::spawn_blocking(move || runtime.block_on(call)).await {
            Ok(result) => result,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(unavailable(io::ErrorKind::Interrupted, "the program ends")),
            },
        }
    }

    async fn writer(&self) -> Result<Writer> {
        Writer::of(&self.writer).await
    }
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
    let late = |_| Err(unavailable(io::ErrorKind::TimedOut, "no answer in time"));
    tokio::time::timeout(limit, call).await.unwrap_or_else(late)
}

fn unavailable(kind: io::ErrorKind, why: &str) -> StoreError {
    StoreError::Unavailable(sqlx::Error::Io(io::Error::new(kind, why)))
}

/// The writing connection. Whoever does not [`settle`](Writer::settle) it closes it: after a failed or abandoned
/// transaction nobody knows what state the connection is in.
struct Writer {
    connection: PoolConnection<Sqlite>,
    settled: bool,
}

impl Writer {
    async fn of(pool: &SqlitePool) -> Result<Self> {
        Ok(Self { connection: pool.acquire().await?, settled: false })
    }

    /// Begins a transaction that writes; waits for other processes here and nowhere later.
    async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>> {
        Ok(self.connection.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Gives the connection back after a commit or rollback that worked.
    fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.settled {
            self.connection.close_on_drop();
        }
    }
}

/// The clock of leases and due times, in the precision that is stored.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

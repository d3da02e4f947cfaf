//! The store on PostgreSQL 14 or newer.
//!
//! Every call has a limit, and a connection whose call did not end in order is closed, never used again.

mod admission;
mod appended;
mod applications;
mod arrays;
mod audit;
mod batches;
mod ceiling;
mod commit;
mod forecasts;
mod insight;
mod jobs;
mod licences;
mod lifecycle;
mod operations;
mod retention;
mod reviews;
mod row;
mod schedules;
mod schema;
mod snapshot;
mod users;
mod wake;
mod webhooks;

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
    query::Query,
};

pub use wake::{Notice, PostgresHints};

use super::{Options, Result, StoreError};
use crate::domain::ids::ApplicationId;

/// The store on PostgreSQL. Clones share the connections.
#[derive(Clone)]
pub struct PostgresStore {
    /// Reads, and whatever runs now and then.
    pool: PgPool,
    /// Admissions and commits.
    writers: PgPool,
    /// The limit of a whole call, on this side of the network.
    limit: Duration,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.pool.size() + self.writers.size();
        f.debug_struct("PostgresStore").field("connections", &connections).finish_non_exhaustive()
    }
}

/// A connection that is unused for so long is tried before it is lent.
const UNPROVEN: Duration = Duration::from_secs(1);

/// Connections that admit and commit at most: as many as do so at once.
const WRITERS: u32 = 8;

/// How the server plans what is written, and it does so once for each connection: planned each time, a commit took half as
/// long again. Kept plans must suit every load, whatever the table's statistics said when they were made, and those of the jobs
/// are often made while hardly any waits: a nested loop over a batch looked good for the one job that was there, and took half a
/// second for a thousand. So rows are matched by hashes, and no index is read as a whole.
const WRITING: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_indexscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("enable_nestloop", "off"),
    ("enable_hashjoin", "on"),
];

/// How often a transaction is repeated that collided with others.
const REPEATS: u32 = 8;

impl PostgresStore {
    /// Connects to a server whose schema is the program's.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for an address that is none, [`StoreError::Unsafe`] when the server does not keep what
    /// it acknowledged, [`StoreError::Schema`] when the schema is older or newer than the program.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let server = address(url)?.options([
            ("statement_timeout", options.statement_timeout.as_millis().to_string()),
            ("lock_timeout", (options.statement_timeout / 2).as_millis().to_string()),
            ("idle_in_transaction_session_timeout", (options.statement_timeout * 2).as_millis().to_string()),
            // Compiling a statement that runs for a millisecond takes longer than running it.
            ("jit", "off".to_owned()),
            // Plans are kept, and the first ones are made while the tables are empty: without this they would read whole
            // tables for minutes. Every statement that runs often finds its few rows by an index.
            ("enable_seqscan", "off".to_owned()),
            ("enable_hashjoin", "off".to_owned()),
            ("enable_mergejoin", "off".to_owned()),
        ]);
        let writing = server.clone().options(WRITING);
        let writers = (options.connections / 2).clamp(1, WRITERS);
        let readers = options.connections.saturating_sub(writers).max(1);
        let store = Self {
            pool: pool(server, readers, options),
            writers: pool(writing, writers, options),
            limit: options.acquire_timeout + options.statement_timeout,
        };
        store.limited(store.inspect()).await?;
        Ok(store)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
        self.writers.close().await;
    }

    /// Refuses a server or a schema that the program must not work with.
    async fn inspect(&self) -> Result<()> {
        let mut lent = self.lend().await?;
        schema::refuse_unsafe(&mut lent).await?;
        schema::refuse_other(&mut lent).await?;
        lent.give_back();
        Ok(())
    }

    /// A connection for more than one statement.
    async fn lend(&self) -> Result<Lent> {
        Ok(Lent { connection: self.pool.acquire().await?, in_order: false })
    }

    /// A connection for what is written again and again in the same way.
    async fn lend_to_write(&self) -> Result<Lent> {
        Ok(Lent { connection: self.writers.acquire().await?, in_order: false })
    }

    /// Gives up what takes longer than a call may.
    async fn limited<T>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        match tokio::time::timeout(self.limit, work).await {
            Ok(result) => result,
            Err(_) => Err(StoreError::Unavailable(sqlx::Error::Io(io::ErrorKind::TimedOut.into()))),
        }
    }

    /// The rows of one statement.
    async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<PgRow>> {
        self.limited(async {
            let mut lent = self.lend().await?;
            let rows = query.fetch_all(&mut *lent).await?;
            lent.give_back();
            Ok(rows)
        })
        .await
    }

    /// The first row of one statement, if it has any.
    async fn row(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Option<PgRow>> {
        self.limited(async {
            let mut lent = self.lend().await?;
            let row = query.fetch_optional(&mut *lent).await?;
            lent.give_back();
            Ok(row)
        })
        .await
    }

    /// The column `application_id` of one statement's rows.
    async fn ids(&self, query: Query<'_, Postgres, PgArguments>) -> Result<Vec<ApplicationId>> {
        self.rows(query).await?.iter().map(row::application_id).collect()
    }

    /// How many rows one statement changed.
    async fn execute(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64> {
        self.limited(async {
            let mut lent = self.lend().await?;
            let done = query.execute(&mut *lent).await?;
            lent.give_back();
            Ok(done.rows_affected())
        })
        .await
    }
}

fn pool(server: PgConnectOptions, connections: u32, options: &Options) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > UNPROVEN {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(server)
}

/// The server's address with what every connection to it has in common.
fn address(url: &str) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().map_err(|error| {
        StoreError::Unusable(format!("`DATABASE_URL` is not `postgres://user:password@host:port/database`: {error}"))
    })?;
    Ok(options.application_name("greenlane").statement_cache_capacity(256))
}

/// Whether the transaction is to be repeated from the start.
fn is_collision(error: &StoreError) -> bool {
    match error {
        StoreError::Unavailable(sqlx::Error::Database(answer)) => {
            answer.code().is_some_and(|state| matches!(&*state, "40001" | "40P01"))
        }
        _ => false,
    }
}

/// A connection that goes back to the pool only when its call ended in order. After an error, a time-out or a dropped
/// call nobody knows what is still on its way through it, so that it is closed.
struct Lent {
    connection: PoolConnection<Postgres>,
    in_order: bool,
}

impl Lent {
    fn give_back(mut self) {
        self.in_order = true;
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.in_order {
            self.connection.close_on_drop();
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

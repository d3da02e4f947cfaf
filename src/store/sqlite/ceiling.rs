//! The ceiling of the benchmark: the same number of state changes as an application has, written as plainly as possible.

use std::time::{Duration, Instant};

use sqlx::query;

use super::{
    super::{
        Result,
        types::{CEILING_STEPS, Ceiling},
    },
    SqliteStore,
};

const TABLES: [&str; 2] = [
    "CREATE TABLE ceiling_states (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE ceiling_events (id INTEGER NOT NULL, step INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (id, step)) WITHOUT ROWID",
];

/// The numbers `?1` to `?2`.
macro_rules! numbers {
    () => {
        "WITH RECURSIVE n(id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < ?2) "
    };
}

impl SqliteStore {
    /// SQLite has one writer, so the batches come one after another.
    pub(super) async fn ceiling(&self, ceiling: &Ceiling) -> Result<Duration> {
        let mut writer = self.writer().await?;
        drop_tables(&mut writer).await?;
        for table in TABLES {
            query(table).execute(&mut *writer.connection).await?;
        }
        let (state, event) = ("s".repeat(ceiling.state_bytes), "e".repeat(ceiling.event_bytes));
        let started = Instant::now();
        let (mut first, end) = (0, i64::try_from(ceiling.applications).unwrap_or(i64::MAX));
        let batch = i64::try_from(ceiling.batch.max(1)).unwrap_or(i64::MAX);
        while first < end {
            let last = (first + batch).min(end) - 1;
            let mut tx = writer.begin().await?;
            query(concat!(numbers!(), "INSERT INTO ceiling_states SELECT id, 0, ?3 FROM n"))
                .bind(first)
                .bind(last)
                .bind(&state)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            for step in 1..=i64::try_from(CEILING_STEPS).unwrap_or(i64::MAX) {
                let mut tx = writer.begin().await?;
                query("UPDATE ceiling_states SET step = ?3, state = ?4 WHERE id BETWEEN ?1 AND ?2")
                    .bind(first)
                    .bind(last)
                    .bind(step)
                    .bind(&state)
                    .execute(&mut *tx)
                    .await?;
                query(concat!(numbers!(), "INSERT INTO ceiling_events SELECT id, ?3, ?4 FROM n"))
                    .bind(first)
                    .bind(last)
                    .bind(step)
                    .bind(&event)
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
            }
            first = last + 1;
        }
        let elapsed = started.elapsed();
        drop_tables(&mut writer).await?;
        writer.settle();
        Ok(elapsed)
    }
}

async fn drop_tables(writer: &mut super::Writer) -> Result<()> {
    for table in ["ceiling_states", "ceiling_events"] {
        query(sqlx::AssertSqlSafe(format!("DROP TABLE IF EXISTS {table}"))).execute(&mut *writer.connection).await?;
    }
    Ok(())
}

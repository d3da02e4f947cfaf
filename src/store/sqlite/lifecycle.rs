//! Schema, clock, processes.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::query;

use super::{
    super::{
        Lifecycle, Result,
        types::{PinnedWorkflow, Process, StoredCalendar},
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, texts, to_document},
    now,
};
use crate::domain::ids::LeaseId;

#[async_trait]
impl Lifecycle for SqliteStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(now())
    }

    async fn ping(&self) -> Result<()> {
        self.within(async {
            query("SELECT 1 FROM processes LIMIT 1").fetch_optional(&self.readers).await?;
            Ok(())
        })
        .await
    }

    async fn heartbeat(&self, process: &Process, hold: Duration) -> Result<()> {
        self.within(async {
            let now = now();
            query(
                "INSERT INTO processes (lease, lease_until, seen_at, document) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (lease) DO UPDATE SET lease_until = excluded.lease_until, seen_at = excluded.seen_at, document = excluded.document",
            )
            .bind(process.lease.to_string())
            .bind(stamp(now + hold))
            .bind(stamp(now))
            .bind(to_document("process", process)?)
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn farewell(&self, lease: LeaseId) -> Result<()> {
        self.within(async {
            query("DELETE FROM processes WHERE lease = ?1").bind(lease.to_string()).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    async fn rescue(&self) -> Result<u64> {
        self.within(async {
            let now = stamp(now());
            let lapsed = query(
                "SELECT 1 WHERE EXISTS (SELECT 1 FROM processes WHERE lease_until <= ?1) \
                 OR EXISTS (SELECT 1 FROM jobs WHERE lease IS NOT NULL AND lease NOT IN (SELECT lease FROM processes))",
            );
            if lapsed.bind(&now).fetch_optional(&self.readers).await?.is_none() {
                return Ok(0);
            }
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            query("DELETE FROM processes WHERE lease_until <= ?1").bind(&now).execute(&mut *tx).await?;
            // Also a job that was leased to a process which had been forgotten before.
            let freed = query(
                "UPDATE jobs SET lease = NULL, crashes = crashes + (crashes < 2 OR alone_fence = fence) \
                 WHERE lease IS NOT NULL AND lease NOT IN (SELECT lease FROM processes)",
            )
            .execute(&mut *tx)
            .await?
            .rows_affected();
            tx.commit().await?;
            writer.settle();
            Ok(freed)
        })
        .await
    }

    async fn processes(&self) -> Result<Vec<Process>> {
        self.within(async {
            let rows = query("SELECT seen_at, document FROM processes WHERE lease_until > ?1 ORDER BY lease")
                .bind(stamp(now()))
                .fetch_all(&self.readers)
                .await?;
            rows.iter()
                .map(|row| Ok(Process { seen_at: row.parsed("seen_at")?, ..row.document("process", "document")? }))
                .collect()
        })
        .await
    }

    async fn pin_workflows(&self, workflows: &[PinnedWorkflow]) -> Result<Vec<PinnedWorkflow>> {
        self.within(async {
            let rows = workflows.iter().map(|pin| vec![pin.id.as_str(), &pin.hash, &pin.source]);
            query(
                "INSERT INTO workflows (id, hash, source) \
                 SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true ON CONFLICT (id) DO NOTHING",
            )
            .bind(list(rows))
            .execute(&self.writer)
            .await?;
            let known = query("SELECT id, hash, source FROM workflows WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id")
                .bind(texts(workflows.iter().map(|pin| &pin.id)))
                .fetch_all(&self.writer)
                .await?;
            known.iter().map(pinned).collect()
        })
        .await
    }

    async fn pinned_workflows(&self) -> Result<Vec<PinnedWorkflow>> {
        self.within(async {
            let rows = query("SELECT id, hash, source FROM workflows ORDER BY id").fetch_all(&self.readers).await?;
            rows.iter().map(pinned).collect()
        })
        .await
    }

    async fn import_calendar(&self, calendar: &StoredCalendar) -> Result<()> {
        self.within(async {
            query("INSERT INTO calendars (version, source, imported_at) VALUES (?1, ?2, ?3)")
                .bind(&calendar.version)
                .bind(&calendar.source)
                .bind(stamp(calendar.imported_at))
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    async fn latest_calendar(&self) -> Result<Option<StoredCalendar>> {
        self.within(async {
            let row = query("SELECT version, source, imported_at FROM calendars ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.readers)
                .await?;
            row.map(|row| {
                Ok(StoredCalendar {
                    version: row.text("version")?,
                    source: row.text("source")?,
                    imported_at: row.parsed("imported_at")?,
                })
            })
            .transpose()
        })
        .await
    }
}

fn pinned(row: &sqlx::sqlite::SqliteRow) -> Result<PinnedWorkflow> {
    Ok(PinnedWorkflow { id: row.text("id")?, hash: row.text("hash")?, source: row.text("source")? })
}

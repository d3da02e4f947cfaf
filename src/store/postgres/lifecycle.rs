//! Schema, clock, processes.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow, query};

use super::{PostgresStore, row};
use crate::{
    domain::ids::LeaseId,
    store::{
        Lifecycle, Result, StoreError,
        types::{PinnedWorkflow, Process, StoredCalendar},
    },
};

#[async_trait]
impl Lifecycle for PostgresStore {
    async fn now(&self) -> Result<DateTime<Utc>> {
        let row = self.row(query("SELECT now()")).await?.ok_or(StoreError::Refused(sqlx::Error::RowNotFound))?;
        Ok(row.try_get(0)?)
    }

    async fn ping(&self) -> Result<()> {
        self.row(query("SELECT 1 FROM processes LIMIT 1")).await?;
        Ok(())
    }

    async fn heartbeat(&self, process: &Process, hold: Duration) -> Result<()> {
        let heartbeat = query(
            "INSERT INTO processes (lease, lease_until, seen_at, document)
             VALUES ($1, now() + make_interval(secs => $2), now(), $3)
             ON CONFLICT (lease) DO UPDATE SET
                lease_until = excluded.lease_until, seen_at = excluded.seen_at, document = excluded.document",
        );
        self.execute(heartbeat.bind(process.lease.0).bind(hold.as_secs_f64()).bind(row::text(process)?)).await?;
        Ok(())
    }

    async fn farewell(&self, lease: LeaseId) -> Result<()> {
        self.execute(query("DELETE FROM processes WHERE lease = $1").bind(lease.0)).await?;
        Ok(())
    }

    async fn rescue(&self) -> Result<u64> {
        // Also a job of a process that was forgotten before. Whoever renews its lease meanwhile keeps it: both writes
        // look again at the row that they waited for.
        self.execute(query(
            "WITH lapsed AS (DELETE FROM processes WHERE lease_until <= now() RETURNING lease)
             UPDATE jobs SET lease = NULL,
                crashes = crashes + CASE WHEN crashes < 2 OR alone_fence = fence THEN 1 ELSE 0 END
             WHERE lease IS NOT NULL AND (
                lease IN (SELECT lease FROM lapsed) OR lease NOT IN (SELECT lease FROM processes))",
        ))
        .await
    }

    async fn processes(&self) -> Result<Vec<Process>> {
        let rows = self
            .rows(query("SELECT seen_at, document FROM processes WHERE lease_until > now() ORDER BY lease"))
            .await?;
        rows.iter()
            .map(|row| Ok(Process { seen_at: row.try_get("seen_at")?, ..row::document(row, "document", "process")? }))
            .collect()
    }

    async fn pin_workflows(&self, workflows: &[PinnedWorkflow]) -> Result<Vec<PinnedWorkflow>> {
        let ids: Vec<&str> = workflows.iter().map(|workflow| workflow.id.as_str()).collect();
        let pin = query(
            "INSERT INTO workflows (id, hash, source) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
             ON CONFLICT DO NOTHING",
        )
        .bind(&ids)
        .bind(workflows.iter().map(|workflow| workflow.hash.as_str()).collect::<Vec<_>>())
        .bind(workflows.iter().map(|workflow| workflow.source.as_str()).collect::<Vec<_>>());
        self.execute(pin).await?;
        // A statement of its own sees what another process pinned meanwhile.
        let known = query("SELECT id, hash, source FROM workflows WHERE id = ANY($1) ORDER BY id").bind(ids);
        self.rows(known).await?.iter().map(pinned).collect()
    }

    async fn pinned_workflows(&self) -> Result<Vec<PinnedWorkflow>> {
        self.rows(query("SELECT id, hash, source FROM workflows ORDER BY id")).await?.iter().map(pinned).collect()
    }

    async fn import_calendar(&self, calendar: &StoredCalendar) -> Result<()> {
        let import = query("INSERT INTO calendars (version, source, imported_at) VALUES ($1, $2, $3)")
            .bind(&calendar.version)
            .bind(&calendar.source)
            .bind(calendar.imported_at);
        self.execute(import).await?;
        Ok(())
    }

    async fn latest_calendar(&self) -> Result<Option<StoredCalendar>> {
        let row =
            self.row(query("SELECT version, source, imported_at FROM calendars ORDER BY id DESC LIMIT 1")).await?;
        let calendar = |row: PgRow| {
            Ok(StoredCalendar {
                version: row.try_get("version")?,
                source: row.try_get("source")?,
                imported_at: row.try_get("imported_at")?,
            })
        };
        row.map(calendar).transpose()
    }
}

fn pinned(row: &PgRow) -> Result<PinnedWorkflow> {
    Ok(PinnedWorkflow { id: row.try_get("id")?, hash: row.try_get("hash")?, source: row.try_get("source")? })
}

//! Claiming jobs, giving them back, and finding what is due.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{SqliteConnection, query, sqlite::SqliteRow};

use super::{
    super::{
        Jobs, Result,
        types::{ClaimBatch, Claimed, Held, Planner, Want, Write},
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, texts},
    now,
};
use crate::domain::{
    ids::{ApplicationId, LeaseId},
    job::{Job, SUSPECT_CRASHES},
    stage::Stage,
};

/// Job `j` with its application and applicant.
macro_rules! claimable {
    ($condition:literal) => {
        concat!(
            "SELECT j.slot, j.stage, j.due_at, j.fence, j.attempts, j.crashes, j.priority, a.document, p.key_id, p.wrapped_key, p.ciphertext \
             FROM jobs j CROSS JOIN applications a ON a.id = j.application_id CROSS JOIN applicants p ON p.application_id = a.id \
             WHERE j.lease IS NULL AND j.due_at <= ?1 AND ",
            $condition
        )
    };
}

#[async_trait]
impl Jobs for SqliteStore {
    async fn claim(&self, lease: LeaseId, wants: &[Want]) -> Result<ClaimBatch> {
        let mut limits: BTreeMap<Stage, usize> = BTreeMap::new();
        for want in wants.iter().filter(|want| want.limit > 0) {
            *limits.entry(want.stage).or_default() += want.limit;
        }
        if limits.is_empty() {
            return Ok(ClaimBatch::default());
        }
        self.within(async {
            let mut suspects = false;
            let mut ready = Vec::new();
            for row in self.what_is_due(limits.keys()).await? {
                suspects |= row.suspects;
                ready.extend(row.ready.then_some(row.stage));
            }
            if ready.is_empty() {
                return Ok(ClaimBatch { claimed: Vec::new(), suspects });
            }
            let now = stamp(now());
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let mut claimed = Vec::new();
            for stage in ready {
                let limit = limits.get(&stage).copied().unwrap_or_default();
                let rows = query(claimable!(
                    "j.stage = ?2 AND j.crashes < ?3 ORDER BY j.priority DESC, j.due_at, j.application_id LIMIT ?4"
                ))
                .bind(&now)
                .bind(stage.as_str())
                .bind(SUSPECT_CRASHES)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&mut *tx)
                .await?;
                for row in rows {
                    claimed.push(claim_of(&row, lease)?);
                }
            }
            take(&mut tx, lease, &claimed).await?;
            tx.commit().await?;
            writer.settle();
            Ok(ClaimBatch { claimed, suspects })
        })
        .await
    }

    async fn claim_suspect(&self, lease: LeaseId, stages: &[Stage]) -> Result<Option<Claimed>> {
        self.within(async {
            if !self.what_is_due(stages).await?.iter().any(|due| due.suspects) {
                return Ok(None);
            }
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let row = query(claimable!(
                "j.stage IN (SELECT value FROM json_each(?2)) AND j.crashes >= 2 ORDER BY j.priority DESC, j.due_at, j.application_id LIMIT 1"
            ))
            .bind(stamp(now()))
            .bind(texts(stages))
            .fetch_optional(&mut *tx)
            .await?;
            let claimed = row.as_ref().map(|row| claim_of(row, lease)).transpose()?;
            take(&mut tx, lease, claimed.as_slice()).await?;
            tx.commit().await?;
            writer.settle();
            Ok(claimed)
        })
        .await
    }

    async fn held_by(&self, lease: LeaseId) -> Result<Vec<Held>> {
        self.within(async {
            let held =
                query("SELECT application_id, slot, fence FROM jobs WHERE lease = ?1 ORDER BY application_id, slot");
            let rows = held.bind(lease.to_string()).fetch_all(&self.readers).await?;
            rows.iter()
                .map(|row| {
                    Ok(Held {
                        application_id: row.parsed("application_id")?,
                        slot: row.parsed("slot")?,
                        fence: row.number("fence")?,
                    })
                })
                .collect()
        })
        .await
    }

    async fn mark_alone(&self, lease: LeaseId, held: Held) -> Result<bool> {
        self.within(async {
            let marked = query("UPDATE jobs SET alone_fence = fence WHERE application_id = ?1 AND slot = ?2 AND fence = ?3 AND lease = ?4")
                .bind(held.application_id.to_string())
                .bind(held.slot.as_str())
                .bind(held.fence)
                .bind(lease.to_string())
                .execute(&self.writer)
                .await?;
            Ok(marked.rows_affected() == 1)
        })
        .await
    }

    async fn release(&self, lease: LeaseId, held: &[Held]) -> Result<()> {
        self.put_off(lease, held, Duration::ZERO).await
    }

    async fn put_off(&self, lease: LeaseId, held: &[Held], wait: Duration) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        self.within(async {
            query(
                "UPDATE jobs SET lease = NULL, due_at = ?1 WHERE lease = ?2 \
                 AND (application_id, slot, fence) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))",
            )
            .bind(stamp(now() + wait))
            .bind(lease.to_string())
            .bind(list(held.iter().map(|held| json!([held.application_id, held.slot, held.fence]))))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn commit(&self, ids: &[ApplicationId], planner: &mut dyn Planner) -> Result<()> {
        self.within(self.commit_plans(ids, planner)).await
    }

    async fn commit_known(&self, writes: &[Write]) -> Result<bool> {
        self.commit_known_plans(writes).await
    }

    async fn next_due(&self, stages: &[Stage]) -> Result<Option<DateTime<Utc>>> {
        self.within(async {
            let row = query(
                "SELECT min(due) AS due FROM (SELECT (SELECT min(due_at) FROM jobs WHERE lease IS NULL AND stage = s.value) AS due \
                 FROM json_each(?1) s)",
            )
            .bind(texts(stages))
            .fetch_one(&self.readers)
            .await?;
            row.parsed_opt("due")
        })
        .await
    }

    async fn due_deadlines(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        self.within(async {
            let due = query(
                "SELECT id FROM applications WHERE deadline_check_at <= ?1 ORDER BY deadline_check_at, id LIMIT ?2",
            );
            let rows =
                due.bind(stamp(now())).bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&self.readers).await?;
            rows.iter().map(|row| row.parsed("id")).collect()
        })
        .await
    }

    async fn outdated_deadlines(&self, version: &str, limit: usize) -> Result<Vec<ApplicationId>> {
        self.within(async {
            let outdated = query("SELECT id FROM applications WHERE calendar < ?1 OR calendar > ?1 LIMIT ?2");
            let rows =
                outdated.bind(version).bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(&self.readers).await?;
            rows.iter().map(|row| row.parsed("id")).collect()
        })
        .await
    }
}

/// What a stage has for a claim.
struct Due {
    stage: Stage,
    ready: bool,
    suspects: bool,
}

impl SqliteStore {
    /// Looks without writing, so that an idle process leaves the one writer alone.
    async fn what_is_due(&self, stages: impl IntoIterator<Item = &Stage>) -> Result<Vec<Due>> {
        let rows = query(
            "SELECT s.value AS stage, \
             EXISTS (SELECT 1 FROM jobs WHERE stage = s.value AND lease IS NULL AND due_at <= ?1 AND crashes < 2) AS ready, \
             EXISTS (SELECT 1 FROM jobs WHERE stage = s.value AND lease IS NULL AND due_at <= ?1 AND crashes >= 2) AS suspects \
             FROM json_each(?2) s",
        )
        .bind(stamp(now()))
        .bind(texts(stages))
        .fetch_all(&self.readers)
        .await?;
        let due = |row: &SqliteRow| {
            let (ready, suspects): (i64, i64) = (row.number("ready")?, row.number("suspects")?);
            Ok(Due { stage: row.parsed("stage")?, ready: ready == 1, suspects: suspects == 1 })
        };
        rows.iter().map(due).collect()
    }
}

/// The claim that a selected row becomes.
fn claim_of(row: &SqliteRow, lease: LeaseId) -> Result<Claimed> {
    let fence: i64 = row.number("fence")?;
    Ok(Claimed {
        application: row.document("application", "document")?,
        job: Job {
            slot: row.parsed("slot")?,
            stage: row.parsed("stage")?,
            due_at: row.parsed("due_at")?,
            lease: Some(lease),
            fence: fence + 1,
            attempts: row.number("attempts")?,
            crashes: row.number("crashes")?,
            priority: row.number("priority")?,
        },
        applicant: row.sealed()?,
    })
}

/// Writes the claims of rows that were selected in the same transaction.
async fn take(tx: &mut SqliteConnection, lease: LeaseId, claimed: &[Claimed]) -> Result<()> {
    if claimed.is_empty() {
        return Ok(());
    }
    query(
        "UPDATE jobs SET lease = ?1, fence = fence + 1 \
         WHERE (application_id, slot) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?2))",
    )
    .bind(lease.to_string())
    .bind(list(claimed.iter().map(|claim| json!([claim.application.id, claim.job.slot]))))
    .execute(tx)
    .await?;
    Ok(())
}

//! Jobs: claiming, giving back, committing.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow, query};

use super::{PostgresStore, row};
use crate::{
    domain::{
        ids::{ApplicationId, LeaseId},
        stage::Stage,
    },
    store::{
        Jobs, Result,
        types::{ClaimBatch, Claimed, Held, Planner, Want, Write},
    },
};

/// Begins a statement with `levels`: which priorities wait in the queues `$2`. Each is found by one look into the
/// index, so that what is not due yet is never read, however much of it there is.
macro_rules! with_levels {
    ($rest:literal) => {
        concat!(
            "WITH RECURSIVE levels(stage, room, priority) AS (
                SELECT w.stage, w.room,
                    (SELECT max(j.priority) FROM jobs j WHERE j.stage = w.stage AND j.lease IS NULL)
                FROM unnest($1::text[], $2::bigint[]) AS w(stage, room)
              UNION ALL
                SELECT l.stage, l.room, (
                    SELECT max(j.priority) FROM jobs j
                    WHERE j.stage = l.stage AND j.lease IS NULL AND j.priority < l.priority)
                FROM levels l WHERE l.priority IS NOT NULL
            ) ",
            $rest
        )
    };
}
pub(super) use with_levels;

/// The answer has one row at least, which says whether suspects wait.
const CLAIM: &str = with_levels!(
    ", due AS (
        SELECT d.application_id, d.slot, l.room,
            row_number() OVER (PARTITION BY l.stage ORDER BY l.priority DESC, d.due_at) AS position
        FROM levels l CROSS JOIN LATERAL (
            SELECT j.application_id, j.slot, j.due_at FROM jobs j
            WHERE j.stage = l.stage AND j.priority = l.priority AND j.lease IS NULL AND j.crashes < 2
                AND j.due_at <= now()
            ORDER BY j.due_at LIMIT l.room FOR UPDATE SKIP LOCKED) d
    ), claimed AS (
        UPDATE jobs j SET lease = $3, fence = j.fence + 1 FROM due
        WHERE j.application_id = due.application_id AND j.slot = due.slot AND due.position <= due.room
        RETURNING j.*
    ), given AS (
        SELECT c.*, a.document, p.key_id, p.wrapped_key, p.ciphertext
        FROM claimed c
        JOIN applications a ON a.id = c.application_id
        JOIN applicants p ON p.application_id = c.application_id
    )
    SELECT s.suspects, given.* FROM (
        SELECT EXISTS (SELECT FROM jobs
            WHERE stage = ANY($1) AND lease IS NULL AND crashes >= 2 AND due_at <= now()) AS suspects) s
    LEFT JOIN given ON true
    ORDER BY given.priority DESC, given.due_at"
);

const CLAIM_SUSPECT: &str = "
WITH due AS (
    SELECT application_id, slot FROM jobs
    WHERE stage = ANY($1) AND lease IS NULL AND crashes >= 2 AND due_at <= now()
    ORDER BY priority DESC, due_at LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE jobs j SET lease = $2, fence = j.fence + 1 FROM due
    WHERE j.application_id = due.application_id AND j.slot = due.slot
    RETURNING j.*
)
SELECT c.*, a.document, p.key_id, p.wrapped_key, p.ciphertext
FROM claimed c
JOIN applications a ON a.id = c.application_id
JOIN applicants p ON p.application_id = c.application_id";

const NEXT_DUE: &str = with_levels!(
    "SELECT min(first.due_at) FROM levels l CROSS JOIN LATERAL (
        SELECT j.due_at FROM jobs j WHERE j.stage = l.stage AND j.priority = l.priority AND j.lease IS NULL
        ORDER BY j.due_at LIMIT 1) first"
);

#[async_trait]
impl Jobs for PostgresStore {
    async fn claim(&self, lease: LeaseId, wants: &[Want]) -> Result<ClaimBatch> {
        let mut rooms: BTreeMap<&'static str, usize> = BTreeMap::new();
        for want in wants.iter().filter(|want| want.limit > 0) {
            *rooms.entry(want.stage.as_str()).or_default() += want.limit;
        }
        if rooms.is_empty() {
            return Ok(ClaimBatch::default());
        }
        let claim = query(CLAIM)
            .bind(rooms.keys().copied().collect::<Vec<_>>())
            .bind(rooms.values().map(|room| row::at_most(*room)).collect::<Vec<_>>())
            .bind(lease.0);
        let rows = self.rows(claim).await?;
        let mut batch = ClaimBatch::default();
        for row in &rows {
            batch.suspects = row.try_get("suspects")?;
            if row.try_get::<Option<&str>, _>("slot")?.is_some() {
                batch.claimed.push(claimed(row)?);
            }
        }
        Ok(batch)
    }

    async fn claim_suspect(&self, lease: LeaseId, stages: &[Stage]) -> Result<Option<Claimed>> {
        let row = self.row(query(CLAIM_SUSPECT).bind(names(stages)).bind(lease.0)).await?;
        row.map(|row| claimed(&row)).transpose()
    }

    async fn mark_alone(&self, lease: LeaseId, held: Held) -> Result<bool> {
        let mark = query(
            "UPDATE jobs SET alone_fence = fence WHERE application_id = $1 AND slot = $2 AND fence = $3 AND lease = $4",
        )
        .bind(held.application_id.0)
        .bind(held.slot.as_str())
        .bind(held.fence)
        .bind(lease.0);
        Ok(self.execute(mark).await? == 1)
    }

    async fn release(&self, lease: LeaseId, held: &[Held]) -> Result<()> {
        self.put_off(lease, held, Duration::ZERO).await
    }

    async fn put_off(&self, lease: LeaseId, held: &[Held], wait: Duration) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let give_back = query(
            "UPDATE jobs j SET lease = NULL, due_at = now() + make_interval(secs => $5)
             FROM unnest($2::uuid[], $3::text[], $4::bigint[]) AS w(application_id, slot, fence)
             WHERE j.application_id = w.application_id AND j.slot = w.slot AND j.fence = w.fence AND j.lease = $1",
        )
        .bind(lease.0)
        .bind(held.iter().map(|held| held.application_id.0).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.slot.as_str()).collect::<Vec<_>>())
        .bind(held.iter().map(|held| held.fence).collect::<Vec<_>>())
        .bind(wait.as_secs_f64());
        self.execute(give_back).await?;
        Ok(())
    }

    async fn held_by(&self, lease: LeaseId) -> Result<Vec<Held>> {
        let select =
            query("SELECT application_id, slot, fence FROM jobs WHERE lease = $1 ORDER BY application_id, slot");
        let rows = self.rows(select.bind(lease.0)).await?;
        rows.iter()
            .map(|row| {
                Ok(Held {
                    application_id: row::application_id(row)?,
                    slot: row::name(row, "slot")?,
                    fence: row.try_get("fence")?,
                })
            })
            .collect()
    }

    async fn commit(&self, ids: &[ApplicationId], planner: &mut dyn Planner) -> Result<()> {
        self.commit_plans(ids, planner).await
    }

    async fn commit_known(&self, writes: &[Write]) -> Result<bool> {
        self.commit_known_plans(writes).await
    }

    async fn next_due(&self, stages: &[Stage]) -> Result<Option<DateTime<Utc>>> {
        let select = query(NEXT_DUE).bind(names(stages)).bind(vec![1_i64; stages.len()]);
        self.row(select).await?.map_or(Ok(None), |row| Ok(row.try_get(0)?))
    }

    async fn due_deadlines(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        let select = query("SELECT application_id FROM deadlines WHERE check_at <= now() ORDER BY check_at LIMIT $1");
        self.ids(select.bind(row::at_most(limit))).await
    }

    async fn outdated_deadlines(&self, version: &str, limit: usize) -> Result<Vec<ApplicationId>> {
        // Two spans of the index, where `<>` would read all of it.
        let select = query(
            "SELECT application_id FROM deadlines WHERE calendar < $1
             UNION ALL SELECT application_id FROM deadlines WHERE calendar > $1 LIMIT $2",
        );
        self.ids(select.bind(version).bind(row::at_most(limit))).await
    }
}

fn names(stages: &[Stage]) -> Vec<&'static str> {
    stages.iter().map(|stage| stage.as_str()).collect()
}

fn claimed(row: &PgRow) -> Result<Claimed> {
    Ok(Claimed { application: row::application(row)?, job: row::job(row)?, applicant: row::sealed(row)? })
}

//! Keys, queues, alerts, operators' acts.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{
    Connection as _, PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query,
    query::Query,
};
use uuid::Uuid;

use super::{PostgresStore, jobs::with_levels, row};
use crate::{
    domain::{application::ChainHead, audit::acts_chain, ids::ApplicationId, stage::Stage},
    store::{
        Operations, Result,
        rows::{COUNT_CAP, act_event},
        types::{
            Alert, ApiKeyRecord, Backlog, Ceiling, DONE, NewAlert, OperatorAction, Pause, QueueDepth, QueueLimit,
            StatusCount,
        },
    },
};

/// Counts by priority, so that a cap ends each count early whatever else waits in the queue.
const DEPTHS: &str = with_levels!(
    ", counted AS (
        SELECT l.stage, l.room, ready.count AS ready, scheduled.count AS scheduled, oldest.due_at AS oldest
        FROM levels l
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM jobs j
            WHERE j.stage = l.stage AND j.priority = l.priority AND j.lease IS NULL AND j.due_at <= now()
            LIMIT l.room) capped) ready
        CROSS JOIN LATERAL (SELECT count(*) FROM (SELECT FROM jobs j
            WHERE j.stage = l.stage AND j.priority = l.priority AND j.lease IS NULL AND j.due_at > now()
            LIMIT l.room) capped) scheduled
        LEFT JOIN LATERAL (SELECT j.due_at FROM jobs j
            WHERE j.stage = l.stage AND j.priority = l.priority AND j.lease IS NULL AND j.due_at <= now()
            ORDER BY j.due_at LIMIT 1) oldest ON true
    )
    SELECT c.stage, least(sum(c.ready), c.room)::bigint AS ready, least(sum(c.scheduled), c.room)::bigint AS scheduled,
        min(c.oldest) AS oldest_ready,
        (SELECT count(*) FROM (SELECT FROM jobs j WHERE j.stage = c.stage AND j.lease IS NOT NULL LIMIT c.room) capped)
            AS running
    FROM counted c GROUP BY c.stage, c.room ORDER BY array_position($1, c.stage)"
);

#[async_trait]
impl Operations for PostgresStore {
    async fn create_key(&self, key: &ApiKeyRecord) -> Result<()> {
        let insert = query(
            "INSERT INTO api_keys (id, digest, name, owner, scopes, created_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&key.id)
        .bind(&key.digest)
        .bind(&key.name)
        .bind(&key.owner)
        .bind(&key.scopes)
        .bind(key.created_at)
        .bind(key.revoked_at);
        self.execute(insert).await?;
        Ok(())
    }

    async fn key(&self, id: &str) -> Result<Option<ApiKeyRecord>> {
        let row = self.row(query("SELECT * FROM api_keys WHERE id = $1").bind(id)).await?;
        row.map(|row| key(&row)).transpose()
    }

    async fn keys(&self) -> Result<Vec<ApiKeyRecord>> {
        self.rows(query("SELECT * FROM api_keys ORDER BY created_at, id")).await?.iter().map(key).collect()
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        let revoke = query("UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL");
        Ok(self.execute(revoke.bind(id)).await? > 0)
    }

    async fn pauses(&self) -> Result<Vec<Pause>> {
        let select = query("SELECT * FROM pauses WHERE until IS NULL OR until > now() ORDER BY stage");
        let rows = self.rows(select).await?;
        rows.iter()
            .map(|row| {
                Ok(Pause {
                    stage: row::name(row, "stage")?,
                    reason: row.try_get("reason")?,
                    actor: row.try_get("actor")?,
                    since: row.try_get("since")?,
                    until: row.try_get("until")?,
                })
            })
            .collect()
    }

    async fn pause(&self, pause: &Pause, action: &OperatorAction) -> Result<()> {
        let upsert = query(
            "INSERT INTO pauses (stage, reason, actor, since, until) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (stage) DO UPDATE SET
                reason = excluded.reason, actor = excluded.actor, since = excluded.since, until = excluded.until",
        )
        .bind(pause.stage.as_str())
        .bind(&pause.reason)
        .bind(&pause.actor)
        .bind(pause.since)
        .bind(pause.until);
        self.change_and_record(upsert, action).await
    }

    async fn resume(&self, stage: Stage, action: &OperatorAction) -> Result<bool> {
        // An ended pause goes as well, but the queue was not paused any more.
        let delete = query("DELETE FROM pauses WHERE stage = $1 RETURNING until IS NULL OR until > now()");
        self.limited(async {
            let mut lent = self.lend().await?;
            let mut transaction = lent.begin().await?;
            let row = delete.bind(stage.as_str()).fetch_optional(&mut *transaction).await?;
            let paused = row.map_or(Ok(false), |row| row.try_get(0))?;
            if paused {
                record(&mut transaction, action).await?;
            }
            transaction.commit().await?;
            lent.give_back();
            Ok(paused)
        })
        .await
    }

    async fn queue_limits(&self) -> Result<Vec<QueueLimit>> {
        let rows = self.rows(query("SELECT * FROM queue_limits ORDER BY stage")).await?;
        rows.iter()
            .map(|row| {
                let concurrency: Option<i64> = row.try_get("concurrency")?;
                Ok(QueueLimit {
                    stage: row::name(row, "stage")?,
                    concurrency: concurrency.map(|_| row::count(row, "concurrency")).transpose()?,
                    rate: row.try_get("rate")?,
                    reason: row.try_get("reason")?,
                    actor: row.try_get("actor")?,
                    since: row.try_get("since")?,
                })
            })
            .collect()
    }

    async fn limit_queue(&self, limit: &QueueLimit, action: &OperatorAction) -> Result<()> {
        let stage = limit.stage.as_str();
        let change = if limit.concurrency.is_none() && limit.rate.is_none() {
            query("DELETE FROM queue_limits WHERE stage = $1").bind(stage)
        } else {
            query(
                "INSERT INTO queue_limits (stage, concurrency, rate, reason, actor, since) VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (stage) DO UPDATE SET
                    concurrency = excluded.concurrency, rate = excluded.rate, reason = excluded.reason,
                    actor = excluded.actor, since = excluded.since",
            )
            .bind(stage)
            .bind(limit.concurrency.map(row::at_most))
            .bind(limit.rate)
            .bind(&limit.reason)
            .bind(&limit.actor)
            .bind(limit.since)
        };
        self.change_and_record(change, action).await
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>> {
        let select = query(DEPTHS)
            .bind(Stage::ALL.iter().map(|stage| stage.as_str()).collect::<Vec<_>>())
            .bind(vec![cap(); Stage::ALL.len()]);
        let rows = self.rows(select).await?;
        rows.iter()
            .map(|row| {
                Ok(QueueDepth {
                    stage: row::name(row, "stage")?,
                    ready: row::count(row, "ready")?,
                    running: row::count(row, "running")?,
                    scheduled: row::count(row, "scheduled")?,
                    oldest_ready: row.try_get("oldest_ready")?,
                })
            })
            .collect()
    }

    async fn status_counts(&self) -> Result<Vec<StatusCount>> {
        let select = query(
            "SELECT status, nullif(stage, $1) AS stage, sum(count)::bigint AS count FROM counters
             GROUP BY status, stage HAVING sum(count) <> 0 ORDER BY status, stage",
        );
        let rows = self.rows(select.bind(DONE)).await?;
        rows.iter()
            .map(|row| {
                let at_stage = row.try_get::<Option<&str>, _>("stage")?.is_some();
                Ok(StatusCount {
                    status: row::name(row, "status")?,
                    stage: if at_stage { Some(row::name(row, "stage")?) } else { None },
                    count: row.try_get("count")?,
                })
            })
            .collect()
    }

    async fn backlog(&self) -> Result<Backlog> {
        let select = query(
            "SELECT
                (SELECT count(*) FROM (SELECT FROM reviews WHERE state = 'open' LIMIT $1) r) AS open,
                (SELECT count(*) FROM (SELECT FROM reviews WHERE state = 'claimed' LIMIT $1) r) AS claimed,
                (SELECT count(DISTINCT reviewer) FROM (
                    SELECT reviewer FROM reviews WHERE state = 'claimed' AND lease_expires_at > clock_timestamp() LIMIT $1) r) AS reviewers,
                least(
                    (SELECT due_at FROM reviews WHERE state = 'open' AND due_at < 'infinity' ORDER BY due_at LIMIT 1),
                    (SELECT due_at FROM reviews WHERE state = 'claimed' AND due_at < 'infinity' ORDER BY due_at LIMIT 1)) AS next_due,
                (SELECT min(due_at) FROM deadlines) AS next_promise,
                (SELECT count(*) FROM (SELECT FROM deadlines WHERE level > 0 AND NOT breached LIMIT $1) d) AS at_risk,
                (SELECT count(*) FROM (SELECT FROM deadlines WHERE level > 0 AND breached LIMIT $1) d) AS breached,
                (SELECT count(*) FROM (SELECT FROM webhooks WHERE NOT dead LIMIT $1) w) AS webhooks_pending,
                (SELECT created_at FROM webhooks WHERE NOT dead ORDER BY id LIMIT 1) AS oldest_webhook",
        );
        let Some(row) = self.row(select.bind(cap())).await? else { return Ok(Backlog::default()) };
        Ok(Backlog {
            open: row::count(&row, "open")?,
            claimed: row::count(&row, "claimed")?,
            reviewers: row::count(&row, "reviewers")?,
            next_due: row.try_get("next_due")?,
            next_promise: row.try_get("next_promise")?,
            at_risk: row::count(&row, "at_risk")?,
            breached: row::count(&row, "breached")?,
            webhooks_pending: row::count(&row, "webhooks_pending")?,
            oldest_webhook: row.try_get("oldest_webhook")?,
        })
    }

    async fn raise_alert(&self, alert: &NewAlert) -> Result<()> {
        let insert = query("INSERT INTO alerts (kind, at, detail) VALUES ($1, now(), $2)");
        self.execute(insert.bind(alert.kind.as_str()).bind(&alert.detail)).await?;
        Ok(())
    }

    async fn unmailed_alerts(&self, limit: usize) -> Result<Vec<Alert>> {
        let select = query("SELECT * FROM alerts WHERE mailed_at IS NULL ORDER BY id LIMIT $1");
        let rows = self.rows(select.bind(row::at_most(limit))).await?;
        rows.iter()
            .map(|row| {
                Ok(Alert {
                    id: row.try_get("id")?,
                    kind: row.try_get("kind")?,
                    application_id: row.try_get::<Option<Uuid>, _>("application_id")?.map(ApplicationId),
                    detail: row.try_get("detail")?,
                    at: row.try_get("at")?,
                })
            })
            .collect()
    }

    async fn mark_alerts_mailed(&self, ids: &[i64]) -> Result<()> {
        self.execute(query("UPDATE alerts SET mailed_at = now() WHERE id = ANY($1)").bind(ids)).await?;
        Ok(())
    }

    async fn record_action(&self, action: &OperatorAction) -> Result<()> {
        self.limited(async {
            let mut lent = self.lend().await?;
            let mut transaction = lent.begin().await?;
            record(&mut transaction, action).await?;
            transaction.commit().await?;
            lent.give_back();
            Ok(())
        })
        .await
    }

    async fn write_figures(&self) -> Result<Option<(u64, u64)>> {
        let select = query(
            "SELECT (pg_current_wal_lsn() - '0/0')::bigint AS bytes, xact_commit AS commits
             FROM pg_stat_database WHERE datname = current_database()",
        );
        let row = self.row(select).await?;
        row.map(|row| Ok((row::count(&row, "bytes")?, row::count(&row, "commits")?))).transpose()
    }

    async fn measure_ceiling(&self, ceiling: &Ceiling) -> Result<Duration> {
        self.ceiling(ceiling).await
    }
}

impl PostgresStore {
    /// Changes something and records the act, together.
    async fn change_and_record(&self, change: Query<'_, Postgres, PgArguments>, action: &OperatorAction) -> Result<()> {
        self.limited(async {
            let mut lent = self.lend().await?;
            let mut transaction = lent.begin().await?;
            change.execute(&mut *transaction).await?;
            record(&mut transaction, action).await?;
            transaction.commit().await?;
            lent.give_back();
            Ok(())
        })
        .await
    }
}

/// Records an operator's act in the transaction of its effect. Acts of one chain follow each other.
pub(super) async fn record(transaction: &mut PgConnection, action: &OperatorAction) -> Result<()> {
    let chain = acts_chain(&action.actor).0;
    query("SELECT pg_advisory_xact_lock(hashtext('acts'), hashtext($1))")
        .bind(chain.to_string())
        .execute(&mut *transaction)
        .await?;
    let head = query("SELECT seq, hash FROM events WHERE application_id = $1 ORDER BY seq DESC LIMIT 1")
        .bind(chain)
        .fetch_optional(&mut *transaction)
        .await?;
    let head =
        head.map(|row| Result::Ok(ChainHead { seq: row.try_get("seq")?, hash: row.try_get("hash")? })).transpose()?;
    let event = act_event(action, head);
    query(
        "INSERT INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash)
         VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8, $9)",
    )
    .bind(chain)
    .bind(event.seq)
    .bind(event.at)
    .bind(event.kind)
    .bind(event.actor.kind.as_str())
    .bind(event.actor.id)
    .bind(event.data)
    .bind(event.hash)
    .bind(event.prev_hash)
    .execute(transaction)
    .await?;
    Ok(())
}

fn cap() -> i64 {
    i64::try_from(COUNT_CAP).unwrap_or(i64::MAX)
}

fn key(row: &PgRow) -> Result<ApiKeyRecord> {
    Ok(ApiKeyRecord {
        id: row.try_get("id")?,
        digest: row.try_get("digest")?,
        name: row.try_get("name")?,
        owner: row.try_get("owner")?,
        scopes: row.try_get("scopes")?,
        created_at: row.try_get::<DateTime<Utc>, _>("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}

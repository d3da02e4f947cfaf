//! Keys, queues, figures, alerts, operators' acts.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::{
    Row as _, Sqlite, SqliteConnection, query,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{
    super::{
        Operations, Result,
        rows::{COUNT_CAP, act_event},
        types::{
            Alert, ApiKeyRecord, Backlog, Ceiling, DONE, NewAlert, OperatorAction, Pause, QueueDepth, QueueLimit,
            StatusCount,
        },
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, stamp_opt, texts, to_document},
    now,
    values::Statements,
    write,
};
use crate::domain::{application::ChainHead, audit::acts_chain, event::Actor, stage::Stage};

#[async_trait]
impl Operations for SqliteStore {
    async fn create_key(&self, key: &ApiKeyRecord) -> Result<()> {
        self.within(async {
            query(
                "INSERT INTO api_keys (id, digest, name, owner, scopes, created_at, revoked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )
            .bind(&key.id)
            .bind(&key.digest)
            .bind(&key.name)
            .bind(&key.owner)
            .bind(to_document("scopes", &key.scopes)?)
            .bind(stamp(key.created_at))
            .bind(stamp_opt(key.revoked_at))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn key(&self, id: &str) -> Result<Option<ApiKeyRecord>> {
        self.within(async {
            let row = query("SELECT * FROM api_keys WHERE id = ?1").bind(id).fetch_optional(&self.readers).await?;
            row.as_ref().map(key).transpose()
        })
        .await
    }

    async fn keys(&self) -> Result<Vec<ApiKeyRecord>> {
        self.within(async {
            let rows = query("SELECT * FROM api_keys ORDER BY created_at, id").fetch_all(&self.readers).await?;
            rows.iter().map(key).collect()
        })
        .await
    }

    async fn revoke_key(&self, id: &str) -> Result<bool> {
        self.within(async {
            let revoked = query("UPDATE api_keys SET revoked_at = ?1 WHERE id = ?2 AND revoked_at IS NULL")
                .bind(stamp(now()))
                .bind(id)
                .execute(&self.writer)
                .await?;
            Ok(revoked.rows_affected() == 1)
        })
        .await
    }

    async fn pauses(&self) -> Result<Vec<Pause>> {
        self.within(async {
            let rows = query("SELECT * FROM pauses WHERE until IS NULL OR until > ?1 ORDER BY stage")
                .bind(stamp(now()))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(pause).collect()
        })
        .await
    }

    async fn pause(&self, pause: &Pause, action: &OperatorAction) -> Result<()> {
        let upsert = query(
            "INSERT INTO pauses (stage, reason, actor, since, until) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (stage) DO UPDATE SET \
             reason = excluded.reason, actor = excluded.actor, since = excluded.since, until = excluded.until",
        )
        .bind(pause.stage.as_str())
        .bind(&pause.reason)
        .bind(&pause.actor)
        .bind(stamp(pause.since))
        .bind(stamp_opt(pause.until));
        self.change_and_record(upsert, action).await
    }

    async fn resume(&self, stage: Stage, action: &OperatorAction) -> Result<bool> {
        self.within(async {
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            // An ended pause goes away too, and counts as none.
            let row = query("DELETE FROM pauses WHERE stage = ?1 RETURNING until IS NULL OR until > ?2 AS paused")
                .bind(stage.as_str())
                .bind(stamp(now()))
                .fetch_optional(&mut *tx)
                .await?;
            let paused = row.map(|row| row.try_get("paused")).transpose()?.unwrap_or(false);
            if paused {
                record(&mut tx, action).await?;
            }
            tx.commit().await?;
            writer.settle();
            Ok(paused)
        })
        .await
    }

    async fn queue_limits(&self) -> Result<Vec<QueueLimit>> {
        self.within(async {
            let rows = query("SELECT * FROM queue_limits ORDER BY stage").fetch_all(&self.readers).await?;
            rows.iter().map(limit).collect()
        })
        .await
    }

    async fn limit_queue(&self, limit: &QueueLimit, action: &OperatorAction) -> Result<()> {
        let stage = limit.stage.as_str();
        let change = if limit.concurrency.is_none() && limit.rate.is_none() {
            query("DELETE FROM queue_limits WHERE stage = ?1").bind(stage)
        } else {
            query(
                "INSERT INTO queue_limits (stage, concurrency, rate, reason, actor, since) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT (stage) DO UPDATE SET concurrency = excluded.concurrency, rate = excluded.rate, \
                 reason = excluded.reason, actor = excluded.actor, since = excluded.since",
            )
            .bind(stage)
            .bind(limit.concurrency.map(|most| i64::try_from(most).unwrap_or(i64::MAX)))
            .bind(limit.rate)
            .bind(&limit.reason)
            .bind(&limit.actor)
            .bind(stamp(limit.since))
        };
        self.change_and_record(change, action).await
    }

    async fn depths(&self) -> Result<Vec<QueueDepth>> {
        self.within(async {
            let rows = query(
                "SELECT s.value AS stage, \
                 (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE stage = s.value AND lease IS NULL AND due_at <= ?1 LIMIT ?2)) AS ready, \
                 (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE stage = s.value AND lease IS NOT NULL LIMIT ?2)) AS running, \
                 (SELECT count(*) FROM (SELECT 1 FROM jobs WHERE stage = s.value AND lease IS NULL AND due_at > ?1 LIMIT ?2)) AS scheduled, \
                 (SELECT min(due_at) FROM jobs WHERE stage = s.value AND lease IS NULL AND due_at <= ?1) AS oldest_ready \
                 FROM json_each(?3) s ORDER BY s.key",
            )
            .bind(stamp(now()))
            .bind(cap())
            .bind(texts(Stage::ALL))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(depth).collect()
        })
        .await
    }

    async fn status_counts(&self) -> Result<Vec<StatusCount>> {
        self.within(async {
            let rows = query(
                "SELECT status, stage, sum(count) AS count FROM counters GROUP BY status, stage HAVING sum(count) <> 0 ORDER BY status, stage",
            )
            .fetch_all(&self.readers)
            .await?;
            rows.iter()
                .map(|row| {
                    let stage = if row.text("stage")? == DONE { None } else { Some(row.parsed("stage")?) };
                    Ok(StatusCount { status: row.parsed("status")?, stage, count: row.number("count")? })
                })
                .collect()
        })
        .await
    }

    async fn backlog(&self) -> Result<Backlog> {
        self.within(async {
            let row = query(
                "SELECT \
                 (SELECT count(*) FROM (SELECT 1 FROM reviews WHERE state = 'open' LIMIT ?1)) AS open, \
                 (SELECT count(*) FROM (SELECT 1 FROM reviews WHERE state = 'claimed' LIMIT ?1)) AS claimed, \
                 (SELECT count(DISTINCT reviewer) FROM ( \
                    SELECT reviewer FROM reviews WHERE state = 'claimed' AND lease_expires_at > ?2 LIMIT ?1)) AS reviewers, \
                 (SELECT min(due_at) FROM ( \
                    SELECT * FROM (SELECT due_at FROM reviews WHERE state = 'open' ORDER BY coalesce(due_at, '~') LIMIT 1) UNION ALL \
                    SELECT * FROM (SELECT due_at FROM reviews WHERE state = 'claimed' ORDER BY coalesce(due_at, '~') LIMIT 1))) AS next_due, \
                 (SELECT min(due_at) FROM applications WHERE calendar IS NOT NULL) AS next_promise, \
                 (SELECT count(*) FROM (SELECT 1 FROM applications WHERE deadline_level > 0 AND NOT breached LIMIT ?1)) AS at_risk, \
                 (SELECT count(*) FROM (SELECT 1 FROM applications WHERE deadline_level > 0 AND breached LIMIT ?1)) AS breached, \
                 (SELECT count(*) FROM (SELECT 1 FROM webhooks WHERE NOT dead LIMIT ?1)) AS webhooks_pending, \
                 (SELECT created_at FROM webhooks WHERE NOT dead ORDER BY seq LIMIT 1) AS oldest_webhook",
            )
            .bind(cap())
            .bind(stamp(now()))
            .fetch_one(&self.readers)
            .await?;
            Ok(Backlog {
                open: row.number("open")?,
                claimed: row.number("claimed")?,
                reviewers: row.number("reviewers")?,
                next_due: row.parsed_opt("next_due")?,
                next_promise: row.parsed_opt("next_promise")?,
                at_risk: row.number("at_risk")?,
                breached: row.number("breached")?,
                webhooks_pending: row.number("webhooks_pending")?,
                oldest_webhook: row.parsed_opt("oldest_webhook")?,
            })
        })
        .await
    }

    async fn raise_alert(&self, alert: &NewAlert) -> Result<()> {
        self.within(async {
            query("INSERT INTO alerts (kind, at, detail) VALUES (?1, ?2, ?3)")
                .bind(alert.kind.as_str())
                .bind(stamp(now()))
                .bind(&alert.detail)
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    async fn unmailed_alerts(&self, limit: usize) -> Result<Vec<Alert>> {
        self.within(async {
            let rows = query("SELECT * FROM alerts WHERE mailed_at IS NULL ORDER BY id LIMIT ?1")
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
                .await?;
            rows.iter()
                .map(|row| {
                    Ok(Alert {
                        id: row.number("id")?,
                        kind: row.text("kind")?,
                        application_id: row.parsed_opt("application_id")?,
                        detail: row.try_get("detail")?,
                        at: row.parsed("at")?,
                    })
                })
                .collect()
        })
        .await
    }

    async fn mark_alerts_mailed(&self, ids: &[i64]) -> Result<()> {
        self.within(async {
            query(
                "UPDATE alerts SET mailed_at = ?1 WHERE mailed_at IS NULL AND id IN (SELECT value FROM json_each(?2))",
            )
            .bind(stamp(now()))
            .bind(list(ids.iter().copied()))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn record_action(&self, action: &OperatorAction) -> Result<()> {
        self.within(async {
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            record(&mut tx, action).await?;
            tx.commit().await?;
            writer.settle();
            Ok(())
        })
        .await
    }

    async fn write_figures(&self) -> Result<Option<(u64, u64)>> {
        Ok(None)
    }

    async fn measure_ceiling(&self, ceiling: &Ceiling) -> Result<Duration> {
        self.ceiling(ceiling).await
    }
}

impl SqliteStore {
    /// Changes something and records the act, together.
    async fn change_and_record(
        &self,
        change: Query<'_, Sqlite, SqliteArguments>,
        action: &OperatorAction,
    ) -> Result<()> {
        self.within(async {
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            change.execute(&mut *tx).await?;
            record(&mut tx, action).await?;
            tx.commit().await?;
            writer.settle();
            Ok(())
        })
        .await
    }
}

/// Records an operator's act in the transaction of its effect.
pub(super) async fn record(tx: &mut SqliteConnection, action: &OperatorAction) -> Result<()> {
    let head = query("SELECT seq, hash FROM events WHERE application_id = ?1 ORDER BY seq DESC LIMIT 1")
        .bind(acts_chain(&action.actor).to_string())
        .fetch_optional(&mut *tx)
        .await?;
    let head =
        head.map(|row| Result::Ok(ChainHead { seq: row.try_get("seq")?, hash: row.text("hash")? })).transpose()?;
    let mut statements = Statements::default();
    write::events(&mut statements, &[&act_event(action, head)])?;
    statements.run(tx).await?;
    Ok(())
}

fn cap() -> i64 {
    i64::try_from(COUNT_CAP).unwrap_or(i64::MAX)
}

/// The columns `actor_kind` and `actor_id`.
pub(super) fn actor(row: &SqliteRow) -> Result<Actor> {
    Ok(Actor { kind: row.parsed("actor_kind")?, id: row.text("actor_id")? })
}

fn key(row: &SqliteRow) -> Result<ApiKeyRecord> {
    Ok(ApiKeyRecord {
        id: row.text("id")?,
        digest: row.text("digest")?,
        name: row.text("name")?,
        owner: row.text("owner")?,
        scopes: row.document("scopes", "scopes")?,
        created_at: row.parsed("created_at")?,
        revoked_at: row.parsed_opt("revoked_at")?,
    })
}

fn pause(row: &SqliteRow) -> Result<Pause> {
    Ok(Pause {
        stage: row.parsed("stage")?,
        reason: row.text("reason")?,
        actor: row.text("actor")?,
        since: row.parsed("since")?,
        until: row.parsed_opt("until")?,
    })
}

fn limit(row: &SqliteRow) -> Result<QueueLimit> {
    let concurrency: Option<i64> = row.try_get("concurrency")?;
    Ok(QueueLimit {
        stage: row.parsed("stage")?,
        concurrency: concurrency.map(|_| row.number("concurrency")).transpose()?,
        rate: row.try_get("rate")?,
        reason: row.text("reason")?,
        actor: row.text("actor")?,
        since: row.parsed("since")?,
    })
}

fn depth(row: &SqliteRow) -> Result<QueueDepth> {
    Ok(QueueDepth {
        stage: row.parsed("stage")?,
        ready: row.number("ready")?,
        running: row.number("running")?,
        scheduled: row.number("scheduled")?,
        oldest_ready: row.parsed_opt("oldest_ready")?,
    })
}

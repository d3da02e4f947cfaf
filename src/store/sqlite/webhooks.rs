//! The webhook outbox: in order per application, one at a time.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{QueryBuilder, Row as _, Sqlite, query, sqlite::SqliteRow};

use super::{
    super::{
        Result, Webhooks,
        rows::{after, cursor, cursor_key, listed},
        types::{Listed, OperatorAction, Page},
        webhooks::{DeliveryState, DueWebhook, WebhookFilter, WebhookRecord, WebhookResult},
    },
    SqliteStore,
    applications::one_more,
    codec::{Columns as _, list, stamp, texts},
    now, operations,
};
use crate::domain::ids::WebhookId;

/// Condition: no older living webhook of the same application stands before `w`.
macro_rules! first_of_its_application {
    () => {
        "NOT EXISTS (SELECT 1 FROM webhooks o WHERE o.application_id = w.application_id AND NOT o.dead AND o.seq < w.seq)"
    };
}

/// When `w` may be tried: once it is due, and nobody tries it now.
macro_rules! ready_at {
    () => {
        "max(w.due_at, coalesce(w.held_until, ''))"
    };
}

#[async_trait]
impl Webhooks for SqliteStore {
    async fn claim_webhooks(&self, limit: usize, hold: Duration) -> Result<Vec<DueWebhook>> {
        const DUE: &str = concat!(
            "SELECT w.id, w.url, w.document, w.created_at, w.attempts, p.key_id, p.wrapped_key, p.ciphertext \
             FROM webhooks w CROSS JOIN applicants p ON p.application_id = w.application_id WHERE NOT w.dead AND ",
            ready_at!(),
            " <= ?1 AND ",
            first_of_its_application!(),
            " ORDER BY ",
            ready_at!(),
            ", w.seq LIMIT ?2"
        );
        self.within(async {
            let now = now();
            let due = || query(DUE).bind(stamp(now)).bind(i64::try_from(limit).unwrap_or(i64::MAX));
            if due().fetch_optional(&self.readers).await?.is_none() {
                return Ok(Vec::new());
            }
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let rows = due().fetch_all(&mut *tx).await?;
            let due = rows.iter().map(due_webhook).collect::<Result<Vec<_>>>()?;
            query("UPDATE webhooks SET held_until = ?1 WHERE id IN (SELECT value FROM json_each(?2))")
                .bind(stamp(now + hold))
                .bind(texts(due.iter().map(|webhook| webhook.id)))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            writer.settle();
            Ok(due)
        })
        .await
    }

    async fn settle_webhooks(&self, results: &[(WebhookId, WebhookResult)]) -> Result<()> {
        if results.is_empty() {
            return Ok(());
        }
        self.within(async {
            let delivered: Vec<Value> = results.iter().filter_map(delivery).collect();
            let failed: Vec<Value> = results.iter().filter_map(failure).collect();
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let delivered = list(delivered);
            query(
                "INSERT INTO delivered_webhooks (seq, id, application_id, url, attempts, status, created_at, delivered_at) \
                 SELECT w.seq, w.id, w.application_id, w.url, w.attempts + 1, d.value ->> 1, w.created_at, ?2 \
                 FROM json_each(?1) d JOIN webhooks w ON w.id = d.value ->> 0",
            )
            .bind(&delivered)
            .bind(stamp(now()))
            .execute(&mut *tx)
            .await?;
            query("DELETE FROM webhooks WHERE id IN (SELECT value ->> 0 FROM json_each(?1))")
                .bind(&delivered)
                .execute(&mut *tx)
                .await?;
            query(
                "UPDATE webhooks SET attempts = attempts + 1, held_until = NULL, due_at = coalesce(v ->> 1, due_at), dead = v ->> 2, \
                 last_error = v ->> 3 FROM (SELECT value AS v FROM json_each(?1)) WHERE id = v ->> 0",
            )
            .bind(list(failed))
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            writer.settle();
            Ok(())
        })
        .await
    }

    async fn webhooks(&self, filter: &WebhookFilter, page: &Page) -> Result<Listed<WebhookRecord>> {
        self.within(async {
            let from: Option<i64> = after(page)?.map(|[seq]| cursor_key(&seq)).transpose()?;
            let tables = [
                (!matches!(filter.state, Some(DeliveryState::Delivered | DeliveryState::Dead))).then_some(PENDING),
                (!matches!(filter.state, Some(DeliveryState::Delivered | DeliveryState::Pending))).then_some(DEAD),
                filter.state.is_none_or(|state| state == DeliveryState::Delivered).then_some(DELIVERED),
            ];
            let (beyond, order) = match filter.state {
                Some(DeliveryState::Delivered) => (" AND seq < ", " ORDER BY seq DESC LIMIT "),
                _ => (" AND seq > ", " ORDER BY seq LIMIT "),
            };
            let mut select = QueryBuilder::<Sqlite>::new("");
            for (number, table) in tables.into_iter().flatten().enumerate() {
                select.push(if number > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" }).push(table);
                if let Some(application) = filter.application {
                    select.push(" AND application_id = ").push_bind(application.to_string());
                }
                if let Some(from) = from {
                    select.push(beyond).push_bind(from);
                }
                // Each part gives a page at most, by its own index.
                select.push(order).push_bind(one_more(page)).push(")");
            }
            select.push(order).push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let records = rows.iter().map(record).collect::<Result<Vec<_>>>()?;
            let page = listed(records, page, |(seq, _)| cursor([&seq.to_string()]));
            Ok(Listed { items: page.items.into_iter().map(|(_, record)| record).collect(), next: page.next })
        })
        .await
    }

    async fn replay_webhook(&self, id: WebhookId, action: &OperatorAction) -> Result<bool> {
        self.within(async {
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let replayed = query(
                "UPDATE webhooks SET dead = 0, attempts = 0, due_at = ?1, held_until = NULL WHERE id = ?2 AND dead",
            )
            .bind(stamp(now()))
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if replayed == 1 {
                operations::record(&mut tx, action).await?;
            }
            tx.commit().await?;
            writer.settle();
            Ok(replayed == 1)
        })
        .await
    }

    async fn next_webhook_due(&self) -> Result<Option<DateTime<Utc>>> {
        const NEXT: &str = concat!(
            "SELECT ",
            ready_at!(),
            " AS at FROM webhooks w WHERE NOT w.dead AND ",
            first_of_its_application!(),
            " ORDER BY 1 LIMIT 1"
        );
        self.within(async {
            let row = query(NEXT).fetch_optional(&self.readers).await?;
            row.map(|row| row.parsed("at")).transpose()
        })
        .await
    }

    async fn forget_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        self.forget(
            "DELETE FROM delivered_webhooks WHERE seq IN ( \
                SELECT seq FROM delivered_webhooks WHERE delivered_at < ?1 ORDER BY delivered_at LIMIT ?2)",
            before,
            limit,
        )
        .await
    }

    async fn forget_dead_webhooks(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        self.forget(
            "DELETE FROM webhooks \
             WHERE seq IN (SELECT seq FROM webhooks WHERE dead ORDER BY seq LIMIT ?2) AND dead AND created_at < ?1",
            before,
            limit,
        )
        .await
    }
}

// Each in the words of its partial index.
const PENDING: &str = "SELECT seq, id, application_id, url, 'pending' AS state, attempts, due_at, NULL AS delivered_at, \
    NULL AS status, last_error, created_at FROM webhooks WHERE NOT dead";
const DEAD: &str = "SELECT seq, id, application_id, url, 'dead' AS state, attempts, due_at, NULL AS delivered_at, \
    NULL AS status, last_error, created_at FROM webhooks WHERE dead";
const DELIVERED: &str = "SELECT seq, id, application_id, url, 'delivered' AS state, attempts, NULL AS due_at, delivered_at, \
    status, NULL AS last_error, created_at FROM delivered_webhooks WHERE true";

/// Id and status of a delivered one.
fn delivery((id, result): &(WebhookId, WebhookResult)) -> Option<Value> {
    match result {
        WebhookResult::Delivered { status } => Some(json!([id, status])),
        WebhookResult::Retry { .. } | WebhookResult::Dead { .. } => None,
    }
}

/// Id, next try, whether it is dead, error; none for a delivered one.
fn failure((id, result): &(WebhookId, WebhookResult)) -> Option<Value> {
    match result {
        WebhookResult::Delivered { .. } => None,
        WebhookResult::Retry { at, error } => Some(json!([id, stamp(*at), false, error])),
        WebhookResult::Dead { error } => Some(json!([id, null, true, error])),
    }
}

fn due_webhook(row: &SqliteRow) -> Result<DueWebhook> {
    Ok(DueWebhook {
        id: row.parsed("id")?,
        url: row.text("url")?,
        application: row.document("application", "document")?,
        applicant: row.sealed()?,
        created_at: row.parsed("created_at")?,
        attempts: row.number("attempts")?,
    })
}

fn record(row: &SqliteRow) -> Result<(i64, WebhookRecord)> {
    let record = WebhookRecord {
        id: row.parsed("id")?,
        application_id: row.parsed("application_id")?,
        url: row.text("url")?,
        state: row.parsed("state")?,
        attempts: row.number("attempts")?,
        due_at: row.parsed_opt("due_at")?,
        delivered_at: row.parsed_opt("delivered_at")?,
        status: row.try_get("status")?,
        last_error: row.try_get("last_error")?,
        created_at: row.parsed("created_at")?,
    };
    Ok((row.number("seq")?, record))
}

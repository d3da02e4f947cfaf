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
        types::{DueWebhook, Listed, OperatorAction, Page, WebhookRecord, WebhookResult},
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
            let delivered = results.iter().filter(|(_, result)| *result == WebhookResult::Delivered).map(|(id, _)| id);
            let failed: Vec<Value> = results.iter().filter_map(failure).collect();
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            query("DELETE FROM webhooks WHERE id IN (SELECT value FROM json_each(?1))").bind(texts(delivered)).execute(&mut *tx).await?;
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

    async fn webhooks(&self, dead: Option<bool>, page: &Page) -> Result<Listed<WebhookRecord>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM webhooks WHERE true");
            match dead {
                Some(true) => select.push(" AND dead"),
                Some(false) => select.push(" AND NOT dead"),
                None => &mut select,
            };
            if let Some([seq]) = after(page)? {
                select.push(" AND seq > ").push_bind(cursor_key::<i64>(&seq)?);
            }
            select.push(" ORDER BY seq LIMIT ").push_bind(one_more(page));
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
}

/// Id, next try, whether it is dead, error; none for a delivered one.
fn failure((id, result): &(WebhookId, WebhookResult)) -> Option<Value> {
    match result {
        WebhookResult::Delivered => None,
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

pub(super) fn record(row: &SqliteRow) -> Result<(i64, WebhookRecord)> {
    let record = WebhookRecord {
        id: row.parsed("id")?,
        application_id: row.parsed("application_id")?,
        url: row.text("url")?,
        dead: row.try_get("dead")?,
        attempts: row.number("attempts")?,
        due_at: row.parsed("due_at")?,
        last_error: row.try_get("last_error")?,
        created_at: row.parsed("created_at")?,
    };
    Ok((row.number("seq")?, record))
}

//! The webhook outbox.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Connection as _, QueryBuilder, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, operations, row};
use crate::{
    domain::ids::WebhookId,
    store::{
        Result, Webhooks,
        rows::{after, cursor, cursor_key, listed},
        types::{Listed, OperatorAction, Page},
        webhooks::{DeliveryState, DueWebhook, WebhookFilter, WebhookRecord, WebhookResult},
    },
};

const CLAIM: &str = "
WITH due AS (
    SELECT w.id FROM webhooks w
    WHERE NOT w.dead AND w.due_at <= now() AND (w.held_until IS NULL OR w.held_until <= now())
        AND NOT EXISTS (
            SELECT FROM webhooks o WHERE o.application_id = w.application_id AND o.seq < w.seq AND NOT o.dead)
    ORDER BY w.due_at, w.seq LIMIT $1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE webhooks w SET held_until = now() + make_interval(secs => $2) FROM due WHERE w.id = due.id
    RETURNING w.id, w.application_id, w.url, w.document, w.created_at, w.attempts, w.seq
)
SELECT c.*, p.key_id, p.wrapped_key, p.ciphertext
FROM claimed c JOIN applicants p ON p.application_id = c.application_id
ORDER BY c.seq";

const DELIVER: &str = "
WITH gone AS (
    DELETE FROM webhooks w USING unnest($1::uuid[], $2::integer[]) AS d(id, status) WHERE w.id = d.id
    RETURNING w.id, w.application_id, w.url, w.attempts + 1, d.status, w.created_at, now()
)
INSERT INTO delivered_webhooks (id, application_id, url, attempts, status, created_at, delivered_at)
SELECT * FROM gone";

/// What waits behind a webhook that is tried again later waits as long: it would be met by every claim otherwise.
const RETRY: &str = "
WITH failed AS (
    SELECT w.application_id, w.seq, f.id, f.at, f.error
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS f(id, at, error) JOIN webhooks w USING (id)
)
UPDATE webhooks w SET
    due_at = CASE WHEN w.id = f.id THEN f.at ELSE greatest(w.due_at, f.at) END,
    held_until = CASE WHEN w.id = f.id THEN NULL ELSE w.held_until END,
    attempts = CASE WHEN w.id = f.id THEN w.attempts + 1 ELSE w.attempts END,
    last_error = CASE WHEN w.id = f.id THEN f.error ELSE w.last_error END
FROM failed f
WHERE w.application_id = f.application_id AND w.seq >= f.seq AND NOT w.dead";

/// What waited behind a dead webhook waits no longer.
const BURY: &str = "
WITH died AS (
    SELECT w.application_id, w.seq, f.id, f.error
    FROM unnest($1::uuid[], $2::text[]) AS f(id, error) JOIN webhooks w USING (id)
)
UPDATE webhooks w SET
    dead = w.id = d.id,
    due_at = CASE WHEN w.id = d.id THEN w.due_at ELSE w.created_at END,
    held_until = CASE WHEN w.id = d.id THEN NULL ELSE w.held_until END,
    attempts = CASE WHEN w.id = d.id THEN w.attempts + 1 ELSE w.attempts END,
    last_error = CASE WHEN w.id = d.id THEN d.error ELSE w.last_error END
FROM died d
WHERE w.application_id = d.application_id AND w.seq >= d.seq AND NOT w.dead";

#[async_trait]
impl Webhooks for PostgresStore {
    async fn claim_webhooks(&self, limit: usize, hold: Duration) -> Result<Vec<DueWebhook>> {
        let claim = query(CLAIM).bind(row::at_most(limit)).bind(hold.as_secs_f64());
        let rows = self.rows(claim).await?;
        rows.iter()
            .map(|row| {
                Ok(DueWebhook {
                    id: WebhookId(row.try_get("id")?),
                    url: row.try_get("url")?,
                    application: row::application(row)?,
                    applicant: row::sealed(row)?,
                    created_at: row.try_get("created_at")?,
                    attempts: row::unsigned(row, "attempts")?,
                })
            })
            .collect()
    }

    async fn settle_webhooks(&self, results: &[(WebhookId, WebhookResult)]) -> Result<()> {
        let (mut delivered, mut status): (Vec<Uuid>, Vec<i32>) = Default::default();
        let (mut failed, mut again_at, mut failed_why): (Vec<Uuid>, Vec<DateTime<Utc>>, Vec<&str>) = Default::default();
        let (mut dead, mut dead_why): (Vec<Uuid>, Vec<&str>) = Default::default();
        for (id, result) in results {
            match result {
                WebhookResult::Delivered { status: answered } => {
                    delivered.push(id.0);
                    status.push((*answered).into());
                }
                WebhookResult::Retry { at, error } => {
                    failed.push(id.0);
                    again_at.push(*at);
                    failed_why.push(error);
                }
                WebhookResult::Dead { error } => {
                    dead.push(id.0);
                    dead_why.push(error);
                }
            }
        }
        if !delivered.is_empty() {
            self.execute(query(DELIVER).bind(delivered).bind(status)).await?;
        }
        if !failed.is_empty() {
            self.execute(query(RETRY).bind(failed).bind(again_at).bind(failed_why)).await?;
        }
        if !dead.is_empty() {
            self.execute(query(BURY).bind(dead).bind(dead_why)).await?;
        }
        Ok(())
    }

    async fn webhooks(&self, filter: &WebhookFilter, page: &Page) -> Result<Listed<WebhookRecord>> {
        let from: Option<Uuid> = after(page)?.map(|[id]| cursor_key(&id)).transpose()?;
        let tables = [
            (filter.state != Some(DeliveryState::Delivered)).then_some(UNDELIVERED),
            filter.state.is_none_or(|state| state == DeliveryState::Delivered).then_some(DELIVERED),
        ];
        let (beyond, order) = match filter.state {
            Some(DeliveryState::Delivered) => (" AND id < ", " ORDER BY id DESC LIMIT "),
            _ => (" AND id > ", " ORDER BY id LIMIT "),
        };
        let mut select = QueryBuilder::new("");
        for (number, table) in tables.into_iter().flatten().enumerate() {
            select.push(if number > 0 { " UNION ALL SELECT * FROM (" } else { "SELECT * FROM (" }).push(table);
            match filter.state {
                Some(DeliveryState::Pending) => _ = select.push(" AND NOT dead"),
                Some(DeliveryState::Dead) => _ = select.push(" AND dead"),
                Some(DeliveryState::Delivered) | None => {}
            }
            if let Some(application) = filter.application {
                select.push(" AND application_id = ").push_bind(application.0);
            }
            if let Some(from) = from {
                select.push(beyond).push_bind(from);
            }
            // Each table gives a page at most, by its own index.
            select.push(order).push_bind(row::limit(page.limit)).push(") part");
        }
        select.push(order).push_bind(row::limit(page.limit));
        let items = self.rows(select.build()).await?.iter().map(record).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| cursor([&last.id.to_string()])))
    }

    async fn replay_webhook(&self, id: WebhookId, action: &OperatorAction) -> Result<bool> {
        let replay = query(
            "UPDATE webhooks SET dead = false, attempts = 0, due_at = now(), held_until = NULL WHERE id = $1 AND dead",
        );
        self.limited(async {
            let mut lent = self.lend().await?;
            let mut transaction = lent.begin().await?;
            let replayed = replay.bind(id.0).execute(&mut *transaction).await?.rows_affected() > 0;
            if replayed {
                operations::record(&mut transaction, action).await?;
            }
            transaction.commit().await?;
            lent.give_back();
            Ok(replayed)
        })
        .await
    }

    async fn next_webhook_due(&self) -> Result<Option<DateTime<Utc>>> {
        let select = query(
            "SELECT greatest(due_at, held_until) AS due FROM webhooks w
             WHERE NOT dead AND NOT EXISTS (
                SELECT FROM webhooks o WHERE o.application_id = w.application_id AND o.seq < w.seq AND NOT o.dead)
             ORDER BY due_at, seq LIMIT 1",
        );
        self.row(select).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    async fn forget_deliveries(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let forget = query(
            "DELETE FROM delivered_webhooks WHERE id IN (
                SELECT id FROM delivered_webhooks WHERE delivered_at < $1 ORDER BY delivered_at LIMIT $2)",
        );
        self.execute(forget.bind(before).bind(row::at_most(limit))).await
    }

    async fn forget_dead_webhooks(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let forget = query(
            "DELETE FROM webhooks
             WHERE id IN (SELECT id FROM webhooks WHERE dead ORDER BY id LIMIT $2) AND dead AND created_at < $1",
        );
        self.execute(forget.bind(before).bind(row::at_most(limit))).await
    }
}

const UNDELIVERED: &str = "
SELECT id, application_id, url, CASE WHEN dead THEN 'dead' ELSE 'pending' END AS state, attempts, due_at,
    NULL::timestamptz AS delivered_at, NULL::integer AS status, last_error, created_at
FROM webhooks WHERE true";

const DELIVERED: &str = "
SELECT id, application_id, url, 'delivered' AS state, attempts, NULL::timestamptz AS due_at, delivered_at, status,
    NULL::text AS last_error, created_at
FROM delivered_webhooks WHERE true";

fn record(row: &PgRow) -> Result<WebhookRecord> {
    Ok(WebhookRecord {
        id: WebhookId(row.try_get("id")?),
        application_id: row::application_id(row)?,
        url: row.try_get("url")?,
        state: row::name(row, "state")?,
        attempts: row::unsigned(row, "attempts")?,
        due_at: row.try_get("due_at")?,
        delivered_at: row.try_get("delivered_at")?,
        status: row.try_get::<Option<i32>, _>("status")?.and_then(|status| u16::try_from(status).ok()),
        last_error: row.try_get("last_error")?,
        created_at: row.try_get("created_at")?,
    })
}

//! Acts on many applications.

use async_trait::async_trait;
use serde_json::json;
use sqlx::{Row as _, query, sqlite::SqliteRow};

use super::{
    super::{
        Result,
        batches::{Batch, BatchItem, Batches, NewBatch, PendingItem, SettledItem, UnverifiedItem},
        rows::{after, cursor, cursor_key, listed},
        types::{Listed, OperatorAction, Page},
    },
    SqliteStore,
    applications::one_more,
    codec::{Columns as _, list, stamp},
    now,
    operations::{actor, record},
};
use crate::domain::{
    batch::ItemVerdict,
    ids::{ApplicationId, BatchId},
};

/// The verdict of an item: the stored one, or what its result says.
const VERDICT: &str = "CASE WHEN result IS NULL THEN 'queued' ELSE coalesce(verdict, 'waiting') END AS verdict";

#[async_trait]
impl Batches for SqliteStore {
    async fn create_batch(&self, batch: &NewBatch, action: &OperatorAction) -> Result<()> {
        self.within(async {
            let items = list(batch.applications.iter().map(|item| json!(item)));
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            query(
                "INSERT INTO batches (id, actor_kind, actor_id, act, reason, created_at, matched) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, count(DISTINCT value ->> 0) FROM json_each(?7)",
            )
            .bind(batch.id.to_string())
            .bind(batch.actor.kind.as_str())
            .bind(&batch.actor.id)
            .bind(batch.act.as_str())
            .bind(&batch.reason)
            .bind(stamp(now()))
            .bind(&items)
            .execute(&mut *tx)
            .await?;
            query(
                "INSERT INTO batch_items (batch_id, application_id, stage) \
                 SELECT ?1, value ->> 0, value ->> 1 FROM json_each(?2) WHERE true ON CONFLICT DO NOTHING",
            )
            .bind(batch.id.to_string())
            .bind(items)
            .execute(&mut *tx)
            .await?;
            record(&mut tx, action).await?;
            tx.commit().await?;
            writer.settle();
            Ok(())
        })
        .await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>> {
        self.within(async {
            let head =
                query("SELECT * FROM batches WHERE id = ?1").bind(id.to_string()).fetch_optional(&self.readers).await?;
            let Some(head) = head else { return Ok(None) };
            let count = format!("SELECT {VERDICT}, count(*) AS count FROM batch_items WHERE batch_id = ?1 GROUP BY 1");
            let rows = query(sqlx::AssertSqlSafe(count)).bind(id.to_string()).fetch_all(&self.readers).await?;
            let tally = |row: &SqliteRow| Ok((row.parsed("verdict")?, row.number("count")?));
            let mut tallies: Vec<(ItemVerdict, u64)> = rows.iter().map(tally).collect::<Result<_>>()?;
            tallies.sort_unstable();
            Ok(Some(Batch {
                id,
                actor: actor(&head)?,
                act: head.parsed("act")?,
                reason: head.try_get("reason")?,
                created_at: head.parsed("created_at")?,
                matched: head.number("matched")?,
                tallies,
            }))
        })
        .await
    }

    async fn batch_items(&self, id: BatchId, page: &Page) -> Result<Listed<BatchItem>> {
        self.within(async {
            let last = match after(page)? {
                Some([last]) => cursor_key::<ApplicationId>(&last)?.to_string(),
                None => String::new(),
            };
            let select = format!(
                "SELECT application_id, stage, result, {VERDICT} FROM batch_items \
                 WHERE batch_id = ?1 AND application_id > ?2 ORDER BY application_id LIMIT ?3"
            );
            let rows = query(sqlx::AssertSqlSafe(select))
                .bind(id.to_string())
                .bind(last)
                .bind(one_more(page))
                .fetch_all(&self.readers)
                .await?;
            let item = |row: &SqliteRow| {
                Ok(BatchItem {
                    application_id: row.parsed("application_id")?,
                    stage: row.parsed_opt("stage")?,
                    result: row.try_get("result")?,
                    verdict: row.parsed("verdict")?,
                })
            };
            let items = rows.iter().map(item).collect::<Result<Vec<_>>>()?;
            Ok(listed(items, page, |last| cursor([&last.application_id.to_string()])))
        })
        .await
    }

    async fn pending_batch_items(&self, limit: usize) -> Result<Vec<PendingItem>> {
        self.within(async {
            let rows = query(
                "SELECT i.batch_id, i.application_id, b.actor_kind, b.actor_id, b.act, b.reason \
                 FROM batch_items i JOIN batches b ON b.id = i.batch_id \
                 WHERE i.result IS NULL ORDER BY i.batch_id, i.application_id LIMIT ?1",
            )
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            let item = |row: &SqliteRow| {
                Ok(PendingItem {
                    batch: row.parsed("batch_id")?,
                    application_id: row.parsed("application_id")?,
                    actor: actor(row)?,
                    act: row.parsed("act")?,
                    reason: row.try_get("reason")?,
                })
            };
            rows.iter().map(item).collect()
        })
        .await
    }

    async fn settle_batch_items(&self, items: &[SettledItem]) -> Result<()> {
        self.within(async {
            let rows = items.iter().map(|item| json!([item.batch, item.application_id, item.result, item.verdict]));
            query(
                "UPDATE batch_items SET result = v ->> 2, verdict = v ->> 3 FROM (SELECT value AS v FROM json_each(?1)) \
                 WHERE batch_id = v ->> 0 AND application_id = v ->> 1 AND result IS NULL",
            )
            .bind(list(rows))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn unverified_batch_items(
        &self,
        behind: Option<(BatchId, ApplicationId)>,
        limit: usize,
    ) -> Result<Vec<UnverifiedItem>> {
        self.within(async {
            let (batch, application) =
                behind.map(|(batch, application)| (batch.to_string(), application.to_string())).unwrap_or_default();
            let rows = query(
                "SELECT i.batch_id, i.application_id, b.created_at, \
                    a.stage IS i.stage AND NOT a.needs_operator AS on_its_way \
                 FROM batch_items i \
                 JOIN batches b ON b.id = i.batch_id JOIN applications a ON a.id = i.application_id \
                 WHERE i.result IS NOT NULL AND i.verdict IS NULL AND (i.batch_id, i.application_id) > (?1, ?2) \
                 ORDER BY i.batch_id, i.application_id LIMIT ?3",
            )
            .bind(batch)
            .bind(application)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            let item = |row: &SqliteRow| {
                Ok(UnverifiedItem {
                    batch: row.parsed("batch_id")?,
                    started_at: row.parsed("created_at")?,
                    application_id: row.parsed("application_id")?,
                    on_its_way: row.try_get("on_its_way")?,
                })
            };
            rows.iter().map(item).collect()
        })
        .await
    }

    async fn verify_batch_items(&self, items: &[(BatchId, ApplicationId, ItemVerdict)]) -> Result<()> {
        self.within(async {
            query(
                "UPDATE batch_items SET verdict = v ->> 2 FROM (SELECT value AS v FROM json_each(?1)) \
                 WHERE batch_id = v ->> 0 AND application_id = v ->> 1 AND verdict IS NULL",
            )
            .bind(list(items.iter().map(|item| json!(item))))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }
}

//! Acts on many applications.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, operations::record, row};
use crate::{
    domain::{
        batch::ItemVerdict,
        ids::{ApplicationId, BatchId},
        stage::Stage,
    },
    store::{
        Result,
        batches::{Batch, BatchItem, Batches, NewBatch, PendingItem, SettledItem, UnverifiedItem},
        rows::{after, cursor, cursor_key, listed},
        types::{Listed, OperatorAction, Page},
    },
};

/// The verdict of an item: the stored one, or what its result says.
const VERDICT: &str = "CASE WHEN result IS NULL THEN 'queued' ELSE coalesce(verdict, 'waiting') END AS verdict";

#[async_trait]
impl Batches for PostgresStore {
    async fn create_batch(&self, batch: &NewBatch, action: &OperatorAction) -> Result<()> {
        let mut items: Vec<(Uuid, Option<Stage>)> =
            batch.applications.iter().map(|(id, stage)| (id.0, *stage)).collect();
        items.sort_unstable();
        items.dedup_by_key(|(id, _)| *id);
        let (ids, stages): (Vec<Uuid>, Vec<Option<&str>>) =
            items.iter().map(|(id, stage)| (*id, stage.map(Stage::as_str))).unzip();
        self.limited(async {
            let mut lent = self.lend().await?;
            let mut transaction = lent.begin().await?;
            query(
                "INSERT INTO batches (id, actor_kind, actor_id, act, reason, created_at, matched)
                 VALUES ($1, $2, $3, $4, $5, now(), $6)",
            )
            .bind(batch.id.0)
            .bind(batch.actor.kind.as_str())
            .bind(&batch.actor.id)
            .bind(batch.act.as_str())
            .bind(&batch.reason)
            .bind(row::at_most(ids.len()))
            .execute(&mut *transaction)
            .await?;
            query(
                "INSERT INTO batch_items (batch_id, application_id, stage)
                 SELECT $1, w.id, w.stage FROM unnest($2::uuid[], $3::text[]) AS w(id, stage)",
            )
            .bind(batch.id.0)
            .bind(ids)
            .bind(stages)
            .execute(&mut *transaction)
            .await?;
            record(&mut transaction, action).await?;
            transaction.commit().await?;
            lent.give_back();
            Ok(())
        })
        .await
    }

    async fn batch(&self, id: BatchId) -> Result<Option<Batch>> {
        let head = self.row(query("SELECT * FROM batches WHERE id = $1").bind(id.0)).await?;
        let Some(head) = head else { return Ok(None) };
        let count = format!("SELECT {VERDICT}, count(*) AS count FROM batch_items WHERE batch_id = $1 GROUP BY 1");
        let rows = self.rows(query(AssertSqlSafe(count)).bind(id.0)).await?;
        let tally = |found: &PgRow| Ok((row::name(found, "verdict")?, row::count(found, "count")?));
        let mut tallies: Vec<(ItemVerdict, u64)> = rows.iter().map(tally).collect::<Result<_>>()?;
        tallies.sort_unstable();
        Ok(Some(Batch {
            id,
            actor: row::actor(&head)?,
            act: row::name(&head, "act")?,
            reason: head.try_get("reason")?,
            created_at: head.try_get("created_at")?,
            matched: row::count(&head, "matched")?,
            tallies,
        }))
    }

    async fn batch_items(&self, id: BatchId, page: &Page) -> Result<Listed<BatchItem>> {
        let last = match after(page)? {
            Some([last]) => cursor_key(&last)?,
            None => Uuid::nil(),
        };
        let select = format!(
            "SELECT application_id, stage, result, {VERDICT} FROM batch_items
             WHERE batch_id = $1 AND application_id > $2 ORDER BY application_id LIMIT $3"
        );
        let select = query(AssertSqlSafe(select)).bind(id.0).bind(last).bind(row::limit(page.limit));
        let item = |found: &PgRow| {
            Ok(BatchItem {
                application_id: row::application_id(found)?,
                stage: found.try_get::<Option<&str>, _>("stage")?.and_then(|stage| stage.parse().ok()),
                result: found.try_get("result")?,
                verdict: row::name(found, "verdict")?,
            })
        };
        let items = self.rows(select).await?.iter().map(item).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| cursor([&last.application_id.to_string()])))
    }

    async fn pending_batch_items(&self, limit: usize) -> Result<Vec<PendingItem>> {
        let select = query(
            "SELECT i.batch_id, i.application_id, b.actor_kind, b.actor_id, b.act, b.reason
             FROM batch_items i JOIN batches b ON b.id = i.batch_id
             WHERE i.result IS NULL ORDER BY i.batch_id, i.application_id LIMIT $1",
        );
        let item = |found: &PgRow| {
            Ok(PendingItem {
                batch: BatchId(found.try_get("batch_id")?),
                application_id: row::application_id(found)?,
                actor: row::actor(found)?,
                act: row::name(found, "act")?,
                reason: found.try_get("reason")?,
            })
        };
        self.rows(select.bind(row::at_most(limit))).await?.iter().map(item).collect()
    }

    async fn settle_batch_items(&self, items: &[SettledItem]) -> Result<()> {
        let update = query(
            "UPDATE batch_items i SET result = w.result, verdict = w.verdict
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS w(batch_id, application_id, result, verdict)
             WHERE i.batch_id = w.batch_id AND i.application_id = w.application_id AND i.result IS NULL",
        )
        .bind(items.iter().map(|item| item.batch.0).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.application_id.0).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.result.as_str()).collect::<Vec<_>>())
        .bind(items.iter().map(|item| item.verdict.map(ItemVerdict::as_str)).collect::<Vec<_>>());
        self.execute(update).await?;
        Ok(())
    }

    async fn unverified_batch_items(
        &self,
        behind: Option<(BatchId, ApplicationId)>,
        limit: usize,
    ) -> Result<Vec<UnverifiedItem>> {
        let (batch, application) = behind.map_or((Uuid::nil(), Uuid::nil()), |(batch, id)| (batch.0, id.0));
        let select = query(
            "SELECT i.batch_id, i.application_id, b.created_at,
                a.stage IS NOT DISTINCT FROM i.stage AND NOT a.needs_operator AS on_its_way
             FROM batch_items i
             JOIN batches b ON b.id = i.batch_id JOIN applications a ON a.id = i.application_id
             WHERE i.result IS NOT NULL AND i.verdict IS NULL AND (i.batch_id, i.application_id) > ($1, $2)
             ORDER BY i.batch_id, i.application_id LIMIT $3",
        )
        .bind(batch)
        .bind(application);
        let item = |found: &PgRow| {
            Ok(UnverifiedItem {
                batch: BatchId(found.try_get("batch_id")?),
                started_at: found.try_get("created_at")?,
                application_id: row::application_id(found)?,
                on_its_way: found.try_get("on_its_way")?,
            })
        };
        self.rows(select.bind(row::at_most(limit))).await?.iter().map(item).collect()
    }

    async fn verify_batch_items(&self, items: &[(BatchId, ApplicationId, ItemVerdict)]) -> Result<()> {
        let update = query(
            "UPDATE batch_items i SET verdict = w.verdict
             FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w(batch_id, application_id, verdict)
             WHERE i.batch_id = w.batch_id AND i.application_id = w.application_id AND i.verdict IS NULL",
        )
        .bind(items.iter().map(|(batch, _, _)| batch.0).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, application, _)| application.0).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, _, verdict)| verdict.as_str()).collect::<Vec<_>>());
        self.execute(update).await?;
        Ok(())
    }
}

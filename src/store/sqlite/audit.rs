//! Reading the audit log, and its checkpoints.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Row as _, Sqlite, query, sqlite::SqliteRow};

use super::{
    super::{
        Audit, Result,
        rows::{after, cursor, cursor_key, index_words, listed},
        types::{EventFilter, Head, Listed, Page, StoredCheckpoint, StoredEvent},
    },
    SqliteStore,
    applications::one_more,
    codec::{Columns as _, stamp},
    operations::actor,
};
use crate::domain::ids::ApplicationId;

#[async_trait]
impl Audit for SqliteStore {
    async fn events(&self, application: ApplicationId) -> Result<Vec<StoredEvent>> {
        self.within(async {
            let rows = query("SELECT * FROM events WHERE application_id = ?1 ORDER BY seq")
                .bind(application.to_string())
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(event).collect()
        })
        .await
    }

    async fn event_page(&self, application: ApplicationId, page: &Page) -> Result<Listed<StoredEvent>> {
        self.within(async {
            let last = match after(page)? {
                Some([seq]) => cursor_key(&seq)?,
                None => 0_i64,
            };
            let rows = query("SELECT * FROM events WHERE application_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")
                .bind(application.to_string())
                .bind(last)
                .bind(one_more(page))
                .fetch_all(&self.readers)
                .await?;
            let events = rows.iter().map(event).collect::<Result<Vec<_>>>()?;
            Ok(listed(events, page, |last| cursor([&last.seq.to_string()])))
        })
        .await
    }

    async fn search_events(&self, filter: &EventFilter, page: &Page) -> Result<Listed<StoredEvent>> {
        self.within(async {
            let words: Vec<_> = index_words(filter).collect();
            // Left alone, SQLite sorts every event of a type that each application has.
            let by_time = if words.is_empty() { " INDEXED BY events_by_time" } else { "" };
            let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM events");
            select.push(by_time).push(" WHERE true");
            let conditions = [
                (" AND actor_id = ", filter.actor.clone()),
                (" AND kind = ", filter.kind.clone()),
                (" AND at >= ", filter.from.map(stamp)),
                (" AND at < ", filter.to.map(stamp)),
            ];
            for (condition, value) in conditions {
                if let Some(value) = value {
                    select.push(condition).push_bind(value);
                }
            }
            for words in words {
                select.push(words);
            }
            if let Some([at, id, seq]) = after(page)? {
                select.push(" AND (at, application_id, seq) < (").push_bind(stamp(cursor_key(&at)?));
                select.push(", ").push_bind(cursor_key::<ApplicationId>(&id)?.to_string());
                select.push(", ").push_bind(cursor_key::<i64>(&seq)?).push(")");
            }
            select.push(" ORDER BY at DESC, application_id DESC, seq DESC LIMIT ").push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let events = rows.iter().map(event).collect::<Result<Vec<_>>>()?;
            let key =
                |last: &StoredEvent| cursor([&stamp(last.at), &last.application_id.to_string(), &last.seq.to_string()]);
            Ok(listed(events, page, key))
        })
        .await
    }

    async fn audited_applications(&self, after: Option<ApplicationId>, limit: usize) -> Result<Vec<ApplicationId>> {
        self.within(async {
            let rows = query(
                "SELECT DISTINCT application_id FROM events WHERE application_id > ?1 ORDER BY application_id LIMIT ?2",
            )
            .bind(after.map_or_else(String::new, |id| id.to_string()))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(|row| row.parsed("application_id")).collect()
        })
        .await
    }

    async fn heads_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Head>> {
        self.within(async {
            // SQLite takes the bare `hash` from the row of the maximum.
            let rows = query(
                "SELECT application_id, max(seq) AS seq, hash FROM events WHERE at > ?1 AND at <= ?2 \
                 GROUP BY application_id ORDER BY application_id",
            )
            .bind(stamp(from))
            .bind(stamp(until))
            .fetch_all(&self.readers)
            .await?;
            rows.iter()
                .map(|row| {
                    Ok(Head {
                        application_id: row.parsed("application_id")?,
                        seq: row.number("seq")?,
                        hash: row.text("hash")?,
                    })
                })
                .collect()
        })
        .await
    }

    async fn append_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<bool> {
        self.within(async {
            let appended =
                query("INSERT INTO checkpoints (id, until, document) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING")
                    .bind(checkpoint.id)
                    .bind(stamp(checkpoint.until))
                    .bind(&checkpoint.document)
                    .execute(&self.writer)
                    .await?;
            Ok(appended.rows_affected() == 1)
        })
        .await
    }

    async fn checkpoints(&self, after: i64, limit: usize) -> Result<Vec<StoredCheckpoint>> {
        self.within(async {
            let rows = query("SELECT * FROM checkpoints WHERE id > ?1 ORDER BY id LIMIT ?2")
                .bind(after)
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(checkpoint).collect()
        })
        .await
    }

    async fn prepare_partitions(&self) -> Result<()> {
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>> {
        self.within(async {
            let row = query("SELECT * FROM checkpoints ORDER BY id DESC LIMIT 1").fetch_optional(&self.readers).await?;
            row.as_ref().map(checkpoint).transpose()
        })
        .await
    }
}

pub(super) fn event(row: &SqliteRow) -> Result<StoredEvent> {
    Ok(StoredEvent {
        application_id: row.parsed("application_id")?,
        seq: row.number("seq")?,
        at: row.parsed("at")?,
        kind: row.text("kind")?,
        actor: actor(row)?,
        stage: row.try_get("stage")?,
        data: row.text("data")?,
        hash: row.text("hash")?,
        prev_hash: row.text("prev_hash")?,
    })
}

fn checkpoint(row: &SqliteRow) -> Result<StoredCheckpoint> {
    Ok(StoredCheckpoint { id: row.number("id")?, until: row.parsed("until")?, document: row.text("document")? })
}

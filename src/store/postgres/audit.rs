//! The audit log.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sqlx::{QueryBuilder, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, row};
use crate::{
    domain::ids::ApplicationId,
    store::{
        Audit, Lifecycle as _, Result,
        rows::{after, cursor, cursor_key, index_words, listed},
        types::{EventFilter, Head, Listed, Page, StoredCheckpoint, StoredEvent},
    },
};

const COLUMNS: &str =
    "SELECT application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash FROM events";

#[async_trait]
impl Audit for PostgresStore {
    async fn events(&self, application: ApplicationId) -> Result<Vec<StoredEvent>> {
        let mut select = QueryBuilder::new(COLUMNS);
        select.push(" WHERE application_id = ").push_bind(application.0).push(" ORDER BY seq");
        self.rows(select.build()).await?.iter().map(event).collect()
    }

    async fn event_page(&self, application: ApplicationId, page: &Page) -> Result<Listed<StoredEvent>> {
        let mut select = QueryBuilder::new(COLUMNS);
        select.push(" WHERE application_id = ").push_bind(application.0);
        if let Some([seq]) = after(page)? {
            select.push(" AND seq > ").push_bind(cursor_key::<i64>(&seq)?);
        }
        select.push(" ORDER BY seq LIMIT ").push_bind(row::limit(page.limit));
        let items = self.rows(select.build()).await?.iter().map(event).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| cursor([&last.seq.to_string()])))
    }

    async fn search_events(&self, filter: &EventFilter, page: &Page) -> Result<Listed<StoredEvent>> {
        let before = match after(page)? {
            Some([at, id, seq]) => Some((cursor_key(&at)?, cursor_key(&id)?, cursor_key(&seq)?)),
            None => None,
        };
        let mut found = Vec::new();
        let mut window = Window::new(self.newest(filter, before).await?);
        while found.len() <= page.limit {
            let room = page.limit + 1 - found.len();
            let rows = self.rows(search(filter, before, &window, room).build()).await?;
            for row in &rows {
                found.push(event(row)?);
            }
            if !window.move_back(filter.from) {
                break;
            }
        }
        Ok(listed(found, page, |last| {
            let at = last.at.to_rfc3339_opts(SecondsFormat::Micros, true);
            cursor([&at, &last.application_id.to_string(), &last.seq.to_string()])
        }))
    }

    async fn audited_applications(&self, after: Option<ApplicationId>, limit: usize) -> Result<Vec<ApplicationId>> {
        let mut select = QueryBuilder::new("SELECT DISTINCT application_id FROM events");
        if let Some(after) = after {
            select.push(" WHERE application_id > ").push_bind(after.0);
        }
        select.push(" ORDER BY application_id LIMIT ").push_bind(row::at_most(limit));
        self.ids(select.build()).await
    }

    async fn heads_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Vec<Head>> {
        let select = query(
            "SELECT DISTINCT ON (application_id) application_id, seq, hash FROM events
             WHERE at > $1 AND at <= $2 ORDER BY application_id, seq DESC",
        );
        let rows = self.rows(select.bind(from).bind(until)).await?;
        rows.iter()
            .map(|row| {
                Ok(Head {
                    application_id: row::application_id(row)?,
                    seq: row.try_get("seq")?,
                    hash: row.try_get("hash")?,
                })
            })
            .collect()
    }

    async fn append_checkpoint(&self, checkpoint: &StoredCheckpoint) -> Result<bool> {
        let insert = query("INSERT INTO checkpoints (id, until, document) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
        let insert = insert.bind(checkpoint.id).bind(checkpoint.until).bind(&checkpoint.document);
        Ok(self.execute(insert).await? > 0)
    }

    async fn checkpoints(&self, after: i64, limit: usize) -> Result<Vec<StoredCheckpoint>> {
        let select = query("SELECT id, until, document FROM checkpoints WHERE id > $1 ORDER BY id LIMIT $2");
        self.rows(select.bind(after).bind(row::at_most(limit))).await?.iter().map(checkpoint).collect()
    }

    async fn prepare_partitions(&self) -> Result<()> {
        // This month's and the next two.
        self.execute(query("SELECT prepare_events_partitions(2)")).await?;
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<StoredCheckpoint>> {
        let row = self.row(query("SELECT id, until, document FROM checkpoints ORDER BY id DESC LIMIT 1")).await?;
        row.map(|row| checkpoint(&row)).transpose()
    }
}

/// Where a page of a search ended: the next one shows what comes before it.
type Position = (DateTime<Utc>, Uuid, i64);

/// A span of time that a search looks through, newest first. The log is ordered by time only roughly, so that a whole
/// span has to be sorted; spans that grow keep that small while there is much to find, and few while there is little.
struct Window {
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    width: TimeDelta,
}

impl Window {
    const FIRST: TimeDelta = TimeDelta::minutes(15);
    /// From here on one statement looks through all that is left.
    const LAST: TimeDelta = TimeDelta::days(366);

    /// The newest span: everything since shortly before `newest`.
    fn new(newest: DateTime<Utc>) -> Self {
        Self { from: newest.checked_sub_signed(Self::FIRST), to: None, width: Self::FIRST }
    }

    /// The span before this one, four times as wide; false when nothing is left since `limit`.
    fn move_back(&mut self, limit: Option<DateTime<Utc>>) -> bool {
        let Some(from) = self.from.filter(|from| limit.is_none_or(|limit| limit < *from)) else { return false };
        self.to = Some(from);
        self.width = self.width * 4;
        self.from =
            Some(self.width).filter(|width| *width < Self::LAST).and_then(|width| from.checked_sub_signed(width));
        true
    }
}

impl PostgresStore {
    /// Where a search begins.
    async fn newest(&self, filter: &EventFilter, before: Option<Position>) -> Result<DateTime<Utc>> {
        // Nothing is in the future: spans that began there would be wide before they met anything.
        let now = self.now().await?;
        Ok(before.map(|(at, _, _)| at).into_iter().chain(filter.to).min().map_or(now, |at| at.min(now)))
    }
}

fn search(
    filter: &EventFilter,
    before: Option<Position>,
    window: &Window,
    room: usize,
) -> QueryBuilder<sqlx::Postgres> {
    let mut select = QueryBuilder::new(COLUMNS);
    select.push(" WHERE true");
    for from in window.from.iter().chain(&filter.from) {
        select.push(" AND at >= ").push_bind(*from);
    }
    for to in window.to.iter().chain(&filter.to) {
        select.push(" AND at < ").push_bind(*to);
    }
    if let Some((at, id, seq)) = before {
        select.push(" AND at <= ").push_bind(at).push(" AND (at, application_id, seq) < (").push_bind(at);
        select.push(", ").push_bind(id).push(", ").push_bind(seq).push(")");
    }
    if let Some(actor) = &filter.actor {
        select.push(" AND actor_id = ").push_bind(actor.clone());
    }
    if let Some(kind) = &filter.kind {
        select.push(" AND kind = ").push_bind(kind.clone());
    }
    for words in index_words(filter) {
        select.push(words);
    }
    select.push(" ORDER BY at DESC, application_id DESC, seq DESC LIMIT ").push_bind(row::at_most(room));
    select
}

pub(super) fn event(row: &PgRow) -> Result<StoredEvent> {
    Ok(StoredEvent {
        application_id: row::application_id(row)?,
        seq: row.try_get("seq")?,
        at: row.try_get("at")?,
        kind: row.try_get("kind")?,
        actor: row::actor(row)?,
        stage: row.try_get("stage")?,
        data: row.try_get("data")?,
        hash: row.try_get("hash")?,
        prev_hash: row.try_get("prev_hash")?,
    })
}

fn checkpoint(row: &PgRow) -> Result<StoredCheckpoint> {
    Ok(StoredCheckpoint { id: row.try_get("id")?, until: row.try_get("until")?, document: row.try_get("document")? })
}

//! Reading reviews; every change of one goes through a commit.

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, audit::event, row};
use crate::{
    domain::{
        event::EventType,
        ids::{ApplicationId, ReviewId},
        review::Review,
    },
    store::{
        Result, Reviews,
        notes::{Notes, StoredNote},
        offers::{Claimant, Offer},
        rows::{after, cursor, cursor_key, listed, of_rare_kind},
        types::{Listed, Page, ReviewFilter, StoredEvent},
    },
};

#[async_trait]
impl Reviews for PostgresStore {
    async fn review(&self, id: ReviewId) -> Result<Option<Review>> {
        let row = self.row(query("SELECT document FROM reviews WHERE id = $1").bind(id.0)).await?;
        row.map(|row| review(&row)).transpose()
    }

    async fn reviews(&self, filter: &ReviewFilter, page: &Page) -> Result<Listed<Review>> {
        let mut select = QueryBuilder::new("SELECT document FROM reviews WHERE true");
        narrow(&mut select, filter);
        if let Some([due_at, id]) = after(page)? {
            let due_at = if due_at.is_empty() { None } else { Some(cursor_key::<DateTime<Utc>>(&due_at)?) };
            select.push(" AND (due_at, id) > (coalesce(").push_bind(due_at).push(", 'infinity'), ");
            select.push_bind(cursor_key::<Uuid>(&id)?).push(")");
        }
        select.push(" ORDER BY due_at, id LIMIT ").push_bind(row::limit(page.limit));
        let items = self.rows(select.build()).await?.iter().map(review).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| {
            let due_at = last.due_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Micros, true)).unwrap_or_default();
            cursor([&due_at, &last.id.to_string()])
        }))
    }

    async fn count_reviews(&self, filter: &ReviewFilter, cap: u64) -> Result<u64> {
        let mut select = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM reviews WHERE true");
        narrow(&mut select, filter);
        select.push(" LIMIT ").push_bind(i64::try_from(cap).unwrap_or(i64::MAX)).push(") capped");
        self.row(select.build()).await?.map_or(Ok(0), |row| row::count(&row, "count"))
    }

    async fn claimable(&self, who: &Claimant<'_>, offer: Offer, limit: usize) -> Result<Vec<Review>> {
        let mut select = QueryBuilder::new("SELECT document FROM reviews WHERE state = 'open' AND ");
        match offer {
            Offer::Assigned => {
                select.push("document::jsonb ->> 'assigned_to' = ").push_bind(who.reviewer.to_owned());
                select.push(if who.supervisor { "" } else { " AND NOT supervisor_only" });
            }
            Offer::Overdue => {
                select.push("due_at <= now() AND NOT document::jsonb ? 'assigned_to'");
            }
            Offer::Escalated => {
                select.push("supervisor_only AND NOT document::jsonb ? 'assigned_to'");
            }
            Offer::Usual => {
                select.push("NOT supervisor_only AND NOT document::jsonb ? 'assigned_to'");
            }
        }
        if let Some(authority) = who.authority {
            select.push(" AND authority = ").push_bind(authority.to_owned());
        }
        select.push(
            " AND coalesce((document::jsonb ->> 'postponed_until')::timestamptz <= now(), true)
            AND NOT coalesce(document::jsonb -> 'earlier' @> jsonb_build_array(jsonb_build_object('reviewer', ",
        );
        select.push_bind(who.reviewer.to_owned()).push("::text)), false) AND NOT coalesce((SELECT a.holder = ");
        // One look for each task that is read: as an anti-join it read every application first.
        select.push_bind(who.document.map(str::to_owned)).push(" OR a.document::jsonb -> 'reviewed_by' ? ");
        select.push_bind(who.reviewer.to_owned()).push(" FROM applications a WHERE a.id = application_id), false)");
        select.push(" ORDER BY priority DESC, due_at, id LIMIT ").push_bind(row::at_most(limit));
        self.rows(select.build()).await?.iter().map(review).collect()
    }

    async fn claims_of(&self, reviewer: &str) -> Result<u64> {
        let select = query(
            "SELECT count(*) FROM reviews WHERE state = 'claimed' AND reviewer = $1 AND lease_expires_at > now()",
        );
        self.row(select.bind(reviewer)).await?.map_or(Ok(0), |row| row::count(&row, "count"))
    }

    async fn lapsed_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        let select = query(
            "SELECT application_id FROM reviews WHERE state = 'claimed' AND lease_expires_at <= now()
             ORDER BY lease_expires_at LIMIT $1",
        );
        self.ids(select.bind(row::at_most(limit))).await
    }

    async fn effective_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        let select = query(
            "SELECT application_id FROM reviews WHERE takes_effect_at <= now() ORDER BY takes_effect_at LIMIT $1",
        );
        self.ids(select.bind(row::at_most(limit))).await
    }
}

#[async_trait]
impl Notes for PostgresStore {
    async fn notes(&self, application: ApplicationId) -> Result<Vec<StoredNote>> {
        let select = query(
            "SELECT review_id, at, key_id, wrapped_key, ciphertext FROM review_notes
             WHERE application_id = $1 AND review_id IS NOT NULL ORDER BY id LIMIT 100",
        );
        self.rows(select.bind(application.0))
            .await?
            .iter()
            .map(|row| {
                let review_id = ReviewId(row.try_get("review_id")?);
                Ok(StoredNote { review_id, at: row.try_get("at")?, sealed: row::sealed(row)? })
            })
            .collect()
    }

    async fn review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        let select = query(
            "SELECT * FROM events WHERE actor_kind = 'reviewer' AND kind = $1 AND actor_id = $2 AND at >= $3
             ORDER BY at DESC LIMIT $4",
        )
        .bind(kind.as_str())
        .bind(reviewer)
        .bind(from)
        .bind(row::at_most(limit));
        self.rows(select).await?.iter().map(event).collect()
    }

    async fn count_overturned(&self, reviewer: &str, from: DateTime<Utc>, cap: usize) -> Result<u64> {
        let count = query(concat!(
            "SELECT count(*) FROM (SELECT FROM events WHERE kind = 'review_overturned'",
            of_rare_kind!(),
            " AND at >= $2 AND data::jsonb ->> 'reviewer' = $1 LIMIT $3) capped"
        ))
        .bind(reviewer)
        .bind(from)
        .bind(row::at_most(cap));
        self.row(count).await?.map_or(Ok(0), |row| row::count(&row, "count"))
    }

    async fn count_review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        cap: usize,
    ) -> Result<u64> {
        let count = query(
            "SELECT count(*) FROM (SELECT FROM events
             WHERE actor_kind = 'reviewer' AND kind = $1 AND actor_id = $2 AND at >= $3 LIMIT $4) capped",
        )
        .bind(kind.as_str())
        .bind(reviewer)
        .bind(from)
        .bind(row::at_most(cap));
        self.row(count).await?.map_or(Ok(0), |row| row::count(&row, "count"))
    }
}

fn narrow(select: &mut QueryBuilder<Postgres>, filter: &ReviewFilter) {
    if let Some(state) = filter.state {
        select.push(" AND state = ").push_bind(state.as_str());
    }
    if let Some(authority) = &filter.authority {
        select.push(" AND authority = ").push_bind(authority.clone());
    }
    if let Some(reviewer) = &filter.reviewer {
        select.push(" AND state = 'claimed' AND reviewer = ").push_bind(reviewer.clone());
    }
}

fn review(row: &PgRow) -> Result<Review> {
    row::parse("review", row.try_get("document")?)
}

//! Finding reviews; they change in commits only.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Sqlite, query, sqlite::SqliteRow};

use super::{
    super::{
        Result, Reviews,
        notes::{Notes, StoredNote},
        offers::{Claimant, Offer},
        rows::{after, cursor, cursor_key, listed, of_rare_kind},
        types::{Listed, Page, ReviewFilter, StoredEvent},
    },
    SqliteStore,
    applications::one_more,
    audit::event,
    codec::{Columns as _, stamp},
    now,
};
use crate::domain::{
    event::EventType,
    ids::{ApplicationId, ReviewId},
    review::Review,
};

/// Stands for no due time and sorts after every one.
const LAST: &str = "~";

#[async_trait]
impl Reviews for SqliteStore {
    async fn review(&self, id: ReviewId) -> Result<Option<Review>> {
        self.within(async {
            let row = query("SELECT document FROM reviews WHERE id = ?1")
                .bind(id.to_string())
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(review).transpose()
        })
        .await
    }

    async fn reviews(&self, filter: &ReviewFilter, page: &Page) -> Result<Listed<Review>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new("SELECT document FROM reviews WHERE true");
            narrow(&mut select, filter);
            if let Some([due, id]) = after(page)? {
                select.push(" AND (coalesce(due_at, '~'), id) > (").push_bind(due);
                select.push(", ").push_bind(cursor_key::<ReviewId>(&id)?.to_string()).push(")");
            }
            select.push(" ORDER BY coalesce(due_at, '~'), id LIMIT ").push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let reviews = rows.iter().map(review).collect::<Result<Vec<_>>>()?;
            let key = |last: &Review| {
                let due = last.due_at.map_or_else(|| LAST.to_owned(), stamp);
                cursor([&due, &last.id.to_string()])
            };
            Ok(listed(reviews, page, key))
        })
        .await
    }

    async fn count_reviews(&self, filter: &ReviewFilter, cap: u64) -> Result<u64> {
        self.within(async {
            let mut select =
                QueryBuilder::<Sqlite>::new("SELECT count(*) AS count FROM (SELECT 1 FROM reviews WHERE true");
            narrow(&mut select, filter);
            select.push(" LIMIT ").push_bind(i64::try_from(cap).unwrap_or(i64::MAX)).push(")");
            select.build().fetch_one(&self.readers).await?.number("count")
        })
        .await
    }

    async fn claimable(&self, who: &Claimant<'_>, offer: Offer, limit: usize) -> Result<Vec<Review>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new("SELECT document FROM reviews WHERE state = 'open' AND ");
            match offer {
                Offer::Assigned => {
                    // In the words of the partial index.
                    select.push("document ->> '$.assigned_to' IS NOT NULL AND document ->> '$.assigned_to' = ");
                    select.push_bind(who.reviewer);
                    select.push(if who.supervisor { "" } else { " AND NOT supervisor_only" });
                }
                Offer::Overdue => {
                    select.push("due_at <= ").push_bind(stamp(now()));
                    select.push(" AND document ->> '$.assigned_to' IS NULL");
                }
                Offer::Escalated => {
                    select.push("supervisor_only AND document ->> '$.assigned_to' IS NULL");
                }
                Offer::Usual => {
                    select.push("NOT supervisor_only AND document ->> '$.assigned_to' IS NULL");
                }
            }
            if let Some(authority) = who.authority {
                select.push(" AND authority = ").push_bind(authority);
            }
            select.push(" AND coalesce(julianday(document ->> '$.postponed_until') <= julianday(");
            select.push_bind(stamp(now())).push("), true) AND NOT EXISTS (");
            select.push("SELECT 1 FROM json_each(document, '$.earlier') WHERE value ->> '$.reviewer' = ");
            select.push_bind(who.reviewer).push(") AND NOT EXISTS (");
            select.push("SELECT 1 FROM applications a WHERE a.id = application_id AND (a.holder = ");
            select.push_bind(who.document).push(" OR EXISTS (");
            select.push("SELECT 1 FROM json_each(a.document, '$.reviewed_by') WHERE value = ");
            select.push_bind(who.reviewer).push(")))");
            select.push(" ORDER BY priority DESC, coalesce(due_at, '~'), id LIMIT ");
            select.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
            let rows = select.build().fetch_all(&self.readers).await?;
            rows.iter().map(review).collect()
        })
        .await
    }

    async fn claims_of(&self, reviewer: &str) -> Result<u64> {
        self.within(async {
            query("SELECT count(*) AS count FROM reviews WHERE lease_expires_at > ?1 AND reviewer = ?2")
                .bind(stamp(now()))
                .bind(reviewer)
                .fetch_one(&self.readers)
                .await?
                .number("count")
        })
        .await
    }

    async fn lapsed_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        self.past(
            "SELECT application_id FROM reviews WHERE lease_expires_at <= ?1 ORDER BY lease_expires_at, id LIMIT ?2",
            limit,
        )
        .await
    }

    async fn effective_reviews(&self, limit: usize) -> Result<Vec<ApplicationId>> {
        self.past(
            "SELECT application_id FROM reviews WHERE takes_effect_at <= ?1 ORDER BY takes_effect_at, id LIMIT ?2",
            limit,
        )
        .await
    }
}

#[async_trait]
impl Notes for SqliteStore {
    async fn notes(&self, application: ApplicationId) -> Result<Vec<StoredNote>> {
        self.within(async {
            let rows = query(
                "SELECT review_id, at, key_id, wrapped_key, ciphertext FROM review_notes \
                 WHERE application_id = ?1 AND review_id IS NOT NULL ORDER BY id LIMIT 100",
            )
            .bind(application.to_string())
            .fetch_all(&self.readers)
            .await?;
            rows.iter()
                .map(|row| {
                    Ok(StoredNote { review_id: row.parsed("review_id")?, at: row.parsed("at")?, sealed: row.sealed()? })
                })
                .collect()
        })
        .await
    }

    async fn review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>> {
        self.within(async {
            let rows = query(
                "SELECT * FROM events INDEXED BY events_of_reviewers WHERE actor_kind = 'reviewer' AND kind = ?1 \
                 AND actor_id = ?2 AND at >= ?3 ORDER BY at DESC LIMIT ?4",
            )
            .bind(kind.as_str())
            .bind(reviewer)
            .bind(stamp(from))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(event).collect()
        })
        .await
    }

    async fn count_overturned(&self, reviewer: &str, from: DateTime<Utc>, cap: usize) -> Result<u64> {
        self.within(async {
            query(concat!(
                "SELECT count(*) AS count FROM (SELECT 1 FROM events WHERE kind = 'review_overturned'",
                of_rare_kind!(),
                " AND at >= ?2 AND data ->> '$.reviewer' = ?1 LIMIT ?3)"
            ))
            .bind(reviewer)
            .bind(stamp(from))
            .bind(i64::try_from(cap).unwrap_or(i64::MAX))
            .fetch_one(&self.readers)
            .await?
            .number("count")
        })
        .await
    }

    async fn count_review_events(
        &self,
        kind: EventType,
        reviewer: &str,
        from: DateTime<Utc>,
        cap: usize,
    ) -> Result<u64> {
        self.within(async {
            query(
                "SELECT count(*) AS count FROM (SELECT 1 FROM events INDEXED BY events_of_reviewers \
                 WHERE actor_kind = 'reviewer' AND kind = ?1 AND actor_id = ?2 AND at >= ?3 LIMIT ?4)",
            )
            .bind(kind.as_str())
            .bind(reviewer)
            .bind(stamp(from))
            .bind(i64::try_from(cap).unwrap_or(i64::MAX))
            .fetch_one(&self.readers)
            .await?
            .number("count")
        })
        .await
    }
}

impl SqliteStore {
    async fn past(&self, select: &'static str, limit: usize) -> Result<Vec<ApplicationId>> {
        self.within(async {
            let past = query(select).bind(stamp(now())).bind(i64::try_from(limit).unwrap_or(i64::MAX));
            past.fetch_all(&self.readers).await?.iter().map(|row| row.parsed("application_id")).collect()
        })
        .await
    }
}

fn narrow(select: &mut QueryBuilder<Sqlite>, filter: &ReviewFilter) {
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

fn review(row: &SqliteRow) -> Result<Review> {
    row.document("review", "document")
}

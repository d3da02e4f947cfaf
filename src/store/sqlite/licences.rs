//! Issued licences after their issue.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{QueryBuilder, Sqlite, query, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    super::{
        Licences, Result,
        licences::Verification,
        rows::{after, cursor, cursor_key, listed},
        types::{LicenceRecord, Listed, Page},
    },
    SqliteStore,
    applications::{licence, one_more},
    codec::{Columns as _, stamp, texts},
    now,
};
use crate::domain::{ids::LicenceId, presentation::Refused};

#[async_trait]
impl Licences for SqliteStore {
    async fn latest_licence(&self, holder: &str, owner: Option<&str>) -> Result<Option<LicenceRecord>> {
        self.within(async {
            let latest = "SELECT l.* FROM licences l JOIN applications a ON a.id = l.application_id \
                          WHERE l.holder = ?1 AND (?2 IS NULL OR a.owner = ?2) ORDER BY l.issued_at DESC, l.id DESC LIMIT 1";
            let row = query(latest)
                .bind(holder)
                .bind(owner)
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(licence).transpose()
        })
        .await
    }

    async fn latest_licences(&self, holders: &[String]) -> Result<Vec<LicenceRecord>> {
        self.within(async {
            let latest = "SELECT l.* FROM json_each(?1) AS h JOIN licences l ON l.id = (SELECT id FROM licences \
                          WHERE holder = h.value ORDER BY issued_at DESC, id DESC LIMIT 1)";
            let rows = query(latest).bind(texts(holders)).fetch_all(&self.readers).await?;
            rows.iter().map(licence).collect()
        })
        .await
    }

    async fn record_verification(&self, verification: &Verification, nonce: Option<[u8; 16]>) -> Result<bool> {
        self.within(async {
            let written = query(
                "INSERT INTO verifications (id, licence_id, at, key, verifier, purpose, refused, nonce, key_id) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (nonce) DO NOTHING",
            )
            .bind(verification.id.to_string())
            .bind(verification.licence_id.to_string())
            .bind(stamp(verification.at))
            .bind(&verification.key)
            .bind(&verification.verifier)
            .bind(verification.purpose.as_str())
            .bind(verification.refused.map(Refused::as_str))
            .bind(nonce.map(|nonce| nonce.to_vec()))
            .bind(&verification.key_id)
            .execute(&self.writer)
            .await?;
            Ok(written.rows_affected() == 1)
        })
        .await
    }

    async fn verifications(&self, licence: LicenceId, page: &Page) -> Result<Listed<Verification>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new("SELECT * FROM verifications WHERE licence_id = ");
            select.push_bind(licence.to_string());
            if let Some([id]) = after(page)? {
                select.push(" AND id < ").push_bind(cursor_key::<Uuid>(&id)?.to_string());
            }
            select.push(" ORDER BY id DESC LIMIT ").push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let items = rows.iter().map(verification).collect::<Result<Vec<_>>>()?;
            Ok(listed(items, page, |last| cursor([&last.id.to_string()])))
        })
        .await
    }

    async fn licences_without_card(&self, page: &Page) -> Result<Listed<LicenceRecord>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new(
                "SELECT * FROM licences WHERE card_problem IS NOT NULL AND state = 'current'",
            );
            if let Some([id]) = after(page)? {
                select.push(" AND id < ").push_bind(cursor_key::<Uuid>(&id)?.to_string());
            }
            select.push(" ORDER BY id DESC LIMIT ").push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let items = rows.iter().map(licence).collect::<Result<Vec<_>>>()?;
            Ok(listed(items, page, |last| cursor([&last.id.to_string()])))
        })
        .await
    }

    async fn take_licences_to_check(&self, age: Duration, limit: usize) -> Result<Vec<LicenceRecord>> {
        self.within(async {
            let now = now();
            let before = TimeDelta::from_std(age).ok().and_then(|age| now.checked_sub_signed(age)).unwrap_or_default();
            let due = "SELECT id FROM licences WHERE state = 'current' AND coalesce(asked_at, issued_at) <= ?1 \
                       ORDER BY coalesce(asked_at, issued_at) LIMIT ?2";
            // Most looks find nothing, and a look that finds nothing needs no lock.
            let found = query(due).bind(stamp(before)).bind(1).fetch_optional(&self.readers).await?;
            if found.is_none() {
                return Ok(Vec::new());
            }
            let rows = query(
                "UPDATE licences SET asked_at = ?3 WHERE id IN (SELECT id FROM licences WHERE state = 'current' \
                 AND coalesce(asked_at, issued_at) <= ?1 ORDER BY coalesce(asked_at, issued_at) LIMIT ?2) RETURNING *",
            )
            .bind(stamp(before))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(stamp(now))
            .fetch_all(&self.writer)
            .await?;
            rows.iter().map(licence).collect()
        })
        .await
    }

    async fn set_asked_at(&self, licence: LicenceId, at: DateTime<Utc>) -> Result<()> {
        self.within(async {
            query("UPDATE licences SET asked_at = ?2 WHERE id = ?1")
                .bind(licence.to_string())
                .bind(stamp(at))
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    async fn note_seen_status(&self, licence: LicenceId, status: &str, at: DateTime<Utc>) -> Result<()> {
        self.within(async {
            query("UPDATE licences SET seen_status = ?2, seen_at = ?3 WHERE id = ?1")
                .bind(licence.to_string())
                .bind(status)
                .bind(stamp(at))
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }
}

fn verification(row: &SqliteRow) -> Result<Verification> {
    Ok(Verification {
        id: row.parsed("id")?,
        licence_id: row.parsed("licence_id")?,
        at: row.parsed("at")?,
        key: row.text("key")?,
        key_id: row.parsed_opt("key_id")?,
        verifier: row.text("verifier")?,
        purpose: row.parsed("purpose")?,
        refused: row.parsed_opt("refused")?,
    })
}

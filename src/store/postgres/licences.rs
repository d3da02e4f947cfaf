//! Issued licences after their issue.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, applications::licence, row};
use crate::{
    domain::{ids::LicenceId, presentation::Refused},
    store::{
        Licences, Result,
        licences::Verification,
        rows::{after, cursor, cursor_key, listed},
        types::{LicenceRecord, Listed, Page},
    },
};

#[async_trait]
impl Licences for PostgresStore {
    async fn latest_licence(&self, holder: &str, owner: Option<&str>) -> Result<Option<LicenceRecord>> {
        let select = query(
            "SELECT l.* FROM licences l JOIN applications a ON a.id = l.application_id
             WHERE l.holder = $1 AND ($2::text IS NULL OR a.owner = $2) ORDER BY l.issued_at DESC, l.id DESC LIMIT 1",
        );
        self.row(select.bind(holder).bind(owner)).await?.map(|row| licence(&row)).transpose()
    }

    async fn latest_licences(&self, holders: &[String]) -> Result<Vec<LicenceRecord>> {
        let select = query(
            "SELECT l.* FROM unnest($1::text[]) AS h(holder) CROSS JOIN LATERAL (
                SELECT * FROM licences WHERE holder = h.holder ORDER BY issued_at DESC, id DESC LIMIT 1) AS l",
        );
        self.rows(select.bind(holders)).await?.iter().map(licence).collect()
    }

    async fn record_verification(&self, verification: &Verification, nonce: Option<[u8; 16]>) -> Result<bool> {
        let insert = query(
            "INSERT INTO verifications (id, licence_id, at, key, verifier, purpose, refused, nonce, key_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (nonce) DO NOTHING",
        )
        .bind(verification.id)
        .bind(verification.licence_id.0)
        .bind(verification.at)
        .bind(&verification.key)
        .bind(&verification.verifier)
        .bind(verification.purpose.as_str())
        .bind(verification.refused.map(Refused::as_str))
        .bind(nonce.map(|nonce| nonce.to_vec()))
        .bind(&verification.key_id);
        Ok(self.execute(insert).await? == 1)
    }

    async fn verifications(&self, licence: LicenceId, page: &Page) -> Result<Listed<Verification>> {
        let mut select = QueryBuilder::<Postgres>::new("SELECT * FROM verifications WHERE licence_id = ");
        select.push_bind(licence.0);
        if let Some([id]) = after(page)? {
            select.push(" AND id < ").push_bind(cursor_key::<Uuid>(&id)?);
        }
        select.push(" ORDER BY id DESC LIMIT ").push_bind(row::limit(page.limit));
        let items = self.rows(select.build()).await?.iter().map(verification).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| cursor([&last.id.to_string()])))
    }

    async fn licences_without_card(&self, page: &Page) -> Result<Listed<LicenceRecord>> {
        let mut select = QueryBuilder::<Postgres>::new(
            "SELECT * FROM licences WHERE card_problem IS NOT NULL AND state = 'current'",
        );
        if let Some([id]) = after(page)? {
            select.push(" AND id < ").push_bind(cursor_key::<Uuid>(&id)?);
        }
        select.push(" ORDER BY id DESC LIMIT ").push_bind(row::limit(page.limit));
        let items = self.rows(select.build()).await?.iter().map(licence).collect::<Result<Vec<_>>>()?;
        Ok(listed(items, page, |last| cursor([&last.id.to_string()])))
    }

    async fn take_licences_to_check(&self, age: Duration, limit: usize) -> Result<Vec<LicenceRecord>> {
        let take = query(
            "UPDATE licences SET asked_at = now() WHERE id IN (
                SELECT id FROM licences
                WHERE state = 'current' AND coalesce(asked_at, issued_at) <= now() - make_interval(secs => $1)
                ORDER BY coalesce(asked_at, issued_at) LIMIT $2 FOR UPDATE SKIP LOCKED
             ) RETURNING *",
        );
        let rows = self.rows(take.bind(age.as_secs_f64()).bind(row::at_most(limit))).await?;
        rows.iter().map(licence).collect()
    }

    async fn set_asked_at(&self, licence: LicenceId, at: DateTime<Utc>) -> Result<()> {
        self.execute(query("UPDATE licences SET asked_at = $2 WHERE id = $1").bind(licence.0).bind(at)).await?;
        Ok(())
    }

    async fn note_seen_status(&self, licence: LicenceId, status: &str, at: DateTime<Utc>) -> Result<()> {
        let update = query("UPDATE licences SET seen_status = $2, seen_at = $3 WHERE id = $1");
        self.execute(update.bind(licence.0).bind(status).bind(at)).await?;
        Ok(())
    }
}

fn verification(row: &PgRow) -> Result<Verification> {
    Ok(Verification {
        id: row.try_get("id")?,
        licence_id: LicenceId(row.try_get("licence_id")?),
        at: row.try_get("at")?,
        key: row.try_get("key")?,
        key_id: row.try_get("key_id")?,
        verifier: row.try_get("verifier")?,
        purpose: row::name(row, "purpose")?,
        refused: row::name_opt(row, "refused")?,
    })
}

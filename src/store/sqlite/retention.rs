//! Forgetting what was kept for its time.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, query, sqlite::SqliteRow};

use super::{
    super::{
        Result,
        retention::{AgedPhoto, Retention},
    },
    SqliteStore,
    codec::{Columns as _, stamp, stamp_opt},
};
use crate::domain::{
    application::PhotoSource,
    ids::PhotoId,
    retention::{PhotoFate, PhotoUse},
};

const AGED: &str = "SELECT p.id, p.source, p.blob, p.created_at, p.condemned_at, \
    (SELECT max(a.status = 'issued') FROM applications a WHERE a.photo_id = p.id) AS issued, \
    (SELECT max(a.completed_at IS NULL) FROM applications a WHERE a.photo_id = p.id) AS open, \
    (SELECT max(a.completed_at) FROM applications a WHERE a.photo_id = p.id) AS completed_at \
    FROM photos p WHERE p.check_at <= ?1 ORDER BY p.check_at, p.id LIMIT ?2";

const ERASE: &str = "UPDATE photos SET check_at = NULL, condemned_at = coalesce(condemned_at, ?2), erased_at = ?2, \
    width = 0, height = 0, sha256 = '', checks = '[]', face = NULL, blob = '' WHERE id = ?1";

#[async_trait]
impl Retention for SqliteStore {
    async fn aged_photos(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<AgedPhoto>> {
        self.within(async {
            let rows = query(AGED)
                .bind(stamp(now))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(aged).collect()
        })
        .await
    }

    async fn settle_photo(&self, id: PhotoId, fate: PhotoFate, now: DateTime<Utc>) -> Result<()> {
        let update = |check_at: Option<DateTime<Utc>>, condemned: bool| {
            query(
                "UPDATE photos SET check_at = ?2, condemned_at = CASE WHEN ?3 THEN coalesce(condemned_at, ?4) END \
                 WHERE id = ?1 AND erased_at IS NULL",
            )
            .bind(id.to_string())
            .bind(stamp_opt(check_at))
            .bind(condemned)
            .bind(stamp(now))
        };
        let settled = match fate {
            PhotoFate::Kept => update(None, false),
            PhotoFate::LookAt(at) => update(Some(at), false),
            PhotoFate::Condemned(at) => update(Some(at), true),
            PhotoFate::Erased => query(ERASE).bind(id.to_string()).bind(stamp(now)),
        };
        self.within(async {
            settled.execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    // Mailed in the order of their ids: what was not mailed keeps no older one.
    async fn forget_alerts(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        self.forget(
            "DELETE FROM alerts \
             WHERE id IN (SELECT id FROM alerts ORDER BY id LIMIT ?2) AND mailed_at IS NOT NULL AND at < ?1",
            before,
            limit,
        )
        .await
    }

    async fn forget_batches(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let forgotten = self
            .forget(
                "DELETE FROM batch_items WHERE (batch_id, application_id) IN ( \
                    SELECT o.batch_id, o.application_id FROM batch_items o JOIN batches b ON b.id = o.batch_id \
                    WHERE b.created_at < ?1 \
                        AND NOT EXISTS (SELECT 1 FROM batch_items p WHERE p.batch_id = b.id AND p.result IS NULL) \
                        AND NOT EXISTS (SELECT 1 FROM batch_items p \
                            WHERE p.batch_id = b.id AND p.result IS NOT NULL AND p.verdict IS NULL) \
                    LIMIT ?2)",
                before,
                limit,
            )
            .await?;
        self.within(async {
            query(
                "DELETE FROM batches WHERE created_at < ?1 \
                 AND NOT EXISTS (SELECT 1 FROM batch_items i WHERE i.batch_id = batches.id)",
            )
            .bind(stamp(before))
            .execute(&self.writer)
            .await?;
            Ok(forgotten)
        })
        .await
    }

    // Their ids are in the order of time.
    async fn forget_verifications(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        self.forget(
            "DELETE FROM verifications \
             WHERE id IN (SELECT id FROM verifications ORDER BY id LIMIT ?2) AND at < ?1",
            before,
            limit,
        )
        .await
    }
}

impl SqliteStore {
    /// Deletes by a statement what is older than its `?1`, at most `?2` rows; answers how many.
    pub(super) async fn forget(&self, delete: &'static str, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        self.within(async {
            let forgotten = query(delete)
                .bind(stamp(before))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .execute(&self.writer)
                .await?;
            Ok(forgotten.rows_affected())
        })
        .await
    }
}

fn aged(row: &SqliteRow) -> Result<AgedPhoto> {
    let flag = |name| row.try_get::<Option<bool>, _>(name);
    let used = match (flag("open")?, flag("issued")?, row.parsed_opt("completed_at")?) {
        _ if !row.parsed::<PhotoSource>("source")?.is_upload() => PhotoUse::Retained,
        (_, Some(true), _) => PhotoUse::Issued,
        (Some(false), _, Some(at)) => PhotoUse::Refused(at),
        (None, ..) => PhotoUse::Nobody,
        _ => PhotoUse::Open,
    };
    Ok(AgedPhoto {
        id: row.parsed("id")?,
        blob: row.text("blob")?,
        created_at: row.parsed("created_at")?,
        condemned_at: row.parsed_opt("condemned_at")?,
        used,
    })
}

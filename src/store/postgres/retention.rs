//! Forgetting what was kept for its time.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow, query};

use super::{PostgresStore, row};
use crate::{
    domain::{
        application::PhotoSource,
        ids::PhotoId,
        retention::{PhotoFate, PhotoUse},
    },
    store::{
        Result,
        retention::{AgedPhoto, Retention},
    },
};

const AGED: &str = "
SELECT p.id, p.source, p.blob, p.created_at, p.condemned_at, u.issued, u.open, u.completed_at
FROM photos p CROSS JOIN LATERAL (
    SELECT bool_or(a.status = 'issued') AS issued, bool_or(a.completed_at IS NULL) AS open, max(a.completed_at) AS completed_at
    FROM applications a WHERE a.photo_id = p.id) u
WHERE p.check_at <= $1 ORDER BY p.check_at, p.id LIMIT $2";

const ERASE: &str = "
UPDATE photos SET check_at = NULL, condemned_at = coalesce(condemned_at, $2), erased_at = $2,
    width = 0, height = 0, sha256 = '', checks = '[]', face = NULL, blob = ''
WHERE id = $1";

#[async_trait]
impl Retention for PostgresStore {
    async fn aged_photos(&self, now: DateTime<Utc>, limit: usize) -> Result<Vec<AgedPhoto>> {
        self.rows(query(AGED).bind(now).bind(row::at_most(limit))).await?.iter().map(aged).collect()
    }

    async fn settle_photo(&self, id: PhotoId, fate: PhotoFate, now: DateTime<Utc>) -> Result<()> {
        let update = |check_at: Option<DateTime<Utc>>, condemned: bool| {
            query(
                "UPDATE photos SET check_at = $2, condemned_at = CASE WHEN $3 THEN coalesce(condemned_at, $4) END
                 WHERE id = $1 AND erased_at IS NULL",
            )
            .bind(id.0)
            .bind(check_at)
            .bind(condemned)
            .bind(now)
        };
        let settled = match fate {
            PhotoFate::Kept => update(None, false),
            PhotoFate::LookAt(at) => update(Some(at), false),
            PhotoFate::Condemned(at) => update(Some(at), true),
            PhotoFate::Erased => query(ERASE).bind(id.0).bind(now),
        };
        self.execute(settled).await?;
        Ok(())
    }

    // Mailed in the order of their ids: what was not mailed keeps no older one.
    async fn forget_alerts(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let forget = query(
            "DELETE FROM alerts
             WHERE id IN (SELECT id FROM alerts ORDER BY id LIMIT $2) AND mailed_at IS NOT NULL AND at < $1",
        );
        self.execute(forget.bind(before).bind(row::at_most(limit))).await
    }

    async fn forget_batches(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let items = query(
            "DELETE FROM batch_items i USING (
                SELECT o.batch_id, o.application_id FROM batch_items o JOIN batches b ON b.id = o.batch_id
                WHERE b.created_at < $1
                    AND NOT EXISTS (SELECT FROM batch_items p WHERE p.batch_id = b.id AND p.result IS NULL)
                    AND NOT EXISTS (SELECT FROM batch_items p
                        WHERE p.batch_id = b.id AND p.result IS NOT NULL AND p.verdict IS NULL)
                LIMIT $2) old
             WHERE i.batch_id = old.batch_id AND i.application_id = old.application_id",
        );
        let forgotten = self.execute(items.bind(before).bind(row::at_most(limit))).await?;
        let empty = query(
            "DELETE FROM batches b WHERE b.created_at < $1
                AND NOT EXISTS (SELECT FROM batch_items i WHERE i.batch_id = b.id)",
        );
        self.execute(empty.bind(before)).await?;
        Ok(forgotten)
    }

    // Their ids are in the order of time.
    async fn forget_verifications(&self, before: DateTime<Utc>, limit: usize) -> Result<u64> {
        let forget = query(
            "DELETE FROM verifications WHERE id IN (SELECT id FROM verifications ORDER BY id LIMIT $2) AND at < $1",
        );
        self.execute(forget.bind(before).bind(row::at_most(limit))).await
    }
}

fn aged(row: &PgRow) -> Result<AgedPhoto> {
    let flag = |name| row.try_get::<Option<bool>, _>(name);
    let used = match (flag("open")?, flag("issued")?, row.try_get::<Option<DateTime<Utc>>, _>("completed_at")?) {
        _ if !row::name::<PhotoSource>(row, "source")?.is_upload() => PhotoUse::Retained,
        (_, Some(true), _) => PhotoUse::Issued,
        (Some(false), _, Some(at)) => PhotoUse::Refused(at),
        (None, ..) => PhotoUse::Nobody,
        _ => PhotoUse::Open,
    };
    Ok(AgedPhoto {
        id: PhotoId(row.try_get("id")?),
        blob: row.try_get("blob")?,
        created_at: row.try_get("created_at")?,
        condemned_at: row.try_get("condemned_at")?,
        used,
    })
}

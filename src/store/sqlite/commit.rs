//! The one transaction that changes applications: load, plan, write.

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlx::{SqliteConnection, query};

use super::{
    super::{
        Result,
        rows::Rows,
        types::{Planner, Snapshot, Write},
    },
    SqliteStore, Writer,
    codec::{Columns as _, from_document, jobs, stamp, texts},
    now,
    write::Prepared,
};
use crate::domain::ids::ApplicationId;

const SNAPSHOTS: &str = concat!(
    "SELECT a.document, ",
    jobs!(),
    ", (SELECT r.document FROM reviews r WHERE r.id = a.document ->> '$.review_id') AS review \
     FROM applications a WHERE a.id IN (SELECT value FROM json_each(?1))"
);

impl SqliteStore {
    /// The writer takes its lock first, so that nothing later in the transaction can lose a race: the planner runs once.
    pub(super) async fn commit_plans(&self, ids: &[ApplicationId], planner: &mut dyn Planner) -> Result<()> {
        let mut writer = self.writer().await?;
        let mut tx = writer.begin().await?;
        let snapshots = load(&mut tx, ids).await?;
        let claims = claims(&mut tx, &planner.claimants()).await?;
        planner.counted(&claims);
        let locked: HashSet<ApplicationId> = snapshots.iter().map(|snapshot| snapshot.application.id).collect();
        let writes = planner.plan(snapshots);
        if writes.is_empty() {
            tx.rollback().await?;
        } else {
            // The writer's lock is held since the states were read: they are what they were.
            Prepared::of(&Rows::of(&locked, &writes)?)?.run(&mut tx).await?;
            tx.commit().await?;
        }
        writer.settle();
        Ok(())
    }

    /// The plans are made already, so that the one writer is held for the writing alone.
    pub(super) async fn commit_known_plans(&self, writes: &[Write]) -> Result<bool> {
        if writes.is_empty() {
            return Ok(true);
        }
        let locked = writes.iter().map(|write| write.before.application.id).collect();
        let prepared = Prepared::of(&Rows::of(&locked, writes)?)?;
        let pool = self.writer.clone();
        self.apart(async move {
            let mut writer = Writer::of(&pool).await?;
            let mut tx = writer.begin().await?;
            let present = prepared.run(&mut tx).await?;
            if present {
                tx.commit().await?;
            } else {
                tx.rollback().await?;
            }
            writer.settle();
            Ok(present)
        })
        .await
    }
}

/// The unexpired leases of reviewers; the writer's lock is held.
async fn claims(tx: &mut SqliteConnection, claimants: &BTreeSet<String>) -> Result<HashMap<String, u64>> {
    if claimants.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = query(
        "SELECT reviewer, count(*) AS count FROM reviews WHERE lease_expires_at > ?1 \
         AND reviewer IN (SELECT value FROM json_each(?2)) GROUP BY reviewer",
    )
    .bind(stamp(now()))
    .bind(texts(claimants))
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| Ok((sqlx::Row::try_get(row, "reviewer")?, row.number("count")?))).collect()
}

async fn load(tx: &mut SqliteConnection, ids: &[ApplicationId]) -> Result<Vec<Snapshot>> {
    let rows = query(SNAPSHOTS).bind(texts(ids)).fetch_all(tx).await?;
    rows.iter()
        .map(|row| {
            let review: Option<&str> = sqlx::Row::try_get(row, "review")?;
            Ok(Snapshot {
                application: row.document("application", "document")?,
                jobs: row.jobs()?,
                review: review.map(|text| from_document("review", text)).transpose()?,
            })
        })
        .collect()
}

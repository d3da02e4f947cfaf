//! Loading the applications that a plan is made of, locked.

use std::collections::{BTreeSet, HashMap};

use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::row;
use crate::{
    domain::{
        ids::{ApplicationId, ReviewId},
        job::Job,
        review::Review,
    },
    store::{Result, types::Snapshot},
};

const CLAIMS: &str = "SELECT reviewer, count(*) FROM reviews
    WHERE state = 'claimed' AND reviewer = ANY($1) AND lease_expires_at > now() GROUP BY reviewer";

/// The order of ids is the order of locks, so that two commits never wait for each other.
const LOCK: &str = "SELECT document FROM applications WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";

const JOBS: &str = "SELECT application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority
    FROM jobs WHERE application_id = ANY($1)";

const REVIEWS: &str = "SELECT document FROM reviews WHERE id = ANY($1)";

/// Counts the unexpired leases of reviewers, of whom no other transaction counts any until this one ends. Before any other
/// lock, and in the order of names, so that two commits never wait for each other.
pub(super) async fn claims(
    connection: &mut PgConnection,
    claimants: &BTreeSet<String>,
) -> Result<HashMap<String, u64>> {
    if claimants.is_empty() {
        return Ok(HashMap::new());
    }
    for name in claimants {
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('review claims of ' || $1, 0))");
        lock.bind(name).execute(&mut *connection).await?;
    }
    let names: Vec<&str> = claimants.iter().map(String::as_str).collect();
    let rows = sqlx::query(CLAIMS).bind(names).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get("reviewer")?, row::count(row, "count")?))).collect()
}

/// Locks those of the applications that exist, then reads what belongs to them.
///
/// The jobs and reviews are read by statements of their own: a statement that had to wait for a lock would read them
/// as they were before the wait.
pub(super) async fn load(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Snapshot>> {
    let rows = sqlx::query(LOCK).bind(ids).fetch_all(&mut *connection).await?;
    let applications = rows.iter().map(row::application).collect::<Result<Vec<_>>>()?;

    let mut jobs: HashMap<ApplicationId, Vec<Job>> = HashMap::with_capacity(applications.len());
    for row in sqlx::query(JOBS).bind(ids).fetch_all(&mut *connection).await? {
        jobs.entry(ApplicationId(row.try_get(0)?)).or_default().push(row::job(&row)?);
    }

    let review_ids: Vec<Uuid> =
        applications.iter().filter_map(|application| application.review_id).map(|id| id.0).collect();
    let mut reviews: HashMap<ReviewId, Review> = HashMap::new();
    if !review_ids.is_empty() {
        for row in sqlx::query(REVIEWS).bind(review_ids).fetch_all(connection).await? {
            let review: Review = row::document(&row, "document", "review")?;
            reviews.insert(review.id, review);
        }
    }

    let snapshots = applications.into_iter().map(|application| Snapshot {
        jobs: jobs.remove(&application.id).unwrap_or_default(),
        review: application.review_id.and_then(|id| reviews.remove(&id)),
        application,
    });
    Ok(snapshots.collect())
}

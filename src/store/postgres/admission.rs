//! Admitting new applications: one commit for many, one refusal never failing the others.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use super::{
    PostgresStore, REPEATS,
    arrays::{self, Promise},
    is_collision,
};
use crate::{
    domain::ids::ApplicationId,
    store::{
        Result, rows,
        types::{Admission, Admitted},
    },
};

/// The holder is judged by the table of unfinished applications, the key by that of all.
const APPLICATIONS: &str = "
WITH free AS (
    INSERT INTO unfinished (application_id, holder, open)
    SELECT * FROM unnest($1::uuid[], $5::text[], $13::boolean[])
    ON CONFLICT DO NOTHING
    RETURNING application_id
)
INSERT INTO applications (id, owner, idempotency_key, request_hash, holder, kind, workflow, photo_id, upstream_ref,
    submitted_at, status, stage, needs_operator, error_code, authority, due_at, completed_at, document)
SELECT w.* FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
    $9::text[], $10::timestamptz[], $11::text[], $12::text[], $14::boolean[], $15::text[], $16::text[],
    $17::timestamptz[], $18::timestamptz[], $19::text[])
    AS w(id, owner, idempotency_key, request_hash, holder, kind, workflow, photo_id, upstream_ref, submitted_at, status,
        stage, needs_operator, error_code, authority, due_at, completed_at, document)
    JOIN free ON free.application_id = w.id
ON CONFLICT DO NOTHING
RETURNING id";

/// A holder who was free, but whose key was not.
const GIVE_UP: &str = "DELETE FROM unfinished WHERE application_id = ANY($1)";

const BELONGINGS: &str = "
WITH applicant AS (
    INSERT INTO applicants (application_id, key_id, wrapped_key, ciphertext)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[])
), promised AS (
    INSERT INTO deadlines (application_id, check_at, level, breached, calendar, due_at)
    SELECT * FROM unnest($5::uuid[], $6::timestamptz[], $7::smallint[], $8::boolean[], $9::text[], $32::timestamptz[])
), job AS (
    INSERT INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority)
    SELECT * FROM unnest($10::uuid[], $11::text[], $12::text[], $13::timestamptz[], $14::uuid[], $15::bigint[],
        $16::integer[], $17::integer[], $18::smallint[])
), logged AS (
    INSERT INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash)
    SELECT * FROM unnest($19::uuid[], $20::bigint[], $21::timestamptz[], $22::text[], $23::text[], $24::text[],
        $25::text[], $26::text[], $27::text[], $28::text[])
)
INSERT INTO counters AS c (shard, status, stage, count)
SELECT pg_backend_pid() % 64, w.status, w.stage, w.delta
FROM unnest($29::text[], $30::text[], $31::bigint[]) AS w(status, stage, delta)
ON CONFLICT (shard, status, stage) DO UPDATE SET count = c.count + excluded.count";

impl PostgresStore {
    pub(super) async fn admit_batch(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut collisions = 0;
        loop {
            match self.limited(self.try_admit(batch)).await {
                Err(error) if collisions < REPEATS && is_collision(&error) => collisions += 1,
                ended => return ended,
            }
        }
    }

    async fn try_admit(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        let mut lent = self.lend_to_write().await?;
        let mut transaction = lent.begin().await?;
        let created = insert(&mut transaction, batch).await?;
        let stored: Vec<&Admission> =
            batch.iter().filter(|admission| created.contains(&admission.application.id)).collect();
        if !stored.is_empty() {
            insert_belongings(&mut transaction, &stored).await?;
        }
        let refused = if stored.len() < batch.len() {
            refusals(&mut transaction, batch, &created).await?
        } else {
            HashMap::new()
        };
        transaction.commit().await?;
        lent.give_back();
        let admitted = batch.iter().map(|admission| {
            let id = admission.application.id;
            if created.contains(&id) {
                Admitted::Created
            } else {
                refused.get(&id).copied().unwrap_or(Admitted::InProgress)
            }
        });
        Ok(admitted.collect())
    }
}

/// Stores those applications whose key and holder are free. Rows go in in order, so that the first of two wins.
async fn insert(connection: &mut PgConnection, batch: &[Admission]) -> Result<HashSet<ApplicationId>> {
    let arrays = arrays::Applications::of(batch.iter().map(|admission| &admission.application))?;
    let applications = || batch.iter().map(|admission| &admission.application);
    let inserted = sqlx::query(APPLICATIONS)
        .bind(arrays.id)
        .bind(applications().map(|application| application.owner.as_str()).collect::<Vec<_>>())
        .bind(batch.iter().map(|admission| admission.idempotency_key.as_str()).collect::<Vec<_>>())
        .bind(batch.iter().map(|admission| admission.request_hash.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.holder.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.kind.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.workflow.to_string()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.photo.photo_id.map(|id| id.0)).collect::<Vec<_>>())
        .bind(applications().map(|application| application.upstream_ref.as_deref()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.submitted_at).collect::<Vec<_>>())
        .bind(arrays.status)
        .bind(arrays.stage)
        .bind(vec![true; batch.len()])
        .bind(arrays.needs_operator)
        .bind(arrays.error_code)
        .bind(arrays.authority)
        .bind(arrays.due_at)
        .bind(arrays.completed_at)
        .bind(arrays.document)
        .fetch_all(&mut *connection)
        .await?;
    let created: HashSet<ApplicationId> =
        inserted.iter().map(|row| Ok(ApplicationId(row.try_get(0)?))).collect::<Result<_>>()?;
    let refused = applications().map(|application| application.id).filter(|id| !created.contains(id));
    let refused: Vec<Uuid> = refused.map(|id| id.0).collect();
    if !refused.is_empty() {
        sqlx::query(GIVE_UP).bind(refused).execute(connection).await?;
    }
    Ok(created)
}

async fn insert_belongings(connection: &mut PgConnection, stored: &[&Admission]) -> Result<()> {
    let (mut jobs, mut promises) = (arrays::Jobs::default(), arrays::Promises::default());
    let mut counts = BTreeMap::new();
    for admission in stored {
        jobs.push(admission.application.id, &admission.job);
        if let Some(promise) = Promise::of(&admission.application) {
            promises.push(admission.application.id, promise);
        }
        *counts.entry(rows::counter_key(&admission.application)).or_default() += 1;
    }
    let events = arrays::Events::of(stored.iter().flat_map(|admission| &admission.events));
    let counters = arrays::Counters::of(counts);
    sqlx::query(BELONGINGS)
        .bind(stored.iter().map(|admission| admission.application.id.0).collect::<Vec<_>>())
        .bind(stored.iter().map(|admission| admission.applicant.key_id.as_str()).collect::<Vec<_>>())
        .bind(stored.iter().map(|admission| admission.applicant.wrapped_key.as_slice()).collect::<Vec<_>>())
        .bind(stored.iter().map(|admission| admission.applicant.ciphertext.as_slice()).collect::<Vec<_>>())
        .bind(promises.application_id)
        .bind(promises.check_at)
        .bind(promises.level)
        .bind(promises.breached)
        .bind(promises.calendar)
        .bind(jobs.application_id)
        .bind(jobs.slot)
        .bind(jobs.stage)
        .bind(jobs.due_at)
        .bind(jobs.lease)
        .bind(jobs.fence)
        .bind(jobs.attempts)
        .bind(jobs.crashes)
        .bind(jobs.priority)
        .bind(events.application_id)
        .bind(events.seq)
        .bind(events.at)
        .bind(events.kind)
        .bind(events.actor_kind)
        .bind(events.actor_id)
        .bind(events.stage)
        .bind(events.data)
        .bind(events.hash)
        .bind(events.prev_hash)
        .bind(counters.status)
        .bind(counters.stage)
        .bind(counters.delta)
        .bind(promises.due_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Says of those that were not stored why. The key is judged before the holder: a repeated request meets its own open
/// application.
async fn refusals(
    connection: &mut PgConnection,
    batch: &[Admission],
    created: &HashSet<ApplicationId>,
) -> Result<HashMap<ApplicationId, Admitted>> {
    let refused: Vec<&Admission> =
        batch.iter().filter(|admission| !created.contains(&admission.application.id)).collect();
    let known = sqlx::query(
        "SELECT a.owner, a.idempotency_key, a.id, a.request_hash FROM applications a
         JOIN unnest($1::text[], $2::text[]) AS w(owner, key) ON a.owner = w.owner AND a.idempotency_key = w.key",
    )
    .bind(refused.iter().map(|admission| admission.application.owner.as_str()).collect::<Vec<_>>())
    .bind(refused.iter().map(|admission| admission.idempotency_key.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut keys: HashMap<(String, String), (Uuid, String)> = HashMap::new();
    for row in known {
        keys.insert((row.try_get(0)?, row.try_get(1)?), (row.try_get(2)?, row.try_get(3)?));
    }
    let refusals = refused.iter().map(|admission| {
        let key = (admission.application.owner.clone(), admission.idempotency_key.clone());
        let why = match keys.get(&key) {
            Some((id, hash)) if *hash == admission.request_hash => Admitted::Replayed(ApplicationId(*id)),
            Some(_) => Admitted::KeyReused,
            None => Admitted::InProgress,
        };
        (admission.application.id, why)
    });
    Ok(refusals.collect())
}

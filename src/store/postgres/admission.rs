//! Admitting new applications: one commit for many, one refusal never failing the others.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};

use super::{
    PostgresStore, REPEATS,
    arrays::{self, Promise},
    is_collision,
};
use crate::{
    domain::ids::ApplicationId,
    store::{
        Result, StoreError,
        rows::{self, Known},
        types::{Admission, Admitted},
    },
};

/// Who has one of these keys, and which of these holders has an open application. The owner is compared as an expression:
/// with the statistics of an empty table the server entered the index of owners, and read all that an owner ever sent.
const KNOWN: &str = "
SELECT a.owner, a.idempotency_key, a.id, a.request_hash, NULL AS holder
FROM unnest($1::text[], $2::text[]) AS w(owner, key)
    JOIN applications a ON a.idempotency_key = w.key AND a.owner || '' = w.owner
UNION ALL
SELECT NULL, NULL, NULL, NULL, u.holder
FROM unnest($3::text[]) AS w(holder) JOIN unfinished u ON u.open AND u.holder = w.holder";

/// Everything that belongs to new applications, in one round trip.
const CREATE: &str = "
WITH standing AS (
    INSERT INTO unfinished (application_id, holder, open)
    SELECT id, holder, true FROM unnest($1::uuid[], $5::text[]) AS w(id, holder)
), application AS (
    INSERT INTO applications (id, owner, idempotency_key, request_hash, holder, kind, workflow, photo_id, upstream_ref,
        submitted_at, status, stage, needs_operator, error_code, authority, due_at, completed_at, document)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::uuid[],
        $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::boolean[], $14::text[], $15::text[],
        $16::timestamptz[], $17::timestamptz[], $18::text[])
), applicant AS (
    INSERT INTO applicants (application_id, key_id, wrapped_key, ciphertext)
    SELECT * FROM unnest($1::uuid[], $19::text[], $20::bytea[], $21::bytea[])
), promised AS (
    INSERT INTO deadlines (application_id, check_at, level, breached, calendar, due_at)
    SELECT * FROM unnest($22::uuid[], $23::timestamptz[], $24::smallint[], $25::boolean[], $26::text[], $27::timestamptz[])
), job AS (
    INSERT INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority)
    SELECT * FROM unnest($28::uuid[], $29::text[], $30::text[], $31::timestamptz[], $32::uuid[], $33::bigint[],
        $34::integer[], $35::integer[], $36::smallint[])
), logged AS (
    INSERT INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash)
    SELECT * FROM unnest($37::uuid[], $38::bigint[], $39::timestamptz[], $40::text[], $41::text[], $42::text[],
        $43::text[], $44::text[], $45::text[], $46::text[])
)
INSERT INTO counters AS c (shard, status, stage, count)
SELECT pg_backend_pid() % 64, w.status, w.stage, w.delta
FROM unnest($47::text[], $48::text[], $49::bigint[]) AS w(status, stage, delta)
ON CONFLICT (shard, status, stage) DO UPDATE SET count = c.count + excluded.count";

impl PostgresStore {
    pub(super) async fn admit_batch(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let mut collisions = 0;
        loop {
            match self.limited(self.try_admit(batch)).await {
                Err(error) if collisions < REPEATS && (is_collision(&error) || is_taken(&error)) => collisions += 1,
                ended => return ended,
            }
        }
    }

    async fn try_admit(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        let judged = self.known(batch).await?.judge(batch);
        let created = Known::created(batch, &judged);
        if !created.is_empty() {
            let mut lent = self.lend_to_write().await?;
            create(&mut lent, &created).await?;
            lent.give_back();
        }
        Ok(judged)
    }

    /// What is known of the batch's keys and holders.
    async fn known(&self, batch: &[Admission]) -> Result<Known> {
        let select = sqlx::query(KNOWN)
            .bind(batch.iter().map(|admission| admission.application.owner.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|admission| admission.idempotency_key.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|admission| admission.application.holder.as_str()).collect::<Vec<_>>());
        let mut known = Known::default();
        for row in self.rows(select).await? {
            if let Some(holder) = row.try_get("holder")? {
                known.open_holders.insert(holder);
            } else {
                let key = (row.try_get("owner")?, row.try_get("idempotency_key")?);
                known.keys.insert(key, (ApplicationId(row.try_get("id")?), row.try_get("request_hash")?));
            }
        }
        Ok(known)
    }
}

/// Whether another process took a key or became a holder's application since they were looked for.
fn is_taken(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused(sqlx::Error::Database(answer)) if answer.is_unique_violation())
}

/// Stores applications whose keys and holders are free.
async fn create(connection: &mut PgConnection, created: &[&Admission]) -> Result<()> {
    let applications = || created.iter().map(|admission| &admission.application);
    let arrays = arrays::Applications::of(applications())?;
    let (mut jobs, mut promises) = (arrays::Jobs::default(), arrays::Promises::default());
    let mut counts = BTreeMap::new();
    for admission in created {
        jobs.push(admission.application.id, &admission.job);
        if let Some(promise) = Promise::of(&admission.application) {
            promises.push(admission.application.id, promise);
        }
        *counts.entry(rows::counter_key(&admission.application)).or_default() += 1;
    }
    let events = arrays::Events::of(created.iter().flat_map(|admission| &admission.events));
    let counters = arrays::Counters::of(counts);
    sqlx::query(CREATE)
        .bind(arrays.id)
        .bind(applications().map(|application| application.owner.as_str()).collect::<Vec<_>>())
        .bind(created.iter().map(|admission| admission.idempotency_key.as_str()).collect::<Vec<_>>())
        .bind(created.iter().map(|admission| admission.request_hash.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.holder.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.kind.as_str()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.workflow.to_string()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.photo.photo_id.map(|id| id.0)).collect::<Vec<_>>())
        .bind(applications().map(|application| application.upstream_ref.as_deref()).collect::<Vec<_>>())
        .bind(applications().map(|application| application.submitted_at).collect::<Vec<_>>())
        .bind(arrays.status)
        .bind(arrays.stage)
        .bind(arrays.needs_operator)
        .bind(arrays.error_code)
        .bind(arrays.authority)
        .bind(arrays.due_at)
        .bind(arrays.completed_at)
        .bind(arrays.document)
        .bind(created.iter().map(|admission| admission.applicant.key_id.as_str()).collect::<Vec<_>>())
        .bind(created.iter().map(|admission| admission.applicant.wrapped_key.as_slice()).collect::<Vec<_>>())
        .bind(created.iter().map(|admission| admission.applicant.ciphertext.as_slice()).collect::<Vec<_>>())
        .bind(promises.application_id)
        .bind(promises.check_at)
        .bind(promises.level)
        .bind(promises.breached)
        .bind(promises.calendar)
        .bind(promises.due_at)
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
        .execute(connection)
        .await?;
    Ok(())
}

//! Committing plans: one transaction, set-based whatever the number of applications.

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{
    PostgresStore, REPEATS, appended,
    arrays::{self, Promise},
    is_collision, row, snapshot,
};
use crate::{
    domain::ids::ApplicationId,
    store::{
        Result,
        rows::{Changed, Rows, all_current},
        types::{Planner, Write},
    },
};

/// What every commit writes, in one round trip. An application is written only while its revision, a job only while its
/// lease and fence are those that the plan was made from; the statement fails unless all of them are. Every table is looked
/// into for the keys of the batch, and what is found is matched with the batch by hashes: see [`WRITING`](super::WRITING).
const WRITE: &str = "
WITH application AS (
    UPDATE applications AS a SET
        status = w.status, stage = w.stage, needs_operator = w.needs_operator, error_code = w.error_code, authority = w.authority, due_at = w.due_at,
        completed_at = w.completed_at, document = w.document, revision = w.revision
    FROM unnest($1::uuid[], $2::text[], $3::text[], $6::boolean[], $7::text[], $8::text[],
            $9::timestamptz[], $10::timestamptz[], $11::text[], $55::bigint[], $56::bigint[])
        AS w(id, status, stage, needs_operator, error_code, authority, due_at, completed_at, document,
            revision, held_revision)
    WHERE a.id = ANY($1) AND a.id = w.id AND a.revision = w.held_revision
    RETURNING 1
), standing AS (
    INSERT INTO unfinished AS u (application_id, holder, open) SELECT * FROM unnest($4::uuid[], $5::text[], $58::boolean[])
    ON CONFLICT (application_id) DO UPDATE SET open = excluded.open
), decided AS (
    UPDATE unfinished SET open = false WHERE application_id = ANY($71)
), finished AS (
    DELETE FROM unfinished WHERE application_id = ANY($59)
), promised AS (
    INSERT INTO deadlines (application_id, check_at, level, breached, calendar, due_at)
    SELECT * FROM unnest($12::uuid[], $13::timestamptz[], $14::smallint[], $15::boolean[], $16::text[], $60::timestamptz[])
    ON CONFLICT (application_id) DO UPDATE SET
        check_at = excluded.check_at, level = excluded.level, breached = excluded.breached, calendar = excluded.calendar,
        due_at = excluded.due_at
), closed AS (
    DELETE FROM deadlines WHERE application_id = ANY($17)
), changed AS (
    UPDATE jobs AS j SET
        stage = w.stage, due_at = w.due_at, lease = w.lease, fence = w.fence, attempts = w.attempts,
        crashes = w.crashes, priority = w.priority
    FROM unnest($18::uuid[], $19::text[], $20::text[], $21::timestamptz[], $22::uuid[], $23::bigint[], $24::integer[],
            $25::integer[], $26::smallint[], $27::uuid[], $28::bigint[])
        AS w(application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority, held_lease, held_fence)
    WHERE j.application_id = ANY($18) AND j.application_id = w.application_id AND j.slot = w.slot
        AND j.fence = w.held_fence AND j.lease IS NOT DISTINCT FROM w.held_lease
    RETURNING 1
), gone AS (
    DELETE FROM jobs AS j
    USING unnest($29::uuid[], $30::text[], $31::uuid[], $32::bigint[])
        AS w(application_id, slot, held_lease, held_fence)
    WHERE j.application_id = ANY($29) AND j.application_id = w.application_id AND j.slot = w.slot
        AND j.fence = w.held_fence AND j.lease IS NOT DISTINCT FROM w.held_lease
    RETURNING 1
), added AS (
    INSERT INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority)
    SELECT * FROM unnest($33::uuid[], $34::text[], $35::text[], $36::timestamptz[], $37::uuid[], $38::bigint[],
        $39::integer[], $40::integer[], $41::smallint[])
), logged AS (
    INSERT INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash)
    SELECT * FROM unnest($42::uuid[], $43::bigint[], $44::timestamptz[], $45::text[], $46::text[], $47::text[],
        $48::text[], $49::text[], $50::text[], $51::text[])
), issued AS (
    INSERT INTO licences (id, application_id, holder, kind, status, facts, key_id, wrapped_key, ciphertext, issued_at, state)
    SELECT w.*, 'current' FROM unnest($61::uuid[], $62::uuid[], $63::text[], $64::text[], $65::text[], $66::text[],
        $67::text[], $68::bytea[], $69::bytea[], $70::timestamptz[])
        AS w(id, application_id, holder, kind, status, facts, key_id, wrapped_key, ciphertext, issued_at)
), counted AS (
    INSERT INTO counters AS c (shard, status, stage, count)
    SELECT pg_backend_pid() % 64, w.status, w.stage, w.delta
    FROM unnest($52::text[], $53::text[], $54::bigint[]) AS w(status, stage, delta)
    ON CONFLICT (shard, status, stage) DO UPDATE SET count = c.count + excluded.count
)
SELECT CASE
    WHEN (SELECT count(*) FROM application) + (SELECT count(*) FROM changed) + (SELECT count(*) FROM gone) <> $57
    THEN refuse_outdated_plan() END";

impl PostgresStore {
    pub(super) async fn commit_plans(&self, ids: &[ApplicationId], planner: &mut dyn Planner) -> Result<()> {
        let mut ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(());
        }
        let mut collisions = 0;
        loop {
            match self.limited(self.try_commit(&ids, planner)).await {
                Err(error) if collisions < REPEATS && is_collision(&error) => collisions += 1,
                result => return result,
            }
        }
    }

    async fn try_commit(&self, ids: &[Uuid], planner: &mut dyn Planner) -> Result<()> {
        let mut lent = self.lend_to_write().await?;
        let mut transaction = lent.begin().await?;
        let claims = snapshot::claims(&mut transaction, &planner.claimants()).await?;
        planner.counted(&claims);
        let snapshots = snapshot::load(&mut transaction, ids).await?;
        let locked = snapshots.iter().map(|snapshot| snapshot.application.id).collect();
        let writes = planner.plan(snapshots);
        if !writes.is_empty() {
            write(&mut transaction, &Rows::of(&locked, &writes)?).await?;
        }
        transaction.commit().await?;
        lent.give_back();
        Ok(())
    }

    pub(super) async fn commit_known_plans(&self, writes: &[Write]) -> Result<bool> {
        if writes.is_empty() {
            return Ok(true);
        }
        match self.limited(self.write_known(writes)).await {
            Ok(()) => Ok(true),
            Err(error) if is_collision(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn write_known(&self, writes: &[Write]) -> Result<()> {
        let locked = writes.iter().map(|write| write.before.application.id).collect();
        let rows = Rows::of(&locked, writes)?;
        let mut lent = self.lend_to_write().await?;
        if appended::is_empty(&rows) && rows.former_licences().next().is_none() {
            write_all(&mut lent, &rows).await?;
        } else {
            let mut transaction = lent.begin().await?;
            write(&mut transaction, &rows).await?;
            transaction.commit().await?;
        }
        lent.give_back();
        Ok(())
    }
}

async fn write(transaction: &mut PgConnection, rows: &Rows<'_>) -> Result<()> {
    make_room(transaction, rows).await?;
    write_all(transaction, rows).await?;
    appended::write(transaction, rows).await
}

/// Former licences, which have to be current until now, make room before the next ones may be their holders' current ones.
async fn make_room(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<()> {
    let former: Vec<Uuid> = rows.former_licences().map(|id| id.0).collect();
    // Most licences follow none, and a search for nothing would read every current one.
    if former.is_empty() {
        return Ok(());
    }
    let superseded = sqlx::query("UPDATE licences SET state = 'superseded' WHERE id = ANY($1) AND state = 'current'")
        .bind(&former)
        .execute(connection)
        .await?;
    all_current(superseded.rows_affected(), former.len())
}

/// Writes what nearly every commit has.
async fn write_all(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<()> {
    let applications = arrays::Applications::of(rows.applications.iter().map(|changed| changed.after))?;
    let held_revision: Vec<i64> = rows.applications.iter().map(|changed| changed.before.revision).collect();
    let (mut standing, mut decided, mut finished) = (arrays::Unfinished::default(), Vec::new(), Vec::new());
    let (mut promises, mut closed) = (arrays::Promises::default(), Vec::new());
    for Changed { before, after } in &rows.applications {
        match (arrays::is_open(before), arrays::is_open(after)) {
            // Nearly every change: cheaper than the general one.
            (Some(true), Some(false)) => decided.push(after.id.0),
            (former, Some(open)) if former != Some(open) => standing.push(after, open),
            (Some(_), None) => finished.push(after.id.0),
            _ => {}
        }
        let former = Promise::of(before);
        match Promise::of(after) {
            Some(promise) if former.as_ref() != Some(&promise) => promises.push(after.id, promise),
            None if former.is_some() => closed.push(after.id.0),
            _ => {}
        }
    }
    let (mut changed, mut changed_from) = (arrays::Jobs::default(), arrays::Held::default());
    for (id, job) in &rows.changed_jobs {
        changed.push(*id, job.after);
        changed_from.push(*id, job.before);
    }
    let mut gone = arrays::Held::default();
    for (id, job) in &rows.gone_jobs {
        gone.push(*id, job);
    }
    let mut added = arrays::Jobs::default();
    for (id, job) in &rows.added_jobs {
        added.push(*id, job);
    }
    let events = arrays::Events::of(rows.events.iter().copied());
    let licences = arrays::Licences::of(&rows.licences)?;
    let counters = arrays::Counters::of(rows.counters.iter().map(|(key, delta)| (*key, *delta)));

    sqlx::query(WRITE)
        .bind(applications.id)
        .bind(applications.status)
        .bind(applications.stage)
        .bind(standing.application_id)
        .bind(standing.holder)
        .bind(applications.needs_operator)
        .bind(applications.error_code)
        .bind(applications.authority)
        .bind(applications.due_at)
        .bind(applications.completed_at)
        .bind(applications.document)
        .bind(promises.application_id)
        .bind(promises.check_at)
        .bind(promises.level)
        .bind(promises.breached)
        .bind(promises.calendar)
        .bind(closed)
        .bind(changed.application_id)
        .bind(changed.slot)
        .bind(changed.stage)
        .bind(changed.due_at)
        .bind(changed.lease)
        .bind(changed.fence)
        .bind(changed.attempts)
        .bind(changed.crashes)
        .bind(changed.priority)
        .bind(changed_from.lease)
        .bind(changed_from.fence)
        .bind(gone.application_id)
        .bind(gone.slot)
        .bind(gone.lease)
        .bind(gone.fence)
        .bind(added.application_id)
        .bind(added.slot)
        .bind(added.stage)
        .bind(added.due_at)
        .bind(added.lease)
        .bind(added.fence)
        .bind(added.attempts)
        .bind(added.crashes)
        .bind(added.priority)
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
        .bind(applications.revision)
        .bind(held_revision)
        .bind(row::at_most(rows.guarded()))
        .bind(standing.open)
        .bind(finished)
        .bind(promises.due_at)
        .bind(licences.id)
        .bind(licences.application_id)
        .bind(licences.holder)
        .bind(licences.kind)
        .bind(licences.status)
        .bind(licences.facts)
        .bind(licences.key_id)
        .bind(licences.wrapped_key)
        .bind(licences.ciphertext)
        .bind(licences.issued_at)
        .bind(decided)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

//! Committing plans: one transaction, set-based whatever the number of applications.

use std::collections::HashMap;

use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use super::{
    PostgresStore, REPEATS, appended,
    arrays::{self, Promise},
    is_collision, snapshot,
};
use crate::{
    domain::{ids::ApplicationId, job::Slot},
    store::{
        Result,
        rows::Rows,
        types::{Planner, Snapshot},
    },
};

/// What every commit writes, in one round trip. A job is written only while its lease and fence are those that the
/// plan was made from; the answer is how many were.
const WRITE: &str = "
WITH application AS (
    UPDATE applications AS a SET
        status = w.status, stage = w.stage, open = w.open, unfinished = w.unfinished,
        needs_operator = w.needs_operator, error_code = w.error_code, authority = w.authority, due_at = w.due_at,
        completed_at = w.completed_at, document = w.document
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::boolean[], $6::boolean[], $7::text[], $8::text[],
            $9::timestamptz[], $10::timestamptz[], $11::text[])
        AS w(id, status, stage, open, unfinished, needs_operator, error_code, authority, due_at, completed_at, document)
    WHERE a.id = w.id
), promised AS (
    INSERT INTO deadlines (application_id, check_at, level, breached, calendar)
    SELECT * FROM unnest($12::uuid[], $13::timestamptz[], $14::smallint[], $15::boolean[], $16::text[])
    ON CONFLICT (application_id) DO UPDATE SET
        check_at = excluded.check_at, level = excluded.level, breached = excluded.breached, calendar = excluded.calendar
), closed AS (
    DELETE FROM deadlines WHERE application_id = ANY($17)
), changed AS (
    UPDATE jobs AS j SET
        stage = w.stage, due_at = w.due_at, lease = w.lease, fence = w.fence, attempts = w.attempts,
        crashes = w.crashes, priority = w.priority
    FROM unnest($18::uuid[], $19::text[], $20::text[], $21::timestamptz[], $22::uuid[], $23::bigint[], $24::integer[],
            $25::integer[], $26::smallint[], $27::uuid[], $28::bigint[])
        AS w(application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority, held_lease, held_fence)
    WHERE j.application_id = w.application_id AND j.slot = w.slot
        AND j.fence = w.held_fence AND j.lease IS NOT DISTINCT FROM w.held_lease
    RETURNING 1
), gone AS (
    DELETE FROM jobs AS j
    USING unnest($29::uuid[], $30::text[], $31::uuid[], $32::bigint[])
        AS w(application_id, slot, held_lease, held_fence)
    WHERE j.application_id = w.application_id AND j.slot = w.slot
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
), counted AS (
    INSERT INTO counters AS c (shard, status, stage, count)
    SELECT pg_backend_pid() % 64, w.status, w.stage, w.delta
    FROM unnest($52::text[], $53::text[], $54::bigint[]) AS w(status, stage, delta)
    ON CONFLICT (shard, status, stage) DO UPDATE SET count = c.count + excluded.count
)
SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM gone)";

/// How a try to commit ended.
enum Tried {
    Committed,
    /// Somebody changed a job between the load and the write.
    Collided,
}

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
                Ok(Tried::Committed) => return Ok(()),
                Ok(Tried::Collided) if collisions < REPEATS => collisions += 1,
                Ok(Tried::Collided) => return Err(sqlx::Error::Protocol("commits keep colliding".to_owned()).into()),
                Err(error) if collisions < REPEATS && is_collision(&error) => collisions += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn try_commit(&self, ids: &[Uuid], planner: &mut dyn Planner) -> Result<Tried> {
        let mut lent = self.lend().await?;
        let mut transaction = lent.begin().await?;
        let snapshots = snapshot::load(&mut transaction, ids).await?;
        let locked = snapshots.iter().map(|snapshot| snapshot.application.id).collect();
        let held = Held::of(&snapshots);
        let writes = planner.plan(snapshots);
        let tried = if writes.is_empty() {
            Tried::Committed
        } else {
            write(&mut transaction, &Rows::of(&locked, &writes)?, &held).await?
        };
        match tried {
            Tried::Committed => transaction.commit().await?,
            Tried::Collided => transaction.rollback().await?,
        }
        lent.give_back();
        Ok(tried)
    }
}

/// What was loaded, as far as the writing compares it with the plan.
struct Held {
    /// Lease and fence of every job.
    jobs: HashMap<(ApplicationId, Slot), (Option<Uuid>, i64)>,
    promises: HashMap<ApplicationId, Promise>,
}

impl Held {
    fn of(snapshots: &[Snapshot]) -> Self {
        let jobs = snapshots.iter().flat_map(|snapshot| {
            let id = snapshot.application.id;
            snapshot.jobs.iter().map(move |job| ((id, job.slot), (job.lease.map(|lease| lease.0), job.fence)))
        });
        let promises = snapshots.iter().filter_map(|snapshot| {
            Promise::of(&snapshot.application).map(|promise| (snapshot.application.id, promise))
        });
        Self { jobs: jobs.collect(), promises: promises.collect() }
    }

    fn job(&self, id: ApplicationId, slot: Slot) -> Option<(Option<Uuid>, i64)> {
        self.jobs.get(&(id, slot)).copied()
    }

    fn promise(&self, id: ApplicationId) -> Option<&Promise> {
        self.promises.get(&id)
    }
}

async fn write(connection: &mut PgConnection, rows: &Rows<'_>, held: &Held) -> Result<Tried> {
    let applications = arrays::Applications::of(rows.applications.iter().copied())?;
    let (mut promises, mut closed) = (arrays::Promises::default(), Vec::new());
    for application in &rows.applications {
        let promise = Promise::of(application);
        match promise {
            Some(promise) if held.promise(application.id) != Some(&promise) => promises.push(application.id, promise),
            None if held.promise(application.id).is_some() => closed.push(application.id.0),
            _ => {}
        }
    }
    let (mut changed, mut changed_lease, mut changed_fence) = (arrays::Jobs::default(), Vec::new(), Vec::new());
    let mut added = arrays::Jobs::default();
    for (id, job) in &rows.jobs {
        match held.job(*id, job.slot) {
            Some((lease, fence)) => {
                changed.push(*id, job);
                changed_lease.push(lease);
                changed_fence.push(fence);
            }
            None => added.push(*id, job),
        }
    }
    let (mut gone_id, mut gone_slot, mut gone_lease, mut gone_fence) = (vec![], vec![], vec![], vec![]);
    for (id, slot) in &rows.gone_jobs {
        if let Some((lease, fence)) = held.job(*id, *slot) {
            gone_id.push(id.0);
            gone_slot.push(slot.as_str());
            gone_lease.push(lease);
            gone_fence.push(fence);
        }
    }
    let expected = changed.slot.len() + gone_slot.len();
    let events = arrays::Events::of(rows.events.iter().copied());
    let counters = arrays::Counters::of(rows.counters.iter().map(|(key, delta)| (*key, *delta)));

    let written: i64 = sqlx::query(WRITE)
        .bind(applications.id)
        .bind(applications.status)
        .bind(applications.stage)
        .bind(applications.open)
        .bind(applications.unfinished)
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
        .bind(changed_lease)
        .bind(changed_fence)
        .bind(gone_id)
        .bind(gone_slot)
        .bind(gone_lease)
        .bind(gone_fence)
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
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if usize::try_from(written) != Ok(expected) {
        return Ok(Tried::Collided);
    }
    appended::write(connection, rows).await?;
    Ok(Tried::Committed)
}

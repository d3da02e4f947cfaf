//! The set-based writes of a transaction: what every application writes is bound by value, the rest as one JSON parameter.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{
    super::{
        Result,
        rows::{AlertRow, Changed, CounterKey, LicenceRow, NoteRow, ReviewColumns, Rows, all_current, needs_operator},
        types::{ApplicationColumns, NewWebhook, StoredEvent},
    },
    codec::{stamp, stamp_opt, to_document},
    now,
    values::{Statements, Values},
};
use crate::domain::{
    application::Application,
    ids::{ApplicationId, LicenceId},
    job::Job,
    licence_watch::CardProblem,
    review::Review,
};

/// What a commit writes, ready to run.
pub(super) struct Prepared {
    /// Meets as many rows as were planned from, if those still are what they were.
    guarded: Statements,
    rows_guarded: usize,
    /// Ends or replaces as many licences, if those still are current.
    ended: Statements,
    licences_ended: usize,
    added: Statements,
}

impl Prepared {
    pub(super) fn of(rows: &Rows<'_>) -> Result<Self> {
        let mut guarded = Statements::default();
        applications(&mut guarded, &rows.applications)?;
        jobs(&mut guarded, &rows.changed_jobs)?;
        gone_jobs(&mut guarded, &rows.gone_jobs)?;
        let mut ended = Statements::default();
        let former: Vec<LicenceId> = rows.former_licences().collect();
        superseded(&mut ended, &former)?;
        terminated(&mut ended, &rows.terminated)?;
        let mut added = Statements::default();
        added_jobs(&mut added, &rows.added_jobs)?;
        events(&mut added, &rows.events)?;
        reviews(&mut added, &rows.reviews)?;
        webhooks(&mut added, &rows.webhooks)?;
        licences(&mut added, &rows.licences)?;
        card_problems(&mut added, &rows.card_problems)?;
        notes(&mut added, &rows.notes)?;
        alerts(&mut added, &rows.alerts)?;
        counters(&mut added, &rows.counters)?;
        let (rows_guarded, licences_ended) = (rows.guarded(), former.len() + rows.terminated.len());
        Ok(Self { guarded, rows_guarded, ended, licences_ended, added })
    }

    /// Writes everything; false as soon as something is not what the plans were made from.
    pub(super) async fn run(self, tx: &mut SqliteConnection) -> Result<bool> {
        if usize::try_from(self.guarded.run(tx).await?) != Ok(self.rows_guarded) {
            return Ok(false);
        }
        // A former licence makes room before its holder's next one is written.
        all_current(self.ended.run(tx).await?, self.licences_ended)?;
        self.added.run(tx).await?;
        Ok(true)
    }
}

/// The columns of an application that change, its document and revision last.
pub(super) fn application(values: &mut Values, application: &Application) -> Result<()> {
    let columns = ApplicationColumns::of(application);
    values
        .text(columns.status.as_str())?
        .text(columns.stage)?
        .bind(columns.open)?
        .bind(needs_operator(application))?
        .bind(columns.error_code)?
        .text_opt(application.authority())?
        .bind(stamp_opt(columns.due_at))?
        .bind(stamp_opt(columns.deadline_check_at))?
        .bind(columns.deadline_level)?
        .bind(columns.breached)?
        .bind(columns.calendar)?
        .bind(stamp_opt(columns.completed_at))?
        .bind(to_document("application", application)?)?
        .bind(application.revision)?;
    Ok(())
}

/// Stores changed applications that are what the plans were made from.
fn applications(statements: &mut Statements, rows: &[Changed<'_, Application>]) -> Result<()> {
    const UPDATE: (&str, usize, &str) = (
        "UPDATE OR FAIL applications SET status = column3, stage = column4, open = column5, needs_operator = column6, \
         error_code = column7, authority = column8, due_at = column9, deadline_check_at = column10, deadline_level = column11, \
         breached = column12, calendar = column13, completed_at = column14, document = column15, revision = column16 \
         FROM",
        16,
        "WHERE id = column1 AND revision = column2",
    );
    statements.over(UPDATE, rows, |values, row| {
        values.id(row.before.id.0)?.bind(row.before.revision)?;
        application(values, row.after)
    })
}

/// Replaces jobs that are what the plans were made from.
fn jobs(statements: &mut Statements, rows: &[(ApplicationId, Changed<'_, Job>)]) -> Result<()> {
    const UPDATE: (&str, usize, &str) = (
        "UPDATE OR FAIL jobs SET stage = column5, due_at = column6, lease = column7, fence = column8, attempts = column9, crashes = column10, \
         priority = column11 FROM",
        11,
        "WHERE application_id = column1 AND slot = column2 AND fence = column3 AND lease IS column4",
    );
    statements.over(UPDATE, rows, |values, (id, row)| {
        held(values, *id, row.before)?;
        job(values, row.after)
    })
}

/// Inserts jobs.
pub(super) fn added_jobs(statements: &mut Statements, rows: &[(ApplicationId, &Job)]) -> Result<()> {
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority) SELECT * FROM",
        9,
        "WHERE column1 IS NOT NULL",
    );
    statements.over(INSERT, rows, |values, (id, added)| {
        values.id(id.0)?.text(added.slot.as_str())?;
        job(values, added)
    })
}

/// Removes jobs that are what the plans were made from.
fn gone_jobs(statements: &mut Statements, rows: &[(ApplicationId, &Job)]) -> Result<()> {
    const DELETE: (&str, usize, &str) = (
        "DELETE FROM jobs WHERE rowid IN (SELECT j.rowid FROM",
        4,
        "CROSS JOIN jobs j ON j.application_id = column1 AND j.slot = column2 AND j.fence = column3 AND j.lease IS column4)",
    );
    statements.over(DELETE, rows, |values, (id, job)| held(values, *id, job))
}

fn held(values: &mut Values, id: ApplicationId, job: &Job) -> Result<()> {
    values.id(id.0)?.text(job.slot.as_str())?.bind(job.fence)?.id_opt(job.lease.map(|lease| lease.0))?;
    Ok(())
}

fn job(values: &mut Values, job: &Job) -> Result<()> {
    values
        .text(job.stage.as_str())?
        .bind(stamp(job.due_at))?
        .id_opt(job.lease.map(|lease| lease.0))?
        .bind(job.fence)?
        .bind(job.attempts)?
        .bind(job.crashes)?
        .bind(job.priority)?;
    Ok(())
}

/// Appends events.
pub(super) fn events(statements: &mut Statements, events: &[&StoredEvent]) -> Result<()> {
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash) SELECT * FROM",
        10,
        "WHERE column1 IS NOT NULL",
    );
    statements.over(INSERT, events, |values, event| {
        values
            .id(event.application_id.0)?
            .bind(event.seq)?
            .bind(stamp(event.at))?
            .text(event.kind.as_str())?
            .text(event.actor.kind.as_str())?
            .text(event.actor.id.as_str())?
            .text_opt(event.stage.as_deref())?
            .text(event.data.as_str())?
            .text(event.hash.as_str())?
            .text(event.prev_hash.as_str())?;
        Ok(())
    })
}

/// Adds to the counters. One shard: there is one writer.
pub(super) fn counters(statements: &mut Statements, deltas: &BTreeMap<CounterKey, i64>) -> Result<()> {
    statements.listed(
        "INSERT INTO counters (shard, status, stage, count) SELECT 0, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true \
         ON CONFLICT (shard, status, stage) DO UPDATE SET count = count + excluded.count",
        deltas.iter().map(|((status, stage), delta)| json!([status, stage, delta])),
    )
}

/// Inserts reviews or replaces those of the same id.
fn reviews(statements: &mut Statements, reviews: &[&Review]) -> Result<()> {
    let row = |review: &&Review| -> Result<Value> {
        let columns = ReviewColumns::of(review);
        Ok(json!([
            review.id,
            review.application_id,
            columns.photo_id,
            review.state,
            review.authority,
            stamp_opt(review.due_at),
            review.priority,
            review.supervisor_only,
            columns.reviewer,
            stamp_opt(columns.lease_expires_at),
            stamp_opt(columns.takes_effect_at),
            to_document("review", review)?
        ]))
    };
    let rows = reviews.iter().map(row).collect::<Result<Vec<_>>>()?;
    statements.listed(
        "INSERT INTO reviews (id, application_id, photo_id, state, authority, due_at, priority, supervisor_only, reviewer, \
         lease_expires_at, takes_effect_at, document) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, \
         value ->> 9, value ->> 10, value ->> 11 FROM json_each(?1) WHERE true \
         ON CONFLICT (id) DO UPDATE SET photo_id = excluded.photo_id, state = excluded.state, authority = excluded.authority, \
         due_at = excluded.due_at, priority = excluded.priority, supervisor_only = excluded.supervisor_only, \
         reviewer = excluded.reviewer, lease_expires_at = excluded.lease_expires_at, takes_effect_at = excluded.takes_effect_at, \
         document = excluded.document",
        rows,
    )
}

/// Appends to the outbox, in order.
fn webhooks(statements: &mut Statements, webhooks: &[&NewWebhook]) -> Result<()> {
    let row = |new: &&NewWebhook| -> Result<Value> {
        Ok(json!([new.id, new.application.id, new.url, to_document("application", &new.application)?, stamp(new.at)]))
    };
    let rows = webhooks.iter().map(row).collect::<Result<Vec<_>>>()?;
    statements.listed(
        "INSERT OR FAIL INTO webhooks (id, application_id, url, document, due_at, created_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 4 FROM json_each(?1) ORDER BY key",
        rows,
    )
}

/// Makes room for the next licences of their holders.
fn superseded(statements: &mut Statements, former: &[LicenceId]) -> Result<()> {
    statements.listed(
        "UPDATE licences SET state = 'superseded' WHERE state = 'current' AND id IN (SELECT value FROM json_each(?1))",
        former.iter().map(|id| json!(id)),
    )
}

/// Writes licences as the current ones of their holders.
fn licences(statements: &mut Statements, licences: &[LicenceRow<'_>]) -> Result<()> {
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO licences (id, application_id, holder, kind, state, facts, status, key_id, wrapped_key, ciphertext, issued_at) SELECT * FROM",
        11,
        "WHERE column1 IS NOT NULL",
    );
    statements.over(INSERT, licences, |values, row| {
        let (licence, sealed) = (row.licence, &row.licence.sealed);
        values
            .id(licence.id.0)?
            .id(row.application.id.0)?
            .text(row.application.holder.as_str())?
            .text(row.application.kind.as_str())?
            .text("current")?
            .bind(to_document("licence facts", &licence.facts)?)?
            .text(licence.status.as_str())?
            .text(sealed.key_id.as_str())?
            .bind(sealed.wrapped_key.as_slice())?
            .bind(sealed.ciphertext.as_slice())?
            .bind(stamp(row.at))?;
        Ok(())
    })
}

/// Ends the service of licences.
fn terminated(statements: &mut Statements, licences: &[LicenceId]) -> Result<()> {
    let at = stamp(now());
    statements.listed(
        "UPDATE licences SET state = 'terminated', terminated_at = v ->> 1 FROM (SELECT value AS v FROM json_each(?1)) \
         WHERE state = 'current' AND id = v ->> 0",
        licences.iter().map(|id| json!([id, at])),
    )
}

/// Notes whose cards can or cannot be drawn.
fn card_problems(statements: &mut Statements, problems: &[(LicenceId, Option<CardProblem>)]) -> Result<()> {
    statements.listed(
        "UPDATE licences SET card_problem = v ->> 1 FROM (SELECT value AS v FROM json_each(?1)) WHERE id = v ->> 0",
        problems.iter().map(|problem| json!(problem)),
    )
}

/// Appends reviewers' notes.
fn notes(statements: &mut Statements, notes: &[NoteRow<'_>]) -> Result<()> {
    let rows = notes.iter().map(|row| {
        let sealed = row.note;
        let (key, text) = (hex::encode(&sealed.wrapped_key), hex::encode(&sealed.ciphertext));
        json!([row.application_id, row.review_id, stamp(row.at), sealed.key_id, key, text])
    });
    statements.listed(
        "INSERT OR FAIL INTO review_notes (application_id, review_id, at, key_id, wrapped_key, ciphertext) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), unhex(value ->> 5) FROM json_each(?1)",
        rows,
    )
}

/// Appends to the operators' digest.
fn alerts(statements: &mut Statements, alerts: &[AlertRow<'_>]) -> Result<()> {
    let rows =
        alerts.iter().map(|row| json!([row.alert.kind.as_str(), row.application_id, stamp(row.at), row.alert.detail]));
    statements.listed(
        "INSERT OR FAIL INTO alerts (kind, application_id, at, detail) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) ORDER BY key",
        rows,
    )
}

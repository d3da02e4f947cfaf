//! The set-based writes of a transaction: what every application writes is bound by value, the rest as one JSON parameter.

use serde_json::{Value, json};
use sqlx::{SqliteConnection, query};

use super::{
    super::{
        Result,
        rows::{AlertRow, Changed, CounterKey, LicenceRow, NoteRow, ReviewColumns, all_current, needs_operator},
        types::{ApplicationColumns, NewWebhook, StoredEvent},
    },
    codec::{list, stamp, stamp_opt, texts, to_document},
    now,
    values::{self, Values},
};
use crate::domain::{
    application::Application,
    ids::{ApplicationId, LicenceId},
    job::Job,
    licence_watch::CardProblem,
    review::Review,
};

/// The columns of an application that change, its document and revision last.
pub(super) fn application(values: &mut Values, application: &Application) -> Result<()> {
    let columns = ApplicationColumns::of(application);
    values
        .bind(columns.status.as_str())?
        .bind(columns.stage)?
        .bind(columns.open)?
        .bind(needs_operator(application))?
        .bind(columns.error_code)?
        .bind(application.authority())?
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

/// Stores changed applications; answers how many were what the plans were made from.
pub(super) async fn applications(tx: &mut SqliteConnection, rows: &[Changed<'_, Application>]) -> Result<u64> {
    const UPDATE: (&str, usize, &str) = (
        "UPDATE OR FAIL applications SET status = column3, stage = column4, open = column5, needs_operator = column6, \
         error_code = column7, authority = column8, due_at = column9, deadline_check_at = column10, deadline_level = column11, \
         breached = column12, calendar = column13, completed_at = column14, document = column15, revision = column16 \
         FROM (VALUES",
        16,
        ") WHERE id = column1 AND revision = column2",
    );
    values::execute(tx, UPDATE, rows, |values, row| {
        values.bind(row.before.id.to_string())?.bind(row.before.revision)?;
        application(values, row.after)
    })
    .await
}

/// Replaces jobs; answers how many were what the plans were made from.
pub(super) async fn jobs(tx: &mut SqliteConnection, rows: &[(ApplicationId, Changed<'_, Job>)]) -> Result<u64> {
    const UPDATE: (&str, usize, &str) = (
        "UPDATE OR FAIL jobs SET stage = column5, due_at = column6, lease = column7, fence = column8, attempts = column9, crashes = column10, \
         priority = column11 FROM (VALUES",
        11,
        ") WHERE application_id = column1 AND slot = column2 AND fence = column3 AND lease IS column4",
    );
    values::execute(tx, UPDATE, rows, |values, (id, row)| {
        held(values, *id, row.before)?;
        job(values, row.after)
    })
    .await
}

/// Inserts jobs.
pub(super) async fn added_jobs(tx: &mut SqliteConnection, rows: &[(ApplicationId, &Job)]) -> Result<()> {
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority) VALUES",
        9,
        "",
    );
    values::execute(tx, INSERT, rows, |values, (id, added)| {
        values.bind(id.to_string())?.bind(added.slot.as_str())?;
        job(values, added)
    })
    .await?;
    Ok(())
}

/// Removes jobs; answers how many were what the plans were made from.
pub(super) async fn gone_jobs(tx: &mut SqliteConnection, rows: &[(ApplicationId, &Job)]) -> Result<u64> {
    const DELETE: (&str, usize, &str) = (
        "DELETE FROM jobs WHERE rowid IN (SELECT j.rowid FROM (VALUES",
        4,
        ") CROSS JOIN jobs j ON j.application_id = column1 AND j.slot = column2 AND j.fence = column3 AND j.lease IS column4)",
    );
    values::execute(tx, DELETE, rows, |values, (id, job)| held(values, *id, job)).await
}

fn held(values: &mut Values, id: ApplicationId, job: &Job) -> Result<()> {
    let lease = job.lease.map(|lease| lease.to_string());
    values.bind(id.to_string())?.bind(job.slot.as_str())?.bind(job.fence)?.bind(lease)?;
    Ok(())
}

fn job(values: &mut Values, job: &Job) -> Result<()> {
    values
        .bind(job.stage.as_str())?
        .bind(stamp(job.due_at))?
        .bind(job.lease.map(|lease| lease.to_string()))?
        .bind(job.fence)?
        .bind(job.attempts)?
        .bind(job.crashes)?
        .bind(job.priority)?;
    Ok(())
}

/// Appends events.
pub(super) async fn events(tx: &mut SqliteConnection, events: &[&StoredEvent]) -> Result<()> {
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash) VALUES",
        10,
        "",
    );
    values::execute(tx, INSERT, events, |values, event| {
        values
            .bind(event.application_id.to_string())?
            .bind(event.seq)?
            .bind(stamp(event.at))?
            .bind(event.kind.as_str())?
            .bind(event.actor.kind.as_str())?
            .bind(event.actor.id.as_str())?
            .bind(event.stage.as_deref())?
            .bind(event.data.as_str())?
            .bind(event.hash.as_str())?
            .bind(event.prev_hash.as_str())?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Adds to the counters. One shard: there is one writer.
pub(super) async fn counters(
    tx: &mut SqliteConnection,
    deltas: &std::collections::BTreeMap<CounterKey, i64>,
) -> Result<()> {
    if deltas.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO counters (shard, status, stage, count) SELECT 0, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true \
         ON CONFLICT (shard, status, stage) DO UPDATE SET count = count + excluded.count",
    )
    .bind(list(deltas.iter().map(|((status, stage), delta)| json!([status, stage, delta]))))
    .execute(tx)
    .await?;
    Ok(())
}

/// Inserts reviews or replaces those of the same id.
pub(super) async fn reviews(tx: &mut SqliteConnection, reviews: &[&Review]) -> Result<()> {
    if reviews.is_empty() {
        return Ok(());
    }
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
    query(
        "INSERT INTO reviews (id, application_id, photo_id, state, authority, due_at, priority, supervisor_only, reviewer, \
         lease_expires_at, takes_effect_at, document) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, \
         value ->> 9, value ->> 10, value ->> 11 FROM json_each(?1) WHERE true \
         ON CONFLICT (id) DO UPDATE SET photo_id = excluded.photo_id, state = excluded.state, authority = excluded.authority, \
         due_at = excluded.due_at, priority = excluded.priority, supervisor_only = excluded.supervisor_only, \
         reviewer = excluded.reviewer, lease_expires_at = excluded.lease_expires_at, takes_effect_at = excluded.takes_effect_at, \
         document = excluded.document",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Appends to the outbox, in order.
pub(super) async fn webhooks(tx: &mut SqliteConnection, webhooks: &[&NewWebhook]) -> Result<()> {
    if webhooks.is_empty() {
        return Ok(());
    }
    let row = |new: &&NewWebhook| -> Result<Value> {
        Ok(json!([new.id, new.application.id, new.url, to_document("application", &new.application)?, stamp(new.at)]))
    };
    let rows = webhooks.iter().map(row).collect::<Result<Vec<_>>>()?;
    query(
        "INSERT OR FAIL INTO webhooks (id, application_id, url, document, due_at, created_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 4 FROM json_each(?1) ORDER BY key",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes licences as the current ones of their holders. A former one has to make room, and be current until now.
pub(super) async fn licences(tx: &mut SqliteConnection, licences: &[LicenceRow<'_>]) -> Result<()> {
    if licences.is_empty() {
        return Ok(());
    }
    let former: Vec<LicenceId> = licences.iter().filter_map(|row| row.licence.supersedes).collect();
    if !former.is_empty() {
        let superseded = query(
            "UPDATE licences SET state = 'superseded' WHERE state = 'current' AND id IN (SELECT value FROM json_each(?1))",
        )
        .bind(texts(&former))
        .execute(&mut *tx)
        .await?;
        all_current(superseded.rows_affected(), former.len())?;
    }
    const INSERT: (&str, usize, &str) = (
        "INSERT OR FAIL INTO licences (id, application_id, holder, kind, state, facts, status, key_id, wrapped_key, ciphertext, issued_at) VALUES",
        11,
        "",
    );
    values::execute(tx, INSERT, licences, |values, row| {
        let (licence, sealed) = (row.licence, &row.licence.sealed);
        values
            .bind(licence.id.to_string())?
            .bind(row.application.id.to_string())?
            .bind(row.application.holder.as_str())?
            .bind(row.application.kind.as_str())?
            .bind("current")?
            .bind(to_document("licence facts", &licence.facts)?)?
            .bind(licence.status.as_str())?
            .bind(sealed.key_id.as_str())?
            .bind(sealed.wrapped_key.as_slice())?
            .bind(sealed.ciphertext.as_slice())?
            .bind(stamp(row.at))?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Ends the service of licences, each of which must be current still.
pub(super) async fn terminated(tx: &mut SqliteConnection, licences: &[LicenceId]) -> Result<()> {
    if licences.is_empty() {
        return Ok(());
    }
    let ended = query(
        "UPDATE licences SET state = 'terminated', terminated_at = ?2 WHERE state = 'current' AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(texts(licences))
    .bind(stamp(now()))
    .execute(tx)
    .await?;
    all_current(ended.rows_affected(), licences.len())
}

/// Notes whose cards can or cannot be drawn.
pub(super) async fn card_problems(
    tx: &mut SqliteConnection,
    problems: &[(LicenceId, Option<CardProblem>)],
) -> Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    query("UPDATE licences SET card_problem = v ->> 1 FROM (SELECT value AS v FROM json_each(?1)) WHERE id = v ->> 0")
        .bind(list(problems.iter().map(|problem| json!(problem))))
        .execute(tx)
        .await?;
    Ok(())
}

/// Appends reviewers' notes.
pub(super) async fn notes(tx: &mut SqliteConnection, notes: &[NoteRow<'_>]) -> Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let rows = notes.iter().map(|row| {
        let sealed = row.note;
        let (key, text) = (hex::encode(&sealed.wrapped_key), hex::encode(&sealed.ciphertext));
        json!([row.application_id, row.review_id, stamp(row.at), sealed.key_id, key, text])
    });
    query(
        "INSERT OR FAIL INTO review_notes (application_id, review_id, at, key_id, wrapped_key, ciphertext) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), unhex(value ->> 5) FROM json_each(?1)",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Appends to the operators' digest.
pub(super) async fn alerts(tx: &mut SqliteConnection, alerts: &[AlertRow<'_>]) -> Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let rows =
        alerts.iter().map(|row| json!([row.alert.kind.as_str(), row.application_id, stamp(row.at), row.alert.detail]));
    query("INSERT OR FAIL INTO alerts (kind, application_id, at, detail) SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) ORDER BY key")
        .bind(list(rows))
        .execute(tx)
        .await?;
    Ok(())
}

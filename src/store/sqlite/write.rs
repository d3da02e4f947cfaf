//! The set-based writes of a transaction: each statement takes all of its rows as one JSON parameter.

use serde_json::{Value, json};
use sqlx::{SqliteConnection, query};

use super::{
    super::{
        Result,
        rows::{AlertRow, CounterKey, LicenceRow, NoteRow, ReviewColumns, needs_operator},
        types::{ApplicationColumns, NewWebhook, StoredEvent},
    },
    codec::{list, stamp, stamp_opt, texts, to_document},
};
use crate::domain::{
    application::Application,
    ids::{ApplicationId, LicenceId},
    job::{Job, Slot},
    review::Review,
};

/// The columns of an application that change, its id first and its document last.
pub(super) fn application(application: &Application) -> Result<Vec<Value>> {
    let columns = ApplicationColumns::of(application);
    Ok(vec![
        json!(application.id),
        json!(columns.status),
        json!(columns.stage),
        json!(columns.open),
        json!(needs_operator(application)),
        json!(application.photo.photo_id),
        json!(columns.error_code),
        json!(application.authority()),
        json!(stamp_opt(columns.due_at)),
        json!(stamp_opt(columns.deadline_check_at)),
        json!(columns.deadline_level),
        json!(columns.breached),
        json!(columns.calendar),
        json!(stamp_opt(columns.completed_at)),
        json!(to_document("application", application)?),
    ])
}

/// Stores changed applications.
pub(super) async fn applications(tx: &mut SqliteConnection, changed: &[&Application]) -> Result<()> {
    let rows = changed.iter().map(|changed| application(changed)).collect::<Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "UPDATE applications SET status = v ->> 1, stage = v ->> 2, open = v ->> 3, needs_operator = v ->> 4, photo_id = v ->> 5, \
         error_code = v ->> 6, authority = v ->> 7, due_at = v ->> 8, deadline_check_at = v ->> 9, deadline_level = v ->> 10, \
         breached = v ->> 11, calendar = v ->> 12, completed_at = v ->> 13, document = v ->> 14 \
         FROM (SELECT value AS v FROM json_each(?1)) WHERE id = v ->> 0",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Inserts jobs or replaces those of the same slot.
pub(super) async fn jobs(tx: &mut SqliteConnection, jobs: impl Iterator<Item = (ApplicationId, &Job)>) -> Result<()> {
    let rows: Vec<Value> = jobs
        .map(|(id, job)| {
            json!([
                id,
                job.slot,
                job.stage,
                stamp(job.due_at),
                job.lease,
                job.fence,
                job.attempts,
                job.crashes,
                job.priority
            ])
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO jobs (application_id, slot, stage, due_at, lease, fence, attempts, crashes, priority) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8 \
         FROM json_each(?1) WHERE true \
         ON CONFLICT (application_id, slot) DO UPDATE SET stage = excluded.stage, due_at = excluded.due_at, lease = excluded.lease, \
         fence = excluded.fence, attempts = excluded.attempts, crashes = excluded.crashes, priority = excluded.priority",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes jobs.
pub(super) async fn gone_jobs(tx: &mut SqliteConnection, gone: &[(ApplicationId, Slot)]) -> Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    query("DELETE FROM jobs WHERE (application_id, slot) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))")
        .bind(list(gone.iter().map(|key| json!(key))))
        .execute(tx)
        .await?;
    Ok(())
}

/// Appends events.
pub(super) async fn events(tx: &mut SqliteConnection, events: impl Iterator<Item = &StoredEvent>) -> Result<()> {
    let rows: Vec<Value> = events
        .map(|event| {
            let actor = &event.actor;
            json!([
                event.application_id,
                event.seq,
                stamp(event.at),
                event.kind,
                actor.kind,
                actor.id,
                event.stage,
                event.data,
                event.hash,
                event.prev_hash
            ])
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    query(
        "INSERT INTO events (application_id, seq, at, kind, actor_kind, actor_id, stage, data, hash, prev_hash) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, \
         value ->> 9 FROM json_each(?1)",
    )
    .bind(list(rows))
    .execute(tx)
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
        "INSERT INTO webhooks (id, application_id, url, document, due_at, created_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 4 FROM json_each(?1) ORDER BY key",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes licences as the current ones of their holders.
pub(super) async fn licences(tx: &mut SqliteConnection, licences: &[LicenceRow<'_>]) -> Result<()> {
    if licences.is_empty() {
        return Ok(());
    }
    query(
        "UPDATE licences SET state = 'superseded' WHERE state = 'current' AND holder IN (SELECT value FROM json_each(?1))",
    )
    .bind(list(licences.iter().map(|row| row.application.holder.as_str())))
    .execute(&mut *tx)
    .await?;
    let row = |row: &LicenceRow<'_>| -> Result<Value> {
        let (licence, sealed) = (row.licence, &row.licence.sealed);
        Ok(json!([
            licence.id,
            row.application.id,
            row.application.holder,
            row.application.kind,
            to_document("licence facts", &licence.facts)?,
            licence.status,
            sealed.key_id,
            hex::encode(&sealed.wrapped_key),
            hex::encode(&sealed.ciphertext),
            stamp(row.at)
        ]))
    };
    let rows = licences.iter().map(row).collect::<Result<Vec<_>>>()?;
    query(
        "INSERT INTO licences (id, application_id, holder, kind, state, facts, status, key_id, wrapped_key, ciphertext, issued_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'current', value ->> 4, value ->> 5, value ->> 6, \
         unhex(value ->> 7), unhex(value ->> 8), value ->> 9 FROM json_each(?1)",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the service of licences that are current still.
pub(super) async fn terminated(tx: &mut SqliteConnection, licences: &[LicenceId]) -> Result<()> {
    if licences.is_empty() {
        return Ok(());
    }
    query(
        "UPDATE licences SET state = 'terminated' WHERE state = 'current' AND id IN (SELECT value FROM json_each(?1))",
    )
    .bind(texts(licences))
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
        "INSERT INTO review_notes (application_id, review_id, at, key_id, wrapped_key, ciphertext) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), unhex(value ->> 5) FROM json_each(?1)",
    )
    .bind(list(rows))
    .execute(tx)
    .await?;
    Ok(())
}

/// Appends to the operators' digest.
pub(super) async fn alerts(tx: &mut SqliteConnection, alerts: &[AlertRow]) -> Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    let rows = alerts.iter().map(|row| json!([row.kind.as_str(), row.application_id, stamp(row.at)]));
    query("INSERT INTO alerts (kind, application_id, at) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) ORDER BY key")
        .bind(list(rows))
        .execute(tx)
        .await?;
    Ok(())
}

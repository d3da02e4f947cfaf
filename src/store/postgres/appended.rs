//! What only some commits write: reviews, ended licences, webhooks, notes, alerts.

use sqlx::PgConnection;
use uuid::Uuid;

use super::row;
use crate::domain::{ids::LicenceId, licence_watch::CardProblem, review::Review};
use crate::store::{
    Result,
    rows::{AlertRow, NoteRow, ReviewColumns, Rows, all_current},
    types::NewWebhook,
};

/// Whether there is none of it.
pub(super) fn is_empty(rows: &Rows<'_>) -> bool {
    rows.reviews.is_empty()
        && rows.terminated.is_empty()
        && rows.card_problems.is_empty()
        && rows.webhooks.is_empty()
        && rows.notes.is_empty()
        && rows.alerts.is_empty()
}

/// Writes what there is; nothing costs no round trip.
pub(super) async fn write(connection: &mut PgConnection, rows: &Rows<'_>) -> Result<()> {
    if !rows.reviews.is_empty() {
        reviews(connection, &rows.reviews).await?;
    }
    if !rows.terminated.is_empty() {
        terminated(connection, &rows.terminated).await?;
    }
    if !rows.card_problems.is_empty() {
        card_problems(connection, &rows.card_problems).await?;
    }
    if !rows.webhooks.is_empty() {
        webhooks(connection, &rows.webhooks).await?;
    }
    if !rows.notes.is_empty() {
        notes(connection, &rows.notes).await?;
    }
    if !rows.alerts.is_empty() {
        alerts(connection, &rows.alerts).await?;
    }
    Ok(())
}

async fn reviews(connection: &mut PgConnection, reviews: &[&Review]) -> Result<()> {
    let columns: Vec<ReviewColumns<'_>> = reviews.iter().map(|review| ReviewColumns::of(review)).collect();
    let documents = reviews.iter().map(row::text).collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO reviews (id, application_id, state, authority, due_at, priority, supervisor_only, reviewer,
            lease_expires_at, takes_effect_at, photo_id, document)
         SELECT id, application_id, state, authority, coalesce(due_at, 'infinity'), priority, supervisor_only, reviewer,
            lease_expires_at, takes_effect_at, photo_id, document
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::smallint[], $7::boolean[],
            $8::text[], $9::timestamptz[], $10::timestamptz[], $11::uuid[], $12::text[])
            AS w(id, application_id, state, authority, due_at, priority, supervisor_only, reviewer, lease_expires_at,
                takes_effect_at, photo_id, document)
         ON CONFLICT (id) DO UPDATE SET
            state = excluded.state, authority = excluded.authority, due_at = excluded.due_at,
            priority = excluded.priority, supervisor_only = excluded.supervisor_only, reviewer = excluded.reviewer,
            lease_expires_at = excluded.lease_expires_at, takes_effect_at = excluded.takes_effect_at,
            photo_id = excluded.photo_id, document = excluded.document",
    )
    .bind(reviews.iter().map(|review| review.id.0).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.application_id.0).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.state.as_str()).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.authority.as_deref()).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.due_at).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.priority).collect::<Vec<_>>())
    .bind(reviews.iter().map(|review| review.supervisor_only).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.reviewer).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.lease_expires_at).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.takes_effect_at).collect::<Vec<_>>())
    .bind(columns.iter().map(|columns| columns.photo_id.0).collect::<Vec<_>>())
    .bind(documents)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the service of licences, each of which must be current still.
async fn terminated(connection: &mut PgConnection, licences: &[LicenceId]) -> Result<()> {
    let ended = sqlx::query(
        "UPDATE licences SET state = 'terminated', terminated_at = now() WHERE id = ANY($1) AND state = 'current'",
    )
    .bind(licences.iter().map(|id| id.0).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    all_current(ended.rows_affected(), licences.len())
}

/// Notes whose cards can or cannot be drawn.
async fn card_problems(connection: &mut PgConnection, problems: &[(LicenceId, Option<CardProblem>)]) -> Result<()> {
    sqlx::query(
        "UPDATE licences AS l SET card_problem = w.problem FROM unnest($1::uuid[], $2::text[]) AS w(id, problem)
         WHERE l.id = w.id",
    )
    .bind(problems.iter().map(|(id, _)| id.0).collect::<Vec<_>>())
    .bind(problems.iter().map(|(_, problem)| problem.map(CardProblem::as_str)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A webhook is never due before the one that it follows: a claim would meet it again and again for nothing.
async fn webhooks(connection: &mut PgConnection, webhooks: &[&NewWebhook]) -> Result<()> {
    let documents = webhooks.iter().map(|webhook| row::text(&webhook.application)).collect::<Result<Vec<_>>>()?;
    sqlx::query(
        "INSERT INTO webhooks (id, application_id, url, document, due_at, created_at)
         SELECT w.id, w.application_id, w.url, w.document,
            greatest(w.at, (SELECT o.due_at FROM webhooks o
                WHERE o.application_id = w.application_id AND NOT o.dead ORDER BY o.seq DESC LIMIT 1)),
            w.at
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) WITH ORDINALITY
            AS w(id, application_id, url, document, at, position)
         ORDER BY w.position",
    )
    .bind(webhooks.iter().map(|webhook| webhook.id.0).collect::<Vec<_>>())
    .bind(webhooks.iter().map(|webhook| webhook.application.id.0).collect::<Vec<_>>())
    .bind(webhooks.iter().map(|webhook| webhook.url.as_str()).collect::<Vec<_>>())
    .bind(documents)
    .bind(webhooks.iter().map(|webhook| webhook.at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn notes(connection: &mut PgConnection, notes: &[NoteRow<'_>]) -> Result<()> {
    sqlx::query(
        "INSERT INTO review_notes (application_id, review_id, at, key_id, wrapped_key, ciphertext)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::bytea[], $6::bytea[])",
    )
    .bind(notes.iter().map(|row| row.application_id.0).collect::<Vec<_>>())
    .bind(notes.iter().map(|row| row.review_id.map(|id| id.0)).collect::<Vec<Option<Uuid>>>())
    .bind(notes.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(notes.iter().map(|row| row.note.key_id.as_str()).collect::<Vec<_>>())
    .bind(notes.iter().map(|row| row.note.wrapped_key.as_slice()).collect::<Vec<_>>())
    .bind(notes.iter().map(|row| row.note.ciphertext.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn alerts(connection: &mut PgConnection, alerts: &[AlertRow<'_>]) -> Result<()> {
    sqlx::query(
        "INSERT INTO alerts (kind, application_id, at, detail)
         SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::text[])",
    )
    .bind(alerts.iter().map(|row| row.alert.kind.as_str()).collect::<Vec<_>>())
    .bind(alerts.iter().map(|row| row.application_id.0).collect::<Vec<_>>())
    .bind(alerts.iter().map(|row| row.at).collect::<Vec<_>>())
    .bind(alerts.iter().map(|row| row.alert.detail.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

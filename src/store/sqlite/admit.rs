//! The statements of an admission.

use std::collections::BTreeMap;

use sqlx::{SqliteConnection, query, query_scalar};

use super::{
    super::{
        Result,
        rows::{Known, counter_key},
        types::Admission,
    },
    codec::{Columns as _, list, stamp, texts},
    values::Statements,
    write,
};

/// What is known of the batch's keys and holders.
pub(super) async fn known(tx: &mut SqliteConnection, batch: &[Admission]) -> Result<Known> {
    let keys = list(batch.iter().map(|new| vec![new.application.owner.as_str(), &new.idempotency_key]));
    let rows = query(
        "SELECT a.owner, a.idempotency_key, a.id, a.request_hash FROM json_each(?1) k CROSS JOIN applications a \
         ON a.owner = k.value ->> 0 AND a.idempotency_key = k.value ->> 1",
    )
    .bind(keys)
    .fetch_all(&mut *tx)
    .await?;
    let mut known = Known::default();
    for row in rows {
        let key = (row.text("owner")?, row.text("idempotency_key")?);
        known.keys.insert(key, (row.parsed("id")?, row.text("request_hash")?));
    }
    let holders = texts(batch.iter().map(|new| &new.application.holder));
    let open =
        query_scalar("SELECT holder FROM applications WHERE open AND holder IN (SELECT value FROM json_each(?1))");
    known.open_holders = open.bind(holders).fetch_all(&mut *tx).await?.into_iter().collect();
    Ok(known)
}

/// What never changes, then what [`write::application`] binds.
const APPLICATIONS: (&str, usize, &str) = (
    "INSERT OR FAIL INTO applications (id, owner, idempotency_key, request_hash, holder, kind, workflow, photo_id, upstream_ref, submitted_at, \
     status, stage, open, needs_operator, error_code, authority, due_at, deadline_check_at, deadline_level, breached, calendar, \
     completed_at, document, revision) SELECT * FROM",
    24,
    "WHERE column1 IS NOT NULL",
);

const APPLICANTS: (&str, usize, &str) = (
    "INSERT OR FAIL INTO applicants (application_id, key_id, wrapped_key, ciphertext) SELECT * FROM",
    4,
    "WHERE column1 IS NOT NULL",
);

/// Stores new applications with their applicants, jobs, events and counters.
pub(super) async fn insert(tx: &mut SqliteConnection, created: &[&Admission]) -> Result<()> {
    let mut statements = Statements::default();
    statements.over(APPLICATIONS, created, |values, new| {
        let application = &new.application;
        values
            .id(application.id.0)?
            .text(application.owner.as_str())?
            .text(new.idempotency_key.as_str())?
            .text(new.request_hash.as_str())?
            .text(application.holder.as_str())?
            .text(application.kind.as_str())?
            .bind(application.workflow.to_string())?
            .bind(application.photo.photo_id.map(|id| id.to_string()))?
            .text_opt(application.upstream_ref.as_deref())?
            .bind(stamp(application.submitted_at))?;
        write::application(values, application)
    })?;
    statements.over(APPLICANTS, created, |values, new| {
        let sealed = &new.applicant;
        values
            .id(new.application.id.0)?
            .text(sealed.key_id.as_str())?
            .bind(sealed.wrapped_key.as_slice())?
            .bind(sealed.ciphertext.as_slice())?;
        Ok(())
    })?;
    let jobs: Vec<_> = created.iter().map(|new| (new.application.id, &new.job)).collect();
    write::added_jobs(&mut statements, &jobs)?;
    let events: Vec<_> = created.iter().flat_map(|new| &new.events).collect();
    write::events(&mut statements, &events)?;
    let mut counters = BTreeMap::new();
    for new in created {
        *counters.entry(counter_key(&new.application)).or_insert(0) += 1;
    }
    write::counters(&mut statements, &counters)?;
    statements.run(tx).await?;
    Ok(())
}

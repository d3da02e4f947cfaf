//! The statements of an admission.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::{SqliteConnection, query, query_scalar};

use super::{
    super::{
        Result,
        rows::{Known, counter_key},
        types::Admission,
    },
    codec::{Columns as _, list, stamp, texts},
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

/// Stores new applications with their applicants, jobs, events and counters.
pub(super) async fn insert(tx: &mut SqliteConnection, created: &[&Admission]) -> Result<()> {
    let rows = created.iter().map(|new| application(new)).collect::<Result<Vec<_>>>()?;
    query(
        "INSERT INTO applications (id, status, stage, open, needs_operator, photo_id, error_code, authority, due_at, deadline_check_at, \
         deadline_level, breached, calendar, completed_at, document, owner, idempotency_key, request_hash, holder, kind, workflow, \
         upstream_ref, submitted_at) \
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, \
         value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16, value ->> 17, \
         value ->> 18, value ->> 19, value ->> 20, value ->> 21, value ->> 22 FROM json_each(?1)",
    )
    .bind(list(rows))
    .execute(&mut *tx)
    .await?;

    let applicants = created.iter().map(|new| {
        let sealed = &new.applicant;
        json!([new.application.id, sealed.key_id, hex::encode(&sealed.wrapped_key), hex::encode(&sealed.ciphertext)])
    });
    query(
        "INSERT INTO applicants (application_id, key_id, wrapped_key, ciphertext) \
         SELECT value ->> 0, value ->> 1, unhex(value ->> 2), unhex(value ->> 3) FROM json_each(?1)",
    )
    .bind(list(applicants))
    .execute(&mut *tx)
    .await?;

    write::jobs(tx, created.iter().map(|new| (new.application.id, &new.job))).await?;
    write::events(tx, created.iter().flat_map(|new| &new.events)).await?;
    let mut counters = BTreeMap::new();
    for new in created {
        *counters.entry(counter_key(&new.application)).or_insert(0) += 1;
    }
    write::counters(tx, &counters).await
}

/// The columns of [`write::application`], then those that never change.
fn application(new: &Admission) -> Result<Value> {
    let application = &new.application;
    let mut columns = write::application(application)?;
    columns.extend([
        json!(application.owner),
        json!(new.idempotency_key),
        json!(new.request_hash),
        json!(application.holder),
        json!(application.kind),
        json!(application.workflow),
        json!(application.upstream_ref),
        json!(stamp(application.submitted_at)),
    ]);
    Ok(Value::Array(columns))
}

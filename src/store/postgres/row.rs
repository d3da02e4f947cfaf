//! Reading rows: columns, wire names, documents.

use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    domain::{
        application::Application,
        decision::SealedRecord,
        event::Actor,
        ids::{ApplicationId, LeaseId},
        job::{Job, Slot},
    },
    store::{Result, StoreError},
};

/// A column that holds a wire name.
pub(super) fn name<T>(row: &PgRow, column: &str) -> Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)).into())
}

/// [`name`] of a column that may be empty.
pub(super) fn name_opt<T>(row: &PgRow, column: &str) -> Result<Option<T>>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)).into())).transpose()
}

/// A column that holds a number which is never below zero.
pub(super) fn count<T: TryFrom<i64, Error: std::error::Error + Send + Sync + 'static>>(
    row: &PgRow,
    column: &str,
) -> Result<T> {
    let number: i64 = row.try_get(column)?;
    number.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)).into())
}

/// Reads a document; `what` names it in the error.
pub(super) fn parse<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what, source })
}

/// A column that holds a document.
pub(super) fn document<T: DeserializeOwned>(row: &PgRow, column: &str, what: &'static str) -> Result<T> {
    parse(what, row.try_get(column)?)
}

/// Writes a document.
pub(super) fn text<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)).into())
}

/// The column `document` as an application.
pub(super) fn application(row: &PgRow) -> Result<Application> {
    document(row, "document", "application")
}

pub(super) fn application_id(row: &PgRow) -> Result<ApplicationId> {
    Ok(ApplicationId(row.try_get("application_id")?))
}

/// The columns of a job.
pub(super) fn job(row: &PgRow) -> Result<Job> {
    Ok(Job {
        slot: name::<Slot>(row, "slot")?,
        stage: name(row, "stage")?,
        due_at: row.try_get("due_at")?,
        lease: row.try_get::<Option<Uuid>, _>("lease")?.map(LeaseId),
        fence: row.try_get("fence")?,
        attempts: unsigned(row, "attempts")?,
        crashes: unsigned(row, "crashes")?,
        priority: row.try_get("priority")?,
    })
}

/// An encrypted record; empty once it is erased.
pub(super) fn sealed(row: &PgRow) -> Result<SealedRecord> {
    Ok(SealedRecord {
        key_id: row.try_get("key_id")?,
        wrapped_key: row.try_get::<Option<_>, _>("wrapped_key")?.unwrap_or_default(),
        ciphertext: row.try_get::<Option<_>, _>("ciphertext")?.unwrap_or_default(),
    })
}

pub(super) fn actor(row: &PgRow) -> Result<Actor> {
    Ok(Actor { kind: name(row, "actor_kind")?, id: row.try_get("actor_id")? })
}

/// A column of 32 bits that is never below zero.
pub(super) fn unsigned(row: &PgRow, column: &str) -> Result<u32> {
    let number: i32 = row.try_get(column)?;
    number.try_into().map_err(|error: std::num::TryFromIntError| sqlx::Error::Decode(Box::new(error)).into())
}

/// A number for a column of 32 bits.
pub(super) fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// How many rows a page reads: one more than it shows tells whether there is another page.
pub(super) fn limit(items: usize) -> i64 {
    at_most(items.saturating_add(1))
}

/// A limit as the server takes it.
pub(super) fn at_most(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

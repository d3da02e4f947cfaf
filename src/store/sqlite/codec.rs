//! How values stand in the file: times as UTC text of one width that sorts, ids as hyphenated text, enums by wire name.

use std::{error::Error, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{Row as _, sqlite::SqliteRow};

use super::super::{Result, StoreError};
use crate::domain::{
    decision::SealedRecord,
    ids::LeaseId,
    job::{Job, Slot},
    stage::Stage,
};

/// A time as it stands in the file; what is finer than a microsecond is cut off.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A time that may be absent, as it stands in the file.
pub(super) fn stamp_opt(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(stamp)
}

/// A record as JSON text.
pub(super) fn to_document(what: &'static str, record: &impl Serialize) -> Result<String> {
    serde_json::to_string(record).map_err(|source| StoreError::Corrupt { what, source })
}

/// A record from JSON text.
pub(super) fn from_document<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| StoreError::Corrupt { what, source })
}

/// One parameter that carries a whole list: `json_each(?)` unfolds it.
pub(super) fn list<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> String {
    Value::Array(values.into_iter().map(Into::into).collect()).to_string()
}

/// [`list`] of values by their text.
pub(super) fn texts(values: impl IntoIterator<Item = impl ToString>) -> String {
    list(values.into_iter().map(|value| value.to_string()))
}

/// Reading columns.
pub(super) trait Columns {
    /// A text that parses: an id, a time, a wire name.
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<T>;
    /// [`parsed`](Self::parsed) where it is not null.
    fn parsed_opt<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<Option<T>>;
    /// A text.
    fn text(&self, column: &str) -> Result<String>;
    /// A count or size; negative ones are not possible.
    fn number<T: TryFrom<i64, Error: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<T>;
    /// A JSON document.
    fn document<T: DeserializeOwned>(&self, what: &'static str, column: &str) -> Result<T>;
    /// The columns `key_id`, `wrapped_key` and `ciphertext`; an erased record is empty.
    fn sealed(&self) -> Result<SealedRecord>;
    /// The column `jobs` that [`jobs!`] selects.
    fn jobs(&self) -> Result<Vec<Job>>;
}

impl Columns for SqliteRow {
    fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<T> {
        Ok(self.try_get::<&str, _>(column)?.parse().map_err(undecodable)?)
    }

    fn parsed_opt<T: FromStr<Err: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.try_get(column)?;
        Ok(text.map(|text| text.parse().map_err(undecodable)).transpose()?)
    }

    fn text(&self, column: &str) -> Result<String> {
        Ok(self.try_get(column)?)
    }

    fn number<T: TryFrom<i64, Error: Error + Send + Sync + 'static>>(&self, column: &str) -> Result<T> {
        Ok(self.try_get::<i64, _>(column)?.try_into().map_err(undecodable)?)
    }

    fn document<T: DeserializeOwned>(&self, what: &'static str, column: &str) -> Result<T> {
        from_document(what, self.try_get(column)?)
    }

    fn sealed(&self) -> Result<SealedRecord> {
        Ok(SealedRecord {
            key_id: self.try_get("key_id")?,
            wrapped_key: self.try_get::<Option<Vec<u8>>, _>("wrapped_key")?.unwrap_or_default(),
            ciphertext: self.try_get::<Option<Vec<u8>>, _>("ciphertext")?.unwrap_or_default(),
        })
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        type Stored = (Slot, Stage, DateTime<Utc>, Option<LeaseId>, i64, u32, u32, i16);
        let jobs: Vec<Stored> = self.document("job", "jobs")?;
        let job = |(slot, stage, due_at, lease, fence, attempts, crashes, priority)| Job {
            slot,
            stage,
            due_at,
            lease,
            fence,
            attempts,
            crashes,
            priority,
        };
        Ok(jobs.into_iter().map(job).collect())
    }
}

/// Selects the jobs of application `a` as one JSON column for [`Columns::jobs`].
macro_rules! jobs {
    () => {
        "(SELECT json_group_array(json_array(slot, stage, due_at, lease, fence, attempts, crashes, priority) ORDER BY slot DESC) \
          FROM jobs WHERE application_id = a.id) AS jobs"
    };
}
pub(super) use jobs;

fn undecodable(error: impl Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_one_width_and_sort() {
        let early: DateTime<Utc> = "2026-11-20T02:00:00Z".parse().unwrap();
        let late: DateTime<Utc> = "2026-11-20T10:00:00.123456789+08:00".parse().unwrap();
        assert_eq!(stamp(early), "2026-11-20T02:00:00.000000Z");
        assert_eq!(stamp(late), "2026-11-20T02:00:00.123456Z");
        assert!(stamp(early) < stamp(late));
    }

    #[test]
    fn lists_are_json() {
        assert_eq!(list([1, 2]), "[1,2]");
        assert_eq!(texts([Slot::Main, Slot::Sms]), r#"["main","sms"]"#);
    }
}

//! What can go wrong with a database, and whether repeating helps.

use sqlx::{error::DatabaseError, postgres::PgDatabaseError, sqlite::SqliteError};

use crate::domain::ids::ApplicationId;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is busy beyond its limit, or broke the connection: try again.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The database answered an error that repeating does not mend.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// A stored document does not parse.
    #[error("a stored `{what}` does not parse")]
    Corrupt {
        /// Which document.
        what: &'static str,
        /// The parser's word.
        #[source]
        source: serde_json::Error,
    },
    /// The schema is not the program's.
    #[error("{0}")]
    Schema(String),
    /// Another process has the SQLite file.
    #[error("{0}")]
    Locked(String),
    /// The server's settings would break a promise (e.g. `fsync` is off).
    #[error("{0}")]
    Unsafe(String),
    /// The address or the file is not one of a database that can be used; says the rule and the remedy.
    #[error("{0}")]
    Unusable(String),
    /// A page was asked for with a cursor that no page gave.
    #[error("the cursor is not one that a page gave")]
    BadCursor,
    /// A plan ends or replaces a licence that is not current any more. Nothing was written.
    #[error("a licence that the plan counts on is not current any more")]
    LicenceNotCurrent,
    /// A planner wrote an application that it was not given. Nothing was written.
    #[error("a plan changes application `{0}`, which it does not hold")]
    NotLocked(ApplicationId),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's doing.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// The result of a store call.
pub type Result<T> = std::result::Result<T, StoreError>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_passing(&error) { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(answer) => is_passing_answer(answer.as_ref()),
        _ => false,
    }
}

fn is_passing_answer(answer: &dyn DatabaseError) -> bool {
    if answer.try_downcast_ref::<PgDatabaseError>().is_some() {
        answer.code().is_some_and(|state| is_passing_state(&state))
    } else {
        answer.try_downcast_ref::<SqliteError>().and_then(sqlite_code).is_some_and(is_passing_code)
    }
}

/// SQLSTATEs of a server that is down, full, failing over or tired of waiting.
fn is_passing_state(state: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "53", "57", "58"]; // connection, resources, operator intervention, system
    const STATES: [&str; 5] = [
        "25006", // read-only: a standby during failover
        "40001", // serialization failure
        "40P01", // deadlock
        "55P03", // lock not available
        "25P03", // idle in transaction for too long
    ];
    CLASSES.iter().any(|class| state.starts_with(class)) || STATES.contains(&state)
}

/// The primary result code of an SQLite error.
pub(super) fn sqlite_code(error: &SqliteError) -> Option<i32> {
    error.code().and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff)
}

/// Result codes of a file that is in use, or of a disk that is full or failing.
const fn is_passing_code(code: i32) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NOMEM: i32 = 7;
    const READONLY: i32 = 8;
    const INTERRUPT: i32 = 9;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    matches!(code, BUSY | LOCKED | NOMEM | READONLY | INTERRUPT | IOERR | FULL | CANTOPEN | PROTOCOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_unavailable() {
        for state in ["08006", "53300", "57P01", "57014", "58030", "25006", "40001"] {
            assert!(is_passing_state(state), "{state}");
        }
        for state in ["23505", "42P01", "22P02", "28P01", "3D000"] {
            assert!(!is_passing_state(state), "{state}");
        }
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_transient());
    }

    #[test]
    fn a_busy_or_failing_file_passes_and_a_constraint_does_not() {
        for code in [5, 6, 8, 10, 13, 14] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in [1, 11, 19, 26] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}

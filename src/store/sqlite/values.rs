//! Statements over many rows at once: one trip to the connection's thread for each chunk of rows.
//!
//! Each value is bound: of one JSON parameter SQLite would read every row again for each of its columns.

use sqlx::{Arguments as _, Sqlite};
use sqlx::{AssertSqlSafe, Encode, SqliteConnection, Type, query_with, sqlite::SqliteArguments};

use super::super::Result;

/// Rows of the largest chunk; the others are its halves, so that few texts are ever prepared.
const LARGEST: usize = 64;

/// The values of a chunk, row after row.
#[derive(Default)]
pub(super) struct Values(SqliteArguments);

impl Values {
    /// Adds the next value.
    pub(super) fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> Result<&mut Self> {
        self.0.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }
}

/// Runs `before (?, …), (?, …) after` over all rows of `width` values; answers how many rows were changed.
pub(super) async fn execute<R>(
    tx: &mut SqliteConnection,
    (before, width, after): (&'static str, usize, &'static str),
    mut rows: &[R],
    bind: impl Fn(&mut Values, &R) -> Result<()>,
) -> Result<u64> {
    let mut changed = 0;
    let mut size = LARGEST;
    while !rows.is_empty() {
        while size > rows.len() {
            size /= 2;
        }
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        let mut values = Values::default();
        for row in chunk {
            bind(&mut values, row)?;
        }
        let row = format!("({})", ["?"; 32][..width].join(","));
        let text = format!("{before} {} {after}", vec![row; size].join(","));
        // The parts are the program's own, the values are bound.
        changed += query_with(AssertSqlSafe(text), values.0).execute(&mut *tx).await?.rows_affected();
    }
    Ok(changed)
}

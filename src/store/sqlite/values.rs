//! Statements over many rows at once: one trip to the connection's thread for each chunk of rows. Each trip wakes that thread
//! and the one that waits for it, so there are few.
//!
//! Each value is bound: of one JSON parameter SQLite would read every row again for each of its columns.

use std::sync::Arc;

use serde_json::Value;
use sqlx::{
    Arguments as _, AssertSqlSafe, Encode, Sqlite, SqliteConnection, Type, query_with, sqlite::SqliteArguments,
};
use uuid::Uuid;

use super::super::Result;

/// Rows of the largest chunk. A chunk has a power of two of them, so that few texts are ever prepared; those beyond its own
/// rows are all null.
const LARGEST: usize = 512;

/// The values of a statement; those of a chunk row after row.
#[derive(Default)]
pub(super) struct Values(SqliteArguments);

impl Values {
    /// Adds the next value.
    pub(super) fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) -> Result<&mut Self> {
        self.0.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    /// Adds a text, copied once.
    pub(super) fn text(&mut self, text: &str) -> Result<&mut Self> {
        self.bind(Arc::<str>::from(text))
    }

    /// Adds a text that may be absent.
    pub(super) fn text_opt(&mut self, text: Option<&str>) -> Result<&mut Self> {
        self.bind(text.map(Arc::<str>::from))
    }

    /// Adds an id, as hyphenated text.
    pub(super) fn id(&mut self, id: Uuid) -> Result<&mut Self> {
        self.id_opt(Some(id))
    }

    /// Adds an id that may be absent.
    pub(super) fn id_opt(&mut self, id: Option<Uuid>) -> Result<&mut Self> {
        let mut buffer = Uuid::encode_buffer();
        self.text_opt(id.map(|id| &*id.hyphenated().encode_lower(&mut buffer)))
    }
}

/// Statements with their values, in order: made before the one writer is taken, so that it is held for the writing alone.
#[derive(Default)]
pub(super) struct Statements(Vec<(String, Values)>);

impl Statements {
    /// Adds `before (VALUES (?, …), (?, …)) after` over all rows of `width` values. A row of which `column1` is null must do
    /// nothing.
    pub(super) fn over<R>(
        &mut self,
        (before, width, after): (&'static str, usize, &'static str),
        rows: &[R],
        bind: impl Fn(&mut Values, &R) -> Result<()>,
    ) -> Result<()> {
        let row = format!("({})", ["?"; 32][..width].join(","));
        for chunk in rows.chunks(LARGEST) {
            let mut values = Values::default();
            values.0.reserve(chunk.len() * width, 0);
            for row in chunk {
                bind(&mut values, row)?;
            }
            // A parameter without a value is null.
            let rows = vec![row.as_str(); chunk.len().next_power_of_two()].join(",");
            self.0.push((format!("{before} (VALUES {rows}) {after}"), values));
        }
        Ok(())
    }

    /// Adds a statement over one parameter, a JSON array of these values; nothing where there are none.
    pub(super) fn listed(&mut self, text: &'static str, list: impl IntoIterator<Item = Value>) -> Result<()> {
        let list: Vec<Value> = list.into_iter().collect();
        if !list.is_empty() {
            let mut values = Values::default();
            values.bind(Value::Array(list).to_string())?;
            self.0.push((text.to_owned(), values));
        }
        Ok(())
    }

    /// Runs them all; answers how many rows were changed.
    pub(super) async fn run(self, tx: &mut SqliteConnection) -> Result<u64> {
        let mut changed = 0;
        for (text, values) in self.0 {
            // The parts are the program's own, the values are bound.
            changed += query_with(AssertSqlSafe(text), values.0).execute(&mut *tx).await?.rows_affected();
        }
        Ok(changed)
    }
}

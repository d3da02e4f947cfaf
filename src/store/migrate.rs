//! The migrations that travel inside the program; `migrations/README.md` says how to write one.

use std::collections::HashSet;

use sqlx::{
    SqlSafeStr as _,
    migrate::{AppliedMigration, Migration, MigrationType, Migrator},
};

use super::{Result, StoreError};

/// Lists migration files of one database, by hand, oldest first: file name and text.
macro_rules! migrations {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../migrations/", $folder, "/", $name)))),+]
    };
}
pub(super) use migrations;

/// A migration's file name, `YYYYMMDDHHMMSS_verb_object.sql`, and its text.
pub(super) type File = (&'static str, &'static str);

/// Makes a migrator of the files.
pub(super) fn migrator(files: &[File]) -> Migrator {
    Migrator::with_migrations(files.iter().map(migration).collect())
}

fn migration((name, sql): &File) -> Migration {
    let (version, description) = parse(name);
    Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
}

/// Version and description in a file name. A name without a version counts as 0, which the test of the lists refuses.
fn parse(name: &str) -> (i64, String) {
    let (version, description) = name.trim_end_matches(".sql").split_once('_').unwrap_or(("", name));
    (version.parse().unwrap_or(0), description.replace('_', " "))
}

/// What the schema lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing was ever applied.
    Empty,
    /// Some migrations are not applied yet.
    Behind,
    /// The schema is the program's.
    Current,
}

/// Compares what is applied with what the program brings.
///
/// # Errors
/// [`StoreError::Schema`] when the database is newer, or an applied migration was edited.
pub(super) fn standing(migrator: &Migrator, applied: &[AppliedMigration]) -> Result<Standing> {
    for done in applied {
        match migrator.iter().find(|known| known.version == done.version) {
            None => {
                let newer = format!(
                    "the database is newer than this program: it has migration `{}`; start a newer greenlane",
                    done.version
                );
                return Err(StoreError::Schema(newer));
            }
            Some(known) if known.checksum != done.checksum => {
                let edited = format!(
                    "migration `{}` was applied with another text: released migrations are never edited",
                    done.version
                );
                return Err(StoreError::Schema(edited));
            }
            Some(_) => {}
        }
    }
    let done: HashSet<i64> = applied.iter().map(|migration| migration.version).collect();
    Ok(match migrator.iter().filter(|known| !done.contains(&known.version)).count() {
        0 => Standing::Current,
        _ if done.is_empty() => Standing::Empty,
        _ => Standing::Behind,
    })
}

/// The refusal of a schema that is not [`Standing::Current`].
pub(super) fn behind() -> StoreError {
    StoreError::Schema("the database's schema is older than this program: run `greenlane migrate`".to_owned())
}

/// Every file of the database's folder is in its list, in the order of versions.
#[cfg(test)]
pub(super) fn assert_complete(database: &str, list: &[File]) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, list.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let versions: Vec<i64> = migrator(list).iter().map(|migration| migration.version).collect();
    assert!(versions[0] > 0 && versions.is_sorted_by(|a, b| a < b), "{versions:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[File] =
        &[("20261101000000_create_things.sql", "CREATE TABLE things (a)"), ("20261102000000_add_b.sql", "SELECT 1")];

    fn applied(migrator: &Migrator, count: usize) -> Vec<AppliedMigration> {
        migrator
            .iter()
            .take(count)
            .map(|m| AppliedMigration { version: m.version, checksum: m.checksum.clone() })
            .collect()
    }

    #[test]
    fn tells_empty_behind_and_current() {
        let migrator = migrator(FILES);
        for (count, standing_then) in [(0, Standing::Empty), (1, Standing::Behind), (2, Standing::Current)] {
            assert_eq!(standing(&migrator, &applied(&migrator, count)).unwrap(), standing_then);
        }
    }

    #[test]
    fn refuses_a_newer_and_an_edited_schema() {
        let all = migrator(FILES);
        let older = migrator(&FILES[..1]);
        let newer = standing(&older, &applied(&all, 2)).unwrap_err().to_string();
        assert!(newer.contains("newer than this program") && newer.contains("20261102000000"), "{newer}");
        let edited = migrator(&[(FILES[0].0, "CREATE TABLE things (b)"), FILES[1]]);
        assert!(matches!(standing(&edited, &applied(&all, 2)), Err(StoreError::Schema(_))));
    }

    #[test]
    fn names_say_when_and_what() {
        assert_eq!(parse("20261101000000_create_things.sql"), (20_261_101_000_000, "create things".to_owned()));
    }
}

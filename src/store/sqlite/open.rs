//! Opening the file: the folder, the lock, the settings, the schema; each refusal says what to do.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr as _,
    time::Duration,
};

use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    migrate::{Migrate as _, MigrateError},
    sqlite::{SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    super::{
        Options, Result, StoreError,
        error::sqlite_code,
        migrate::{self, Standing, migrations, migrator, standing},
    },
    SqliteStore,
};

/// Every migration, oldest first.
pub(super) const MIGRATIONS: &[migrate::File] = migrations!("sqlite":
    "20261101000000_create_applications.sql",
    "20261101000100_create_audit.sql",
    "20261101000200_create_reviews.sql",
    "20261101000300_create_operations.sql",
    "20261122000000_add_application_revision.sql",
    "20261122000100_keep_unfinished_applications_apart.sql",
    "20261122002000_create_users.sql",
    "20261122002100_index_escalated_reviews.sql",
    "20261122002200_index_review_events.sql",
    "20261122100000_add_licence_checks.sql",
    "20261122300000_create_figures.sql",
    "20261122310000_index_stalled_applications.sql",
    "20261128010000_create_queue_limits.sql",
    "20261128020000_add_detail_to_alerts.sql",
    "20261128020100_prepare_partitions_as_owner.sql",
    "20261128020200_index_open_promises.sql",
    "20261128030000_verify_batches.sql",
    "20261128030100_index_audit_search.sql",
    "20261128040000_create_sweep_runs.sql",
    "20261128050000_roll_up_figures.sql",
    "20261128050100_create_forecasts.sql",
    "20261128050200_index_undecided_reviews.sql",
    "20261128060000_index_reviews_by_authority.sql",
    "20261128060100_add_face_to_photos.sql",
    "20261128060200_index_overturned_reviews.sql",
    "20261128070000_add_licence_termination.sql",
    "20261128070100_add_card_problem.sql",
    "20261128070200_index_licence_changes.sql",
    "20261128070300_add_verifier_key_id.sql",
    "20261128080000_keep_photos_for_a_time.sql",
    "20261128080100_keep_delivered_webhooks.sql",
    "20261128090000_index_assigned_reviews.sql",
    "20261128090100_index_stalled_by_stage.sql",
    "20261130000000_drop_unread_indexes.sql",
    "20261130000100_leave_room_for_two_updates.sql",
    "20261130010000_slim_events.sql",
    "20261130020000_merge_licence_indexes.sql",
    "20261130020100_find_keys_by_themselves.sql",
);

/// Keeps a checkpointed write-ahead log from staying as large as it ever was.
const WAL_LIMIT_BYTES: u32 = 64 * 1024 * 1024;

/// Pages of 4 KiB in the write-ahead log before they are folded into the file. A page that many commits change is then
/// written once for all of them; the default of 1000 is reached by a handful of large commits.
const CHECKPOINT_PAGES: u32 = 8_000;

/// Pages kept in memory by each connection. Few: a commit that splits a page looks at every one of them, and the kernel
/// keeps the file in memory anyway. What a transaction changes stays in memory until its commit, however much it is.
const CACHE_KIB: u32 = 4 * 1024;

impl SqliteStore {
    /// Opens the file of a `sqlite://` address, and makes it and its folder where they are missing.
    ///
    /// An empty database is migrated. One that is behind is migrated too by a process that has it `exclusive`ly.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for an address or a file that cannot be one, [`StoreError::Locked`] when another
    /// process has the file exclusively and this one wants that too, [`StoreError::Schema`] for a newer schema.
    pub async fn open(url: &str, options: &Options) -> Result<Self> {
        Self::prepare(url, options, options.exclusive).await
    }

    /// Applies the migrations that the file lacks, and opens nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(url: &str) -> Result<()> {
        let store = Self::prepare(url, &Options::default(), true).await?;
        store.close().await;
        Ok(())
    }

    async fn prepare(url: &str, options: &Options, migrates: bool) -> Result<Self> {
        let (settings, path) = settings(url, options.acquire_timeout)?;
        make_folder(&path)?;
        let lock = if options.exclusive { Some(lock(&path)?) } else { None };
        let mut first = SqliteConnection::connect_with(&settings).await.map_err(|error| unusable(&path, error))?;
        let checked = check_schema(&mut first, &path, migrates).await;
        first.close().await?;
        checked?;

        let pool = SqlitePoolOptions::new()
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        let writer = pool.clone().max_connections(1).connect_with(settings.clone()).await?;
        let reading = settings.create_if_missing(false).pragma("query_only", "ON");
        let readers = pool.max_connections(options.connections.max(1)).connect_with(reading).await?;
        Ok(Self { writer, readers, limit: options.acquire_timeout + options.statement_timeout, _lock: lock })
    }

    /// Closes every connection, which folds the write-ahead log into the file.
    pub async fn close(&self) {
        let pools: [&SqlitePool; 2] = [&self.readers, &self.writer];
        for pool in pools {
            pool.close().await;
        }
    }
}

fn settings(url: &str, busy: Duration) -> Result<(SqliteConnectOptions, PathBuf)> {
    let malformed = || {
        StoreError::Unusable(
            "an SQLite address is `sqlite://` and the path of a file, e.g. `sqlite://var/greenlane.db`".to_owned(),
        )
    };
    let settings = SqliteConnectOptions::from_str(url).map_err(|_| malformed())?;
    let path = settings.get_filename().to_owned();
    // Every connection would see a database of its own.
    if url.contains(":memory:") || url.contains("mode=memory") || path.file_name().is_none() {
        return Err(malformed());
    }
    let settings = settings
        .create_if_missing(!url.contains("mode=ro"))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // A row that is replaced is deleted first: the triggers of the audit log have to see that.
        .pragma("recursive_triggers", "ON")
        .busy_timeout(busy)
        .pragma("journal_size_limit", WAL_LIMIT_BYTES.to_string())
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES.to_string())
        .pragma("cache_size", format!("-{CACHE_KIB}"))
        .pragma("cache_spill", "0")
        .pragma("temp_store", "MEMORY")
        .statement_cache_capacity(200);
    Ok((settings, path))
}

fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|error| {
        StoreError::Unusable(format!("the folder of the database cannot be made: `{}`: {error}", folder.display()))
    })
}

/// Takes the file for this process alone until the lock is dropped; a killed process leaves none behind.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let cannot = |error: std::io::Error| {
        StoreError::Unusable(format!(
            "the lock file of the database cannot be used: `{}`: {error}",
            Path::new(&name).display()
        ))
    };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(format!(
            "another process uses `{}`: stop it first, or use PostgreSQL, which takes many processes",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

async fn check_schema(connection: &mut SqliteConnection, path: &Path, migrates: bool) -> Result<()> {
    let migrator = migrator(MIGRATIONS);
    // Immediate: two processes never migrate at once.
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| unusable(path, error))?;
    let foreign = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'";
    let tables: i64 = sqlx::query_scalar(foreign).fetch_one(&mut *tx).await.map_err(|error| unusable(path, error))?;
    tx.ensure_migrations_table(&migrator.table_name).await.map_err(migration_failed)?;
    // Deletes nothing, but a file that cannot be written refuses it; BEGIN IMMEDIATE does not.
    sqlx::query("DELETE FROM _sqlx_migrations WHERE false")
        .execute(&mut *tx)
        .await
        .map_err(|error| unusable(path, error))?;
    let applied = tx.list_applied_migrations(&migrator.table_name).await.map_err(migration_failed)?;
    match standing(&migrator, &applied)? {
        Standing::Current => Ok(tx.rollback().await?),
        Standing::Empty if tables > 0 => Err(StoreError::Unusable(format!(
            "`{}` is the database of another program: name another file",
            path.display()
        ))),
        Standing::Behind if !migrates => Err(migrate::behind()),
        Standing::Empty | Standing::Behind => {
            migrator.run_direct(None, &mut *tx, false).await.map_err(migration_failed)?;
            Ok(tx.commit().await?)
        }
    }
}

fn migration_failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Schema(other.to_string()),
    }
}

/// Says in words what is wrong with the file, where that is known.
fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    const PERM: i32 = 3;
    const READONLY: i32 = 8;
    const CORRUPT: i32 = 11;
    const CANTOPEN: i32 = 14;
    const NOTADB: i32 = 26;
    let code = match &error {
        sqlx::Error::Database(answer) => answer.try_downcast_ref::<SqliteError>().and_then(sqlite_code),
        _ => None,
    };
    let path = path.display();
    match code {
        Some(NOTADB) => StoreError::Unusable(format!(
            "`{path}` is not an SQLite database: name another file, or move this one away"
        )),
        Some(CORRUPT) => StoreError::Unusable(format!("`{path}` is damaged: restore it from a backup")),
        Some(READONLY | PERM) => {
            StoreError::Unusable(format!("`{path}` cannot be written: check the file's and the folder's permissions"))
        }
        Some(CANTOPEN) => {
            StoreError::Unusable(format!("`{path}` cannot be opened: check that it is a file and its permissions"))
        }
        _ => error.into(),
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;

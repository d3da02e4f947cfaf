//! The schema: its migrations, and what the program refuses to work with.

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, Row as _,
    migrate::{Migrate as _, MigrateError},
};

use super::{PostgresStore, address};
use crate::store::{
    Result, StoreError,
    migrate::{self, Standing, migrations, migrator, standing},
};

/// Every migration, oldest first.
pub(super) const MIGRATIONS: &[migrate::File] = migrations!("postgres":
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

/// The oldest server with everything that the statements use.
const OLDEST_SERVER: i32 = 140_000;

impl PostgresStore {
    /// Brings the schema of the database at `url` up to the program's. Several at once wait for each other.
    ///
    /// # Errors
    /// [`StoreError::Schema`] when the database is newer than the program, or was migrated with other texts.
    pub async fn migrate(url: &str) -> Result<()> {
        let mut connection = address(url)?.connect().await?;
        refuse_unsafe(&mut connection).await?;
        if let Some(applied) = applied(&mut connection).await? {
            standing(&migrator(MIGRATIONS), &applied)?;
        }
        migrator(MIGRATIONS).run(&mut connection).await.map_err(migration_failed)?;
        sqlx::query("SELECT prepare_events_partitions(2)").execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

fn migration_failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        other => StoreError::Schema(other.to_string()),
    }
}

/// What was applied; none where nothing ever was. Unlike the migrator it creates no table to find out.
async fn applied(connection: &mut PgConnection) -> Result<Option<Vec<sqlx::migrate::AppliedMigration>>> {
    let table = migrator(MIGRATIONS).table_name;
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&*table).fetch_one(&mut *connection).await?;
    if !known {
        return Ok(None);
    }
    Ok(Some(connection.list_applied_migrations(&table).await.map_err(migration_failed)?))
}

/// Refuses a server that does not keep what it acknowledged, or that is too old.
pub(super) async fn refuse_unsafe(connection: &mut PgConnection) -> Result<()> {
    let row = sqlx::query(
        "SELECT current_setting('fsync'), current_setting('synchronous_commit'),
                current_setting('server_version_num')::integer, current_setting('server_version')",
    )
    .fetch_one(connection)
    .await?;
    for (setting, value) in [("fsync", row.try_get::<String, _>(0)?), ("synchronous_commit", row.try_get(1)?)] {
        if value == "off" {
            return Err(StoreError::Unsafe(format!(
                "the PostgreSQL server has `{setting} = off`, so that an acknowledged application could be lost: set it to `on`"
            )));
        }
    }
    if row.try_get::<i32, _>(2)? < OLDEST_SERVER {
        return Err(StoreError::Unusable(format!(
            "the server is PostgreSQL `{}`, and 14 is the oldest that works: use a newer one",
            row.try_get::<String, _>(3)?
        )));
    }
    Ok(())
}

/// Refuses a schema that is older, newer or another than the program's.
pub(super) async fn refuse_other(connection: &mut PgConnection) -> Result<()> {
    let applied = applied(connection).await?.unwrap_or_default();
    match standing(&migrator(MIGRATIONS), &applied)? {
        Standing::Current => Ok(()),
        Standing::Empty | Standing::Behind => Err(migrate::behind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_every_migration_file() {
        migrate::assert_complete("postgres", MIGRATIONS);
    }
}

//! A store on a fresh database, and a way past it.

use std::{ops::Deref, sync::Arc};

use greenlane::{
    domain::{ids::ApplicationId, stage::Stage},
    store::{
        self, Options, Store,
        types::{Admission, Admitted, ApplicationView, Planner, Snapshot, Write},
    },
};
use sqlx::{AssertSqlSafe, PgPool, SqlitePool, sqlite::SqlitePoolOptions};

use crate::{database::Database, make};

/// A store on a fresh database. Derefs to the store.
pub struct Site {
    pub store: Arc<dyn Store>,
    pub raw: Raw,
    pub database: Database,
}

impl Deref for Site {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}

impl Site {
    pub async fn sqlite() -> Self {
        Self::on(Database::sqlite()).await
    }

    pub async fn postgres() -> Self {
        Self::on(Database::postgres().await).await
    }

    async fn on(database: Database) -> Self {
        store::migrate(database.url()).await.unwrap();
        let store = store::open(database.url(), &Options { connections: 4, ..Options::default() }).await.unwrap();
        let raw = Raw::connect(&database).await;
        Self { store, raw, database }
    }

    /// Admits one application that must be new.
    pub async fn admit_one(&self, admission: Admission) -> ApplicationId {
        let id = admission.application.id;
        assert_eq!(self.admit(&[admission]).await.unwrap(), [Admitted::Created]);
        id
    }

    /// Admits so many fresh applications, due now.
    pub async fn admit_many(&self, count: usize) -> Vec<ApplicationId> {
        let now = self.now().await.unwrap();
        let batch: Vec<Admission> = (0..count).map(|_| make::admission(now)).collect();
        assert!(self.admit(&batch).await.unwrap().iter().all(|admitted| *admitted == Admitted::Created));
        batch.iter().map(|new| new.application.id).collect()
    }

    /// Commits what `change` makes of each application's state.
    pub async fn change(&self, ids: &[ApplicationId], change: impl FnMut(&mut Write) + Send) {
        self.try_change(ids, change).await.unwrap();
    }

    pub async fn try_change(
        &self,
        ids: &[ApplicationId],
        mut change: impl FnMut(&mut Write) + Send,
    ) -> store::Result<()> {
        let mut planner = Plan(|snapshots: Vec<Snapshot>| {
            let unchanged = snapshots.into_iter().map(make::unchanged);
            unchanged
                .map(|mut write| {
                    change(&mut write);
                    write
                })
                .collect()
        });
        self.commit(ids, &mut planner).await
    }

    pub async fn view(&self, id: ApplicationId) -> ApplicationView {
        self.application(id).await.unwrap().expect("the application exists")
    }
}

/// A planner from a function.
pub struct Plan<F>(pub F);

impl<F: FnMut(Vec<Snapshot>) -> Vec<Write> + Send> Planner for Plan<F> {
    fn plan(&mut self, snapshots: Vec<Snapshot>) -> Vec<Write> {
        (self.0)(snapshots)
    }
}

/// The database without the store.
pub enum Raw {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Raw {
    async fn connect(database: &Database) -> Self {
        if database.is_postgres() {
            Self::Postgres(PgPool::connect(database.url()).await.unwrap())
        } else {
            // One connection: SQLite counts the writes of others per connection.
            let options = SqlitePoolOptions::new().max_connections(1);
            Self::Sqlite(options.connect(database.url()).await.unwrap())
        }
    }

    /// Rows changed.
    pub async fn execute(&self, sql: &str) -> sqlx::Result<u64> {
        let sql = AssertSqlSafe(sql);
        Ok(match self {
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await?.rows_affected(),
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await?.rows_affected(),
        })
    }

    /// One number.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    /// Runs something while another connection has the table to itself (PostgreSQL).
    pub async fn while_locked(&self, table: &str, work: impl Future<Output = ()>) {
        let Self::Postgres(pool) = self else { panic!("SQLite locks no tables") };
        let mut other = pool.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("LOCK TABLE {table}"))).execute(&mut *other).await.unwrap();
        work.await;
        other.rollback().await.unwrap();
    }

    /// A mark that moves whenever somebody writes, or locks, what claims and sweeps look at.
    pub async fn watch(&self) -> i64 {
        match self {
            Self::Sqlite(_) => self.number("SELECT data_version FROM pragma_data_version").await,
            Self::Postgres(_) => {
                self.number(
                    "SELECT coalesce(sum(hashtext(concat(row.ctid, ' ', row.xmin, ' ', row.xmax))::bigint), 0)::bigint FROM ( \
                     SELECT ctid, xmin, xmax FROM jobs UNION ALL SELECT ctid, xmin, xmax FROM applications UNION ALL \
                     SELECT ctid, xmin, xmax FROM webhooks UNION ALL SELECT ctid, xmin, xmax FROM processes) AS row",
                )
                .await
            }
        }
    }

    /// Whether anything was written since the mark.
    pub async fn has_written(&self, mark: i64) -> bool {
        self.watch().await != mark
    }
}

/// Every stage with room for so many jobs.
pub fn wants(limit: usize) -> Vec<store::types::Want> {
    Stage::ALL.iter().map(|stage| store::types::Want { stage: *stage, limit }).collect()
}

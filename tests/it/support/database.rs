//! A database of one test's own: a file for SQLite, a new database on the server that `tests/run` started for PostgreSQL.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::scratch::Scratch;

/// The variable that `tests/run` sets. A missing server fails the test: a skipped test proves nothing.
const POSTGRES: &str = "GREENLANE_TEST_POSTGRES";

/// A fresh database that goes away with the value.
pub enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite(Sqlite::fresh())
    }

    pub async fn postgres() -> Self {
        Self::Postgres(Postgres::fresh().await)
    }

    /// What `DATABASE_URL` takes.
    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite(sqlite) => &sqlite.url,
            Self::Postgres(postgres) => &postgres.url,
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// A database file in a folder of its own, which the program creates.
pub struct Sqlite {
    url: String,
    _folder: Scratch,
}

impl Sqlite {
    pub fn fresh() -> Self {
        let folder = Scratch::new();
        Self { url: format!("sqlite://{}", folder.file("greenlane.db").display()), _folder: folder }
    }
}

/// An empty database on the test server, dropped in the end.
pub struct Postgres {
    url: String,
    name: String,
}

impl Postgres {
    pub async fn fresh() -> Self {
        let name = format!("greenlane_{}", uuid::Uuid::new_v4().simple());
        run_on_server(&format!("CREATE DATABASE {name}")).await;
        let server = server();
        let base = server.rsplit_once('/').map_or(server.as_str(), |(base, _)| base);
        Self { url: format!("{base}/{name}"), name }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A drop cannot wait on the test's own runtime.
        let _ = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(run_on_server(&sql));
        })
        .join();
    }
}

fn server() -> String {
    std::env::var(POSTGRES).unwrap_or_else(|_| {
        panic!("no PostgreSQL for the tests: run `tests/run`, or set {POSTGRES} to `postgres://user@host:port/postgres` of a server where databases may be created")
    })
}

async fn run_on_server(sql: &str) {
    let mut connection = PgConnection::connect(&server()).await.expect("the test PostgreSQL answers");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("the test PostgreSQL lets us create and drop databases");
    let _ = connection.close().await;
}

use std::path::PathBuf;

use sqlx::{Connection as _, SqliteConnection};

use super::*;
use crate::store::{
    Lifecycle as _,
    migrate::{Standing, assert_complete},
};

/// A folder that goes away with the value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("greenlane-store-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn url(&self, file: &str) -> String {
        format!("sqlite://{}", self.0.join(file).display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn exclusive() -> Options {
    Options { exclusive: true, ..Options::default() }
}

async fn refusal(url: &str, options: &Options) -> String {
    match SqliteStore::open(url, options).await.unwrap_err() {
        StoreError::Unusable(text) | StoreError::Schema(text) | StoreError::Locked(text) => text,
        other => panic!("{other:?}"),
    }
}

async fn run(folder: &Folder, sql: &'static str) {
    let mut connection = SqliteConnection::connect(&format!("{}?mode=rwc", folder.url("a.db"))).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn makes_the_folder_and_the_schema_and_opens_again() {
    let folder = Folder::new();
    let url = folder.url("deep/er/a.db");
    for options in [exclusive(), exclusive(), Options::default()] {
        let store = SqliteStore::open(&url, &options).await.unwrap();
        store.ping().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn one_process_has_the_file_exclusively_and_short_commands_still_open_it() {
    let folder = Folder::new();
    let url = folder.url("a.db");
    let first = SqliteStore::open(&url, &exclusive()).await.unwrap();
    let text = refusal(&url, &exclusive()).await;
    assert!(text.contains("another process uses") && text.contains("a.db"), "{text}");
    SqliteStore::open(&url, &Options::default()).await.unwrap().ping().await.unwrap();
    drop(first);
    SqliteStore::open(&url, &exclusive()).await.unwrap();
}

#[tokio::test]
async fn refuses_what_is_no_database_of_ours() {
    let folder = Folder::new();
    std::fs::write(folder.0.join("text.db"), "certainly not a database, but longer than its header is".repeat(20))
        .unwrap();
    assert!(refusal(&folder.url("text.db"), &exclusive()).await.contains("is not an SQLite database"));
    std::fs::create_dir(folder.0.join("folder.db")).unwrap();
    assert!(refusal(&folder.url("folder.db"), &exclusive()).await.contains("cannot be opened"));
    assert!(
        refusal("sqlite:///proc/greenlane/a.db", &exclusive()).await.contains("folder of the database cannot be made")
    );
    run(&folder, "CREATE TABLE recipes (a)").await;
    assert!(refusal(&folder.url("a.db"), &exclusive()).await.contains("another program"));
    for url in ["sqlite::memory:", "sqlite://a.db?mode=memory", "sqlite://a.db?colour=red", "sqlite://"] {
        assert!(refusal(url, &exclusive()).await.contains("an SQLite address is"), "{url}");
    }
}

#[tokio::test]
async fn refuses_a_damaged_file() {
    let folder = Folder::new();
    SqliteStore::migrate(&folder.url("a.db")).await.unwrap();
    let path = folder.0.join("a.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100..4096].fill(0xff); // the schema's page, behind the header
    std::fs::write(&path, bytes).unwrap();
    assert!(refusal(&folder.url("a.db"), &exclusive()).await.contains("is damaged"));
}

#[tokio::test]
async fn refuses_a_file_that_cannot_be_written() {
    let folder = Folder::new();
    SqliteStore::migrate(&folder.url("a.db")).await.unwrap();
    assert!(refusal(&format!("{}?mode=ro", folder.url("a.db")), &exclusive()).await.contains("cannot be written"));
}

#[tokio::test]
async fn refuses_a_newer_and_an_edited_schema() {
    let folder = Folder::new();
    let url = folder.url("a.db");
    SqliteStore::migrate(&url).await.unwrap();
    run(&folder, "INSERT INTO _sqlx_migrations VALUES (20991231000000, 'later', '2099-12-31', true, x'00', 0)").await;
    assert!(refusal(&url, &exclusive()).await.contains("newer than this program"));
    run(
        &folder,
        "DELETE FROM _sqlx_migrations WHERE version > 20990000000000; UPDATE _sqlx_migrations SET checksum = x'00'",
    )
    .await;
    assert!(refusal(&url, &exclusive()).await.contains("never edited"));
}

#[tokio::test]
async fn a_short_command_does_not_migrate_under_a_running_program() {
    let folder = Folder::new();
    let url = folder.url("a.db");
    SqliteStore::migrate(&url).await.unwrap();
    run(&folder, "DELETE FROM _sqlx_migrations WHERE version = (SELECT max(version) FROM _sqlx_migrations)").await;
    assert!(refusal(&url, &Options::default()).await.contains("greenlane migrate"));
    let settings = SqliteConnectOptions::from_str(&url).unwrap();
    let mut connection = SqliteConnection::connect_with(&settings).await.unwrap();
    let applied = connection.list_applied_migrations("_sqlx_migrations").await.unwrap();
    assert_eq!(standing(&migrator(MIGRATIONS), &applied).unwrap(), Standing::Behind);
}

#[tokio::test]
async fn many_processes_open_an_empty_file_at_once() {
    let folder = Folder::new();
    let url = folder.url("a.db");
    let options = Options::default();
    let opening = (0..8).map(|_| SqliteStore::open(&url, &options));
    for opened in futures::future::join_all(opening).await {
        opened.unwrap();
    }
}

#[test]
fn lists_every_migration_file() {
    assert_complete("sqlite", MIGRATIONS);
}

#[tokio::test]
async fn no_connection_of_the_program_replaces_what_is_in_the_log() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.url("a.db"), &exclusive()).await.unwrap();
    let write = |verb: &str| format!("{verb} INTO events VALUES ('a', 1, '', '', '', '', NULL, '{{}}', '{verb}', '')");
    sqlx::raw_sql(sqlx::AssertSqlSafe(write("INSERT"))).execute(&store.writer).await.unwrap();
    let again = sqlx::raw_sql(sqlx::AssertSqlSafe(write("INSERT OR REPLACE"))).execute(&store.writer).await;
    assert!(again.unwrap_err().to_string().contains("append-only"));
    let hash: String = sqlx::query_scalar("SELECT hash FROM events").fetch_one(&store.readers).await.unwrap();
    assert_eq!(hash, "INSERT");
    store.close().await;
}

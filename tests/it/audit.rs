//! The audit log: complete, searchable, and broken visibly.

use sqlx::{Connection as _, Row as _, SqliteConnection};

use crate::support::{Database, Site, on_both_databases, sample};

on_both_databases! {
    async fn an_untouched_log_is_intact(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let id = site.api.admit(&sample).await;
        site.api.wait_until_done(&id, "issued").await;
        site.greenlane(&["audit", "verify"]).await.expect(0);
        site.greenlane(&["audit", "verify", "--application", &id]).await.expect(0);
        site.greenlane(&["audit", "verify", "--json"]).await.expect(0).json();

        let exported = site.greenlane(&["audit", "export", "--application", &id]).await.expect(0);
        let events = site.api.events(&id).await;
        for event in &events {
            let hash = event["hash"].as_str().unwrap();
            assert!(exported.stdout.contains(hash), "{exported:?}");
        }
        for secret in [sample.document_number(), "张三", "13800138000"] {
            assert!(!exported.stdout.contains(secret), "{exported:?}");
        }
    }

    async fn the_log_can_be_searched(database) {
        let site = Site::on(database).start().await;
        let photo = site.api.upload_photo("camera").await;
        let id = site.api.admit(&sample(0).photo("camera", &photo)).await;
        let wang = site.api.reviewer("wang");
        let task = wang.claim_review_of(&id).await;
        wang.decide(&task, "approve", &[]).await.expect(200);
        site.api.wait_until_done(&id, "issued").await;

        let all = site.api.get("/v1/audit?limit=200").await.expect(200).items();
        assert!(!all.is_empty());
        let by_wang = site.api.get("/v1/audit?actor=wang&limit=200").await.expect(200).items();
        assert!(!by_wang.is_empty() && by_wang.len() < all.len(), "{by_wang:#?}");
        assert!(by_wang.iter().all(|event| event["actor"]["id"] == "wang"), "{by_wang:#?}");
        let kind = by_wang[0]["type"].as_str().unwrap();
        let of_kind = site.api.get(&format!("/v1/audit?type={kind}&limit=200")).await.expect(200).items();
        assert!(!of_kind.is_empty() && of_kind.iter().all(|event| event["type"] == kind), "{of_kind:#?}");
        assert!(site.api.get("/v1/audit?to=2001-01-01T00:00:00Z").await.expect(200).items().is_empty());
        assert!(site.api.get("/v1/audit?from=2999-01-01T00:00:00Z").await.expect(200).items().is_empty());
        for year in ["-262143", "0000", "%2B10000"] {
            for bound in ["from", "to"] {
                let answer = site.api.get(&format!("/v1/audit?{bound}={year}-01-01T00:00:00Z")).await.expect(422);
                answer.field_error(&format!("/{bound}"));
            }
        }
        for year in ["0001", "9999"] {
            for bound in ["from", "to"] {
                site.api.get(&format!("/v1/audit?{bound}={year}-01-01T00:00:00Z")).await.expect(200);
            }
        }
    }
}

#[tokio::test]
async fn a_scheduler_that_stops_in_order_leaves_nothing_unwitnessed() {
    let mut site = Site::on(Database::sqlite()).setting("audit.checkpoint_seconds", 3600).start().await;
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
    site.server.terminate().await;
    let (mut connection, table) = chain_table(&site).await;
    run(&mut connection, &format!("DELETE FROM {table}")).await;
    let broken = site.greenlane(&["audit", "verify"]).await.expect(1);
    assert!(broken.stdout.contains(&id) || broken.stderr.contains(&id), "{broken:?}");
}

/// The table of the database that holds a hash chain, with a connection that may do anything to it.
async fn chain_table(site: &Site) -> (SqliteConnection, String) {
    let mut connection = SqliteConnection::connect(site.database.url()).await.unwrap();
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%prev_hash%'");
    let names: Vec<String> = tables.fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get(0)).collect();
    let [table] = names.as_slice() else { panic!("one table with a chain: {names:?}") };
    let triggers = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?").bind(table);
    let triggers: Vec<String> =
        triggers.fetch_all(&mut connection).await.unwrap().iter().map(|row| row.get(0)).collect();
    for trigger in triggers {
        run(&mut connection, &format!("DROP TRIGGER \"{trigger}\"")).await;
    }
    (connection, table.clone())
}

async fn run(connection: &mut SqliteConnection, sql: &str) -> u64 {
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(connection).await.unwrap().rows_affected()
}

async fn issued(site: &Site) -> String {
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
    id
}

#[tokio::test]
async fn a_deleted_event_is_found() {
    let mut site = Site::start().await;
    let id = issued(&site).await;
    site.server.terminate().await;
    let (mut connection, table) = chain_table(&site).await;
    let middle = format!("DELETE FROM {table} WHERE application_id = '{id}' AND seq = 3");
    assert_eq!(run(&mut connection, &middle).await, 1);
    connection.close().await.unwrap();
    let broken = site.greenlane(&["audit", "verify"]).await.expect(1);
    assert!(format!("{}{}", broken.stdout, broken.stderr).contains(&id), "it names the application: {broken:?}");
    site.greenlane(&["audit", "verify", "--json"]).await.expect(1).json();
    site.greenlane(&["audit", "verify", "--application", &id]).await.expect(1);
}

#[tokio::test]
async fn a_forged_hash_is_found() {
    let mut site = Site::start().await;
    issued(&site).await;
    site.server.terminate().await;
    let (mut connection, table) = chain_table(&site).await;
    let swap = format!("UPDATE {table} SET hash = prev_hash WHERE rowid = (SELECT max(rowid) FROM {table})");
    assert_eq!(run(&mut connection, &swap).await, 1);
    connection.close().await.unwrap();
    site.greenlane(&["audit", "verify"]).await.expect(1);
}

#[tokio::test]
async fn the_program_itself_cannot_change_its_log() {
    let site = Site::start().await;
    issued(&site).await;
    let mut connection = SqliteConnection::connect(site.database.url()).await.unwrap();
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%prev_hash%'");
    let table: String = tables.fetch_one(&mut connection).await.unwrap().get(0);
    for sql in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET hash = prev_hash")] {
        assert!(
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.is_err(),
            "the log is append-only"
        );
    }
}

#[tokio::test]
async fn no_personal_data_rests_in_clear() {
    let mut site = Site::on(Database::sqlite()).start().await;
    let sample = sample(0).set("/applicant/name", "欧阳娜娜").mobile("13912349876").face_token("ft-ok-very-secret");
    site.simulator.override_registry(sample.document_number(), serde_json::json!({ "holder_name": "欧阳娜娜" })).await;
    let photo = site.api.upload_photo("camera").await;
    let id = site.api.admit(&sample.clone().photo("camera", &photo)).await;
    site.api.review_approve(&id).await;
    site.api.wait_until_done(&id, "issued").await;
    site.server.terminate().await;

    let file = site.database.url().trim_start_matches("sqlite://").to_owned();
    for path in [file.clone(), format!("{file}-wal")] {
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        for secret in ["欧阳娜娜", "13912349876", sample.document_number(), "ft-ok-very-secret"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "`{secret}` stands in {path}");
        }
    }
    let output = site.server.output();
    for secret in
        ["欧阳娜娜", "13912349876", sample.document_number(), "ft-ok-very-secret", site.api.key.as_deref().unwrap()]
    {
        assert!(!output.contains(secret), "`{secret}` stands in the log");
    }
}

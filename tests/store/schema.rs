use greenlane::store::{self, Options, StoreError};

use crate::{database::Database, site::Site};

pub async fn migrating_again_changes_nothing(site: Site) {
    let ids = site.admit_many(1).await;
    store::migrate(site.database.url()).await.unwrap();
    let again = store::open(site.database.url(), &Options::default()).await.unwrap();
    assert!(again.application(ids[0]).await.unwrap().is_some());
}

pub async fn a_newer_schema_is_refused(site: Site) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 20991231000000, 'later', success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    site.raw.execute(newer).await.unwrap();
    let refusals = [
        store::open(site.database.url(), &Options::default()).await.map(drop),
        store::migrate(site.database.url()).await,
    ];
    for refused in refusals {
        assert!(matches!(&refused, Err(StoreError::Schema(text)) if text.contains("newer")), "{refused:?}");
    }
}

/// A file is migrated by whoever opens it first; a server is migrated on purpose only.
pub async fn an_unmigrated_server_is_refused(site: Site) {
    let fresh = if site.database.is_postgres() { Database::postgres().await } else { Database::sqlite() };
    let opened = store::open(fresh.url(), &Options::default()).await;
    if site.database.is_postgres() {
        assert!(matches!(&opened, Err(StoreError::Schema(text)) if text.contains("greenlane migrate")));
    } else {
        opened.unwrap().ping().await.unwrap();
    }
}

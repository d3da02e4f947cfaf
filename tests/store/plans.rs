//! How the server finds the rows of what is written again and again.

use std::time::Duration;

use greenlane::{
    domain::ids::LeaseId,
    store::{
        Applications as _, Jobs as _, Options,
        postgres::PostgresStore,
        types::{Admitted, Snapshot},
    },
};

use crate::{
    make, remembering,
    site::{Site, wants},
};

const APPLICATIONS: usize = 400;

/// Far longer than a connection takes to end, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows and index entries that may be read for one application, admitted, claimed and written once. Measured: 8. A statement
/// that reads what all the others left reads a hundred and more.
const READ_FOR_EACH: i64 = 20;

/// One owner, one application at a time, so that whatever reads more than the batch shows. Statistics are those of empty tables,
/// as after a quiet night.
#[tokio::test]
async fn what_is_read_grows_with_the_batch_and_not_with_the_tables() {
    let site = Site::postgres().await;
    site.raw.execute("ANALYZE").await.unwrap();
    let store = PostgresStore::connect(site.database.url(), &Options::default()).await.unwrap();
    let now = site.now().await.unwrap();
    for _ in 0..APPLICATIONS {
        assert_eq!(store.admit(&[make::admission(now)]).await.unwrap(), [Admitted::Created]);
    }
    let claimed = store.claim(LeaseId::new(), &wants(APPLICATIONS)).await.unwrap().claimed;
    assert_eq!(claimed.len(), APPLICATIONS);
    for claimed in claimed {
        let state = Snapshot { application: claimed.application, jobs: vec![claimed.job], review: None };
        let mut write = remembering::advanced(&site, &state).await;
        write.licence = Some(make::licence("C1"));
        assert!(store.commit_known(&[write]).await.unwrap());
    }

    // A connection hands over what it counted at the latest when it ends.
    store.close().await;
    let written = "SELECT (SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'licences') \
                   + (SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'applications')";
    let handed_over = async {
        while site.raw.number(written).await < 2 * APPLICATIONS as i64 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, handed_over).await.unwrap();
    let read = "SELECT CAST((SELECT sum(seq_tup_read) FROM pg_stat_user_tables) \
                + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes) AS bigint)";
    let read = site.raw.number(read).await / APPLICATIONS as i64;
    assert!((1..READ_FOR_EACH).contains(&read), "{read} rows and index entries were read for each application");
}

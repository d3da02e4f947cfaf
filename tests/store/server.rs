//! What only a server has: settings that lose data, partitions, notifications, other people's locks.

use std::{pin::pin, str::FromStr as _, time::Duration};

use futures::StreamExt as _;
use greenlane::{
    hints::{Hints as _, Wake},
    store::{
        self, Options, StoreError,
        postgres::{Notice, PostgresHints, PostgresStore},
    },
};
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use tokio::time::timeout;

use crate::{make, site::Site};

/// Far longer than anything here takes, so that a busy machine fails no test.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused() {
    let site = Site::postgres().await;
    let name = site.database.url().rsplit_once('/').unwrap().1;
    site.raw.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await.unwrap();
    let refusals = [
        store::open(site.database.url(), &Options::default()).await.map(drop),
        store::migrate(site.database.url()).await,
    ];
    for refused in refusals {
        assert!(
            matches!(&refused, Err(StoreError::Unsafe(text)) if text.contains("synchronous_commit")),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_address_is_never_repeated() {
    let opened = store::open("postgres://someone:secret@localhost:notaport/x", &Options::default()).await;
    let Err(StoreError::Unusable(text)) = opened.map(drop) else { panic!("not refused as an address") };
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn months_are_prepared_ahead_and_more_than_once() {
    let site = Site::postgres().await;
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    assert_eq!(site.raw.number(partitions).await, 4, "three months and the default");
    let (first, second) = tokio::join!(site.prepare_partitions(), site.prepare_partitions());
    first.and(second).unwrap();
    assert_eq!(site.raw.number(partitions).await, 4);
}

/// Runs what the manual tells the owner to run.
async fn grant(site: &Site, role: &str) {
    let manual = include_str!("../../docs/operations.md");
    let (_, from) = manual.split_once("```sql\n").unwrap();
    let (grants, _) = from.split_once("```").unwrap();
    site.raw.execute(&grants.replace("greenlane_app", role)).await.unwrap();
}

#[tokio::test]
async fn a_role_that_owns_nothing_is_enough() {
    let site = Site::postgres().await;
    let role = &site.database.url().rsplit_once('/').unwrap().1.to_owned();
    grant(&site, role).await;
    let last = "SELECT max(inhrelid::regclass::text) FROM pg_inherits \
                WHERE inhparent = 'events'::regclass AND inhrelid <> 'events_default'::regclass";
    site.raw.execute(&format!("DO $$ BEGIN EXECUTE 'DROP TABLE ' || ({last}); END $$")).await.unwrap();

    let as_role = PgConnectOptions::from_str(site.database.url()).unwrap().username(role).password("secret");
    let store = store::open(as_role.to_url_lossy().as_str(), &Options::default()).await.unwrap();
    store.prepare_partitions().await.unwrap();
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass";
    assert_eq!(site.raw.number(partitions).await, 4, "the month is there again");
    let theirs = Site { store, raw: site.raw, database: site.database };
    let id = theirs.admit_many(1).await[0];
    let now = theirs.now().await.unwrap();
    theirs.change(&[id], |write| make::append(write, "eligible", now)).await;
    assert_eq!(theirs.events(id).await.unwrap().len(), 2);
    theirs.raw.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
}

#[tokio::test]
async fn a_month_that_was_not_prepared_loses_nothing() {
    let site = Site::postgres().await;
    let this_month =
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1 LIMIT 1";
    site.raw.execute(&format!("DO $$ BEGIN EXECUTE 'DROP TABLE ' || ({this_month}); END $$")).await.unwrap();
    let id = site.admit_many(1).await[0];
    assert_eq!(site.raw.number("SELECT count(*) FROM events_default").await, 1);
    site.prepare_partitions().await.unwrap();
    assert_eq!(site.events(id).await.unwrap().len(), 1);
    site.admit_many(1).await;
}

#[tokio::test]
async fn a_partition_is_as_append_only_as_the_log() {
    let site = Site::postgres().await;
    site.admit_many(1).await;
    let this_month =
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'events'::regclass ORDER BY 1 LIMIT 1";
    for act in ["UPDATE %s SET data = ''x''", "DELETE FROM %s", "TRUNCATE %s"] {
        let act = format!("DO $$ BEGIN EXECUTE format('{act}', ({this_month})); END $$");
        site.raw.execute(&act).await.expect_err(&act);
    }
    site.raw.execute("TRUNCATE events").await.expect_err("the whole log");
}

#[tokio::test]
async fn waiting_for_a_lock_ends_and_leaves_nothing_behind() {
    let site = Site::postgres().await;
    let options = Options { connections: 1, statement_timeout: Duration::from_secs(1), ..Options::default() };
    let store = store::open(site.database.url(), &options).await.unwrap();
    let now = site.now().await.unwrap();
    site.raw
        .while_locked("applications", async {
            let refused = store.admit(&[make::admission(now)]).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        })
        .await;
    timeout(PATIENCE, store.admit(&[make::admission(now)])).await.unwrap().unwrap();
    assert_eq!(site.raw.number("SELECT count(*) FROM applications").await, 1);
}

#[tokio::test]
async fn processes_wake_each_other_and_themselves_once() {
    let site = Site::postgres().await;
    let url = site.database.url();
    let store = PostgresStore::connect(url, &Options::default()).await.unwrap();
    let here = PostgresHints::new(store.clone(), url).unwrap();
    let there = PostgresHints::new(store.clone(), url).unwrap();
    let (mut near, mut far) = (here.subscribe(), there.subscribe());
    // Both listen once a topic that is sent again and again has arrived both ways.
    let ready = async {
        let mut sounding = tokio::time::interval(Duration::from_millis(50));
        let (mut heard_near, mut heard_far) = (false, false);
        while !(heard_near && heard_far) {
            tokio::select! {
                _ = sounding.tick() => { here.publish("from here"); there.publish("from there"); }
                wake = near.next() => heard_near |= wake == Some(Wake::Topic("from there".into())),
                wake = far.next() => heard_far |= wake == Some(Wake::Topic("from here".into())),
            }
        }
    };
    timeout(PATIENCE, ready).await.unwrap();
    here.publish("generation");
    here.publish("notification");
    for wakes in [&mut near, &mut far] {
        let mut topics = Vec::new();
        while topics.len() < 2 {
            match timeout(PATIENCE, wakes.next()).await.unwrap() {
                Some(Wake::Topic(topic)) if !topic.starts_with("from") => topics.push(topic.to_string()),
                Some(_) => {}
                None => panic!("the hints are gone"),
            }
        }
        assert_eq!(topics, ["generation", "notification"], "each once, or the second would not come second");
    }
}

#[tokio::test]
async fn listens_again_after_the_connection_was_lost() {
    let site = Site::postgres().await;
    let store = PostgresStore::connect(site.database.url(), &Options::default()).await.unwrap();
    let mut heard = pin!(PostgresStore::listen(site.database.url()).unwrap());
    for round in ["first", "second"] {
        assert_eq!(timeout(PATIENCE, heard.next()).await.unwrap(), Some(Notice::Listening));
        store.notify(&[round.to_owned()]).await.unwrap();
        assert_eq!(timeout(PATIENCE, heard.next()).await.unwrap(), Some(Notice::Topic(round.to_owned())));
        site.raw
            .number(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND query LIKE 'LISTEN%'",
            )
            .await;
    }
}

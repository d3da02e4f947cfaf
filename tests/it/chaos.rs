//! The server is killed again and again while applications arrive. What was acknowledged must end,
//! every notification must go out once, and the audit log must be whole.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::watch;

use crate::support::redis::Redis;
use crate::support::site::Plan;
use crate::support::{Api, Database, Sample, Site, fresh_key, sample};

const KILLS: usize = 50;
const APPLICATIONS: usize = 210;
const SUBMITTERS: usize = 3;

/// Repeats a run: `GREENLANE_TEST_SEED=… tests/run chaos`.
fn seed() -> u64 {
    std::env::var("GREENLANE_TEST_SEED").map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap())
}

fn plan(database: Database) -> Plan {
    Site::on(database).setting("engine.lease_seconds", 2).variable("RUST_LOG", "warn")
}

/// Most applications are quick; some wait, retry or are refused, so that kills meet every stage.
fn varied(number: usize) -> Sample {
    match number % 10 {
        1 => sample(0).face_token("ft-pending-1"),
        2 => sample(910),
        3 => sample(0).face_token("ft-flaky-2"),
        4 => sample(901),
        5 => sample(0).mobile("13800130502"),
        6 => sample(0).mobile("13800130501"),
        _ => sample(0),
    }
}

/// Submits until the server has acknowledged, with the same key, as an upstream system does.
async fn submit(address: watch::Receiver<Api>, acknowledged: Arc<Mutex<Vec<String>>>, numbers: Vec<usize>) {
    for number in numbers {
        let (sample, key) = (varied(number), fresh_key());
        loop {
            let api = address.borrow().clone();
            let request = api.submission(&sample.body, &key).timeout(Duration::from_secs(5));
            match api.try_send(request).await {
                Ok(answer) if matches!(answer.status, 200 | 201) => {
                    acknowledged.lock().unwrap().push(answer.text("id"));
                    break;
                }
                Ok(answer) if matches!(answer.status, 429 | 503) => {}
                Ok(answer) => panic!("a repeated submission is never refused: {answer:?}"),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

async fn survive(mut site: Site, mut redis: Option<Redis>) {
    let seed = seed();
    eprintln!("chaos: GREENLANE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let (moved, address) = watch::channel(site.api.clone());
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|first| {
            let numbers = (first..APPLICATIONS).step_by(SUBMITTERS).collect();
            tokio::spawn(submit(address.clone(), acknowledged.clone(), numbers))
        })
        .collect();

    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(0..700))).await;
        if let Some(redis) = redis.as_mut() {
            match kill % 10 {
                3 => redis.wipe().await,
                6 => redis.kill(),
                9 => redis.restart().await,
                _ => {}
            }
        }
        site.server.kill();
        site.restart().await;
        moved.send_replace(site.api.clone());
    }
    for submitter in submitters {
        submitter.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    let ids: BTreeSet<String> = acknowledged.lock().unwrap().iter().cloned().collect();
    assert_eq!(ids.len(), APPLICATIONS, "seed {seed}: every submission has an application of its own");

    let deadline = Instant::now() + Duration::from_secs(60);
    for id in &ids {
        loop {
            let application = site.api.application(id).await;
            if application["completed_at"].is_string() {
                break;
            }
            assert!(application["status"] != "stalled", "seed {seed}: interrupted is not failed: {application:#}");
            assert!(Instant::now() < deadline, "seed {seed}: not ended: {application:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for provider in ["sms", "push"] {
        let accepted = site.simulator.accepted(provider).await;
        let silent: Vec<&String> =
            ids.iter().filter(|id| !accepted.keys().any(|reference| reference.starts_with(id.as_str()))).collect();
        assert!(silent.is_empty(), "seed {seed}: never told by {provider}: {silent:?}");
        let repeated: Vec<_> = accepted.iter().filter(|(_, count)| **count > 1).collect();
        assert!(
            provider != "sms" || repeated.is_empty(),
            "seed {seed}: sent more than once by {provider}: {repeated:?}"
        );
        assert_eq!(accepted.len(), ids.len(), "seed {seed}: one reference for each application: {accepted:#?}");
    }
    site.greenlane(&["audit", "verify"]).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_on_sqlite() {
    survive(plan(Database::sqlite()).start().await, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_on_postgres_while_redis_comes_and_goes() {
    let redis = Redis::start().await;
    let site = plan(Database::postgres().await).variable("REDIS_URL", &redis.url).start().await;
    survive(site, Some(redis)).await;
}

/// Several processes share the work, and only one of them is killed: the others rescue what it held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_strands_nothing() {
    let site = plan(Database::postgres().await).roles("api").start().await;
    let scheduler = site.spawn("scheduler");
    let mut ids = Vec::new();
    let mut workers = vec![site.spawn("worker"), site.spawn("worker")];
    for number in 0..60 {
        ids.push(site.api.admit(&varied(number)).await);
        if number % 15 == 14 {
            workers.remove(0).kill();
            workers.push(site.spawn("worker"));
        }
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    for id in &ids {
        site.api
            .wait_until(id, deadline.saturating_duration_since(Instant::now()), |application| {
                application["completed_at"].is_string()
            })
            .await;
    }
    let accepted = site.simulator.accepted("sms").await;
    assert_eq!(accepted.len(), ids.len());
    assert!(accepted.values().all(|count| *count == 1), "{accepted:#?}");
    drop(scheduler);
    site.greenlane(&["audit", "verify"]).await.expect(0);
}

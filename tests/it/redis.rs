//! Redis only ever hints: with it, without it, and while it goes away.

use crate::support::redis::Redis;
use crate::support::{Database, Site, on_both_databases, sample};

on_both_databases! {
    async fn work_goes_on_while_redis_is_wiped_and_gone(database) {
        let mut redis = Redis::start().await;
        let site = Site::on(database).variable("REDIS_URL", &redis.url).start().await;
        let mut ids = Vec::new();
        for number in 0..30 {
            ids.push(site.api.admit(&sample(0)).await);
            match number {
                8 => redis.wipe().await,
                16 => redis.kill(),
                24 => redis.restart().await,
                _ => {}
            }
        }
        for id in &ids {
            site.api.wait_until_done(id, "issued").await;
        }
        let sent = site.simulator.accepted("sms").await;
        assert_eq!(sent.len(), ids.len());
        assert!(sent.values().all(|count| *count == 1), "{sent:#?}");
    }
}

#[tokio::test]
async fn a_redis_that_never_answers_stops_nothing() {
    let site = Site::on(Database::sqlite()).variable("REDIS_URL", "redis://127.0.0.1:1").start().await;
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
}

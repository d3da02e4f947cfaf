//! Redis only ever hints: with it, without it, and while it goes away.

use serde_json::json;

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

    async fn no_code_is_good_twice_while_redis_is_wiped_and_gone(database) {
        let mut redis = Redis::start().await;
        let site = Site::on(database).variable("REDIS_URL", &redis.url).start().await;
        let id = site.api.admit(&sample(0)).await;
        let licence = site.api.wait_for_status(&id, "issued").await["licence_id"].as_str().unwrap().to_owned();
        let check = async |token: &str| {
            let body = json!({ "token": token, "purpose": "insurance" });
            let checked = site.api.post("/v1/presentations/verify", &body).await.expect(200).json();
            (checked["valid"].as_bool().unwrap(), checked["reason"].as_str().map(str::to_owned))
        };
        let replayed = (false, Some("replayed".to_owned()));
        let mut tokens = Vec::new();
        for number in 0..4 {
            let presented = site.api.post(&format!("/v1/licences/{licence}/presentations"), &json!({})).await.expect(201);
            let token = presented.text("token");
            assert_eq!(check(&token).await, (true, None));
            assert_eq!(check(&token).await, replayed, "redis knows, or the database");
            tokens.push(token);
            match number {
                0 => redis.wipe().await,
                1 => redis.kill(),
                2 => redis.restart().await,
                _ => {}
            }
            for token in &tokens {
                assert_eq!(check(token).await, replayed, "the database knows");
            }
        }
    }
}

#[tokio::test]
async fn a_redis_that_never_answers_stops_nothing() {
    let site = Site::on(Database::sqlite()).variable("REDIS_URL", "redis://127.0.0.1:1").start().await;
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
}

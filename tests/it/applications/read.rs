//! Reading applications back: one, many, and their history.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Database, Site, on_both_databases, sample};

on_both_databases! {
    async fn lists_can_be_filtered_and_turned_page_by_page(database) {
        let site = Site::on(database).start().await;
        let mut ids = BTreeSet::new();
        for number in 0..5 {
            ids.insert(site.api.admit(&sample(0).upstream_ref(&format!("ref-{number}"))).await);
        }
        let refused = site.api.admit(&sample(901).upstream_ref("ref-refused")).await;
        for id in &ids {
            site.api.wait_until_done(id, "issued").await;
        }
        site.api.wait_until_done(&refused, "rejected").await;

        let list = async |query: &str| -> BTreeSet<String> {
            let items = site.api.get(&format!("/v1/applications?{query}")).await.expect(200).items();
            items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(list("status=issued").await, ids);
        assert_eq!(list("status=rejected").await, BTreeSet::from([refused.clone()]));
        assert_eq!(list("upstream_ref=ref-refused").await, BTreeSet::from([refused]));
        assert_eq!(list("stage=done&status=issued&kind=first_issue").await, ids);
        assert!(list("stage=eligibility").await.is_empty());
        assert!(list("kind=reissue").await.is_empty());
        assert!(list("upstream_ref=none%27%20OR%201=1").await.is_empty());

        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let query = cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let page = site.api.get(&format!("/v1/applications?limit=2{query}")).await.expect(200).json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2 && seen.len() <= 6, "{page:#}");
            seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        assert_eq!(seen.len(), 6, "every application once");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 6);
    }

    async fn the_history_is_a_chain_of_hashes(database) {
        let site = Site::on(database).start().await;
        let sample = sample(0);
        let id = site.api.admit(&sample).await;
        site.api.wait_until_done(&id, "issued").await;
        let events = site.api.events(&id).await;
        assert!(events.len() >= 5, "{events:#?}");

        assert_eq!(events[0]["actor"]["kind"], "upstream");
        for pair in events.windows(2) {
            assert!(pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64(), "oldest first: {pair:#?}");
            assert_eq!(pair[0]["hash"], pair[1]["prev_hash"], "{pair:#?}");
        }
        for event in &events {
            chrono::DateTime::parse_from_rfc3339(event["at"].as_str().unwrap()).unwrap();
            assert!(event["type"].is_string() && event["data"].is_object(), "{event:#}");
            assert!(["system", "upstream", "reviewer", "operator"].contains(&event["actor"]["kind"].as_str().unwrap()), "{event:#}");
        }
        let text = Value::from(events).to_string();
        for secret in [sample.document_number(), "张三", "13800138000", "ft-ok"] {
            assert!(!text.contains(secret), "`{secret}` in {text}");
        }
    }
}

#[tokio::test]
async fn the_history_comes_in_pages_too() {
    let site = Site::start().await;
    let id = site.api.admit(&sample(0)).await;
    site.api.wait_until_done(&id, "issued").await;
    let all = site.api.events(&id).await;
    let first = site.api.get(&format!("/v1/applications/{id}/events?limit=2")).await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap()[..], all[..2]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second =
        site.api.get(&format!("/v1/applications/{id}/events?limit=200&cursor={cursor}")).await.expect(200).items();
    assert_eq!(second[..], all[2..]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let unknown = uuid::Uuid::now_v7();
    site.api.get(&format!("/v1/applications/{unknown}")).await.any_problem(404);
    site.api.get(&format!("/v1/applications/{unknown}/events")).await.any_problem(404);
    for id in ["1", "not-an-id", "%00", "%27%20OR%201=1", "..%2f..%2fetc%2fpasswd"] {
        let answer = site.api.get(&format!("/v1/applications/{id}")).await;
        assert!(matches!(answer.status, 400 | 404 | 422), "{answer:?}");
    }
}

#[tokio::test]
async fn wrong_list_parameters_are_refused() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=many",
        "cursor=nonsense",
        "cursor=%00",
        "status=open",
        "stage=nowhere",
        "kind=none",
    ] {
        let answer = site.api.get(&format!("/v1/applications?{query}")).await;
        assert!(matches!(answer.status, 400 | 422), "`{query}`: {answer:?}");
        let status = answer.status;
        answer.any_problem(status);
    }
}

#[tokio::test]
async fn operations_see_every_owner_and_others_only_their_own() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let (mine, other) = tokio::join!(
        site.key_of("mine", "applications:write,applications:read"),
        site.key_of("other", "applications:write,applications:read")
    );
    let id = mine.admit(&sample(0)).await;
    other.get(&format!("/v1/applications/{id}")).await.any_problem(404);
    assert!(other.get("/v1/applications").await.expect(200).items().is_empty());
    assert_eq!(mine.get("/v1/applications").await.expect(200).items().len(), 1);
    site.api.get(&format!("/v1/applications/{id}")).await.expect(200);
    assert_eq!(site.api.get("/v1/applications").await.expect(200).items().len(), 1);
}

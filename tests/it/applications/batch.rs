//! `POST /v1/applications:batch`.

use serde_json::{Value, json};

use crate::support::{Answer, Api, Database, Sample, Site, fresh_key, on_both_databases, sample};

fn line(sample: &Sample, key: &str) -> String {
    sample.clone().set("/idempotency_key", key).body.to_string()
}

async fn send(api: &Api, body: impl Into<Vec<u8>>) -> Answer {
    api.post_raw("/v1/applications:batch", "application/x-ndjson", body).await
}

fn results(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.body).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

on_both_databases! {
    async fn one_bad_line_does_not_stop_the_others(database) {
        let site = Site::on(database).roles("api").start().await;
        let (key, repeated) = (fresh_key(), sample(0));
        let lines = [
            line(&repeated, &key),
            "{ this is no JSON".to_owned(),
            line(&sample(0).mobile("1"), &fresh_key()),
            sample(0).body.to_string(),
            line(&repeated, &key),
            line(&sample(0), &key),
            line(&repeated, &fresh_key()),
            line(&sample(0), &fresh_key()),
        ];
        let answer = send(&site.api, lines.join("\n")).await.expect(200);
        assert!(answer.header("content-type").unwrap().contains("ndjson"), "{answer:?}");
        let results = results(&answer);
        let told: Vec<(u64, u64)> = results.iter().map(|result| (result["line"].as_u64().unwrap(), result["status"].as_u64().unwrap())).collect();
        assert_eq!(told, [(1, 201), (2, 400), (3, 422), (4, 400), (5, 200), (6, 422), (7, 409), (8, 201)], "{results:#?}");
        assert_eq!(results[0]["id"], results[4]["id"]);
        assert_eq!(results[3]["problem"]["code"], "idempotency_key_missing");
        assert_eq!(results[5]["problem"]["code"], "idempotency_key_reused");
        assert_eq!(results[6]["problem"]["code"], "application_in_progress");
        assert!(results[2]["problem"]["errors"].as_array().unwrap().iter().any(|error| error["pointer"] == "/applicant/mobile"));
        assert_eq!(site.api.get("/v1/applications").await.expect(200).items().len(), 2);
    }

    async fn a_large_batch_is_stored_whole(database) {
        let site = Site::on(database).roles("api").start().await;
        let lines: Vec<String> = (0..500).map(|_| line(&sample(0), &fresh_key())).collect();
        let body = lines.join("\n") + "\n";
        assert!(body.len() > 256 * 1024 / 2);
        let first = results(&send(&site.api, body.clone()).await.expect(200));
        assert_eq!(first.len(), 500);
        assert!(first.iter().all(|result| result["status"] == 201), "{:?}", first.iter().find(|result| result["status"] != 201));
        // A client that lost the answer sends the batch again: nothing is stored twice.
        let second = results(&send(&site.api, body).await.expect(200));
        assert!(second.iter().all(|result| result["status"] == 200));
        assert!(first.iter().zip(&second).all(|(one, two)| one["id"] == two["id"] && one["line"] == two["line"]));
    }
}

#[tokio::test]
async fn a_batch_has_one_to_five_thousand_lines() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    send(&site.api, "{}\n".repeat(5001)).await.problem(422, "batch_too_large");
    let empty = send(&site.api, "").await;
    assert!(matches!(empty.status, 400 | 422), "{empty:?}");
    let results = results(&send(&site.api, "{}\n".repeat(5000)).await.expect(200));
    assert_eq!(results.len(), 5000);
    assert_eq!(results[4999]["line"], 5000);
    assert!(results.iter().all(|result| matches!(result["status"].as_u64(), Some(400 | 422))));
}

#[tokio::test]
async fn hostile_lines_are_refused_one_by_one() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let mut body = Vec::new();
    for hostile in [
        b"\xff\xfe".as_slice(),
        b"null",
        b"\"text\"",
        b"[]",
        deep.as_bytes(),
        "\u{feff}{}".as_bytes(),
        b"{\"kind\":\"a\",\"kind\":\"b\"}",
    ] {
        body.extend_from_slice(hostile);
        body.push(b'\n');
    }
    body.extend(line(&sample(0), &fresh_key()).bytes());
    let results = results(&send(&site.api, body).await.expect(200));
    let statuses: Vec<u64> = results.iter().map(|result| result["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses.len(), 8, "{results:#?}");
    assert!(statuses[..7].iter().all(|status| matches!(status, 400 | 422)), "{results:#?}");
    assert_eq!(statuses[7], 201, "{results:#?}");
}

#[tokio::test]
async fn only_ndjson_is_a_batch() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    site.api.post("/v1/applications:batch", &json!([])).await.any_problem(415);
}

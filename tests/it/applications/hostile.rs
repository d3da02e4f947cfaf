//! Bodies that no honest client sends. The server answers each, stores nothing, and goes on.

use crate::support::{Answer, Database, Site, fresh_key, sample};

async fn send(site: &Site, content_type: Option<&str>, body: impl Into<Vec<u8>>) -> Answer {
    let mut request =
        site.api.request(reqwest::Method::POST, "/v1/applications").header("idempotency-key", fresh_key());
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    site.api.send(request.body(body.into())).await
}

#[tokio::test]
async fn hostile_bodies_are_answered_and_forgotten() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let json = Some("application/json");
    let good = sample(0).body.to_string();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

    let malformed: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("half of a body", good.as_bytes()[..good.len() / 2].to_vec()),
        ("two bodies", format!("{good}{good}").into_bytes()),
        ("no UTF-8", b"{\"kind\": \"\xff\xfe\"}".to_vec()),
        ("a raw NUL", good.replace("张三", "张\0三").into_bytes()),
        ("half of a surrogate pair", good.replace("张三", "\\ud800").into_bytes()),
        ("a number that is none", br#"{"kind": NaN}"#.to_vec()),
        ("single quotes", b"{'kind': 'first_issue'}".to_vec()),
        ("100,000 brackets that open", "[".repeat(100_000).into_bytes()),
        ("XML", b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>".to_vec()),
    ];
    for (what, body) in malformed {
        let answer = send(&site, json, body).await;
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        answer.any_problem(400);
    }

    // Well-formed JSON, or nearly: which of the two codes fits is a matter of taste.
    let wrong: Vec<(&str, Vec<u8>)> = vec![
        ("a list", b"[]".to_vec()),
        ("null", b"null".to_vec()),
        ("deeply nested lists", nested(50_000).into_bytes()),
        ("a deeply nested member", good.replacen('{', &format!("{{\"extra\": {},", nested(10_000)), 1).into_bytes()),
        ("a member twice", good.replacen('{', "{\"kind\": \"reissue\",", 1).into_bytes()),
        ("an inner member twice", good.replacen("\"name\"", "\"name\": \"李四\", \"name\"", 1).into_bytes()),
        ("an escaped NUL", good.replace("张三", "张\\u0000三").into_bytes()),
        ("a huge number", good.replacen('{', "{\"extra\": 1e999999,", 1).into_bytes()),
    ];
    for (what, body) in wrong {
        let answer = send(&site, json, body).await;
        assert!(matches!(answer.status, 400 | 422), "{what}: {answer:?}");
        let status = answer.status;
        answer.any_problem(status);
    }

    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("nonsense"),
    ] {
        let answer = send(&site, content_type, good.clone()).await;
        assert_eq!(answer.status, 415, "{content_type:?}: {answer:?}");
        answer.any_problem(415);
    }

    let padded = good.replacen('{', &format!("{{{}", " ".repeat(256 * 1024)), 1);
    send(&site, json, padded).await.any_problem(413);

    assert!(site.api.get("/v1/applications").await.expect(200).items().is_empty(), "nothing was stored");
    send(&site, Some("application/json; charset=utf-8"), good).await.expect(201);
}

#[tokio::test]
async fn a_body_just_below_the_limit_is_read() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let good = sample(0).body.to_string();
    let padded = good.replacen('{', &format!("{{{}", " ".repeat(256 * 1024 - good.len() - 1)), 1);
    assert!(padded.len() < 256 * 1024);
    send(&site, Some("application/json"), padded).await.expect(201);
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let chunks = futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    let request = site
        .api
        .request(reqwest::Method::POST, "/v1/applications")
        .header("idempotency-key", fresh_key())
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(chunks));
    // The server may close the connection before it has read everything; it must not take it in.
    if let Ok(answer) = site.api.try_send(request).await {
        answer.any_problem(413);
    }
    site.api.get("/healthz").await.expect(200);
}

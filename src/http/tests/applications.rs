use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::{Value, json};

use super::site::{Reply, Site, sample, white_png};

async fn batch(site: &Site, lines: &[String]) -> Vec<Value> {
    let request =
        site.request(Method::POST, "/v1/applications:batch").header(header::CONTENT_TYPE, "application/x-ndjson");
    let reply: Reply = site.send(request.body(Body::from(lines.join("\n"))).unwrap()).await.expect(200);
    let text = String::from_utf8(reply.body.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line(body: &Value, key: &str) -> String {
    let mut line = body.clone();
    line["idempotency_key"] = json!(key);
    line.to_string()
}

#[tokio::test]
async fn a_submission_is_stored_once() {
    let site = Site::start().await;
    let created = site.submit(&sample("SB001"), "key").await.expect(201);
    let id = created.text("id");
    assert_eq!(created.headers[header::LOCATION], format!("/v1/applications/{id}").as_str());
    assert_eq!(created.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(created.json()["applicant"]["name"], "张*");

    let again = site.submit(&sample("SB001"), "key").await.expect(200);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(again.json(), created.json());
    site.submit(&sample("SB002"), "key").await.problem(422, "idempotency_key_reused");
    site.submit(&sample("SB001"), "other").await.problem(409, "application_in_progress");
    assert_eq!(site.get(&format!("/v1/applications/{id}")).await.json(), created.json());
    let events = site.get(&format!("/v1/applications/{id}/events")).await.expect(200).json();
    assert_eq!(events["items"][0]["type"], "submitted");
    assert_eq!(events["items"][0]["actor"], json!({ "kind": "upstream", "id": "upstream-key" }));
    assert!(events["items"][0]["data"].is_object());
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let site = Site::start().await;
    for number in ["SB001", "SB002", "SB003"] {
        let mut body = sample(number);
        body["upstream_ref"] = json!(number);
        site.submit(&body, number).await.expect(201);
    }
    let list = async |query: &str| site.get(&format!("/v1/applications?{query}")).await.expect(200).json();
    let first = list("limit=2").await;
    let rest = list(&format!("limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
    assert_eq!(rest["next_cursor"], Value::Null);
    for (query, number) in [
        ("upstream_ref=SB002", 1),
        ("stage=eligibility", 3),
        ("stage=done", 0),
        ("status=in_progress&kind=first_issue", 3),
        ("status=issued", 0),
    ] {
        assert_eq!(list(query).await["items"].as_array().unwrap().len(), number, "{query}");
    }
}

#[tokio::test]
async fn an_application_can_be_withdrawn_once_and_again() {
    let site = Site::start().await;
    let id = site.submit(&sample("SB001"), "key").await.expect(201).text("id");
    let path = format!("/v1/applications/{id}/cancel");
    site.post(&path, &json!({ "reason": " " })).await.problem(422, "validation_failed");
    let withdrawn = site.post(&path, &json!({ "reason": "asked" })).await.expect(200).json();
    assert_eq!((withdrawn["status"].as_str(), withdrawn["stage"].as_str()), (Some("cancelled"), Some("done")));
    assert_eq!(site.post(&path, &json!({ "reason": "asked" })).await.expect(200).json(), withdrawn);
    assert_eq!(site.get("/v1/applications?stage=done").await.json()["items"][0]["id"], id.as_str());
}

#[tokio::test]
async fn batches_answer_line_by_line() {
    let site = Site::start().await;
    let results = batch(
        &site,
        &[
            line(&sample("SB001"), "a"),
            "nonsense".to_owned(),
            sample("SB002").to_string(),
            line(&sample("SB001"), "a"),
            line(&sample("SB003"), "a"),
            line(&sample("SB001"), "b"),
            line(&sample("SB004"), "c"),
            String::new(),
        ],
    )
    .await;
    let told: Vec<_> =
        results.iter().map(|result| (result["line"].as_u64().unwrap(), result["status"].as_u64().unwrap())).collect();
    assert_eq!(told, [(1, 201), (2, 400), (3, 400), (4, 200), (5, 422), (6, 409), (7, 201)]);
    assert_eq!(results[0]["id"], results[3]["id"]);
    assert_eq!(results[4]["problem"]["code"], "idempotency_key_reused");
}

#[tokio::test]
async fn large_batches_keep_their_order() {
    let site = Site::start().await;
    let lines: Vec<String> =
        (0..600).map(|number| line(&sample(&format!("SB{number:05}")), &number.to_string())).collect();
    let results = batch(&site, &lines).await;
    assert_eq!(results.len(), 600);
    for (index, result) in results.iter().enumerate() {
        assert_eq!((result["line"].as_u64(), result["status"].as_u64()), (Some(index as u64 + 1), Some(201)));
    }
    let again = batch(&site, &lines).await;
    assert!(results.iter().zip(&again).all(|(one, two)| one["id"] == two["id"] && two["status"] == 200));
}

#[tokio::test]
async fn batches_have_limits() {
    let site = Site::start().await;
    for body in [String::new(), "{}\n".repeat(5001)] {
        let request =
            site.request(Method::POST, "/v1/applications:batch").header(header::CONTENT_TYPE, "application/x-ndjson");
        site.send(request.body(Body::from(body)).unwrap()).await.problem(422, "batch_too_large");
    }
    let json = site.request(Method::POST, "/v1/applications:batch").header(header::CONTENT_TYPE, "application/json");
    site.send(json.body(Body::from("[]")).unwrap()).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn uploads_are_inspected_and_rest_encrypted() {
    let site = Site::start().await;
    site.upload(b"no picture").await.problem(422, "photo_rejected");
    site.upload(&vec![0; 10 * 1024 * 1024 + 1]).await.problem(413, "too_large");
    let taken = site.upload(&white_png()).await.expect(201).json();
    assert_eq!((taken["width"].as_u64(), taken["height"].as_u64()), (Some(520), Some(756)));
    assert!(!taken["checks"].as_array().unwrap().is_empty());

    // Nobody's application yet: the view is recorded all the same.
    let path = format!("/v1/photos/{}/image", taken["photo_id"].as_str().unwrap());
    let shown = site.get(&path).await.expect(200);
    assert_eq!(
        (&shown.headers[header::CONTENT_TYPE], &shown.headers[header::CACHE_CONTROL]),
        (&"image/jpeg".parse().unwrap(), &"no-store".parse().unwrap())
    );
    assert_eq!(hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&shown.body)), taken["sha256"].as_str().unwrap());
    let mut body = sample("SB001");
    body["photo"] = json!({ "source": "camera", "photo_id": taken["photo_id"] });
    let id = site.submit(&body, "key").await.expect(201).text("id");
    site.get(&path).await.expect(200);
    let events = site.get(&format!("/v1/applications/{id}/events")).await.json();
    let views = events["items"].as_array().unwrap().iter().filter(|event| event["type"] == "photo_viewed").count();
    assert_eq!(views, 1);
}

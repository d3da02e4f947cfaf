//! Section 2 of the contract: what every route has in common.

use crate::support::{Database, Site, on_both_databases, sample};

on_both_databases! {
    async fn health_readiness_and_metrics_need_no_key(database) {
        let site = Site::on(database).start().await;
        let anyone = site.api.without_key();
        anyone.get("/healthz").await.expect(200);
        anyone.get("/readyz").await.expect(200);
        let metrics = anyone.get("/metrics").await.expect(200);
        assert!(metrics.header("content-type").unwrap().starts_with("text/plain"), "{metrics:?}");
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let document = site.api.without_key().get("/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    assert_eq!(document["info"]["title"].as_str().map(str::to_lowercase).as_deref(), Some("greenlane"));

    let page = site.api.without_key().get("/docs").await;
    let page = match page.header("location") {
        Some(location) => {
            let location = location.trim_start_matches(&site.api.base).to_owned();
            site.api.without_key().get(&location).await
        }
        None => page,
    }
    .expect(200);
    let text = String::from_utf8_lossy(&page.body);
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{page:?}");
    for elsewhere in ["src=\"http", "href=\"http", "src=\"//"] {
        assert!(!text.contains(elsewhere), "the page works offline: {text}");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    site.api.get("/v1/nothing").await.any_problem(404);
    site.api.send(site.api.request(reqwest::Method::DELETE, "/v1/applications")).await.any_problem(405);
    site.api.send(site.api.request(reqwest::Method::PUT, "/v1/reviews/claim-next")).await.any_problem(405);
}

#[tokio::test]
async fn a_problem_says_nothing_of_the_inside() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    for path in [
        "/v1/applications/%27",
        "/v1/applications?cursor=%27%3B--",
        "/v1/reviews?authority=%27",
        "/v1/ops/batches/x",
        "/v1/audit?from=x",
    ] {
        let answer = site.api.get(path).await;
        assert!(answer.status < 500, "{answer:?}");
        let text = String::from_utf8_lossy(&answer.body).to_lowercase();
        for inside in ["sqlx", "sqlite", "select ", "panicked", ".rs:", "syntax error"] {
            assert!(!text.contains(inside), "`{inside}` in {answer:?}");
        }
    }
}

#[tokio::test]
async fn many_requests_on_one_connection_and_many_connections() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let id = site.api.admit(&sample(0)).await;
    let path = format!("/v1/applications/{id}");
    let answers = futures::future::join_all((0..100).map(|_| site.api.get(&path))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn the_server_survives_clients_that_speak_no_http() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let address = site.api.base.trim_start_matches("http://").to_owned();
    for bytes in [
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(1_000_000)).into_bytes(),
        b"POST /v1/applications HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\ncontent-length: 20\r\n\r\n".to_vec(),
        b"POST /v1/applications HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n".to_vec(),
    ] {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 5"), "{}", String::from_utf8_lossy(&answer));
    }
    site.api.get("/healthz").await.expect(200);
}

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::{net::TcpListener, sync::Notify};

use super::*;

fn check(url: &str, allow_private: bool) -> Result<(), CallbackNotAllowed> {
    let parsed = Url::parse(url);
    assert!(parsed.is_ok(), "{url}");
    check_url(&parsed.unwrap(), allow_private)
}

#[test]
fn public_places_are_allowed() {
    for url in [
        "https://upstream.example/hooks/1",
        "https://upstream.example:8443/",
        "https://upstream.example.:443/",
        "https://UPSTREAM.example/?a=b#c",
        "https://local.example/",
        "https://localhost.example/",
        "https://internal-hooks.example/",
        "https://例子.测试/",
        "https://8.8.8.8/",
        "https://9.255.255.255/",
        "https://11.0.0.0/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://126.255.255.255/",
        "https://128.0.0.0/",
        "https://169.253.255.255/",
        "https://172.15.255.255/",
        "https://172.32.0.0/",
        "https://192.0.1.1/",
        "https://192.167.255.255/",
        "https://198.17.255.255/",
        "https://198.20.0.0/",
        "https://223.255.255.255/",
        "https://[2400:3200::1]/",
        "https://[2001:200::1]/",
        "https://[2606:4700::1]/",
        "https://[::ffff:8.8.8.8]/",
        "https://[64:ff9b::8.8.8.8]/",
        "https://[2002:808:808::1]/",
    ] {
        assert_eq!(check(url, false), Ok(()), "{url}");
    }
}

#[test]
fn everything_else_is_refused_however_it_is_spelt() {
    for host in [
        // Names.
        "localhost",
        "LOCALHOST",
        "localhost.",
        "localhost..",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "ⓛocalhost",
        // Loopback, in every spelling that URLs know.
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.0x1",
        "0177.0.0.1",
        "017700000001",
        "127.255.255.255",
        "１２７.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        // This network, private, shared, link-local.
        "0",
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "3232235777",
        "100.64.0.1",
        "100.127.255.255",
        "169.254.169.254",
        "0xa9fea9fe",
        // Protocol, documentation, benchmarking, multicast, reserved, broadcast.
        "192.0.0.8",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        // IPv6: loopback, unspecified, unique local, link-local, site-local, multicast, documentation, discard, local NAT64.
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::]",
        "[fc00::1]",
        "[fdff::1]",
        "[fe80::1]",
        "[febf::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[100::1]",
        "[64:ff9b:1::1]",
        "[5f00::1]",
        // Teredo, ORCHID, benchmarking.
        "[2001::1]",
        "[2001:20::1]",
        "[2001:2::1]",
        // IPv4 inside: compatible, mapped, NAT64, 6to4.
        "[::127.0.0.1]",
        "[::8.8.8.8]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::10.0.0.1]",
        "[2002:7f00:1::1]",
        "[2002:a00:1::1]",
        "[2002:c0a8:101::1]",
    ] {
        let url = format!("https://{host}/hook");
        assert_eq!(check(&url, false), Err(CallbackNotAllowed::NotPublic), "{url}");
        assert_eq!(check(&url, true), Ok(()), "{url} in a closed network");
    }
}

#[test]
fn only_https_without_credentials() {
    use CallbackNotAllowed::{Credentials, NoHost, Scheme};
    for (url, open, closed) in [
        ("http://upstream.example/", Err(Scheme), Ok(())),
        ("ftp://upstream.example/", Err(Scheme), Err(Scheme)),
        ("file:///etc/passwd", Err(Scheme), Err(Scheme)),
        ("gopher://upstream.example/", Err(Scheme), Err(Scheme)),
        ("data:text/plain,x", Err(Scheme), Err(Scheme)),
        ("https://user@upstream.example/", Err(Credentials), Err(Credentials)),
        ("https://user:secret@upstream.example/", Err(Credentials), Err(Credentials)),
        ("https://:secret@upstream.example/", Err(Credentials), Err(Credentials)),
    ] {
        assert_eq!((check(url, false), check(url, true)), (open, closed), "{url}");
    }
    // `url` itself takes care that https has a host.
    assert!(Url::parse("https://").is_err() && Url::parse("https://1.2.3.4.5/").is_err());
    assert!(!NoHost.to_string().is_empty());
}

#[test]
fn only_public_addresses_of_a_name_are_used() {
    let all = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
    let mixed = all(&["10.0.0.1:0", "8.8.8.8:0", "[::1]:0", "[2400:3200::1]:0", "169.254.169.254:0"]);
    assert_eq!(public_of(mixed), Ok(all(&["8.8.8.8:0", "[2400:3200::1]:0"])));
    assert_eq!(public_of(all(&["127.0.0.1:0"])), Err(CallbackNotAllowed::NotPublic));
    assert_eq!(public_of(Vec::new()), Err(CallbackNotAllowed::NotPublic));
}

/// A receiver that answers as told and says when it was called.
async fn receiver(answer: (StatusCode, &'static str, &'static str)) -> (String, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let called = Arc::new(Notify::new());
    let told = Arc::clone(&called);
    let router = axum::Router::new().fallback(move || {
        told.notify_one();
        async move { (answer.0, [(answer.1, answer.2)], "x".repeat(ANSWER_LIMIT * 2)) }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/hook"), called)
}

fn client(allow_private: bool) -> WebhookClient {
    WebhookClient::new(allow_private, Duration::from_secs(10)).unwrap()
}

#[tokio::test]
async fn an_answer_is_its_status_however_long_it_is() {
    let (url, _) = receiver((StatusCode::TOO_MANY_REQUESTS, "retry-after", "120")).await;
    let reply = client(true).post(&url, &[("webhook-id", "x".to_owned())], b"{}".to_vec()).await;
    assert_eq!(reply, Ok(Reply { status: 429, retry_after: Some(Duration::from_secs(120)) }));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (elsewhere, called) = receiver((StatusCode::OK, "x-y", "z")).await;
    let (url, _) = receiver((StatusCode::FOUND, "location", Box::leak(elsewhere.into_boxed_str()))).await;
    let reply = client(true).post(&url, &[], Vec::new()).await.unwrap();
    assert_eq!(reply.status, 302);
    assert!(futures::FutureExt::now_or_never(called.notified()).is_none());
}

#[tokio::test]
async fn a_name_that_leads_to_a_private_place_is_refused_at_connection() {
    let (url, called) = receiver((StatusCode::OK, "x-y", "z")).await;
    // The check of the text is left out: the name server may answer otherwise than at that time.
    let url = url.replace("127.0.0.1", "localhost");
    let client = Client::builder().no_proxy().dns_resolver(PublicOnly).build().unwrap();
    let error = client.post(&url).send().await.unwrap_err();
    let refused = SendError::NotAllowed("the callback address leads to no public place".to_owned());
    assert_eq!(failure(&error), refused);
    assert!(futures::FutureExt::now_or_never(called.notified()).is_none());
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_called() {
    let (url, called) = receiver((StatusCode::OK, "x-y", "z")).await;
    for url in [url.clone(), url.replace("http://", "https://"), "nonsense".to_owned()] {
        let answer = client(false).post(&url, &[], Vec::new()).await;
        assert!(matches!(answer, Err(SendError::NotAllowed(_))), "{url}: {answer:?}");
    }
    assert!(futures::FutureExt::now_or_never(called.notified()).is_none());
}

#[tokio::test]
async fn silence_and_absence_are_failures_that_name_no_url() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret-path", silent.local_addr().unwrap());
    let short = WebhookClient::new(true, Duration::from_millis(100)).unwrap();
    let failed = |text: &str| Err(SendError::Failed(text.to_owned()));
    assert_eq!(short.post(&url, &[], Vec::new()).await, failed("no answer within the time limit"));
    drop(silent);
    assert_eq!(client(true).post(&url, &[], Vec::new()).await, failed("cannot be reached"));
}

#[test]
fn both_forms_of_retry_after() {
    let now = DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z").unwrap().to_utc();
    for (text, seconds) in [
        ("0", Some(0)),
        ("7", Some(7)),
        ("Fri, 20 Nov 2026 10:01:00 GMT", Some(60)),
        ("Fri, 20 Nov 2026 09:00:00 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
        ("99999999999", None),
    ] {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
    }
}

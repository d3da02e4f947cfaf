//! The whole table, over real HTTP.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{super::sample, *};

struct Site {
    base: String,
    client: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Site {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { serve(listener).await.unwrap() });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, client, server }
    }

    async fn send(&self, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.client.post(format!("{}{path}", self.base)).header("x-request-id", "r-1").json(body).send().await
    }

    /// Status and body (`null` where it is no JSON).
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.send(path, &body).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    async fn licence(&self, number: &str) -> (u16, Value) {
        self.post("/registry/v1/licences/query", json!({"document_type": "A", "document_number": number})).await
    }

    async fn photo(&self, number: &str) -> reqwest::Response {
        let body = json!({"document_type": "A", "document_number": number});
        self.send("/registry/v1/photos/query", &body).await.unwrap()
    }

    async fn face(&self, token: &str) -> (u16, Value) {
        let body = json!({"face_token": token, "document_type": "A", "document_number": number(0), "name": "张三"});
        self.post("/face/v1/verifications/query", body).await
    }

    /// Whether the log has `count` entries while the call still has no answer.
    async fn logged_before_answered<T>(&self, call: impl Future<Output = T>, provider: &str, count: usize) -> bool {
        let logged = async {
            while self.log(provider).await.len() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = call => false,
            () = logged => true,
        }
    }

    async fn log(&self, provider: &str) -> Vec<Value> {
        let url = format!("{}/control/log?provider={provider}", self.base);
        let answer: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        answer["items"].as_array().unwrap().clone()
    }
}

fn number(sequence: u32) -> String {
    format!("11010519491231{sequence:03}X")
}

fn sms(to: &str, reference: &str) -> Value {
    json!({"to": to, "template": "issued", "text": "…", "reference": reference})
}

fn push(user: &str, cid: &str) -> Value {
    json!({"cid": cid, "app_user": user, "title": "t", "body": "b", "data": {}})
}

#[tokio::test]
async fn registry_statuses() {
    let site = Site::start().await;
    let statuses = [
        (0, "A"),
        (799, "A"),
        (801, "H"),
        (802, "I"),
        (803, "HI"),
        (804, "B"),
        (805, "D"),
        (806, "K"),
        (807, "U"),
        (808, "M"),
        (809, "S"),
        (810, "E"),
        (811, "F"),
        (812, "G"),
        (813, "L"),
        (814, "J"),
        (815, "R"),
        (816, "C"),
        (817, "N"),
        (818, "P"),
        (819, "T"),
        (820, "Z"),
        (821, "SH"),
        (822, ""),
    ];
    for (sequence, status) in statuses {
        let (code, answer) = site.licence(&number(sequence)).await;
        assert_eq!((code, &answer["licence"]["status"]), (200, &json!(status)), "{sequence}");
        assert_eq!((&answer["found"], &answer["filed"]), (&json!(true), &json!(true)), "{sequence}");
    }
    let (_, answer) = site.licence(&number(2)).await;
    assert_eq!(
        answer["licence"],
        json!({
            "file_number": "150300310020", "holder_name": "张三", "status": "A", "classes": "C1",
            "valid_from": "2021-06-01", "valid_until": "2027-06-01", "issuing_authority": "蒙C", "points": 0,
            "retained_photo": {"available": true, "suitable": true},
        })
    );
}

#[tokio::test]
async fn registry_refusals() {
    let site = Site::start().await;
    let (_, answer) = site.licence(&number(900)).await;
    assert_eq!(answer, json!({"found": false, "filed": false, "licence": null}));
    let (_, answer) = site.licence(&number(901)).await;
    assert_eq!((&answer["found"], &answer["filed"]), (&json!(true), &json!(false)));
    let (_, answer) = site.licence(&number(902)).await;
    assert_ne!(answer["licence"]["holder_name"], "张三");
    let (_, answer) = site.licence(&number(903)).await;
    assert_ne!(answer["licence"]["file_number"], sample::file_number(&number(903)));
    for (sequence, photo, status) in [
        (0, json!({"available": true, "suitable": true}), 200),
        (904, json!({"available": false, "suitable": false}), 404),
        (905, json!({"available": true, "suitable": false}), 200),
    ] {
        let (_, answer) = site.licence(&number(sequence)).await;
        assert_eq!(answer["licence"]["retained_photo"], photo);
        assert_eq!(site.photo(&number(sequence)).await.status().as_u16(), status);
    }
}

#[tokio::test]
async fn registry_outages() {
    let site = Site::start().await;
    for expected in [503, 503, 200, 200] {
        assert_eq!(site.licence(&number(910)).await.0, expected);
    }
    assert_eq!(site.licence("22010519491231910X").await.0, 503, "counted per number");
    for _ in 0..4 {
        assert_eq!(site.licence(&number(911)).await.0, 503);
    }
    assert_eq!(site.licence(&number(913)).await, (200, Value::Null));
    let slow = number(912);
    assert!(site.logged_before_answered(site.licence(&slow), "registry", 11).await, "it takes 20 s");
    let log = site.log("registry").await;
    assert_eq!((log.len(), &log[9]["outcome"]), (11, &json!("garbage")));
    assert_eq!((&log[10]["status"], &log[10]["request_id"]), (&json!(200), &json!("r-1")), "written before the wait");
}

#[tokio::test]
async fn registry_photo() {
    let site = Site::start().await;
    let photo = site.photo(&number(0)).await;
    assert_eq!(photo.headers()["content-type"], "image/jpeg");
    let photo = image::load_from_memory(&photo.bytes().await.unwrap()).unwrap();
    assert_eq!((photo.width(), photo.height()), (520, 756));
}

#[tokio::test]
async fn registry_overrides() {
    let site = Site::start().await;
    let one = number(0);
    for fields in [
        json!({"document_type": "A", "document_number": &one, "status": "J", "retained_photo": {"suitable": false}}),
        json!({"document_number": &one, "licence": {"status": "J", "retained_photo": {"suitable": false}}}),
    ] {
        assert_eq!(site.post("/control/registry", fields).await.0, 200);
        let (_, answer) = site.licence(&one).await;
        assert_eq!(answer["licence"]["status"], "J");
        assert_eq!(answer["licence"]["retained_photo"], json!({"available": true, "suitable": false}));
        assert_eq!(answer["licence"]["holder_name"], "张三", "the rest stays");
    }
    site.post("/control/registry", json!({"document_number": &one, "filed": false, "address": "乌海市"})).await;
    let (_, answer) = site.licence(&one).await;
    assert_eq!((&answer["filed"], &answer["licence"]["status"]), (&json!(false), &json!("A")), "the last one alone");
    assert_eq!(answer["licence"]["address"], "乌海市");
    assert_eq!(site.licence(&number(1)).await.1["filed"], true, "others are untouched");

    site.post("/control/registry", json!({"document_number": number(900), "found": true, "filed": true})).await;
    assert_eq!(site.licence(&number(900)).await.1["licence"]["status"], "A");
    site.post("/control/registry", json!({"document_number": &one, "retained_photo": {"available": false}})).await;
    assert_eq!(site.photo(&one).await.status(), 404);
    for wrong in [
        json!({"status": "J"}),
        json!({"document_number": 5}),
        json!({"document_number": &one, "licence": 1}),
        json!([]),
    ] {
        assert_eq!(site.post("/control/registry", wrong).await.0, 422);
    }
}

#[tokio::test]
async fn face_tokens() {
    let site = Site::start().await;
    for (token, states) in [
        ("ft-ok", vec!["passed"]),
        ("anything", vec!["passed"]),
        ("ft-fail-7", vec!["failed", "failed"]),
        ("ft-pending-2", vec!["pending", "pending", "passed", "passed"]),
        ("ft-pending-0", vec!["passed"]),
        ("ft-pending-1-other", vec!["pending", "passed"]),
        ("ft-manual", vec!["manual", "manual"]),
        ("ft-blocked", vec!["blocked_today"]),
    ] {
        for state in states {
            let (status, answer) = site.face(token).await;
            assert_eq!((status, &answer["state"]), (200, &json!(state)), "{token}");
        }
    }
    assert_eq!(site.face("ft-fail").await.1["sub_code"], "204");
    assert_eq!(site.face("ft-manual").await.1["sub_code"], "202");
    for (token, statuses) in [("ft-503", vec![503, 503, 503]), ("ft-flaky-2", vec![503, 503, 200, 200])] {
        for status in statuses {
            assert_eq!(site.face(token).await.0, status, "{token}");
        }
    }
}

#[tokio::test]
async fn sms_numbers() {
    let site = Site::start().await;
    for (to, statuses) in [
        ("13800138000", vec![202, 202]),
        ("13800130500", vec![500, 500, 500]),
        ("13800130501", vec![500, 500, 202, 202]),
        ("13800130503", vec![202]),
        ("13800130429", vec![429, 202, 202]),
    ] {
        for status in statuses {
            assert_eq!(site.post("/sms/v1/messages", sms(to, to)).await.0, status, "{to}");
        }
    }
    let busy = site.send("/sms/v1/messages", &sms("13800130429", "other")).await.unwrap();
    assert_eq!((busy.status().as_u16(), &busy.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    let accepted = site.log("sms").await.iter().filter(|entry| entry["accepted"] == true).count();
    assert_eq!(accepted, 7, "each accepted request is a message");

    for (reference, found, state) in [
        ("13800138000", true, json!("delivered")),
        ("13800130500", false, Value::Null),
        ("13800130503", true, json!("failed")),
        ("unheard", false, Value::Null),
    ] {
        let (status, answer) = site.post("/sms/v1/messages/query", json!({"reference": reference})).await;
        assert_eq!((status, &answer["found"], &answer["state"]), (200, &json!(found), &state), "{reference}");
        assert_eq!(answer["message_id"].is_string(), found);
    }
}

#[tokio::test]
async fn a_lost_reply_is_work_done_without_a_byte() {
    let site = Site::start().await;
    let error = site.send("/sms/v1/messages", &sms("13800130502", "lost")).await.unwrap_err();
    assert!(!error.is_connect() && !error.is_timeout(), "{error:?}");
    let (_, answer) = site.post("/sms/v1/messages/query", json!({"reference": "lost"})).await;
    assert_eq!((&answer["found"], &answer["state"]), (&json!(true), &json!("delivered")));
    let entry = &site.log("sms").await[0];
    assert_eq!(
        (&entry["status"], &entry["outcome"], &entry["accepted"]),
        (&Value::Null, &json!("reply_lost"), &json!(true))
    );

    let mut raw = tokio::net::TcpStream::connect(site.base.trim_start_matches("http://")).await.unwrap();
    let body = sms("13800130502", "raw").to_string();
    let request = format!(
        "POST /sms/v1/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    raw.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    raw.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn push_users() {
    let site = Site::start().await;
    let first = site.post("/push/v1/notifications", push("u-123", "c")).await;
    assert_eq!(first.0, 202);
    assert_eq!(site.post("/push/v1/notifications", push("u-123", "c")).await, first, "delivered once");
    assert_ne!(site.post("/push/v1/notifications", push("u-123", "d")).await, first);
    let (status, answer) = site.post("/push/v1/notifications", push("u-gone-1", "e")).await;
    assert_eq!((status, &answer["code"]), (404, &json!("token_invalid")));
    let slow = site.post("/push/v1/notifications", push("u-slow", "f"));
    assert!(site.logged_before_answered(slow, "push", 5).await, "it takes 5 s");
    let outcomes: Vec<_> = site.log("push").await.iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(outcomes, ["accepted", "duplicate", "accepted", "refused", "accepted"]);
}

#[tokio::test]
async fn faults_by_order() {
    let site = Site::start().await;
    let (status, order) = site.post("/control/faults", json!({"provider": "sms", "error_rate": 1.0})).await;
    assert_eq!((status, &order["seed"]), (200, &json!(0)));
    assert_eq!(site.post("/sms/v1/messages", sms("13800138000", "a")).await.0, 503);
    assert_eq!(site.post("/push/v1/notifications", push("u", "a")).await.0, 202, "others are spared");

    site.post("/control/faults", json!({"provider": "sms", "timeout_rate": 1.0})).await;
    let silent = site.post("/sms/v1/messages", sms("13800138000", "b"));
    assert!(site.logged_before_answered(silent, "sms", 2).await);

    site.post("/control/faults", json!({"provider": "sms", "lost_reply_rate": 1.0})).await;
    site.send("/sms/v1/messages", &sms("13800138000", "c")).await.unwrap_err();

    site.post("/control/faults", json!({"provider": "sms"})).await;
    for (reference, found) in [("a", false), ("b", false), ("c", true)] {
        let (_, answer) = site.post("/sms/v1/messages/query", json!({"reference": reference})).await;
        assert_eq!(answer["found"], found, "{reference}");
    }
    for wrong in [json!({"provider": "fax"}), json!({}), json!({"provider": "sms", "error_rate": 2}), json!("x")] {
        assert_eq!(site.post("/control/faults", wrong).await.0, 422);
    }
}

#[tokio::test]
async fn wrong_requests() {
    let site = Site::start().await;
    for path in [
        "/registry/v1/licences/query",
        "/registry/v1/photos/query",
        "/face/v1/verifications/query",
        "/sms/v1/messages",
        "/sms/v1/messages/query",
        "/push/v1/notifications",
    ] {
        for body in [json!({}), json!([]), json!({"document_number": 5, "reference": null, "cid": []})] {
            let (status, answer) = site.post(path, body).await;
            assert_eq!(status, 400, "{path}");
            assert!(answer["code"].is_string() && answer["message"].is_string());
        }
    }
    assert_eq!(site.log("").await.len(), 18);
    let unknown = site.client.get(format!("{}/control/log?provider=fax", site.base)).send().await.unwrap();
    assert_eq!(unknown.status(), 422);
}

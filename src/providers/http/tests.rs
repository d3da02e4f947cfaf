//! The clients against the simulator, and against servers that misbehave on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::hints::Local;
use crate::providers::simulator;
use crate::{domain::breaker::BreakerState, providers::SmsState};

fn settings(base: &str) -> Settings {
    let url = |name: &str| Url::parse(&format!("{base}/{name}")).unwrap();
    Settings {
        registry_url: url("registry"),
        face_url: url("face/"),
        sms_url: url("sms"),
        push_url: url("push"),
        calls: Calls {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            breaker: BreakerSettings { min_calls: 1000, ..BreakerSettings::default() },
        },
        registry_limit: None,
        face_limit: None,
        sms_limit: None,
        push_limit: None,
    }
}

fn ports(settings: &Settings) -> Providers {
    let alarm: Arc<dyn Alarm> = Arc::new(Unheard);
    providers(settings, &(Arc::new(Local::new()) as SharedHints), &alarm).unwrap()
}

/// Nobody hears of refusals here.
struct Unheard;

#[async_trait]
impl Alarm for Unheard {
    async fn provider_refuses(&self, _: Provider, _: &str) -> crate::store::Result<()> {
        Ok(())
    }
}

async fn simulated() -> (String, Providers) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(simulator::serve(listener));
    let ports = ports(&settings(&base));
    (base, ports)
}

/// A server that reads one request per connection and then does as told.
async fn raw(answer: impl Into<Vec<u8>>, end: End) -> String {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&answer).await;
                match end {
                    End::Close => {}
                    End::Hang => std::future::pending().await,
                    End::Endless => while stream.write_all(&[b' '; 16 * 1024]).await.is_ok() {},
                }
            });
        }
    });
    base
}

#[derive(Clone, Copy)]
enum End {
    Close,
    Hang,
    Endless,
}

fn document(sequence: u32) -> String {
    format!("11010519491231{sequence:03}X")
}

fn by(number: &str) -> DocumentRef<'_> {
    DocumentRef { document_type: "A", document_number: number }
}

fn face<'a>(token: &'a str, number: &'a str) -> FaceQuery<'a> {
    FaceQuery { face_token: token, document: by(number), name: "张三" }
}

fn sms<'a>(to: &'a str, reference: &'a str) -> SmsMessage<'a> {
    SmsMessage { to, template: "issued", text: "…", reference }
}

fn failed<T: std::fmt::Debug>(result: Result<T, CallError>) -> ProviderError {
    match result {
        Err(CallError::Failed(error)) => error,
        other => unreachable!("expected a failure: {other:?}"),
    }
}

fn told<T: std::fmt::Debug>(result: Result<T, CallError>) -> (ErrorClass, String) {
    let error = failed(result);
    (error.class, error.code)
}

#[tokio::test]
async fn registry() {
    let (_, ports) = simulated().await;
    let answer = ports.registry.query_licence(by(&document(803)), "r").await.unwrap();
    let licence = answer.licence.unwrap();
    assert!(answer.found && answer.filed);
    assert_eq!((licence.status.as_str(), licence.holder_name.as_str()), ("HI", "张三"));
    assert!(!format!("{licence:?}").contains('张'), "names stay out of logs");
    let answer = ports.registry.query_licence(by(&document(900)), "r").await.unwrap();
    assert_eq!(answer, RegistryAnswer { found: false, filed: false, licence: None });
    let photo = ports.registry.query_photo(by(&document(0)), "r").await.unwrap().unwrap();
    assert!(image::load_from_memory(&photo).is_ok());
    assert_eq!(ports.registry.query_photo(by(&document(904)), "r").await, Ok(None));
    let error = failed(ports.registry.query_licence(by(&document(911)), "r").await);
    assert_eq!((error.class, error.code.as_str()), (ErrorClass::Retry, "http_503"));
    assert_eq!(error.to_string(), "the registry answered 503");
    let garbage = ports.registry.query_licence(by(&document(913)), "r").await;
    assert_eq!(told(garbage), (ErrorClass::ReconcileFirst, "garbage_answer".into()));
}

#[tokio::test]
async fn face_verification() {
    let (_, ports) = simulated().await;
    let number = document(0);
    for (token, state, sub_code) in [
        ("ft-ok", FaceState::Passed, "200"),
        ("ft-fail", FaceState::Failed, "204"),
        ("ft-pending-9", FaceState::Pending, ""),
        ("ft-manual", FaceState::Manual, "202"),
        ("ft-blocked", FaceState::BlockedToday, ""),
    ] {
        let answer = ports.face.query_verification(face(token, &number), "r").await.unwrap();
        assert_eq!((answer.state, answer.sub_code.as_str()), (state, sub_code), "{token}");
    }
    let error = failed(ports.face.query_verification(face("ft-503", &number), "r").await);
    assert_eq!(error.detail, "face verification answered 503");
}

#[tokio::test]
async fn face_answers_of_other_gateways() {
    for (answer, state) in [
        ("HTTP/1.1 200 OK\r\n\r\n{\"state\":\"thinking\",\"sub_code\":7}", FaceState::Manual),
        ("HTTP/1.1 400 Bad Request\r\n\r\n{\"code\":424,\"message\":\"\"}", FaceState::Pending),
    ] {
        let ports = ports(&settings(&raw(answer, End::Close).await));
        let answer = ports.face.query_verification(face("t", "n"), "r").await.unwrap();
        assert_eq!(answer.state, state);
    }
}

#[tokio::test]
async fn messages() {
    let (base, ports) = simulated().await;
    let id = ports.sms.send(sms("13800138000", "a:result"), "r-7").await.unwrap();
    let report = ports.sms.query("a:result", "r-8").await.unwrap();
    assert_eq!(report, SmsReport { found: true, message_id: Some(id), state: Some(SmsState::Delivered) });
    let report = ports.sms.query("b:result", "r").await.unwrap();
    assert_eq!(report, SmsReport { found: false, message_id: None, state: None });

    let broken = ports.sms.send(sms("13800130500", "c"), "r").await;
    assert_eq!(told(broken), (ErrorClass::ReconcileFirst, "http_500".into()), "unclear for a message");
    let lost = ports.sms.send(sms("13800130502", "d"), "r").await;
    assert_eq!(told(lost), (ErrorClass::ReconcileFirst, "connection_lost".into()));
    assert!(ports.sms.query("d", "r").await.unwrap().found);
    let busy = failed(ports.sms.send(sms("13800130429", "e"), "r").await);
    assert_eq!((busy.class, busy.code.as_str()), (ErrorClass::Retry, "rate_limited"));
    assert_eq!(busy.retry_after, Some(Duration::from_secs(2)));

    let client = exchange::client(Duration::from_secs(30), Duration::from_secs(10)).unwrap();
    let log = client.get(format!("{base}/control/log?provider=sms")).send().await.unwrap();
    let log: serde_json::Value = log.json().await.unwrap();
    let first = &log["items"][0];
    assert_eq!((&first["request_id"], &first["idempotency_key"]), (&json!("r-7"), &json!("a:result")));
    let tries = log["items"].as_array().unwrap().iter().filter(|entry| entry["body"]["reference"] == "c").count();
    assert_eq!(tries, 1, "the client repeats nothing");
}

#[tokio::test]
async fn notifications() {
    let (_, ports) = simulated().await;
    let data = json!({"application_id": "a"});
    let note = |app_user| PushNotification { cid: "c", app_user, title: "t", body: "b", data: &data };
    ports.push.send(note("u-1"), "r").await.unwrap();
    let gone = ports.push.send(note("u-gone"), "r").await;
    assert_eq!(told(gone), (ErrorClass::UserAction, "token_invalid".into()));
}

#[tokio::test]
async fn unclear_answers() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let clear = ErrorClass::ReconcileFirst;
    for (answer, end, code) in [
        (String::new(), End::Close, "connection_lost"),
        (format!("{OK}content-length: 99\r\n\r\n{{"), End::Close, "connection_lost"),
        ("SSH-2.0-OpenSSH\r\n".to_owned(), End::Close, "connection_lost"),
        (format!("{OK}\r\n"), End::Close, "garbage_answer"),
        (format!("{OK}\r\n[]"), End::Close, "garbage_answer"),
        (format!("{OK}\r\n{{\"found\":true,\"filed\":true}}"), End::Close, "garbage_answer"),
        (
            format!("{OK}\r\n{{\"found\":true,\"filed\":true,\"licence\":{{\"status\":\"A\"}}}}"),
            End::Close,
            "garbage_answer",
        ),
        (format!("{OK}\r\n"), End::Endless, "too_large"),
    ] {
        let ports = ports(&settings(&raw(answer.clone(), end).await));
        let result = ports.registry.query_licence(by("n"), "r").await;
        assert_eq!(told(result), (clear, code.to_owned()), "{answer}");
    }
    let photo = ports(&settings(&raw(format!("{OK}\r\n<html>"), End::Close).await));
    assert_eq!(told(photo.registry.query_photo(by("n"), "r").await), (clear, "garbage_answer".into()));
    let endless = ports(&settings(&raw(format!("{OK}\r\n\u{0}"), End::Endless).await));
    assert_eq!(told(endless.registry.query_photo(by("n"), "r").await), (clear, "too_large".into()));
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    for answer in ["", "HTTP/1.1 200 OK\r\n\r\n{"] {
        let base = raw(answer, End::Hang).await;
        let usual = settings(&base);
        let calls = Calls { timeout: Duration::from_millis(200), ..usual.calls.clone() };
        let ports = ports(&Settings { calls, ..usual });
        let error = failed(ports.sms.send(sms("13800138000", "a"), "r").await);
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::ReconcileFirst, "timeout"));
        assert_eq!(error.detail, "the SMS gateway did not answer within 0.2 s");
    }
}

#[tokio::test]
async fn certainly_not_processed() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for base in [format!("http://{free}"), "http://no-such-host.invalid".to_owned()] {
        let error = failed(ports(&settings(&base)).sms.send(sms("13800138000", "a"), "r").await);
        assert_eq!((error.class, error.code.as_str()), (ErrorClass::Retry, "unreachable"), "{base}");
    }
    assert!(!reachable(&Url::parse(&format!("http://{free}")).unwrap(), Duration::from_secs(5)).await);
}

#[tokio::test]
async fn refusals_on_the_wire() {
    for (answer, end, class, code) in [
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n",
            End::Close,
            ErrorClass::ConfigAlarm,
            "http_302",
        ),
        ("HTTP/1.1 404 Not Found\r\n\r\n<html>", End::Close, ErrorClass::ConfigAlarm, "http_404"),
        ("HTTP/1.1 503 Unavailable\r\n\r\n", End::Endless, ErrorClass::Retry, "http_503"),
        ("HTTP/1.1 400 Bad\r\ncontent-length: 50\r\n\r\n{", End::Close, ErrorClass::ConfigAlarm, "http_400"),
    ] {
        let ports = ports(&settings(&raw(answer, end).await));
        let result = ports.registry.query_licence(by("n"), "r").await;
        assert_eq!(told(result), (class, code.to_owned()), "{answer}");
    }
    let late = raw("HTTP/1.1 503 Unavailable\r\nretry-after: 7\r\n\r\n", End::Close).await;
    let error = failed(ports(&settings(&late)).registry.query_licence(by("n"), "r").await);
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_request_that_cannot_be_built_is_our_fault() {
    let (_, ports) = simulated().await;
    let result = ports.sms.send(sms("13800138000", "line\nbreak"), "r").await;
    assert_eq!(told(result), (ErrorClass::ConfigAlarm, "bad_request".into()));
}

#[tokio::test]
async fn the_guard_stands_before_each_port() {
    let (base, _) = simulated().await;
    let breaker = BreakerSettings { min_calls: 2, ..BreakerSettings::default() };
    let usual = settings(&base);
    let ports = ports(&Settings { calls: Calls { breaker, ..usual.calls.clone() }, ..usual });
    for _ in 0..2 {
        failed(ports.registry.query_licence(by(&document(911)), "r").await);
    }
    let blocked = ports.registry.query_photo(by(&document(0)), "r").await;
    assert!(matches!(blocked, Err(CallError::Blocked { .. })), "{blocked:?}");
    let states: Vec<_> = ports.breakers.report().into_iter().map(|report| report.state).collect();
    assert_eq!(states, [BreakerState::Open, BreakerState::Closed, BreakerState::Closed, BreakerState::Closed]);
    assert!(reachable(&Url::parse(&base).unwrap(), Duration::from_secs(5)).await);
}

#[test]
fn what_is_sent_stays_out_of_logs() {
    let data = json!({});
    let push = PushNotification { cid: "a:result", app_user: "u-123", title: "t", body: "张三", data: &data };
    let shown = format!("{:?} {:?} {push:?}", face("ft-ok", "11010519491231002X"), sms("13800138000", "a:result"));
    for secret in ["ft-ok", "110105", "138", "张", "u-123"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("a:result"));
}

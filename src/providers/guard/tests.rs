use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::domain::breaker::BreakerState;
use crate::domain::provider_error::{ProviderError, code};
use crate::hints::Local;
use crate::providers::breaker::BreakerSettings;

/// Fails as told, then answers.
#[derive(Default)]
struct Script(Mutex<Vec<ProviderError>>, std::sync::atomic::AtomicUsize);

#[async_trait]
impl Push for Script {
    async fn send(&self, _: PushNotification<'_>, _: &str) -> Result<String, CallError> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        tokio::task::yield_now().await;
        match self.0.lock().unwrap().pop() {
            Some(error) => Err(error.into()),
            None => Ok("id".to_owned()),
        }
    }
}

impl Script {
    fn failing(class: ErrorClass, code: &str, times: usize) -> Arc<Self> {
        let error = ProviderError::new(Provider::Push, class, code, "down");
        Arc::new(Self(Mutex::new(vec![error; times]), 0.into()))
    }

    fn calls(&self) -> usize {
        self.1.load(std::sync::atomic::Ordering::SeqCst)
    }
}

fn guarded(port: &Arc<Script>, limit: Option<RateLimit>, open_for: Duration) -> Guarded<Script> {
    let settings = BreakerSettings { min_calls: 3, open_for, max_open_for: open_for, ..BreakerSettings::default() };
    alarmed(port, settings, limit, Arc::new(Bell::default()))
}

fn alarmed(
    port: &Arc<Script>,
    settings: BreakerSettings,
    limit: Option<RateLimit>,
    alarm: Arc<dyn Alarm>,
) -> Guarded<Script> {
    let breakers = Arc::new(Breakers::new(settings));
    Guarded::new(port.clone(), Provider::Push, breakers, limit, Arc::new(Local::new()), alarm)
}

/// Keeps what it hears; fails to as often as told.
#[derive(Default)]
struct Bell {
    heard: Mutex<Vec<String>>,
    deaf: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Alarm for Bell {
    async fn provider_refuses(&self, provider: Provider, code: &str) -> crate::store::Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        if self.deaf.fetch_update(SeqCst, SeqCst, |times| times.checked_sub(1)).is_ok() {
            return Err(crate::store::StoreError::Locked(String::new()));
        }
        self.heard.lock().unwrap().push(format!("{provider}: {code}"));
        Ok(())
    }
}

#[tokio::test]
async fn operations_hear_once_for_each_opening_that_a_provider_refuses_us() {
    let open_for = Duration::ZERO;
    let settings = BreakerSettings { min_calls: 3, open_for, max_open_for: open_for, ..BreakerSettings::default() };
    let bell = Arc::new(Bell::default());
    bell.deaf.store(1, std::sync::atomic::Ordering::SeqCst);
    let port = Script::failing(ErrorClass::ConfigAlarm, "isv.OUT_OF_SERVICE", 5);
    let push = alarmed(&port, settings, None, bell.clone());
    let heard = || bell.heard.lock().unwrap().len();
    // Five applications at once, then one probe after another: the first refusal is not stored, the second is.
    let together = futures::future::join_all((0..2).map(|_| send(&push))).await;
    assert!(together.iter().all(Result::is_err));
    for expected in [1, 1, 1] {
        send(&push).await.unwrap_err();
        assert_eq!(heard(), expected);
    }
    assert_eq!(send(&push).await.unwrap(), "id", "the breaker closes");
    let another = ProviderError::new(Provider::Push, ErrorClass::ConfigAlarm, "isv.AMOUNT_NOT_ENOUGH", "down");
    port.0.lock().unwrap().push(another);
    send(&push).await.unwrap_err();
    assert_eq!(*bell.heard.lock().unwrap(), ["push: isv.OUT_OF_SERVICE", "push: isv.AMOUNT_NOT_ENOUGH"]);
}

#[tokio::test]
async fn an_outage_is_no_refusal() {
    let bell = Arc::new(Bell::default());
    let port = Script::failing(ErrorClass::Retry, "http_503", 4);
    let push = alarmed(&port, BreakerSettings { min_calls: 3, ..BreakerSettings::default() }, None, bell.clone());
    for _ in 0..4 {
        send(&push).await.unwrap_err();
    }
    assert!(bell.heard.lock().unwrap().is_empty());
}

async fn send(port: &impl Push) -> Result<String, CallError> {
    let data = serde_json::Value::Null;
    port.send(PushNotification { cid: "c", app_user: "u", title: "t", body: "b", data: &data }, "r").await
}

fn reason(result: &Result<String, CallError>) -> Option<WaitReason> {
    match result {
        Err(CallError::Blocked { reason, wait }) => {
            assert!(*wait >= Duration::from_secs(1));
            Some(*reason)
        }
        _ => None,
    }
}

#[tokio::test]
async fn outages_open_the_breaker_and_refusals_do_not() {
    for (class, code, opens) in [
        (ErrorClass::Retry, "http_503", true),
        (ErrorClass::ReconcileFirst, code::TIMEOUT, true),
        (ErrorClass::ConfigAlarm, "isv.ACCOUNT_ABNORMAL", true),
        (ErrorClass::Retry, code::RATE_LIMITED, false),
        (ErrorClass::UserAction, "token_invalid", false),
        (ErrorClass::HoldUntilWindow, "418", false),
        (ErrorClass::Manual, "417", false),
    ] {
        let port = Script::failing(class, code, 3);
        let guard = guarded(&port, None, Duration::from_secs(60));
        for _ in 0..3 {
            let _failed = send(&guard).await;
        }
        assert_eq!(reason(&send(&guard).await), opens.then_some(WaitReason::CircuitOpen), "{class} {code}");
    }
}

#[tokio::test]
async fn an_alarm_needs_one_call_only() {
    let port = Script::failing(ErrorClass::ConfigAlarm, "isv.AMOUNT_NOT_ENOUGH", 9);
    let guard = guarded(&port, None, Duration::from_secs(60));
    for _ in 0..10 {
        let _failed = send(&guard).await;
    }
    assert_eq!(port.calls(), 1);
}

#[tokio::test]
async fn no_stampede_at_half_open() {
    let port = Script::failing(ErrorClass::ConfigAlarm, "x", 2);
    let guard = guarded(&port, None, Duration::ZERO);
    let _failed = send(&guard).await;
    let results = futures::future::join_all((0..50).map(|_| send(&guard))).await;
    assert_eq!(port.calls(), 2, "one probe");
    assert_eq!(results.into_iter().filter(|result| matches!(result, Err(CallError::Blocked { .. }))).count(), 49);
    send(&guard).await.unwrap();
    assert_eq!(guard.breakers.of(Provider::Push).state(Instant::now()).0, BreakerState::Closed);
}

#[tokio::test]
async fn a_rate_limit_blocks_without_a_call() {
    let port = Script::failing(ErrorClass::Retry, "x", 0);
    let guard = guarded(&port, Some(RateLimit::new(0.01, 2).unwrap()), Duration::ZERO);
    send(&guard).await.unwrap();
    send(&guard).await.unwrap();
    assert_eq!(reason(&send(&guard).await), Some(WaitReason::RateLimit));
    assert_eq!(port.calls(), 2);
}

#[tokio::test]
async fn a_short_wait_for_the_limit_is_waited_in_place() {
    let port = Script::failing(ErrorClass::Retry, "x", 0);
    let guard = guarded(&port, Some(RateLimit::new(100.0, 1).unwrap()), Duration::ZERO);
    for _ in 0..5 {
        send(&guard).await.unwrap();
    }
}

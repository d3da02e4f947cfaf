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
    Guarded::new(port.clone(), Provider::Push, Arc::new(Breakers::new(settings)), limit, Arc::new(Local::new()))
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

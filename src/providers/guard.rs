//! The guard around each port: the provider's breaker, then the rate limit shared by all processes.
//!
//! What the guard holds back is answered as [`CallError::Blocked`] and was not sent: the stage waits and uses no attempt.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::Utc;

use super::answer::{FaceAnswer, RegistryAnswer, SmsReport};
use super::breaker::{Breakers, Verdict};
use super::ports::{
    CallError, DocumentRef, Face, FaceQuery, Push, PushNotification, Registry, Sms, SmsMessage,
};
use crate::domain::application::WaitReason;
use crate::domain::provider_error::{ErrorClass, Provider};
use crate::hints::{RateLimit, SharedHints};

/// A rate limit is waited for in place for at most this long: putting a job back costs more than that.
const PATIENCE: Duration = Duration::from_millis(500);
/// The shortest wait that is answered, so that blocked jobs do not come back all the time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A port under guard.
pub struct Guarded<P: ?Sized> {
    port: Arc<P>,
    provider: Provider,
    breakers: Arc<Breakers>,
    limit: Option<RateLimit>,
    hints: SharedHints,
}

impl<P: ?Sized> Guarded<P> {
    /// Guards `port`; without a limit only the breaker holds calls back.
    pub fn new(
        port: Arc<P>,
        provider: Provider,
        breakers: Arc<Breakers>,
        limit: Option<RateLimit>,
        hints: SharedHints,
    ) -> Self {
        Self {
            port,
            provider,
            breakers,
            limit,
            hints,
        }
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let breaker = self.breakers.of(self.provider);
        let pass = breaker
            .admit(Instant::now())
            .map_err(|wait| blocked(WaitReason::CircuitOpen, wait))?;
        self.take_token().await?;
        let result = call.await;
        let verdict = match &result {
            Ok(_) => Some(Verdict::Healthy),
            Err(CallError::Failed(error)) if error.class == ErrorClass::ConfigAlarm => {
                Some(Verdict::Alarm)
            }
            Err(CallError::Failed(error)) if error.is_outage() => Some(Verdict::Outage),
            Err(CallError::Failed(_)) => Some(Verdict::Healthy),
            Err(CallError::Blocked { .. }) => None,
        };
        if let Some(verdict) = verdict {
            pass.end(verdict, Instant::now(), Utc::now());
        }
        result
    }

    async fn take_token(&self) -> Result<(), CallError> {
        let Some(limit) = self.limit else {
            return Ok(());
        };
        let name = format!("provider:{}", self.provider);
        let start = Instant::now();
        while let Err(wait) = self.hints.take(&name, limit, 1).await {
            if start.elapsed() + wait > PATIENCE {
                return Err(blocked(WaitReason::RateLimit, wait));
            }
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

/// Spreads those who wait for the same moment, so that they do not all come back in it.
fn blocked(reason: WaitReason, wait: Duration) -> CallError {
    CallError::Blocked {
        reason,
        wait: wait
            .max(SHORTEST_WAIT)
            .mul_f64(rand::random_range(1.0..1.5)),
    }
}

#[async_trait]
impl<P: Registry + ?Sized> Registry for Guarded<P> {
    async fn query_licence(
        &self,
        document: DocumentRef<'_>,
        request_id: &str,
    ) -> Result<RegistryAnswer, CallError> {
        self.call(self.port.query_licence(document, request_id))
            .await
    }

    async fn query_photo(
        &self,
        document: DocumentRef<'_>,
        request_id: &str,
    ) -> Result<Option<Vec<u8>>, CallError> {
        self.call(self.port.query_photo(document, request_id)).await
    }
}

#[async_trait]
impl<P: Face + ?Sized> Face for Guarded<P> {
    async fn query_verification(
        &self,
        query: FaceQuery<'_>,
        request_id: &str,
    ) -> Result<FaceAnswer, CallError> {
        self.call(self.port.query_verification(query, request_id))
            .await
    }
}

#[async_trait]
impl<P: Sms + ?Sized> Sms for Guarded<P> {
    async fn send(&self, message: SmsMessage<'_>, request_id: &str) -> Result<String, CallError> {
        self.call(self.port.send(message, request_id)).await
    }

    async fn query(&self, reference: &str, request_id: &str) -> Result<SmsReport, CallError> {
        self.call(self.port.query(reference, request_id)).await
    }
}

#[async_trait]
impl<P: Push + ?Sized> Push for Guarded<P> {
    async fn send(
        &self,
        notification: PushNotification<'_>,
        request_id: &str,
    ) -> Result<String, CallError> {
        self.call(self.port.send(notification, request_id)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::provider_error::{ProviderError, code};
    use crate::hints::Local;
    use crate::providers::breaker::{BreakerSettings, BreakerState};

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

    fn guarded(
        port: &Arc<Script>,
        limit: Option<RateLimit>,
        open_for: Duration,
    ) -> Guarded<Script> {
        let settings = BreakerSettings {
            min_calls: 3,
            open_for,
            max_open_for: open_for,
            ..BreakerSettings::default()
        };
        Guarded::new(
            port.clone(),
            Provider::Push,
            Arc::new(Breakers::new(settings)),
            limit,
            Arc::new(Local::new()),
        )
    }

    async fn send(port: &impl Push) -> Result<String, CallError> {
        let data = serde_json::Value::Null;
        port.send(
            PushNotification {
                cid: "c",
                app_user: "u",
                title: "t",
                body: "b",
                data: &data,
            },
            "r",
        )
        .await
    }

    fn reason(result: Result<String, CallError>) -> Option<WaitReason> {
        match result {
            Err(CallError::Blocked { reason, wait }) => {
                assert!(wait >= SHORTEST_WAIT);
                Some(reason)
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
            assert_eq!(
                reason(send(&guard).await),
                opens.then_some(WaitReason::CircuitOpen),
                "{class} {code}"
            );
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
        assert_eq!(
            results
                .into_iter()
                .filter(|result| matches!(result, Err(CallError::Blocked { .. })))
                .count(),
            49
        );
        send(&guard).await.unwrap();
        assert_eq!(
            guard.breakers.of(Provider::Push).state(Instant::now()).0,
            BreakerState::Closed
        );
    }

    #[tokio::test]
    async fn a_rate_limit_blocks_without_a_call() {
        let port = Script::failing(ErrorClass::Retry, "x", 0);
        let guard = guarded(
            &port,
            Some(RateLimit::new(0.01, 2).unwrap()),
            Duration::ZERO,
        );
        send(&guard).await.unwrap();
        send(&guard).await.unwrap();
        assert_eq!(reason(send(&guard).await), Some(WaitReason::RateLimit));
        assert_eq!(port.calls(), 2);
    }

    #[tokio::test]
    async fn a_short_wait_for_the_limit_is_waited_in_place() {
        let port = Script::failing(ErrorClass::Retry, "x", 0);
        let guard = guarded(
            &port,
            Some(RateLimit::new(100.0, 1).unwrap()),
            Duration::ZERO,
        );
        for _ in 0..5 {
            send(&guard).await.unwrap();
        }
    }
}

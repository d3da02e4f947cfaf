use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::task::AbortOnDropHandle;

use super::bucket::Buckets;
use super::wake::{COALESCE, Outbox, Subscribers};
use super::{Hints, RateLimit, Wake, Wakes};

/// Hints inside one process.
pub struct Local {
    outbox: Arc<Outbox>,
    pub(super) subscribers: Subscribers,
    buckets: Buckets,
    _sender: AbortOnDropHandle<()>,
}

impl Local {
    /// Starts the task that sends the wake-ups; call it inside a Tokio runtime. The task ends with the value.
    pub fn new() -> Self {
        let outbox = Arc::<Outbox>::default();
        let subscribers = Subscribers::new();
        let sender = tokio::spawn(send(outbox.clone(), subscribers.clone()));
        Self { outbox, subscribers, buckets: Buckets::default(), _sender: AbortOnDropHandle::new(sender) }
    }
}

impl Default for Local {
    fn default() -> Self {
        Self::new()
    }
}

async fn send(outbox: Arc<Outbox>, subscribers: Subscribers) {
    loop {
        for topic in outbox.take().await {
            subscribers.tell(Wake::Topic(topic));
        }
        tokio::time::sleep(COALESCE).await;
    }
}

#[async_trait]
impl Hints for Local {
    fn publish(&self, topic: &str) {
        self.outbox.put(topic);
    }

    fn subscribe(&self) -> Wakes {
        self.subscribers.subscribe()
    }

    async fn take(&self, name: &str, limit: RateLimit, cost: u32) -> Result<(), Duration> {
        self.buckets.take(name, limit, cost, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_becomes_one_of_each_topic() {
        let hints = Local::new();
        let mut wakes = hints.subscribe();
        for _ in 0..1000 {
            hints.publish("eligibility");
        }
        hints.publish("generation");
        assert_eq!(wakes.next().await, Some(Wake::Topic("eligibility".into())));
        assert_eq!(wakes.next().await, Some(Wake::Topic("generation".into())));
        hints.publish("notification");
        assert_eq!(wakes.next().await, Some(Wake::Topic("notification".into())), "nothing was left over");
    }

    #[tokio::test]
    async fn a_subscriber_that_falls_behind_is_told_to_look_at_everything() {
        let hints = Local::new();
        let mut wakes = hints.subscribe();
        for n in 0..2000 {
            hints.subscribers.tell(Wake::Topic(n.to_string().into()));
        }
        assert_eq!(wakes.next().await, Some(Wake::All));
    }

    #[tokio::test]
    async fn ends_with_the_hints() {
        let hints = Local::new();
        let mut wakes = hints.subscribe();
        drop(hints);
        assert_eq!(wakes.next().await, None);
    }
}

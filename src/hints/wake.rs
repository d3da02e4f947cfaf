//! Wake-ups inside this process: subscribers, and the coalescing of what is published.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

/// Repeats of a topic within this time become one.
pub(super) const COALESCE: Duration = Duration::from_millis(20);
/// Wake-ups a slow subscriber may be behind before it is told [`Wake::All`] instead.
const BACKLOG: usize = 1024;

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// There is something to do about this topic.
    Topic(Arc<str>),
    /// Wake-ups may have been missed: look at everything.
    All,
}

/// The wake-ups of one subscriber.
#[derive(Debug)]
pub struct Wakes(broadcast::Receiver<Wake>);

impl Wakes {
    /// The next wake-up; `None` once the hints are gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Wake> {
        match self.0.recv().await {
            Ok(wake) => Some(wake),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Wake::All),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// The subscribers of this process.
#[derive(Debug, Clone)]
pub(super) struct Subscribers(broadcast::Sender<Wake>);

impl Subscribers {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    pub(super) fn subscribe(&self) -> Wakes {
        Wakes(self.0.subscribe())
    }

    /// Tells all; nobody listening is fine.
    pub(super) fn tell(&self, wake: Wake) {
        let _nobody_listens = self.0.send(wake);
    }
}

/// Topics that wait to be sent, each at most once.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    topics: Mutex<BTreeSet<Arc<str>>>,
    filled: Notify,
}

impl Outbox {
    pub(super) fn put(&self, topic: &str) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if !topics.contains(topic) {
            topics.insert(Arc::from(topic));
            drop(topics);
            self.filled.notify_one();
        }
    }

    /// Waits until there is something and takes all of it.
    pub(super) async fn take(&self) -> BTreeSet<Arc<str>> {
        loop {
            let topics = std::mem::take(&mut *self.topics.lock().unwrap_or_else(PoisonError::into_inner));
            if !topics.is_empty() {
                return topics;
            }
            self.filled.notified().await;
        }
    }
}

//! Wake-ups between processes by `LISTEN` and `NOTIFY`, where there is no Redis. Hints, never the truth.
//!
//! A notification is sent after the commit that it tells of and by a transaction of its own: `NOTIFY` inside of one that
//! writes would make every commit of the server wait for every other.

use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{Stream, StreamExt as _, stream};
use sqlx::{
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
    query,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{PostgresStore, address};
use crate::{
    hints::{Hints, Local, RateLimit, Wakes},
    store::Result,
};

const CHANNEL: &str = "greenlane_wake";
/// Repeats of a topic within this time become one.
const COALESCE: Duration = Duration::from_millis(20);
/// How long to wait before connecting again.
const REST: Duration = Duration::from_secs(1);
/// A connection that said nothing for so long is replaced: one that was cut says nothing either.
const SILENCE: Duration = Duration::from_secs(60);

/// Topics that may wait to be sent.
const BACKLOG: usize = 1024;

/// Something that a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A topic, as it was given to [`PostgresStore::notify`].
    Topic(String),
    /// The connection is new: what was sent before may have been missed.
    Listening,
}

impl PostgresStore {
    /// Sends each topic (at most 200 bytes) to every listener, this process's own among them.
    pub async fn notify(&self, topics: &[String]) -> Result<()> {
        self.execute(query("SELECT pg_notify($1, topic) FROM unnest($2::text[]) AS topic").bind(CHANNEL).bind(topics))
            .await?;
        Ok(())
    }

    /// Topics from now on, over a connection of its own, which is made again whenever it is lost. Never ends.
    ///
    /// # Errors
    /// [`StoreError::Unusable`](crate::store::StoreError::Unusable) when the address is none.
    pub fn listen(url: &str) -> Result<impl Stream<Item = Notice> + Send + use<>> {
        let server = address(url)?;
        Ok(stream::unfold(None, move |listener| heard(server.clone(), listener)))
    }
}

/// The next notice, and the connection that it came by.
async fn heard(server: PgConnectOptions, mut listener: Option<PgListener>) -> Option<(Notice, Option<PgListener>)> {
    loop {
        let Some(mut connected) = listener.take() else {
            match connect(server.clone()).await {
                Ok(connected) => return Some((Notice::Listening, Some(connected))),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "cannot listen for wake-ups");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            }
        };
        if let Ok(Ok(Some(notification))) = tokio::time::timeout(SILENCE, connected.try_recv()).await {
            return Some((Notice::Topic(notification.payload().to_owned()), Some(connected)));
        }
    }
}

async fn connect(server: PgConnectOptions) -> std::result::Result<PgListener, sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(REST * 5)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(server);
    let mut listener = PgListener::connect_with(&pool).await?;
    // Reconnecting is ours: whoever listens has to hear of it.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Hints over PostgreSQL. Rate limits are each process's own.
pub struct PostgresHints {
    local: Arc<Local>,
    outbox: mpsc::Sender<String>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

impl PostgresHints {
    /// Starts the tasks that send and listen; call it inside a Tokio runtime. They end with the value.
    ///
    /// # Errors
    /// [`StoreError::Unusable`](crate::store::StoreError::Unusable) when the address is none.
    pub fn new(store: PostgresStore, url: &str) -> Result<Self> {
        let heard = PostgresStore::listen(url)?;
        let node = Uuid::new_v4().simple().to_string();
        let local = Arc::new(Local::new());
        let (outbox, topics) = mpsc::channel(BACKLOG);
        let sender = tokio::spawn(send(store, topics, node.clone()));
        let listener = tokio::spawn(forward(heard, local.clone(), node));
        Ok(Self { local, outbox, _tasks: [sender, listener].map(AbortOnDropHandle::new) })
    }
}

/// Sends to the other processes what this one publishes. What cannot be sent is dropped: it is a hint.
async fn send(store: PostgresStore, mut topics: mpsc::Receiver<String>, node: String) {
    while let Some(first) = topics.recv().await {
        tokio::time::sleep(COALESCE).await;
        let mut together = BTreeSet::from([first]);
        while let Ok(more) = topics.try_recv() {
            together.insert(more);
        }
        let named: Vec<String> = together.iter().map(|topic| format!("{node} {topic}")).collect();
        if let Err(error) = store.notify(&named).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "cannot wake the other processes");
        }
    }
}

/// Tells this process what the others publish; what it published itself it has been told already.
async fn forward(heard: impl Stream<Item = Notice>, local: Arc<Local>, node: String) {
    let mut heard = pin!(heard);
    while let Some(notice) = heard.next().await {
        if let Notice::Topic(named) = notice
            && let Some((from, topic)) = named.split_once(' ')
            && from != node
        {
            local.publish(topic);
        }
    }
}

#[async_trait]
impl Hints for PostgresHints {
    fn publish(&self, topic: &str) {
        self.local.publish(topic);
        let _full_or_ending = self.outbox.try_send(topic.to_owned());
    }

    fn subscribe(&self) -> Wakes {
        self.local.subscribe()
    }

    async fn take(&self, name: &str, limit: RateLimit, cost: u32) -> std::result::Result<(), Duration> {
        self.local.take(name, limit, cost).await
    }
}

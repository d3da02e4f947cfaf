use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisResult, Script};
use async_trait::async_trait;
use futures::StreamExt;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::wake::{COALESCE, Outbox, Subscribers};
use super::{Hints, Local, RateLimit, Wake, Wakes};

/// The longest a caller can be held up by a Redis that does not answer.
const COMMAND: Duration = Duration::from_millis(250);
/// The same for the subscription, which holds nobody up.
const ROUND_TRIP: Duration = Duration::from_secs(1);
/// After a failure Redis is not asked for this long, so that an outage costs one time limit a second and not one a call.
const REST: Duration = Duration::from_secs(1);
/// How often the subscription proves that its connection still carries answers.
const HEARTBEAT: Duration = Duration::from_secs(5);

const CHANNEL: &str = "greenlane:wake";

/// The token bucket, judged by the clock of Redis. Numbers are written as text: Redis would round them.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local rate, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000000)
local wait = 0
if tokens >= cost then tokens = tokens - cost else wait = math.ceil((cost - tokens) / rate * 1000000) + 1 end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return wait",
    )
});

/// Hints shared through Redis, with [`Local`] ones under them.
pub struct Redis {
    local: Local,
    link: Arc<Link>,
    outbox: Arc<Outbox>,
    _publisher: AbortOnDropHandle<()>,
    _subscriber: AbortOnDropHandle<()>,
}

/// A URL that is no Redis URL. The URL is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Redis URL: use `redis://host:port/db`, or `rediss://` for TLS")]
pub struct InvalidRedisUrl;

impl Redis {
    /// Hints over the Redis at `url`. Does not wait for it and does not need it to be there; call it inside a Tokio runtime.
    ///
    /// # Errors
    /// [`InvalidRedisUrl`].
    pub fn new(url: &str) -> Result<Self, InvalidRedisUrl> {
        Self::with_time_limit(url, COMMAND)
    }

    fn with_time_limit(url: &str, within: Duration) -> Result<Self, InvalidRedisUrl> {
        let client = Client::open(url).map_err(|_| InvalidRedisUrl)?;
        let link = Arc::new(Link::new(client.clone(), within));
        let local = Local::new();
        let outbox = Arc::<Outbox>::default();
        let node = uuid::Uuid::new_v4().simple().to_string();
        let publisher = tokio::spawn(publish(outbox.clone(), link.clone(), node.clone()));
        let subscriber = tokio::spawn(listen(client, local.subscribers.clone(), node));
        Ok(Self {
            local,
            link,
            outbox,
            _publisher: AbortOnDropHandle::new(publisher),
            _subscriber: AbortOnDropHandle::new(subscriber),
        })
    }

    /// Whether Redis answers now. For the operator's check; nothing depends on it.
    pub async fn ping(&self) -> bool {
        self.link.run(async |mut redis| ::redis::cmd("PING").query_async::<String>(&mut redis).await).await.is_some()
    }
}

#[async_trait]
impl Hints for Redis {
    fn publish(&self, topic: &str) {
        self.local.publish(topic);
        self.outbox.put(topic);
    }

    fn subscribe(&self) -> Wakes {
        self.local.subscribe()
    }

    async fn take(&self, name: &str, limit: RateLimit, cost: u32) -> Result<(), Duration> {
        let shared = self
            .link
            .run(async |mut redis| {
                TAKE.key(format!("greenlane:limit:{name}"))
                    .arg(limit.per_second())
                    .arg(limit.burst())
                    .arg(cost.min(limit.burst()))
                    .invoke_async::<u64>(&mut redis)
                    .await
            })
            .await;
        match shared {
            Some(0) => Ok(()),
            Some(micros) => Err(Duration::from_micros(micros)),
            None => self.local.take(name, limit, cost).await,
        }
    }

    async fn remembers(&self, name: &str) -> bool {
        let key = format!("greenlane:seen:{name}");
        let asked =
            self.link.run(async |mut redis| ::redis::cmd("EXISTS").arg(key).query_async::<u64>(&mut redis).await);
        asked.await == Some(1)
    }

    async fn remember(&self, name: &str, hold: Duration) {
        let mut set = ::redis::cmd("SET");
        set.arg(format!("greenlane:seen:{name}")).arg(1).arg("PX").arg(hold.as_millis().max(1) as u64);
        let _dropped_without_redis = self.link.run(async |mut redis| set.query_async::<()>(&mut redis).await).await;
    }
}

/// The connection for commands. One that failed is thrown away: a peer that vanished is not told apart from a slow one.
struct Link {
    client: Client,
    /// The longest time for a command, connecting included.
    within: Duration,
    state: Mutex<LinkState>,
}

struct LinkState {
    manager: Option<ConnectionManager>,
    generation: u64,
    resting_until: Option<Instant>,
}

impl Link {
    const fn new(client: Client, within: Duration) -> Self {
        Self { client, within, state: Mutex::new(LinkState { manager: None, generation: 0, resting_until: None }) }
    }

    /// The command's answer; `None` when Redis cannot be asked, within the time limit.
    async fn run<T>(&self, command: impl AsyncFnOnce(ConnectionManager) -> RedisResult<T>) -> Option<T> {
        let (generation, manager) = self.connection()?;
        let error = match timeout(self.within, command(manager)).await {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.drop_connection(generation, &error);
        None
    }

    fn connection(&self) -> Option<(u64, ConnectionManager)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.resting_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        if state.manager.is_none() {
            let config = ConnectionManagerConfig::new()
                .set_number_of_retries(0)
                .set_connection_timeout(Some(self.within))
                .set_response_timeout(Some(self.within));
            state.manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config).ok();
            state.generation += 1;
        }
        Some((state.generation, state.manager.clone()?))
    }

    fn drop_connection(&self, generation: u64, error: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.generation == generation && state.manager.take().is_some() {
            state.resting_until = Some(Instant::now() + REST);
            drop(state);
            tracing::warn!(error, "redis cannot be asked; limits are kept by this process alone");
        }
    }
}

/// Sends the topics to the other processes. What cannot be sent is dropped: it is a hint.
async fn publish(outbox: Arc<Outbox>, link: Arc<Link>, node: String) {
    loop {
        let topics = outbox.take().await;
        let mut messages = ::redis::pipe();
        for topic in &topics {
            messages.publish(CHANNEL, format!("{node} {topic}")).ignore();
        }
        let _dropped_without_redis = link.run(async |mut redis| messages.query_async::<()>(&mut redis).await).await;
        tokio::time::sleep(COALESCE).await;
    }
}

/// Hears the other processes, and subscribes again for ever.
async fn listen(client: Client, subscribers: Subscribers, node: String) {
    let mut pause = REST / 4;
    loop {
        match hear(&client, &subscribers, &node).await {
            Ok(()) => pause = REST / 4,
            Err(error) => {
                tracing::debug!(%error, "redis subscription failed");
                pause = (pause * 2).min(REST * 2);
            }
        }
        tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
    }
}

/// One subscription, until it ends; an error when it could not be made.
async fn hear(client: &Client, subscribers: &Subscribers, node: &str) -> RedisResult<()> {
    let connect = async {
        let mut connection = client.get_async_pubsub().await?;
        connection.subscribe(CHANNEL).await?;
        RedisResult::Ok(connection.split())
    };
    let (mut sink, mut messages) = match timeout(ROUND_TRIP, connect).await {
        Ok(connected) => connected?,
        Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    };
    // What was published while nobody listened is lost, so everybody looks once.
    subscribers.tell(Wake::All);
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return Ok(()) };
                let text: String = message.get_payload().unwrap_or_default();
                match text.split_once(' ') {
                    Some((from, topic)) if from != node => subscribers.tell(Wake::Topic(topic.into())),
                    _ => {}
                }
            }
            _ = heartbeat.tick() => {
                if !matches!(timeout(ROUND_TRIP, sink.ping::<::redis::Value>()).await, Ok(Ok(_))) {
                    return Ok(());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

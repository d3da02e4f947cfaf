//! Wake-ups and shared rate limits between processes: Redis when there is one, in-process otherwise. Never the truth.
//!
//! Losing Redis costs latency, never work: a wake-up may be lost, doubled or late, and every waiter also has a
//! slow poll. The rule of the fallback is **open**: when Redis cannot be asked, a rate limit is kept by each
//! process for itself, so that several processes together may exceed it for as long as Redis is away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

mod bucket;
mod local;
mod patience;
mod rate;
mod redis;
mod wake;

pub use local::Local;
pub use patience::{spread, take_patiently};
pub use rate::{InvalidRateLimit, RateLimit};
pub use redis::{InvalidRedisUrl, Redis};
pub use wake::{Wake, Wakes};

/// Hints shared by the processes of one installation.
#[async_trait]
pub trait Hints: Send + Sync {
    /// Tells every subscriber, here and in the other processes, that there is something to do about `topic`
    /// (at most 200 bytes, no personal data). Returns at once; repeats within 20 ms become one.
    fn publish(&self, topic: &str);

    /// Wake-ups from now on.
    fn subscribe(&self) -> Wakes;

    /// Takes `cost` tokens from the bucket `name`; a cost above the burst counts as the burst.
    ///
    /// # Errors
    /// The time after which as many tokens will be there, if nobody else takes them.
    async fn take(&self, name: &str, limit: RateLimit, cost: u32) -> Result<(), Duration>;

    /// Whether some process remembered `name` and its time is not over. False where nobody can be asked: only a yes is
    /// worth something, and the database has the last word.
    async fn remembers(&self, _name: &str) -> bool {
        false
    }

    /// Remembers `name` for every process, where there is a common memory.
    async fn remember(&self, _name: &str, _hold: Duration) {}
}

/// Hints as the program passes them around.
pub type SharedHints = Arc<dyn Hints>;

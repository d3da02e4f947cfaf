//! Waiting for a rate limit: a moment in place, and longer only by going away.

use std::time::{Duration, Instant};

use super::{Hints, RateLimit};

/// A rate limit is waited for in place for at most this long: putting a job back costs more than that.
const PATIENCE: Duration = Duration::from_millis(500);
/// The shortest time to stay away, so that jobs that were held back do not come back all the time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Takes one token, if it is there within a moment.
///
/// # Errors
/// How long to stay away.
pub async fn take_patiently(hints: &dyn Hints, name: &str, limit: RateLimit) -> Result<(), Duration> {
    let start = Instant::now();
    while let Err(wait) = hints.take(name, limit, 1).await {
        if start.elapsed() + wait > PATIENCE {
            return Err(spread(wait));
        }
        tokio::time::sleep(wait).await;
    }
    Ok(())
}

/// Spreads those who wait for the same moment, so that they do not all come back in it.
pub fn spread(wait: Duration) -> Duration {
    wait.max(SHORTEST_WAIT).mul_f64(rand::random_range(1.0..1.5))
}

//! Token buckets of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::RateLimit;

/// Above this many names, buckets that are full again are forgotten: a forgotten bucket is a full one.
const TIDY_ABOVE: usize = 10_000;

struct Bucket {
    tokens: f64,
    at: Instant,
    limit: RateLimit,
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.limit.per_second()).min(f64::from(self.limit.burst()));
        self.at = now;
    }
}

/// Buckets by name.
#[derive(Default)]
pub(super) struct Buckets(Mutex<HashMap<String, Bucket>>);

impl Buckets {
    /// Takes tokens, or says how long until they are there.
    pub(super) fn take(&self, name: &str, limit: RateLimit, cost: u32, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > TIDY_ABOVE && !buckets.contains_key(name) {
            buckets.retain(|_, bucket| {
                bucket.refill(now);
                bucket.tokens < f64::from(bucket.limit.burst())
            });
        }
        let bucket = buckets.entry(name.to_owned()).or_insert_with(|| Bucket {
            tokens: f64::from(limit.burst()),
            at: now,
            limit,
        });
        bucket.limit = limit;
        bucket.refill(now);
        let cost = f64::from(cost.min(limit.burst()));
        if bucket.tokens >= cost {
            bucket.tokens -= cost;
            return Ok(());
        }
        // One microsecond more than computed, so that rounding never wakes a caller just too early.
        Err(Duration::from_secs_f64((cost - bucket.tokens) / limit.per_second()) + Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_burst_then_the_rate() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let limit = RateLimit::new(10.0, 3).unwrap();
        for _ in 0..3 {
            assert_eq!(buckets.take("a", limit, 1, now), Ok(()));
        }
        let wait = buckets.take("a", limit, 1, now).unwrap_err();
        assert!(wait > Duration::from_millis(99) && wait < Duration::from_millis(101), "{wait:?}");
        assert_eq!(buckets.take("b", limit, 3, now), Ok(()), "names are apart");
        assert_eq!(buckets.take("a", limit, 1, now + wait), Ok(()), "the wait is long enough");
        assert!(buckets.take("a", limit, 1, now + wait).is_err());
    }

    #[test]
    fn a_cost_above_the_burst_waits_for_a_full_bucket_only() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let limit = RateLimit::new(1.0, 2).unwrap();
        assert_eq!(buckets.take("a", limit, 100, now), Ok(()));
        assert!(buckets.take("a", limit, 100, now).unwrap_err() < Duration::from_millis(2001));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let limit = RateLimit::new(1.0, 1).unwrap();
        buckets.take("a", limit, 1, now + Duration::from_secs(5)).unwrap();
        assert!(buckets.take("a", limit, 1, now).is_err());
    }

    #[test]
    fn forgets_full_buckets_only() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        let limit = RateLimit::new(1.0, 2).unwrap();
        for n in 0..=TIDY_ABOVE {
            buckets.take(&n.to_string(), limit, 1, now).unwrap();
        }
        let later = now + Duration::from_secs(1);
        buckets.take("0", limit, 2, later).unwrap();
        buckets.take("new", limit, 1, later).unwrap();
        assert_eq!(buckets.0.lock().unwrap().len(), 2);
        assert!(buckets.take("0", limit, 1, later).is_err(), "a spent bucket is kept");
    }
}

use std::num::NonZeroU32;

/// A token bucket: so many a second on average, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    per_second: f64,
    burst: NonZeroU32,
}

/// A rate that is not a positive number, or a burst of nothing.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a rate limit needs a rate above zero and a burst of at least one: `{per_second}` a second, burst `{burst}`")]
pub struct InvalidRateLimit {
    /// The rate that was given.
    pub per_second: f64,
    /// The burst that was given.
    pub burst: u32,
}

impl RateLimit {
    /// A limit of `per_second` tokens a second (less than one is allowed: `0.1` is one in ten seconds) and `burst` at once.
    ///
    /// # Errors
    /// [`InvalidRateLimit`] unless `0.0001 <= per_second <= 1_000_000` and `burst >= 1`.
    pub fn new(per_second: f64, burst: u32) -> Result<Self, InvalidRateLimit> {
        match NonZeroU32::new(burst) {
            Some(size) if (0.0001..=1_000_000.0).contains(&per_second) => Ok(Self { per_second, burst: size }),
            _ => Err(InvalidRateLimit { per_second, burst }),
        }
    }

    /// Tokens that come back each second.
    pub const fn per_second(self) -> f64 {
        self.per_second
    }

    /// Tokens in a full bucket.
    pub const fn burst(self) -> u32 {
        self.burst.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_never_or_always_pass() {
        for (rate, burst) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0), (2e6, 1)] {
            assert!(RateLimit::new(rate, burst).is_err(), "{rate} {burst}");
        }
        assert!(RateLimit::new(0.1, 1).is_ok());
    }
}

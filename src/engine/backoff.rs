//! Waiting between tries when the database is away: longer and longer, never in step with other processes, for ever.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Jittered exponential backoff without a limit of tries.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    /// Starts short.
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    /// Waits between half of the present step and all of it, and doubles the step.
    pub(super) async fn wait(&mut self) {
        let wait = self.0.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.0 = (self.0 * 2).min(LONGEST);
        tokio::time::sleep(wait).await;
    }

    /// Starts short again.
    pub(super) fn reset(&mut self) {
        self.0 = FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

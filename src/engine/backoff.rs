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
        tokio::time::sleep(self.step()).await;
    }

    fn step(&mut self) -> Duration {
        let wait = self.0.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.0 = (self.0 * 2).min(LONGEST);
        wait
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_short_again() {
        let mut backoff = Backoff::new();
        for step in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            let (wait, step) = (backoff.step(), Duration::from_millis(step));
            assert!((step / 2..=step).contains(&wait), "{wait:?} of {step:?}");
        }
        backoff.reset();
        assert!(backoff.step() <= FIRST);
    }

    #[test]
    fn two_processes_do_not_wait_in_step() {
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| Backoff::new().step()).collect();
        assert!(waits.len() > 1);
    }
}

//! What a try means for its webhook: delivered, once more, or given up. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::webhooks::WebhookResult;

use super::{Reply, SendError};

/// The waits after each failed try, in seconds; the last one repeats.
const WAITS: [u32; 8] = [5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 6 * 3600];
/// A webhook is tried for so long after the change.
const WINDOW: Duration = Duration::from_secs(3 * 24 * 3600);
/// A webhook has so many tries whatever its age: it may have waited for the one before it, or for this program.
const LEAST_TRIES: u32 = 3;
/// The longest pause that a receiver can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// By which share a wait may be shorter or longer, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

/// A try that ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    /// 1 for the first.
    pub(super) number: u32,
    /// When the change happened that the webhook tells.
    pub(super) changed_at: DateTime<Utc>,
    /// Now, by the same clock.
    pub(super) now: DateTime<Utc>,
}

/// What follows. No `answer` means that the receiver was not asked, because it answers nobody else either. `unit` in
/// `0..1` places the wait within the jitter; `scale` multiplies waits and window.
pub(super) fn after(tried: &Tried, answer: Option<Result<Reply, SendError>>, unit: f64, scale: f64) -> WebhookResult {
    let asked = answer.is_some();
    let (error, pause) = match answer {
        Some(Ok(Reply { status: status @ 200..=299, .. })) => return WebhookResult::Delivered { status },
        Some(Ok(Reply { status: 410, .. })) => {
            return WebhookResult::Dead { error: "the receiver answered 410: it wants no more".to_owned() };
        }
        Some(Err(SendError::NotAllowed(error))) => return WebhookResult::Dead { error },
        Some(Ok(Reply { status, retry_after })) => (format!("the receiver answered {status}"), retry_after),
        Some(Err(SendError::Failed(error))) => (error, None),
        None => ("the receiver does not answer".to_owned(), None),
    };
    let end = add(tried.changed_at, WINDOW.mul_f64(scale));
    if asked && tried.now >= end && tried.number >= LEAST_TRIES {
        return WebhookResult::Dead { error };
    }
    let wait = wait(tried.number, unit, scale).max(pause.unwrap_or_default().min(LONGEST_PAUSE));
    let next = add(tried.now, wait);
    // The last try comes when the window ends, not one long wait before it.
    WebhookResult::Retry { at: if tried.now < end { next.min(end) } else { next }, error }
}

fn wait(number: u32, unit: f64, scale: f64) -> Duration {
    let index = usize::try_from(number.max(1) - 1).unwrap_or(usize::MAX);
    let [.., last] = WAITS;
    let seconds = f64::from(WAITS.get(index).copied().unwrap_or(last));
    Duration::try_from_secs_f64(seconds * (1.0 + JITTER * (2.0 * unit - 1.0)) * scale).unwrap_or(WINDOW)
}

fn add(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(wait).ok().and_then(|wait| at.checked_add_signed(wait)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn hours(hours: i64) -> TimeDelta {
        TimeDelta::hours(hours)
    }

    fn tried(number: u32, after: TimeDelta) -> Tried {
        Tried { number, changed_at: start(), now: start() + after }
    }

    fn answered(status: u16, retry_after: Option<u64>) -> Option<Result<Reply, SendError>> {
        Some(Ok(Reply { status, retry_after: retry_after.map(Duration::from_secs) }))
    }

    fn silent() -> Option<Result<Reply, SendError>> {
        Some(Err(SendError::Failed("cannot be reached".to_owned())))
    }

    #[test]
    fn only_2xx_is_delivered_and_410_ends_it() {
        for (status, expected) in [(200, "delivered"), (204, "delivered"), (299, "delivered"), (410, "dead")] {
            let result = match after(&tried(1, hours(0)), answered(status, None), 0.5, 1.0) {
                WebhookResult::Delivered { .. } => "delivered",
                WebhookResult::Retry { .. } => "retry",
                WebhookResult::Dead { .. } => "dead",
            };
            assert_eq!(result, expected, "{status}");
        }
        for status in [100, 199, 300, 302, 400, 401, 404, 422, 429, 500, 503] {
            let expected = WebhookResult::Retry {
                at: start() + TimeDelta::seconds(5),
                error: format!("the receiver answered {status}"),
            };
            assert_eq!(after(&tried(1, hours(0)), answered(status, None), 0.5, 1.0), expected);
        }
    }

    #[test]
    fn an_address_that_may_not_be_called_ends_it_with_the_reason() {
        let refused = Some(Err(SendError::NotAllowed("a callback address must be public".to_owned())));
        let dead = WebhookResult::Dead { error: "a callback address must be public".to_owned() };
        assert_eq!(after(&tried(1, hours(0)), refused, 0.5, 1.0), dead);
    }

    /// Plays failing tries to the end; answers their times.
    fn play(unit: f64, scale: f64) -> Vec<DateTime<Utc>> {
        let mut tries = vec![start()];
        loop {
            let now = *tries.last().unwrap();
            let tried = Tried { number: u32::try_from(tries.len()).unwrap(), changed_at: start(), now };
            match after(&tried, silent(), unit, scale) {
                WebhookResult::Retry { at, error } => {
                    assert_eq!(error, "cannot be reached");
                    assert!(at > now);
                    tries.push(at);
                }
                WebhookResult::Dead { .. } => return tries,
                WebhookResult::Delivered { .. } => unreachable!(),
            }
        }
    }

    #[test]
    fn failing_tries_spread_over_exactly_three_days() {
        for unit in [0.0, 0.5, 0.999] {
            let tries = play(unit, 1.0);
            assert!((16..=24).contains(&tries.len()), "{}", tries.len());
            assert_eq!(*tries.last().unwrap(), start() + hours(72));
        }
        let first: Vec<i64> = play(0.5, 1.0).iter().take(5).map(|at| (*at - start()).num_seconds()).collect();
        assert_eq!(first, [0, 5, 35, 155, 755]);
        assert_eq!(*play(0.5, 0.001).last().unwrap(), start() + TimeDelta::milliseconds(259_200));
    }

    #[test]
    fn what_became_due_late_has_its_tries_all_the_same() {
        let late = hours(200);
        for number in [1, 2] {
            assert!(
                matches!(after(&tried(number, late), silent(), 0.5, 1.0), WebhookResult::Retry { at, .. } if at > start() + late)
            );
        }
        assert!(matches!(after(&tried(3, late), silent(), 0.5, 1.0), WebhookResult::Dead { .. }));
        assert!(matches!(after(&tried(3, late), None, 0.5, 1.0), WebhookResult::Retry { .. }), "it was not tried");
    }

    #[test]
    fn a_pause_that_the_receiver_asks_for_is_kept_within_reason() {
        let at = |seconds| match after(&tried(1, hours(0)), answered(429, Some(seconds)), 0.5, 1.0) {
            WebhookResult::Retry { at, .. } => (at - start()).num_seconds(),
            other => unreachable!("{other:?}"),
        };
        assert_eq!((at(1), at(120), at(1_000_000)), (5, 120, 6 * 3600));
    }
}

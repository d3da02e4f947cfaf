//! Measures what waits, for `/metrics`: queue age, deadline slack, review backlog, outbox lag.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    domain::calendar::local_date,
    engine::Engine,
    telemetry::metrics::{
        CALENDAR_DAYS, DEADLINE_SLACK, DEADLINES_OPEN, OUTBOX_LAG, OUTBOX_PENDING, QUEUE_AGE, QUEUE_JOBS,
        REVIEW_BACKLOG,
    },
};

use super::{Reconciler, Sweep, Swept};

/// The gauge reconciler.
pub struct Gauges(pub Engine);

#[async_trait]
impl Sweep for Gauges {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Gauges
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let shared = &self.0.shared;
        let now = shared.clock.now();
        let seconds_since = |at: Option<DateTime<Utc>>| at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
        for depth in shared.store.depths().await? {
            let queue = depth.stage.as_str();
            for (state, jobs) in [("ready", depth.ready), ("running", depth.running), ("scheduled", depth.scheduled)] {
                metrics::gauge!(QUEUE_JOBS, "queue" => queue, "state" => state).set(jobs as f64);
            }
            metrics::gauge!(QUEUE_AGE, "queue" => queue).set(seconds_since(depth.oldest_ready));
        }
        let backlog = shared.store.backlog().await?;
        metrics::gauge!(REVIEW_BACKLOG, "state" => "open").set(backlog.open as f64);
        metrics::gauge!(REVIEW_BACKLOG, "state" => "claimed").set(backlog.claimed as f64);
        metrics::gauge!(DEADLINE_SLACK).set(slack(backlog.next_promise, now));
        metrics::gauge!(DEADLINES_OPEN, "state" => "at_risk").set(backlog.at_risk as f64);
        metrics::gauge!(DEADLINES_OPEN, "state" => "breached").set(backlog.breached as f64);
        metrics::gauge!(OUTBOX_PENDING).set(backlog.webhooks_pending as f64);
        metrics::gauge!(OUTBOX_LAG).set(seconds_since(shared.store.next_webhook_due().await?));
        let calendar_ends = shared.calendar().data_ends();
        metrics::gauge!(CALENDAR_DAYS).set((calendar_ends - local_date(now)).num_days() as f64);
        Ok(Swept::of(0))
    }
}

/// Seconds left until a due time; not a number when nothing is due, so that no alarm takes "nothing" for "now".
fn slack(due: Option<DateTime<Utc>>, now: DateTime<Utc>) -> f64 {
    due.map_or(f64::NAN, |due| (due - now).as_seconds_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_due_is_no_time_left() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        assert!(slack(None, now).is_nan());
        assert_eq!(slack(Some(now - chrono::TimeDelta::seconds(3)), now), -3.0);
    }
}

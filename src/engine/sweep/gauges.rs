//! Measures what waits, for `/metrics`: queue age, deadline slack, review backlog, outbox lag.

use std::time::Duration;

use async_trait::async_trait;

use crate::engine::Engine;

use super::Sweep;

/// The gauge reconciler.
pub struct Gauges(pub Engine);

#[async_trait]
impl Sweep for Gauges {
    fn name(&self) -> &'static str {
        "gauges"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> anyhow::Result<bool> {
        let shared = &self.0.shared;
        let now = shared.clock.now();
        let seconds_since = |at: Option<chrono::DateTime<chrono::Utc>>| at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0));
        for depth in shared.store.depths().await? {
            let stage = depth.stage.as_str();
            metrics::gauge!("greenlane_queue_ready", "stage" => stage).set(depth.ready as f64);
            metrics::gauge!("greenlane_queue_running", "stage" => stage).set(depth.running as f64);
            metrics::gauge!("greenlane_queue_scheduled", "stage" => stage).set(depth.scheduled as f64);
            metrics::gauge!("greenlane_queue_oldest_seconds", "stage" => stage).set(seconds_since(depth.oldest_ready));
        }
        let backlog = shared.store.backlog().await?;
        metrics::gauge!("greenlane_reviews_open").set(backlog.open as f64);
        metrics::gauge!("greenlane_reviews_claimed").set(backlog.claimed as f64);
        metrics::gauge!("greenlane_deadline_slack_seconds").set(backlog.next_due.map_or(0.0, |due| (due - now).as_seconds_f64()));
        metrics::gauge!("greenlane_deadlines_at_risk").set(backlog.at_risk as f64);
        metrics::gauge!("greenlane_deadlines_breached").set(backlog.breached as f64);
        metrics::gauge!("greenlane_outbox_pending").set(backlog.webhooks_pending as f64);
        metrics::gauge!("greenlane_outbox_lag_seconds").set(seconds_since(backlog.oldest_webhook));
        Ok(false)
    }
}

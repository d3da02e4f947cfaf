//! Keeps the figures of the dashboard's charts: one value for each series and minute, for 14 days.
//!
//! Several processes may measure the same minute; the first one's values stay.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    domain::{application::Status, event::EventType, stage::Stage},
    engine::{Engine, stats::StageFigures},
    store::{insight::Figure, types::Process},
};

use super::{Reconciler, Sweep, Swept};

/// How many minutes are kept: 14 days, and one to spare.
const KEPT: i64 = 15 * 24 * 60;

/// The figures reconciler.
pub struct Figures(pub Engine);

#[async_trait]
impl Sweep for Figures {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Figures
    }

    fn period(&self) -> Duration {
        Duration::from_secs(20)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let (shared, store) = (&self.0.shared, &self.0.shared.store);
        let now = shared.clock.now();
        let minute = now.timestamp().div_euclid(60);
        let (backlog, counts) = (store.backlog().await?, store.status_counts().await?);
        let mut figures = vec![
            ("reviews.open".to_owned(), whole(backlog.open)),
            ("reviews.claimed".to_owned(), whole(backlog.claimed)),
            ("deadlines.at_risk".to_owned(), whole(backlog.at_risk)),
            ("deadlines.breached".to_owned(), whole(backlog.breached)),
            ("webhooks.pending".to_owned(), whole(backlog.webhooks_pending)),
        ];
        let stalled = counts.iter().filter(|count| count.status == Status::Stalled).map(|count| count.count).sum();
        figures.push(("stalled".to_owned(), stalled));
        for depth in store.depths().await? {
            let waited = depth.oldest_ready.map_or(0, |since| (now - since).num_seconds().max(0));
            figures.push((format!("ready.{}", depth.stage), whole(depth.ready)));
            figures.push((format!("oldest.{}", depth.stage), waited));
        }
        let processes = store.processes().await?;
        for &stage in Stage::ALL {
            let (runs, wait, run) = measured(&processes, stage);
            figures.push((format!("runs.{stage}"), runs));
            figures.push((format!("wait_p95.{stage}"), wait));
            figures.push((format!("run_p95.{stage}"), run));
        }
        // Of the minute before, which is over.
        let begun = DateTime::from_timestamp(minute * 60, 0).unwrap_or(now);
        let decided = reviewed(self, begun).await?;
        let figure = |(series, value)| Figure { series, minute, value };
        let mut figures: Vec<Figure> = figures.into_iter().map(figure).collect();
        figures.push(Figure { series: "reviews.decided".to_owned(), minute: minute - 1, value: decided });
        store.put_figures(&figures).await?;
        store.forget_figures(minute - KEPT).await?;
        Ok(Swept::of(figures.len()))
    }
}

async fn reviewed(figures: &Figures, until: DateTime<Utc>) -> anyhow::Result<i64> {
    let store = &figures.0.shared.store;
    let from = until - chrono::TimeDelta::minutes(1);
    Ok(whole(store.count_events(EventType::ReviewDecided.as_str(), from, until).await?))
}

/// Runs in the last minute, and the slowest process's 95th percentiles of waiting and running, in milliseconds.
fn measured(processes: &[Process], stage: Stage) -> (i64, i64, i64) {
    let of = |process: &Process| {
        let figures = process.stats.get("stages")?.get(stage.as_str())?.clone();
        // A process of another version may say it differently; it is left out.
        serde_json::from_value::<StageFigures>(figures).ok()
    };
    processes.iter().filter_map(of).fold((0, 0, 0), |(runs, wait, run), figures| {
        let slower = |one: i64, other: u32| one.max(i64::from(other));
        (runs + whole(figures.per_minute), slower(wait, figures.wait_ms.p95), slower(run, figures.run_ms.p95))
    })
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::Site;

    #[tokio::test]
    async fn a_minute_is_measured_once() {
        let site = Site::start().await;
        let figures = Figures(site.engine.clone());
        for _ in 0..2 {
            assert!(!figures.run().await.unwrap().more);
        }
        let store = &site.engine.shared.store;
        let open = store.figures("reviews.open", 0, 1).await.unwrap();
        assert!(open.iter().all(|slot| slot.minutes == 1 && slot.sum == 0) && !open.is_empty());
        assert!(!store.figures("runs.notification", 0, 60).await.unwrap().is_empty());
        store.forget_figures(i64::MAX).await.unwrap();
        assert!(store.figures("reviews.open", 0, 1).await.unwrap().is_empty());
    }
}

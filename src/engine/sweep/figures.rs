//! Keeps the figures of the dashboard's charts: one value for each series and minute, rolled up by the quarter of an hour.
//!
//! Several processes may measure the same minute; the first one's values stay.

use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;

use crate::{
    domain::{application::Status, stage::Stage},
    engine::{Engine, stats::StageFigures},
    store::{insight::Figure, types::Process},
};

use super::{Reconciler, Sweep, Swept};

/// How far back figures are kept by the minute: a day, and one to spare.
const KEPT: i64 = 2 * 24 * 60;
/// How far back figures are kept by the quarter of an hour: 14 days, and one to spare.
const ROLLED_UP: i64 = 15 * 24 * 60;
/// How many minutes of decisions are counted at once, after a time without a scheduler.
const CAUGHT_UP: i64 = 60;

/// Series: reviews that wait for a person.
pub const OPEN: &str = "reviews.open";
/// Series: reviews under a lease.
pub const CLAIMED: &str = "reviews.claimed";
/// Series: people with a lease.
pub const REVIEWERS: &str = "reviews.reviewers";
/// Series: reviews settled for good.
pub const DECIDED: &str = "reviews.decided";

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
            (OPEN.to_owned(), whole(backlog.open)),
            (CLAIMED.to_owned(), whole(backlog.claimed)),
            (REVIEWERS.to_owned(), whole(backlog.reviewers)),
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
        let figure = |(series, value)| Figure { series, minute, value };
        let mut figures: Vec<Figure> = figures.into_iter().map(figure).collect();
        let (decided, more) = decided(self, minute).await?;
        figures.extend(decided);
        store.put_figures(&figures).await?;
        store.forget_figures(minute - KEPT, minute - ROLLED_UP).await?;
        Ok(Swept { more, ..Swept::of(figures.len()) })
    }
}

/// Decisions of the minutes that are over, from where they were last counted, so that no time without a scheduler is
/// lost; and whether there is more to count.
async fn decided(figures: &Figures, minute: i64) -> anyhow::Result<(Vec<Figure>, bool)> {
    let store = &figures.0.shared.store;
    let last = store.last_figure(DECIDED).await?.unwrap_or(minute - 2);
    let from = (last + 1).max(minute - KEPT);
    let until = minute.min(from + CAUGHT_UP);
    if from >= until {
        return Ok((Vec::new(), false));
    }
    let at = |minute: i64| DateTime::from_timestamp(minute * 60, 0).unwrap_or_default();
    let settled = store.reviews_settled(at(from), at(until)).await?;
    let value = |minute| settled.get(&minute).copied().unwrap_or(0);
    let counted =
        (from..until).map(|minute| Figure { series: DECIDED.to_owned(), minute, value: value(minute) }).collect();
    Ok((counted, until < minute))
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
        let found = store.figures(&[OPEN, "runs.notification"], 0, 1).await.unwrap();
        assert!(found[OPEN].iter().all(|slot| slot.minutes == 1 && slot.sum == 0), "{found:?}");
        assert_eq!(found.len(), 2);
        store.forget_figures(i64::MAX, i64::MAX).await.unwrap();
        assert!(store.figures(&[OPEN], 0, 1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn minutes_without_a_scheduler_are_counted_afterwards() {
        let site = Site::start().await;
        let (figures, store) = (Figures(site.engine.clone()), &site.engine.shared.store);
        let minute = site.engine.shared.clock.now().timestamp().div_euclid(60);
        let long_ago = Figure { series: DECIDED.to_owned(), minute: minute - 3 * CAUGHT_UP, value: 7 };
        store.put_figures(&[long_ago]).await.unwrap();
        while figures.run().await.unwrap().more {}
        let found = store.figures(&[DECIDED], minute - 3 * CAUGHT_UP, 1).await.unwrap();
        // The minute may have changed meanwhile.
        assert!((3 * CAUGHT_UP..3 * CAUGHT_UP + 2).contains(&(found[DECIDED].len() as i64)), "{found:?}");
        assert_eq!(found[DECIDED].iter().map(|slot| slot.sum).sum::<i64>(), 7);
    }
}

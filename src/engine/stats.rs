//! Figures of this process's runs, told at every heartbeat so that any process can show them for all.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::domain::stage::Stage;

/// Samples kept per stage.
const SAMPLES: usize = 1024;
/// Samples older than this say nothing about now.
const WINDOW: Duration = Duration::from_secs(300);

/// Figures per stage.
#[derive(Debug, Default)]
pub struct Stats(Mutex<BTreeMap<Stage, Samples>>);

#[derive(Debug, Default)]
struct Samples {
    recent: VecDeque<(Instant, u32, u32)>,
    /// Runs per second of the last minute, by second.
    seconds: VecDeque<(u64, u64)>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Percentiles {
    /// Median.
    pub p50: u32,
    /// 95th percentile.
    pub p95: u32,
    /// 99th percentile.
    pub p99: u32,
}

/// What a process says about a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageFigures {
    /// Runs in the last minute.
    pub per_minute: u64,
    /// From due to started.
    pub wait_ms: Percentiles,
    /// From started to decided.
    pub run_ms: Percentiles,
    /// Places of this process.
    pub concurrency: usize,
    /// Places taken.
    pub running: usize,
}

impl Stats {
    /// Records a run.
    pub fn record(&self, stage: Stage, wait: Duration, run: Duration, second: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = all.entry(stage).or_default();
        if samples.recent.len() == SAMPLES {
            samples.recent.pop_front();
        }
        samples.recent.push_back((Instant::now(), millis(wait), millis(run)));
        match samples.seconds.back_mut() {
            Some((last, count)) if *last == second => *count += 1,
            _ => samples.seconds.push_back((second, 1)),
        }
        while samples.seconds.front().is_some_and(|(first, _)| first + 60 <= second) {
            samples.seconds.pop_front();
        }
    }

    /// The figures of a stage.
    pub fn figures(&self, stage: Stage, second: u64) -> StageFigures {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(samples) = all.get_mut(&stage) else { return StageFigures::default() };
        samples.recent.retain(|(at, _, _)| at.elapsed() < WINDOW);
        StageFigures {
            per_minute: samples.seconds.iter().filter(|(at, _)| at + 60 > second).map(|(_, count)| count).sum(),
            wait_ms: percentiles(samples.recent.iter().map(|(_, wait, _)| *wait).collect()),
            run_ms: percentiles(samples.recent.iter().map(|(_, _, run)| *run).collect()),
            ..StageFigures::default()
        }
    }
}

/// The percentiles of some values.
pub fn percentiles(mut values: Vec<u32>) -> Percentiles {
    values.sort_unstable();
    let at = |share: usize| {
        values.get((values.len() * share / 100).min(values.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    Percentiles { p50: at(50), p95: at(95), p99: at(99) }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGE: Stage = Stage::Generation;

    #[test]
    fn percentiles_of_few_and_many() {
        let of = |values: Vec<u32>| {
            let found = percentiles(values);
            (found.p50, found.p95, found.p99)
        };
        assert_eq!(of(vec![]), (0, 0, 0));
        assert_eq!(of(vec![7]), (7, 7, 7));
        assert_eq!(of((1..=100).rev().collect()), (51, 96, 100));
        assert_eq!(of(vec![1, u32::MAX]), (u32::MAX, u32::MAX, u32::MAX));
    }

    #[test]
    fn runs_of_the_last_minute_are_counted() {
        let stats = Stats::default();
        assert_eq!(stats.figures(STAGE, 100), StageFigures::default());
        for second in [100, 100, 130, 159] {
            stats.record(STAGE, Duration::from_millis(20), Duration::from_millis(300), second);
        }
        for (second, wanted) in [(159, 4), (160, 2), (190, 1), (218, 1), (219, 0)] {
            assert_eq!(stats.figures(STAGE, second).per_minute, wanted, "{second}");
        }
        let figures = stats.figures(STAGE, 159);
        assert_eq!((figures.wait_ms.p50, figures.run_ms.p99), (20, 300));
        assert_eq!(stats.figures(Stage::Eligibility, 159).per_minute, 0);
    }

    #[test]
    fn only_so_many_samples_are_kept() {
        let stats = Stats::default();
        for n in 0..3 * SAMPLES {
            stats.record(STAGE, Duration::ZERO, Duration::from_millis(n as u64), n as u64);
        }
        let all = stats.0.lock().unwrap();
        let samples = all.get(&STAGE).unwrap();
        assert_eq!(samples.recent.len(), SAMPLES);
        assert!(samples.seconds.len() <= 60);
        assert_eq!(samples.recent.front().map(|(_, _, run)| *run), Some(2 * SAMPLES as u32));
    }

    #[test]
    fn what_is_longer_than_a_month_is_cut() {
        assert_eq!(millis(Duration::MAX), u32::MAX);
    }
}

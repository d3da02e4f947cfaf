//! How reconcilers ran last: kept in memory at every run, written all together every few seconds, so that any process
//! can show it and no run costs a commit.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    engine::shared::Shared,
    store::schedules::{RunKind, SweepRun},
};

use super::{Sweep, Swept};

/// How often what is new is written.
const PERIOD: Duration = Duration::from_secs(5);
/// The longest text of an error that is kept, in characters.
const LONGEST_ERROR: usize = 300;

/// The last runs of this process's reconcilers.
#[derive(Debug, Default)]
pub struct Runs(Mutex<BTreeMap<(String, RunKind), Noted>>);

#[derive(Debug)]
struct Noted {
    run: SweepRun,
    written: bool,
}

impl Runs {
    /// Notes a run that just ended.
    pub(super) fn note(&self, shared: &Shared, sweep: &dyn Sweep, took: Duration, result: &anyhow::Result<Swept>) {
        let name = sweep.reconciler().as_str();
        let run = |kind| SweepRun {
            name: name.to_owned(),
            kind,
            at: shared.clock.now(),
            took_ms: millis(took),
            items: result.as_ref().map_or(0, |swept| swept.items),
            // The outermost layer only: the whole chain is in the log.
            error: result.as_ref().err().map(|error| error.to_string().chars().take(LONGEST_ERROR).collect()),
            period_ms: millis(sweep.period()),
            process: shared.lease,
        };
        let kinds = [
            (RunKind::Last, true),
            (RunKind::Worked, result.as_ref().is_ok_and(|swept| swept.items > 0)),
            (RunKind::Failed, result.is_err()),
        ];
        let mut noted = self.noted();
        for (kind, _) in kinds.into_iter().filter(|(_, holds)| *holds) {
            noted.insert((name.to_owned(), kind), Noted { run: run(kind), written: false });
        }
    }

    /// Writes what is new.
    async fn write(&self, shared: &Shared) {
        let fresh: Vec<SweepRun> =
            self.noted().values().filter(|noted| !noted.written).map(|noted| noted.run.clone()).collect();
        if fresh.is_empty() {
            return;
        }
        if let Err(error) = shared.store.note_sweeps(&fresh).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the last runs will be written again");
            return;
        }
        let mut noted = self.noted();
        for run in fresh {
            if let Some(known) = noted.get_mut(&(run.name.clone(), run.kind)) {
                known.written = known.run == run;
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<(String, RunKind), Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// Writes the last runs until `stop`.
pub async fn keep(shared: std::sync::Arc<Shared>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PERIOD) => shared.runs.write(&shared).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{fixture::Site, sweep::sessions::Sessions};

    #[tokio::test]
    async fn what_ran_worked_and_failed_is_written_once() {
        let site = Site::start().await;
        let (shared, sweep) = (&site.engine.shared, Sessions(site.engine.clone()));
        let took = Duration::from_millis(7);
        for result in [Ok(Swept::of(3)), Err(anyhow::anyhow!("inner").context("the outer layer")), Ok(Swept::of(0))] {
            shared.runs.note(shared, &sweep, took, &result);
        }
        shared.runs.write(shared).await;
        let runs = site.store().sweep_runs().await.unwrap();
        let shown: Vec<_> = runs.iter().map(|run| (run.kind, run.items, run.error.as_deref())).collect();
        let expected =
            [(RunKind::Failed, 0, Some("the outer layer")), (RunKind::Last, 0, None), (RunKind::Worked, 3, None)];
        assert_eq!(shown, expected);
        assert!(runs.iter().all(|run| run.took_ms == 7 && run.process == shared.lease && run.name == "sessions"));
        assert!(shared.runs.noted().values().all(|noted| noted.written));
    }
}

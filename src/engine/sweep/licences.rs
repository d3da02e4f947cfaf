//! Follows issued licences in the background: asks the registry about each once in a while, so that displays, holders and
//! operations learn of changes that nobody asked about.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures::StreamExt;

use crate::{engine::Engine, hints::RateLimit, store::types::LicenceRecord, telemetry::metrics::LICENCE_CHECKS};

use super::{Reconciler, Sweep, Swept};

/// So many are taken at a time: a process that dies leaves no more unasked for a round.
const BATCH: usize = 32;
/// Questions under way at once.
const AT_ONCE: usize = 8;
/// How often it looks when there is nothing to ask.
const PERIOD: Duration = Duration::from_secs(15);
/// A licence about which the registry did not answer has its next turn after this, not after a whole round.
const UNANSWERED: Duration = Duration::from_secs(600);
/// The name of the rate limit that all processes share.
const BUCKET: &str = "licence_sweep";

/// Asks the registry about a licence and notes what is new.
#[async_trait]
pub trait LicenceSource: Send + Sync {
    /// False when the registry did not answer.
    ///
    /// # Errors
    /// Whatever keeps the answer from being noted.
    async fn check(&self, licence: LicenceRecord) -> anyhow::Result<bool>;
}

/// Configuration of the sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Each licence is asked about once in so long.
    pub every: Duration,
    /// So many questions, over all processes.
    pub rate: RateLimit,
}

/// The licence reconciler.
pub struct Licences {
    engine: Engine,
    source: Arc<dyn LicenceSource>,
    settings: Settings,
}

impl Licences {
    /// Follows the licences of the engine's store.
    pub fn new(engine: Engine, source: Arc<dyn LicenceSource>, settings: Settings) -> Self {
        Self { engine, source, settings }
    }

    async fn ask(&self, licence: LicenceRecord) -> anyhow::Result<bool> {
        while let Err(wait) = self.engine.shared.hints.take(BUCKET, self.settings.rate, 1).await {
            tokio::time::sleep(wait).await;
        }
        let id = licence.id;
        let answered = self.source.check(licence).await;
        if !matches!(answered, Ok(true)) {
            let shared = &self.engine.shared;
            let earlier = self.settings.every.saturating_sub(UNANSWERED);
            let asked_at = TimeDelta::from_std(earlier).ok().and_then(|by| shared.clock.now().checked_sub_signed(by));
            if let Some(at) = asked_at {
                shared.store.set_asked_at(id, at).await?;
            }
        }
        let result = match &answered {
            Ok(true) => "answered",
            Ok(false) => "unanswered",
            Err(error) => {
                tracing::warn!(licence.id = %id, error = format!("{error:#}"), "a licence could not be followed");
                "failed"
            }
        };
        metrics::counter!(LICENCE_CHECKS, "result" => result).increment(1);
        answered
    }
}

#[async_trait]
impl Sweep for Licences {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Licences
    }

    fn period(&self) -> Duration {
        PERIOD.min(self.settings.every)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let due = self.engine.shared.store.take_licences_to_check(self.settings.every, BATCH).await?;
        let full = due.len() == BATCH;
        let answers: Vec<_> =
            futures::stream::iter(due).map(|licence| self.ask(licence)).buffer_unordered(AT_ONCE).collect().await;
        // A registry that answers nobody is left alone for a period.
        let more = full && answers.iter().any(|answer| matches!(answer, Ok(true)));
        Ok(Swept { more, ..Swept::of(answers.len()) })
    }
}

//! The registry's word on a holder's licence, asked now and remembered for a few seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Mutex as AsyncMutex;

use crate::{
    domain::{
        licence_display::{Look, Seen},
        licence_status::LicenceStatus,
    },
    engine::Engine,
    providers::{CallError, DocumentRef, Registry},
};

use super::record::{Record, facts};

/// Above this many holders, those that nobody asked about for a while are forgotten.
const TIDY_ABOVE: usize = 10_000;

/// The last word on one holder.
#[derive(Debug, Default)]
struct Word {
    /// What it was, and when this process heard it.
    heard: Option<(Instant, Seen)>,
    /// When the registry was asked last and did not answer.
    failed: Option<Instant>,
}

impl Word {
    fn is_fresh(&self, keep: Duration) -> bool {
        self.heard.as_ref().is_some_and(|(at, _)| at.elapsed() < keep)
    }
}

/// Asks the registry, each holder once at a time however many ask at once.
pub(super) struct Statuses {
    registry: Arc<dyn Registry>,
    engine: Engine,
    keep: Duration,
    words: Mutex<HashMap<String, Arc<AsyncMutex<Word>>>>,
}

impl Statuses {
    pub(super) fn new(registry: Arc<dyn Registry>, engine: Engine, keep: Duration) -> Self {
        Self { registry, engine, keep, words: Mutex::default() }
    }

    /// What the registry says of the licence now. `holder` is the blind index of the record's document.
    pub(super) async fn look(&self, holder: &str, record: &Record) -> Look {
        let (word, came) = (self.word(holder), Instant::now());
        let mut word = word.lock().await;
        if let Some((_, seen)) = word.heard.as_ref().filter(|_| word.is_fresh(self.keep)) {
            return Look::Fresh(seen.clone());
        }
        // Whoever waited while another asked in vain does not ask in vain again.
        if word.failed.is_none_or(|failed| failed < came) {
            match self.ask(record).await {
                Ok(seen) => {
                    *word = Word { heard: Some((Instant::now(), seen.clone())), failed: None };
                    return Look::Fresh(seen);
                }
                Err(error) => {
                    tracing::debug!(%error, "the registry could not be asked about a licence");
                    word.failed = Some(Instant::now());
                }
            }
        }
        Look::Away(word.heard.as_ref().map(|(_, seen)| seen.at))
    }

    /// Asks without looking at what is remembered.
    pub(super) async fn ask(&self, record: &Record) -> Result<Seen, CallError> {
        let document = DocumentRef {
            document_type: record.document.document_type().as_str(),
            document_number: record.document.as_str(),
        };
        let answer = self.registry.query_licence(document, &uuid::Uuid::now_v7().to_string()).await?;
        let licence = answer.licence.filter(|_| answer.found);
        let licence = licence.map(|licence| (LicenceStatus::parse(&licence.status), facts(&licence)));
        Ok(Seen { at: self.engine.shared.clock.now(), licence })
    }

    fn word(&self, holder: &str) -> Arc<AsyncMutex<Word>> {
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() >= TIDY_ABOVE {
            // One that is asked about now has a second owner.
            words.retain(|_, word| {
                Arc::strong_count(word) > 1 || word.try_lock().is_ok_and(|word| word.is_fresh(self.keep))
            });
        }
        Arc::clone(words.entry(holder.to_owned()).or_default())
    }
}

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::domain::provider_error::Provider;

/// The oldest entries beyond this many are forgotten.
const LONGEST: usize = 100_000;

/// One received request and what became of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Entry {
    pub(super) at: DateTime<Utc>,
    pub(super) provider: Provider,
    pub(super) path: String,
    pub(super) request_id: Option<String>,
    pub(super) idempotency_key: Option<String>,
    /// The body, where it was a JSON object.
    pub(super) body: Option<Value>,
    /// `None`: no answer was sent.
    pub(super) status: Option<u16>,
    pub(super) outcome: &'static str,
    /// Whether a message or notification came into being.
    pub(super) accepted: bool,
}

/// What was received, oldest first.
#[derive(Default)]
pub(super) struct Log(Mutex<VecDeque<Entry>>);

impl Log {
    pub(super) fn write(&self, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == LONGEST {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    pub(super) fn read(&self, provider: Option<Provider>) -> Vec<Entry> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter(|entry| provider.is_none_or(|wanted| entry.provider == wanted)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgets_the_oldest() {
        let log = Log::default();
        for n in 0..=LONGEST {
            log.write(Entry {
                at: DateTime::UNIX_EPOCH,
                provider: Provider::Sms,
                path: n.to_string(),
                request_id: None,
                idempotency_key: None,
                body: None,
                status: None,
                outcome: "answered",
                accepted: false,
            });
        }
        let entries = log.read(None);
        assert_eq!((entries.len(), entries[0].path.as_str()), (LONGEST, "1"));
        assert!(log.read(Some(Provider::Face)).is_empty());
    }
}

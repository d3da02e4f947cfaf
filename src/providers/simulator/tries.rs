use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// How often the same was asked, for answers such as "503 twice, then all right".
#[derive(Default)]
pub(super) struct Tries(Mutex<HashMap<String, u32>>);

impl Tries {
    /// Which time this is, from 1.
    pub(super) fn count(&self, key: &[&str]) -> u32 {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = tries.entry(key.join("\u{1f}")).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

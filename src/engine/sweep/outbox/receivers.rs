//! Receivers that do not answer: each takes one place of the deliveries at a time, not all of them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use url::Url;

/// After so many tries without an answer a receiver counts as silent.
const SILENT: u32 = 3;

/// What this process knows of the receivers that it calls now, or that did not answer last.
#[derive(Debug, Default)]
pub(super) struct Receivers(Mutex<HashMap<String, Receiver>>);

#[derive(Debug, Default)]
struct Receiver {
    /// Tries in a row without an answer.
    unanswered: u32,
    calling: usize,
}

/// The right to call a receiver; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    receivers: &'a Receivers,
    host: String,
}

impl Receivers {
    /// The right to call the URL's host; none while a silent one is being asked already.
    pub(super) fn turn(&self, url: &str) -> Option<Turn<'_>> {
        let host = host_of(url);
        let mut known = self.known();
        let receiver = known.entry(host.clone()).or_default();
        if receiver.unanswered >= SILENT && receiver.calling > 0 {
            return None;
        }
        receiver.calling += 1;
        Some(Turn { receivers: self, host })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Receiver>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Ends the turn; says whether the receiver answered, whatever it said.
    pub(super) fn ended(self, answered: bool) {
        if let Some(receiver) = self.receivers.known().get_mut(&self.host) {
            receiver.unanswered = if answered { 0 } else { receiver.unanswered.saturating_add(1) };
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut known = self.receivers.known();
        if let Some(receiver) = known.get_mut(&self.host) {
            receiver.calling -= 1;
            if receiver.calling == 0 && receiver.unanswered == 0 {
                known.remove(&self.host);
            }
        }
    }
}

/// Host and port; a text that is no URL is its own place.
fn host_of(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let place = parsed.as_ref().and_then(|url| url.host_str().zip(url.port_or_known_default()));
    place.map_or_else(|| url.to_owned(), |(host, port)| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_receiver_is_called_once_at_a_time_until_it_answers() {
        let receivers = Receivers::default();
        let turn = |url| receivers.turn(url);
        for _ in 0..SILENT {
            turn("https://a.example/1").unwrap().ended(false);
        }
        let asking = turn("https://a.example/1").unwrap();
        assert!(turn("https://A.example:443/2").is_none(), "the same place");
        assert!(
            turn("https://a.example:8443/").is_some()
                && turn("https://b.example/").is_some()
                && turn("nonsense").is_some()
        );
        asking.ended(true);
        let (one, two) = (turn("https://a.example/1"), turn("https://a.example/2"));
        assert!(one.is_some() && two.is_some());
        drop((one, two));
        assert!(receivers.known().is_empty(), "nothing is kept of receivers that answer");
    }

    #[test]
    fn a_turn_that_is_given_up_blocks_nobody() {
        let receivers = Receivers::default();
        for _ in 0..SILENT {
            receivers.turn("https://a.example/").unwrap().ended(false);
        }
        drop(receivers.turn("https://a.example/").unwrap());
        assert!(receivers.turn("https://a.example/").is_some());
    }
}

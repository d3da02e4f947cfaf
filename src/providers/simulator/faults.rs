//! Faults by order: decided from seed, request and how often that request came, so that the order in which
//! concurrent requests arrive changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::provider_error::Provider;

/// The faults of one provider; what is not named is none.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    provider: Provider,
    #[serde(default)]
    latency_ms: u64,
    #[serde(default)]
    error_rate: f64,
    #[serde(default)]
    timeout_rate: f64,
    #[serde(default)]
    lost_reply_rate: f64,
    #[serde(default)]
    seed: u64,
}

impl Order {
    fn is_possible(&self) -> bool {
        let rates = [self.error_rate, self.timeout_rate, self.lost_reply_rate];
        rates.iter().all(|rate| (0.0..=1.0).contains(rate)) && rates.iter().sum::<f64>() <= 1.0
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The provider's own answer.
    Answer,
    /// 503, nothing done.
    Error,
    /// No answer, nothing done.
    Silence,
    /// Everything done, no answer.
    LostReply,
}

/// The faults in force.
#[derive(Default)]
pub(super) struct Faults(Mutex<BTreeMap<Provider, Active>>);

struct Active {
    order: Order,
    seen: HashMap<u64, u32>,
}

impl Faults {
    /// Replaces the provider's faults.
    ///
    /// # Errors
    /// A sentence, when a rate is not a share or the rates together are more than one.
    pub(super) fn set(&self, order: Order) -> Result<(), &'static str> {
        if !order.is_possible() {
            return Err("rates are shares from 0 to 1 and together at most 1");
        }
        self.lock().insert(order.provider, Active { order, seen: HashMap::new() });
        Ok(())
    }

    /// What happens to this request, and how long its answer takes.
    pub(super) fn fate(&self, provider: Provider, path: &str, body: &[u8]) -> (Fate, Duration) {
        let mut active = self.lock();
        let Some(Active { order, seen }) = active.get_mut(&provider) else {
            return (Fate::Answer, Duration::ZERO);
        };
        let latency = Duration::from_millis(order.latency_ms);
        if order.error_rate + order.timeout_rate + order.lost_reply_rate == 0.0 {
            return (Fate::Answer, latency);
        }
        let request = number(&[&order.seed.to_be_bytes(), path.as_bytes(), body]);
        let time = seen.entry(request).or_default();
        *time += 1;
        let draw = number(&[&request.to_be_bytes(), &time.to_be_bytes()]);
        // 53 bits are what a float holds exactly.
        let draw = (draw >> 11) as f64 / (1u64 << 53) as f64;
        let fate = if draw < order.error_rate {
            Fate::Error
        } else if draw < order.error_rate + order.timeout_rate {
            Fate::Silence
        } else if draw < order.error_rate + order.timeout_rate + order.lost_reply_rate {
            Fate::LostReply
        } else {
            Fate::Answer
        };
        (fate, latency)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Provider, Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(json: serde_json::Value) -> Order {
        serde_json::from_value(json).unwrap()
    }

    fn fates(seed: u64) -> Vec<Fate> {
        let faults = Faults::default();
        let rates = serde_json::json!({
            "provider": "sms", "error_rate": 0.2, "timeout_rate": 0.1, "lost_reply_rate": 0.1, "seed": seed,
        });
        faults.set(order(rates)).unwrap();
        (0..1000u32).map(|n| faults.fate(Provider::Sms, "/x", &(n / 2).to_be_bytes()).0).collect()
    }

    #[test]
    fn the_seed_decides_and_the_rates_hold() {
        let first = fates(7);
        assert_eq!(first, fates(7));
        assert_ne!(first, fates(8));
        let count = |fate| first.iter().filter(|&&one| one == fate).count();
        assert!((150..250).contains(&count(Fate::Error)), "{}", count(Fate::Error));
        assert!((60..140).contains(&count(Fate::Silence)), "{}", count(Fate::Silence));
        assert!((60..140).contains(&count(Fate::LostReply)), "{}", count(Fate::LostReply));
    }

    #[test]
    fn a_rate_of_one_hits_all_and_another_provider_is_spared() {
        let faults = Faults::default();
        faults.set(order(serde_json::json!({"provider": "face", "lost_reply_rate": 1.0, "latency_ms": 5}))).unwrap();
        for n in 0..100u32 {
            let (fate, latency) = faults.fate(Provider::Face, "/x", &n.to_be_bytes());
            assert_eq!((fate, latency), (Fate::LostReply, Duration::from_millis(5)));
            assert_eq!(faults.fate(Provider::Push, "/x", b"").0, Fate::Answer);
        }
    }

    #[test]
    fn impossible_rates_are_refused() {
        for rates in [
            serde_json::json!({"provider": "face", "error_rate": 1.1}),
            serde_json::json!({"provider": "face", "error_rate": -0.1}),
            serde_json::json!({"provider": "face", "error_rate": 0.6, "timeout_rate": 0.6}),
        ] {
            assert!(Faults::default().set(order(rates)).is_err());
        }
        assert!(serde_json::from_value::<Order>(serde_json::json!({"provider": "fax"})).is_err());
        assert!(serde_json::from_value::<Order>(serde_json::json!({"provider": "sms", "errors": 1})).is_err());
    }
}

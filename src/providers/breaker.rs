//! Circuit breakers (断路器), one per provider and process.
//!
//! Closed: calls pass; when within [`BreakerSettings::window`] enough of them failed, it opens. A fault of our
//! configuration opens it at once. Open: nothing passes for [`BreakerSettings::open_for`], doubled each time the
//! probe fails. Half open: exactly one call passes as a probe; its answer closes the breaker or opens it again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::breaker::{BreakerReport, BreakerState};
use crate::domain::provider_error::Provider;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// How far back calls count.
    pub window: Duration,
    /// Fewer calls than this in the window never open it.
    pub min_calls: usize,
    /// The share of failed calls in the window that opens it, `0.0..=1.0`.
    pub failure_ratio: f64,
    /// How long it stays open the first time.
    pub open_for: Duration,
    /// The longest that doubling makes of it.
    pub max_open_for: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            min_calls: 50,
            failure_ratio: 0.5,
            open_for: Duration::from_secs(2),
            max_open_for: Duration::from_secs(10),
        }
    }
}

/// How a call that passed ended, as far as the breaker cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The provider answered, be it with a refusal.
    Healthy,
    /// An outage.
    Outage,
    /// A fault that repeating cannot mend.
    Alarm,
}

/// One circuit breaker.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Times and failures of the calls in the window; only kept while closed.
    calls: VecDeque<(Instant, bool)>,
    failed: usize,
    open: Option<Open>,
    /// Raised at each change between open and closed: the answer of a call from before it counts for nothing.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    since: DateTime<Utc>,
    until: Instant,
    length: Duration,
    probing: bool,
    /// Whether operations were told that it is open because the provider refuses us.
    told: bool,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(settings: BreakerSettings) -> Self {
        let inner = Inner { calls: VecDeque::new(), failed: 0, open: None, generation: 0 };
        Self { settings, inner: Mutex::new(inner) }
    }

    /// Lets one call pass.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub fn admit(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut inner = self.lock();
        if let Some(open) = &mut inner.open {
            if now < open.until {
                return Err(open.until - now);
            }
            if open.probing {
                return Err(self.settings.open_for);
            }
            open.probing = true;
        }
        Ok(Pass { breaker: self, generation: inner.generation, counted: false })
    }

    /// The state and since when it is not closed.
    pub fn state(&self, now: Instant) -> (BreakerState, Option<DateTime<Utc>>) {
        match self.lock().open {
            None => (BreakerState::Closed, None),
            Some(open) if now < open.until => (BreakerState::Open, Some(open.since)),
            Some(open) => (BreakerState::HalfOpen, Some(open.since)),
        }
    }

    /// Whether a refusal is news to operations: true once for each opening, until [`Breaker::not_told`].
    pub fn tell(&self) -> bool {
        self.lock().open.as_mut().is_some_and(|open| !std::mem::replace(&mut open.told, true))
    }

    /// Operations could not be told: the next refusal is news again.
    pub fn not_told(&self) {
        if let Some(open) = &mut self.lock().open {
            open.told = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, verdict: Verdict, generation: u64, now: Instant, wall: DateTime<Utc>) {
        let mut inner = self.lock();
        if inner.generation != generation {
            return;
        }
        let failed = verdict != Verdict::Healthy;
        match inner.open {
            Some(open) if failed => {
                let length = (open.length * 2).min(self.settings.max_open_for);
                inner.open(Open { until: now + length, length, probing: false, ..open });
            }
            Some(_) => inner.close(),
            None => {
                inner.record(failed, self.settings.window, now);
                let tripped = inner.calls.len() >= self.settings.min_calls.max(1)
                    && inner.failed as f64 >= self.settings.failure_ratio * inner.calls.len() as f64;
                if verdict == Verdict::Alarm || (failed && tripped) {
                    let length = self.settings.open_for;
                    inner.open(Open { since: wall, until: now + length, length, probing: false, told: false });
                }
            }
        }
    }
}

impl Inner {
    fn record(&mut self, failed: bool, window: Duration, now: Instant) {
        self.calls.push_back((now, failed));
        self.failed += usize::from(failed);
        while let Some(&(at, failed)) = self.calls.front() {
            if now.saturating_duration_since(at) <= window {
                break;
            }
            self.calls.pop_front();
            self.failed -= usize::from(failed);
        }
    }

    fn open(&mut self, open: Open) {
        self.forget();
        self.open = Some(open);
    }

    fn close(&mut self) {
        self.forget();
        self.open = None;
    }

    fn forget(&mut self) {
        self.calls.clear();
        self.failed = 0;
        self.generation += 1;
    }
}

/// The permission for one call. Dropped without a verdict (the caller was interrupted) it counts as no call.
#[derive(Debug)]
#[must_use]
pub struct Pass<'a> {
    breaker: &'a Breaker,
    generation: u64,
    counted: bool,
}

impl Pass<'_> {
    /// Counts how the call ended.
    pub fn end(mut self, verdict: Verdict, now: Instant, wall: DateTime<Utc>) {
        self.counted = true;
        self.breaker.count(verdict, self.generation, now, wall);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.counted {
            return;
        }
        let mut inner = self.breaker.lock();
        if inner.generation == self.generation
            && let Some(open) = &mut inner.open
        {
            open.probing = false;
        }
    }
}

/// The breakers of all providers.
#[derive(Debug)]
pub struct Breakers([Breaker; Provider::ALL.len()]);

impl Breakers {
    /// All closed.
    pub fn new(settings: BreakerSettings) -> Self {
        Self(std::array::from_fn(|_| Breaker::new(settings)))
    }

    /// The breaker of one provider.
    pub fn of(&self, provider: Provider) -> &Breaker {
        let [registry, face, sms, push] = &self.0;
        match provider {
            Provider::Registry => registry,
            Provider::Face => face,
            Provider::Sms => sms,
            Provider::Push => push,
        }
    }

    /// How all of them stand now.
    pub fn report(&self) -> Vec<BreakerReport> {
        let now = Instant::now();
        let report = |&provider| {
            let (state, opened_at) = self.of(provider).state(now);
            BreakerReport { provider, state, opened_at }
        };
        Provider::ALL.iter().map(report).collect()
    }
}

impl Default for Breakers {
    fn default() -> Self {
        Self::new(BreakerSettings::default())
    }
}

#[cfg(test)]
mod tests;

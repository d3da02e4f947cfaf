//! How circuit breakers (断路器) stand, as processes tell each other.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{provider_error::Provider, wire::wire_enum};

wire_enum! {
    /// How a circuit breaker stands.
    pub enum BreakerState as "breaker state" {
        /// Calls pass.
        Closed = "closed",
        /// Nothing passes.
        Open = "open",
        /// One call at a time passes as a probe.
        HalfOpen = "half_open",
    }
}

impl BreakerState {
    const fn severity(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// How the breaker of one provider stands in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerReport {
    /// Whose breaker.
    pub provider: Provider,
    /// How it stands.
    pub state: BreakerState,
    /// Since when it is not closed.
    pub opened_at: Option<DateTime<Utc>>,
}

/// The worst report of some providers; none when nobody calls them.
pub fn worst(reports: &[BreakerReport], of: &[Provider]) -> Option<BreakerReport> {
    reports
        .iter()
        .filter(|report| of.contains(&report.provider))
        .max_by_key(|report| (report.state.severity(), std::cmp::Reverse(report.opened_at)))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts_and_of_equals_the_one_that_lasts_longest() {
        let report = |provider, state, minute: u32| BreakerReport {
            provider,
            state,
            opened_at: format!("2026-11-20T02:{minute:02}:00Z").parse().ok().filter(|_| state != BreakerState::Closed),
        };
        let reports = [
            report(Provider::Sms, BreakerState::Closed, 0),
            report(Provider::Sms, BreakerState::HalfOpen, 1),
            report(Provider::Push, BreakerState::Open, 3),
            report(Provider::Push, BreakerState::Open, 2),
        ];
        assert_eq!(worst(&reports, &[Provider::Sms]), Some(reports[1]));
        assert_eq!(worst(&reports, &[Provider::Sms, Provider::Push]), Some(reports[3]));
        assert_eq!(worst(&reports, &[Provider::Face]), None);
        assert_eq!(worst(&reports, &[]), None);
    }
}

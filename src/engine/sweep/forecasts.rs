//! Keeps a forecast of missed due times for each hour, and compares each with what came, once it has come.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::{
    Engine,
    forecast::{BACK, WhatIf, look},
};

use super::{Reconciler, Sweep, Swept};

/// Decisions of the last moment may still be under way.
const SETTLED: TimeDelta = TimeDelta::minutes(1);

/// The forecasts reconciler.
pub struct Forecasts(pub Engine);

#[async_trait]
impl Sweep for Forecasts {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Forecasts
    }

    fn period(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let shared = &self.0.shared;
        let (store, now) = (&shared.store, shared.clock.now());
        let hour = |at: DateTime<Utc>| at.timestamp().div_euclid(3600);
        let kept = store.forecasts(now - BACK).await?;
        let mut items = 0;
        if kept.last().is_none_or(|last| hour(last.at) < hour(now))
            && let Some(said) = look(shared, &WhatIf::default()).await?.said()
        {
            store.put_forecast(&said).await?;
            store.forget_forecasts(now - BACK).await?;
            items += 1;
        }
        let mut ripe = kept.iter().filter(|said| said.came.is_none() && said.until + SETTLED < now);
        // One at a time: each reads the reviews of a day.
        if let Some(said) = ripe.next() {
            store.judge_forecast(said.at, store.missed_between(said.at, said.until).await?).await?;
            items += 1;
        }
        Ok(Swept { items, more: ripe.next().is_some() })
    }
}

//! Follows calendar imports: computes open promises again that stand on another calendar than the newest.

use std::time::Duration;

use async_trait::async_trait;

use crate::{domain::cause::Cause, engine::Engine};

use super::{Reconciler, Sweep, Swept, apply_to_all};

const BATCH: usize = 200;

/// The calendar reconciler.
pub struct Calendars(pub Engine);

#[async_trait]
impl Sweep for Calendars {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Calendar
    }

    fn period(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let shared = &self.0.shared;
        shared.follow_calendar().await?;
        let calendar = shared.calendar();
        let ids = shared.store.outdated_deadlines(calendar.version(), BATCH).await?;
        let swept = Swept::batch(ids.len(), BATCH);
        apply_to_all(&self.0.committer, ids, &Cause::CalendarChanged).await?;
        Ok(swept)
    }
}

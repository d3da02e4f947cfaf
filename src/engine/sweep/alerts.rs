//! Mails operators: what happened since the last mail, in one digest, and a calendar whose data ends soon.
//!
//! At least once: a mail whose sending is unclear is sent again. Never personal data: ids, kinds and times only.

mod digest;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::{domain::calendar::local_date, engine::Engine};

use super::{Reconciler, Sweep, Swept};
use digest::Mail;

/// So many alerts go into one digest; the rest follow in the next one.
const BATCH: usize = 1000;
/// The role of the processes that mail.
const ROLE: &str = "scheduler";

/// Mails operations.
#[async_trait]
pub trait OperationsMail: Send + Sync {
    /// Sends one plain-text mail to whoever is configured.
    ///
    /// # Errors
    /// The mail was not taken, or that is not known.
    async fn send(&self, subject: &str, body: &str) -> anyhow::Result<()>;
}

/// Configuration of the mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// At least so long between two digests.
    pub digest: Duration,
    /// Operators are told daily from so many days before the calendar's data ends.
    pub calendar_warn_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { digest: Duration::from_secs(60), calendar_warn_days: 30 }
    }
}

/// The alert reconciler.
pub struct Alerts {
    engine: Engine,
    mail: Box<dyn OperationsMail>,
    settings: Settings,
    sent: Mutex<Sent>,
}

/// What this process sent last.
#[derive(Debug, Default)]
struct Sent {
    digest: Option<Instant>,
    calendar: Option<NaiveDate>,
}

impl Alerts {
    /// Mails what the engine's store holds.
    pub fn new(engine: Engine, mail: Box<dyn OperationsMail>, settings: Settings) -> Self {
        Self { engine, mail, settings, sent: Mutex::default() }
    }
}

#[async_trait]
impl Sweep for Alerts {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Alerts
    }

    fn period(&self) -> Duration {
        (self.settings.digest / 4).clamp(Duration::from_secs(1), Duration::from_secs(15))
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        if self.is_left_to_another().await? {
            return Ok(Swept::of(0));
        }
        let digest = self.send_digest().await;
        // A mail server that refuses one mail may take the other.
        self.send_calendar_notice().await?;
        Ok(Swept::of(digest?))
    }
}

impl Alerts {
    /// One process mails: the scheduler that started first. Two that disagree for a moment mail twice, nothing worse.
    async fn is_left_to_another(&self) -> anyhow::Result<bool> {
        let shared = &self.engine.shared;
        let processes = shared.store.processes().await?;
        Ok(processes.iter().any(|other| other.lease < shared.lease && other.roles.iter().any(|role| role == ROLE)))
    }

    /// Answers how many alerts were mailed.
    async fn send_digest(&self) -> anyhow::Result<usize> {
        if self.sent(|sent| sent.digest.is_some_and(|at| at.elapsed() < self.settings.digest)) {
            return Ok(0);
        }
        let store = &self.engine.shared.store;
        let alerts = store.unmailed_alerts(BATCH).await?;
        if alerts.is_empty() {
            return Ok(0);
        }
        let Mail { subject, body } = digest::of_alerts(&alerts, alerts.len() == BATCH);
        self.mail.send(&subject, &body).await?;
        self.sent(|sent| sent.digest = Some(Instant::now()));
        let ids: Vec<i64> = alerts.iter().map(|alert| alert.id).collect();
        store.mark_alerts_mailed(&ids).await?;
        Ok(ids.len())
    }

    async fn send_calendar_notice(&self) -> anyhow::Result<()> {
        let shared = &self.engine.shared;
        let (calendar, today) = (shared.calendar(), local_date(shared.clock.now()));
        let left = (calendar.data_ends() - today).num_days();
        if left >= i64::from(self.settings.calendar_warn_days) || self.sent(|sent| sent.calendar == Some(today)) {
            return Ok(());
        }
        let Mail { subject, body } = digest::of_calendar(calendar.version(), calendar.data_ends(), left);
        self.mail.send(&subject, &body).await?;
        self.sent(|sent| sent.calendar = Some(today));
        Ok(())
    }

    fn sent<T>(&self, look: impl FnOnce(&mut Sent) -> T) -> T {
        look(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;

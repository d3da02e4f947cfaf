//! The process itself: server, engine, limits, audit, retention, logs.

use super::{
    problem::Problems,
    values::{Bind, Seconds},
};
use crate::{domain::stage::Stage, telemetry};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// `GREENLANE_BIND`; `PORT` replaces the port.
    pub bind: Bind,
    /// The header in which the proxy before it names the client's address; none: the peer's address counts.
    pub client_address_header: Option<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self { bind: Bind::local(8080), client_address_header: None }
    }
}

impl ServerConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        problems.require(
            self.client_address_header.as_deref().is_none_or(is_name),
            "server.client_address_header",
            "must be the name of a header such as `x-real-ip`",
        );
    }
}

/// `[session]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionConfig {
    /// A session ends after so long without use.
    pub idle_seconds: Seconds,
    /// A session ends after so long in any case.
    pub absolute_seconds: Seconds,
    /// Whether its cookie travels over TLS only: `always`, `never`, or `auto`, which is `always` unless the server
    /// listens on this machine only.
    pub secure_cookie: String,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            idle_seconds: Seconds::new(3600),
            absolute_seconds: Seconds::new(12 * 3600),
            secure_cookie: "auto".to_owned(),
        }
    }
}

impl SessionConfig {
    /// Whether the cookie travels over TLS only, for a server that listens there.
    pub fn is_secure(&self, bind: &Bind) -> bool {
        match self.secure_cookie.as_str() {
            "never" => false,
            "auto" => !bind.is_local(),
            _ => true,
        }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            (1.0..=86_400.0).contains(&self.idle_seconds.get()),
            "session.idle_seconds",
            "must be 1 to 86400: an abandoned browser must not stay signed in",
        );
        problems.require(
            (1.0..=604_800.0).contains(&self.absolute_seconds.get()),
            "session.absolute_seconds",
            "must be 1 to 604800",
        );
        problems.require(
            ["always", "never", "auto"].contains(&self.secure_cookie.as_str()),
            "session.secure_cookie",
            "must be `always`, `never` or `auto`",
        );
    }
}

/// `[engine]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// How long a claimed job belongs to its process without renewal.
    pub lease_seconds: Seconds,
    /// The safety net: how often the table is asked for due jobs.
    pub poll_ms: u64,
    /// The most plans that one transaction commits.
    pub commit_batch: usize,
    /// The longest a plan waits, under load, for others to share its transaction.
    pub commit_linger_ms: u64,
    /// Stages that run more or fewer at once in this process than their workflow says.
    pub concurrency: BTreeMap<Stage, usize>,
    /// How long a stopping process waits for what it runs; giving back the rest takes up to 3 seconds more.
    pub drain_seconds: Seconds,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            lease_seconds: Seconds::new(10),
            poll_ms: 250,
            commit_batch: 1000,
            commit_linger_ms: 20,
            concurrency: BTreeMap::new(),
            drain_seconds: Seconds::new(20),
        }
    }
}

impl EngineConfig {
    /// The poll interval.
    pub fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    /// The longest a plan waits for others.
    pub fn commit_linger(&self) -> Duration {
        Duration::from_millis(self.commit_linger_ms)
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            (1.0..=3600.0).contains(&self.lease_seconds.get()),
            "engine.lease_seconds",
            "must be 1 to 3600: a shorter lease lapses while its job runs, a longer one strands it",
        );
        problems.require(
            (10..=60_000).contains(&self.poll_ms),
            "engine.poll_ms",
            "must be 10 to 60000: the poll finds what no wake-up announced",
        );
        problems.require((1..=5000).contains(&self.commit_batch), "engine.commit_batch", "must be 1 to 5000");
        problems.require(
            self.commit_linger_ms <= 100,
            "engine.commit_linger_ms",
            "must be 0 to 100: every application waits for it at every stage",
        );
        for (stage, limit) in &self.concurrency {
            let key = format!("engine.concurrency.{stage}");
            problems.require(
                (1..=10_000).contains(limit),
                &key,
                "must be 1 to 10000; to stop a stage pause its queue instead",
            );
        }
    }
}

/// `[limits]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests a second of one API key; 0: no limit.
    pub requests_per_second: f64,
    /// So many requests at once before the rate counts.
    pub requests_burst: u32,
    /// Failed logins of one user or address within the window before it must wait.
    pub login_attempts: u32,
    /// The window.
    pub login_window_seconds: Seconds,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            requests_per_second: 5000.0,
            requests_burst: 10_000,
            login_attempts: 10,
            login_window_seconds: Seconds::new(900),
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            self.requests_per_second == 0.0 || (0.0001..=1_000_000.0).contains(&self.requests_per_second),
            "limits.requests_per_second",
            "must be 0 for no limit, or 0.0001 to 1000000",
        );
        for (key, value) in
            [("limits.requests_burst", self.requests_burst), ("limits.login_attempts", self.login_attempts)]
        {
            problems.require(value >= 1, key, "must be 1 or more");
        }
        problems.require(self.login_window_seconds.get() >= 1.0, "limits.login_window_seconds", "must be 1 or more");
    }
}

/// `[audit]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// How often the heads of the chains are signed.
    pub checkpoint_seconds: Seconds,
    /// A folder outside the database that receives a copy of every checkpoint.
    pub checkpoint_folder: Option<PathBuf>,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { checkpoint_seconds: Seconds::new(60), checkpoint_folder: None }
    }
}

impl AuditConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            (1.0..=86_400.0).contains(&self.checkpoint_seconds.get()),
            "audit.checkpoint_seconds",
            "must be 1 to 86400: what is newer than the last checkpoint can be cut off unseen",
        );
    }
}

/// `[retention]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// Uploaded photos that no application named are erased after so many hours.
    pub unused_photo_hours: u32,
    /// Uploaded photos of applications that were refused or withdrawn are erased after so many days.
    pub rejected_photo_days: u32,
    /// Delivered webhooks are listed for so many days.
    pub webhook_days: u32,
    /// Webhooks that were given up can be sent again for so many days after the change.
    pub dead_webhook_days: u32,
    /// Alerts are deleted so many days after they happened, once they were mailed.
    pub alert_days: u32,
    /// Bulk acts are deleted after so many days, once it is known what became of each application.
    pub batch_days: u32,
    /// Checks of presentations are listed for the holder for so many days. One day is longer than any presentation is good,
    /// so that none can be used twice.
    pub verification_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            unused_photo_hours: 24,
            rejected_photo_days: 30,
            webhook_days: 30,
            dead_webhook_days: 365,
            alert_days: 90,
            batch_days: 90,
            verification_days: 5 * 365,
        }
    }
}

impl RetentionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, value) in [
            ("retention.unused_photo_hours", self.unused_photo_hours),
            ("retention.rejected_photo_days", self.rejected_photo_days),
            ("retention.webhook_days", self.webhook_days),
            ("retention.dead_webhook_days", self.dead_webhook_days),
            ("retention.alert_days", self.alert_days),
            ("retention.batch_days", self.batch_days),
            ("retention.verification_days", self.verification_days),
        ] {
            problems.require((1..=36_500).contains(&value), key, "must be 1 to 36500");
        }
    }
}

/// `[telemetry]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// `RUST_LOG`: which log lines are written, as `level` or `target=level`, with commas.
    pub log: String,
    /// Log lines as JSON, for machines.
    pub json: bool,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log: telemetry::DEFAULT_FILTER.to_owned(), json: false }
    }
}

impl TelemetryConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = telemetry::check(&self.log) {
            problems.add("telemetry.log", error.to_string());
        }
    }
}

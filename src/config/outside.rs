//! The outside systems: providers, mail, upstream systems.

use super::{
    problem::{Problem, Problems},
    values::{Seconds, SecretUrl},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[providers]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProvidersConfig {
    /// The longest time from a request to the last byte of its answer.
    pub timeout_seconds: Seconds,
    /// The longest time to make a connection.
    pub connect_timeout_seconds: Seconds,
    /// When a provider is left alone.
    pub breaker: BreakerConfig,
    /// The licence registry.
    pub registry: ProviderConfig,
    /// Face verification (实人认证).
    pub face: ProviderConfig,
    /// The SMS gateway.
    pub sms: ProviderConfig,
    /// The app's push service.
    pub push: ProviderConfig,
}

impl Default for ProvidersConfig {
    fn default() -> Self {
        Self {
            timeout_seconds: Seconds::new(5),
            connect_timeout_seconds: Seconds::new(2),
            breaker: BreakerConfig::default(),
            registry: ProviderConfig::default(),
            face: ProviderConfig::default(),
            sms: ProviderConfig::default(),
            push: ProviderConfig::default(),
        }
    }
}

/// `[providers.registry]`, `[providers.face]`, `[providers.sms]`, `[providers.push]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProviderConfig {
    /// The base, without `/v1`. `GREENLANE_REGISTRY_URL` and so on.
    pub url: Option<SecretUrl>,
    /// Calls a second over all processes; 0: no limit.
    pub rate_per_second: f64,
    /// So many calls at once before the rate counts.
    pub rate_burst: u32,
}

impl Default for ProviderConfig {
    fn default() -> Self {
        Self { url: None, rate_per_second: 0.0, rate_burst: 50 }
    }
}

/// `[providers.breaker]`, one breaker for each provider and process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// How far back calls count.
    pub window_seconds: Seconds,
    /// Fewer calls than this in the window never open it.
    pub min_calls: u32,
    /// The share of failed calls that opens it, above 0 to 1.
    pub failure_ratio: f64,
    /// How long it stays open the first time.
    pub open_seconds: Seconds,
    /// The longest that doubling makes of it.
    pub max_open_seconds: Seconds,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            window_seconds: Seconds::new(30),
            min_calls: 50,
            failure_ratio: 0.5,
            open_seconds: Seconds::new(2),
            max_open_seconds: Seconds::new(10),
        }
    }
}

impl ProvidersConfig {
    /// The provider sections with their names and the variables that set their URLs.
    pub fn each(&self) -> [(&'static str, &'static str, &ProviderConfig); 4] {
        [
            ("registry", "GREENLANE_REGISTRY_URL", &self.registry),
            ("face", "GREENLANE_FACE_URL", &self.face),
            ("sms", "GREENLANE_SMS_URL", &self.sms),
            ("push", "GREENLANE_PUSH_URL", &self.push),
        ]
    }

    /// One problem for each provider without a URL: nothing stands in for it outside `demo`.
    pub fn missing(&self) -> Vec<Problem> {
        let without = self.each().into_iter().filter(|(_, _, provider)| provider.url.is_none());
        without
            .map(|(name, variable, _)| {
                Problem::new(format!("providers.{name}.url"), format!("is required; set {variable}"))
            })
            .collect()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        for (key, value) in [
            ("providers.timeout_seconds", self.timeout_seconds),
            ("providers.connect_timeout_seconds", self.connect_timeout_seconds),
            ("providers.breaker.window_seconds", self.breaker.window_seconds),
            ("providers.breaker.open_seconds", self.breaker.open_seconds),
        ] {
            problems.require(value.get() > 0.0, key, "must be above 0");
        }
        problems.require(
            self.breaker.failure_ratio > 0.0 && self.breaker.failure_ratio <= 1.0,
            "providers.breaker.failure_ratio",
            "must be above 0 and at most 1: it is a share of the calls",
        );
        problems.require(
            self.breaker.min_calls >= 1,
            "providers.breaker.min_calls",
            "must be 1 or more: a share of no calls says nothing",
        );
        problems.require(
            self.breaker.max_open_seconds >= self.breaker.open_seconds,
            "providers.breaker.max_open_seconds",
            "must not be below open_seconds",
        );
        for (name, _, provider) in self.each() {
            provider.check(&format!("providers.{name}"), problems);
        }
    }
}

impl ProviderConfig {
    fn check(&self, section: &str, problems: &mut Problems) {
        problems.require(
            self.url.as_ref().is_none_or(is_http),
            &format!("{section}.url"),
            "must begin with `https://` or `http://`",
        );
        problems.require(
            self.rate_per_second == 0.0 || (0.0001..=1_000_000.0).contains(&self.rate_per_second),
            &format!("{section}.rate_per_second"),
            "must be 0 for no limit, or 0.0001 to 1000000",
        );
        problems.require(self.rate_burst >= 1, &format!("{section}.rate_burst"), "must be 1 or more");
    }
}

fn is_http(url: &SecretUrl) -> bool {
    matches!(url.expose().scheme(), "http" | "https")
}

/// `[mail]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// `SMTP_URL` (`smtp://` or `smtps://`); none: mails are written to `file_dir`.
    pub url: Option<SecretUrl>,
    /// The sender's address.
    pub from: String,
    /// Who hears of breached deadlines and a calendar that ends.
    pub operations: Vec<String>,
    /// Where mails are written without `url`.
    pub file_dir: PathBuf,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            url: None,
            from: "greenlane@localhost".to_owned(),
            operations: vec!["operations@localhost".to_owned()],
            file_dir: "var/mail".into(),
        }
    }
}

impl MailConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            self.url.as_ref().is_none_or(|url| matches!(url.expose().scheme(), "smtp" | "smtps")),
            "mail.url",
            "must begin with `smtp://` or `smtps://`",
        );
        problems.require(is_address(&self.from), "mail.from", "must be a mail address");
        problems.require(
            !self.operations.is_empty() && self.operations.iter().all(|address| is_address(address)),
            "mail.operations",
            "must list at least one mail address: somebody must hear of a breached deadline",
        );
    }
}

/// A rough test; the mail library has the last word.
fn is_address(text: &str) -> bool {
    matches!(text.split_once('@'), Some((user, host)) if !user.is_empty() && !host.is_empty())
}

/// `[webhooks]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Allows callback addresses that are not public, and http.
    pub allow_private_callbacks: bool,
    /// Multiplies every wait between two tries.
    pub retry_scale: f64,
    /// The longest time for one try.
    pub timeout_seconds: Seconds,
}

impl Default for WebhooksConfig {
    fn default() -> Self {
        Self { allow_private_callbacks: false, retry_scale: 1.0, timeout_seconds: Seconds::new(10) }
    }
}

impl WebhooksConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        check_scale(self.retry_scale, "webhooks.retry_scale", problems);
        problems.require(self.timeout_seconds.get() > 0.0, "webhooks.timeout_seconds", "must be above 0");
    }
}

/// A factor on waits: 0 would retry without a pause.
pub(super) fn check_scale(scale: f64, key: &str, problems: &mut Problems) {
    let reason = "must be above 0 and at most 1000; 1.0 leaves the waits as they are";
    problems.require(scale > 0.0 && scale <= 1000.0, key, reason);
}

//! Where things are kept: database, Redis, photos, key material.

use super::{
    problem::Problems,
    values::{BlobLocation, DatabaseUrl, Seconds, SecretUrl},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[database]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`.
    pub url: DatabaseUrl,
    /// PostgreSQL: connections of this process. SQLite: readers; there is one writer.
    pub max_connections: u32,
    /// The longest wait for a connection.
    pub connect_timeout_seconds: Seconds,
    /// The longest time for one statement; a connection that exceeds it is closed.
    pub statement_timeout_seconds: Seconds,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::embedded(),
            max_connections: 16,
            connect_timeout_seconds: Seconds::new(5),
            statement_timeout_seconds: Seconds::new(10),
        }
    }
}

impl DatabaseConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            (2..=1000).contains(&self.max_connections),
            "database.max_connections",
            "must be 2 to 1000: one connection can be busy while another is needed",
        );
        for (key, value) in [
            ("database.connect_timeout_seconds", self.connect_timeout_seconds),
            ("database.statement_timeout_seconds", self.statement_timeout_seconds),
        ] {
            problems.require(value.get() > 0.0, key, "must be above 0: every database call has a time limit");
        }
    }
}

/// `[redis]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RedisConfig {
    /// `REDIS_URL`; none: hints stay within the process.
    pub url: Option<SecretUrl>,
}

impl RedisConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let known = |url: &SecretUrl| matches!(url.expose().scheme(), "redis" | "rediss");
        problems.require(
            self.url.as_ref().is_none_or(known),
            "redis.url",
            "must begin with `redis://`, or `rediss://` for TLS",
        );
    }
}

/// `[blob]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlobConfig {
    /// `GREENLANE_BLOB_URL`.
    pub url: BlobLocation,
}

impl Default for BlobConfig {
    fn default() -> Self {
        Self { url: BlobLocation::Folder("var/photos".into()) }
    }
}

/// `[secrets]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// `GREENLANE_SECRET_FILE`; none: beside the SQLite database, see
    /// [`super::Config::secret_file`].
    pub file: Option<PathBuf>,
}

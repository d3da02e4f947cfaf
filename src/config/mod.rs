//! Configuration: one struct per concern, each of which says rule and remedy for what it refuses.
//!
//! Later sources win: the defaults, the file (`GREENLANE_CONFIG`, else `greenlane.toml` of the
//! working directory when it is there), the named variables (`DATABASE_URL`, …), and
//! `GREENLANE__SECTION__KEY` for any key. `greenlane.example.toml` explains every key.

mod business;
mod load;
mod outside;
mod problem;
mod process;
mod schema;
mod storage;
mod values;
pub mod workflow_files;

pub use business::{CalendarConfig, FaceConfig, LicenceConfig, PhotosConfig, ReviewConfig, WorkflowConfig};
pub use outside::{BreakerConfig, MailConfig, ProviderConfig, ProvidersConfig, WebhooksConfig};
pub use problem::Problem;
pub use process::{
    AuditConfig, EngineConfig, LimitsConfig, RetentionConfig, ServerConfig, SessionConfig, TelemetryConfig,
};
pub use storage::{BlobConfig, DatabaseConfig, RedisConfig, SecretsConfig};
pub use values::{Bind, BlobLocation, DatabaseKind, DatabaseUrl, InvalidValue, Seconds, SecretUrl};

use problem::Problems;
use serde::{Deserialize, Serialize};

/// Everything that can be configured. `Debug` and serialisation redact what is secret.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// The database.
    pub database: DatabaseConfig,
    /// Redis, which is optional.
    pub redis: RedisConfig,
    /// The outside systems and how they are called.
    pub providers: ProvidersConfig,
    /// Mail to operations.
    pub mail: MailConfig,
    /// Where photos are kept.
    pub blob: BlobConfig,
    /// The key material.
    pub secrets: SecretsConfig,
    /// The workflow files.
    pub workflow: WorkflowConfig,
    /// The working-day calendar.
    pub calendar: CalendarConfig,
    /// How stages are run.
    pub engine: EngineConfig,
    /// Face verification (实人认证).
    pub face: FaceConfig,
    /// Photo review (照片审核).
    pub review: ReviewConfig,
    /// Automatic photo checks.
    pub photos: PhotosConfig,
    /// Issued licences and their presentation (亮码).
    pub licence: LicenceConfig,
    /// Webhooks to upstream systems.
    pub webhooks: WebhooksConfig,
    /// Sessions of people at a browser.
    pub session: SessionConfig,
    /// Protection against too many requests.
    pub limits: LimitsConfig,
    /// The audit log.
    pub audit: AuditConfig,
    /// How long things are kept.
    pub retention: RetentionConfig,
    /// Logs.
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Every value that a rule forbids, with the remedy. Cheap; touches no file.
    pub fn validate(&self) -> Result<(), Vec<Problem>> {
        let mut problems = Problems::default();
        self.server.check(&mut problems);
        self.database.check(&mut problems);
        self.redis.check(&mut problems);
        self.providers.check(&mut problems);
        self.mail.check(&mut problems);
        self.workflow.check(&mut problems);
        self.engine.check(&mut problems);
        self.face.check(&mut problems);
        self.review.check(&mut problems);
        self.licence.check(&mut problems);
        self.webhooks.check(&mut problems);
        self.session.check(&mut problems);
        self.limits.check(&mut problems);
        self.audit.check(&mut problems);
        self.retention.check(&mut problems);
        self.telemetry.check(&mut problems);
        problems.into_result()
    }

    /// The key material file: `[secrets] file`, else beside the SQLite database. None for a
    /// database in memory, whose keys need not outlive the process, and for PostgreSQL, where
    /// [`Config::secret_file_required`] names the problem.
    pub fn secret_file(&self) -> Option<std::path::PathBuf> {
        self.secrets.file.clone().or_else(|| {
            let database = self.database.url.sqlite_path()?;
            Some(database.with_extension("keys.toml"))
        })
    }

    /// With PostgreSQL the key material must be named: several machines share it.
    pub fn secret_file_required(&self) -> Result<(), Problem> {
        if self.database.url.kind() == DatabaseKind::Postgres && self.secrets.file.is_none() {
            return Err(Problem::new(
                "secrets.file",
                "is required with PostgreSQL; create one with `greenlane secret create FILE` and set GREENLANE_SECRET_FILE",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Config::default().secret_file_required(), Ok(()));
    }

    #[test]
    fn key_material_lies_beside_the_sqlite_database() {
        let mut config = Config::default();
        let file = |config: &Config| config.secret_file().map(|path| path.display().to_string());
        assert_eq!(file(&config).as_deref(), Some("var/greenlane.keys.toml"));
        config.database.url = "sqlite::memory:".parse().unwrap();
        assert_eq!(file(&config), None);
        config.database.url = "postgres://db/greenlane".parse().unwrap();
        assert_eq!(file(&config), None);
        assert!(config.secret_file_required().unwrap_err().to_string().contains("greenlane secret create"));
        config.secrets.file = Some("keys.toml".into());
        assert_eq!(file(&config).as_deref(), Some("keys.toml"));
        assert_eq!(config.secret_file_required(), Ok(()));
    }
}

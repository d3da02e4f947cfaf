//! `greenlane migrate`: brings the schema of `DATABASE_URL` up to this program.

use std::process::ExitCode;

use crate::{config::Config, store};

/// Applies what is missing; nothing to do is no failure.
///
/// # Errors
/// The database cannot be reached, or is newer than the program.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    store::migrate(config.database.url.expose()).await?;
    eprintln!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}

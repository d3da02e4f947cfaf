//! `greenlane secret`: key material for installations on PostgreSQL.

use std::path::PathBuf;

use clap::Subcommand;

use crate::secrets::{KeyFileError, KeyMaterial};

/// What to do with key material.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Write fresh key material to a new file (mode 0600); never overwrites one
    Create {
        /// The file, to be named in `GREENLANE_SECRET_FILE` of every process
        file: PathBuf,
    },
}

impl SecretCommand {
    /// Runs the command. Says nothing on success.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub fn run(self) -> Result<(), KeyFileError> {
        match self {
            Self::Create { file } => KeyMaterial::create(&file).map(drop),
        }
    }
}

//! Key material, encryption of personal data, blind indexes and API key digests.
//!
//! [`KeyMaterial`] is loaded once at start and shared; everything that needs a key asks it.

mod api_key;
mod checkpoint;
mod cose;
mod file;
mod key;
mod material;
pub mod password;
mod sealer;
mod signing;
mod webhook;

pub use api_key::{ApiKey, ApiKeyError, digests_match};
pub use checkpoint::{CheckpointSigner, Jwk, SignatureError};
pub use cose::Signed;
pub use file::KeyFileError;
pub use material::KeyMaterial;
pub use sealer::{Context, DataKey, SealError, Sealer, WrappedKey};
pub use signing::{Signer, SigningAlgorithm, SigningKeys};
pub use webhook::{WebhookSecret, WebhookSecretError};

//! Inspection of uploaded photos (照片检查): what is not a sound JPEG or PNG never reaches a decoder,
//! what does is decoded within limits, turned upright, stripped of all metadata by re-encoding, and
//! put through the automatic checks. A person decides on every photo that passes.
//!
//! [`PhotoVault`] keeps the portraits of licences, encrypted, beside the uploads.

mod background;
mod checks;
mod face;
mod file;
mod inspector;
mod origin;
pub mod photo_file;
mod thresholds;
mod vault;

#[cfg(test)]
pub(crate) mod samples;

pub use checks::EXAMINED;
pub use face::MODEL_VERSION;
pub use file::{MAX_BYTES, MAX_PIXELS, MAX_SIDE};
pub use inspector::{InspectError, Inspected, Inspector, Rejected};
pub use thresholds::{AspectRule, BadThresholds, OnBreach, Rule, Thresholds, WhiteRule};
pub use vault::{PhotoVault, VaultError};

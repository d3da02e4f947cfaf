//! The entry: one upload in, a clean picture with its checks or every reason against it out.

use std::fmt;
use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use image::DynamicImage;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::checks;
use super::face::FaceFinder;
use super::file::{self, FileError};
use super::origin::Origin;
use super::thresholds::Thresholds;
use crate::domain::application::PhotoSource;
use crate::domain::photo_check::{Check, CheckResult};

/// A photo that was accepted for review.
#[derive(Clone, PartialEq)]
pub struct Inspected {
    /// The picture, upright, re-encoded as JPEG without any metadata. Personal data.
    pub jpeg: Vec<u8>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// SHA-256 of `jpeg`, in lower-case hex.
    pub sha256: String,
    /// What the checks found: none of them `fail`.
    pub checks: Vec<Check>,
    /// The limits that were applied.
    pub thresholds_version: String,
}

impl fmt::Debug for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspected")
            .field("jpeg", &format_args!("{} bytes", self.jpeg.len()))
            .field("width", &self.width)
            .field("height", &self.height)
            .field("checks", &self.checks)
            .finish_non_exhaustive()
    }
}

/// A photo that was refused, with every reason at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// The checks that failed; at least one.
    pub reasons: Vec<Check>,
    /// The limits that were applied.
    pub thresholds_version: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("photo refused:")?;
        self.reasons.iter().try_for_each(|check| write!(f, " `{}`", check.code))
    }
}

impl std::error::Error for Rejected {}

/// Why an inspection gave no picture.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InspectError {
    /// The photo is at fault.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The process is at fault (it is stopping, or the inspection crashed); the photo may be sent again.
    #[error("the inspection was interrupted")]
    Interrupted,
}

/// Inspects photos. Cloning is cheap and shares the face model and the bound on concurrent work.
#[derive(Clone)]
pub struct Inspector {
    finder: FaceFinder,
    limits: Arc<Thresholds>,
    running: Arc<Semaphore>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("thresholds", &self.limits.version).finish_non_exhaustive()
    }
}

impl Inspector {
    /// Loads the face model. At most `concurrency` (at least 1) photos are inspected at a time; each may
    /// take about 400 MB at the largest allowed size, and one processor.
    ///
    /// # Errors
    /// When the model that is part of the program cannot be read: the build is broken.
    pub fn new(thresholds: Thresholds, concurrency: usize) -> io::Result<Self> {
        let permits = concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self { finder: FaceFinder::load()?, limits: Arc::new(thresholds), running: Arc::new(Semaphore::new(permits)) })
    }

    /// Inspects one file. Busy for some tens of milliseconds and more: not for an async task, see
    /// [`Self::inspect_async`]. `declared` is where the applicant says the photo comes from, `now` the
    /// time its age is counted to.
    ///
    /// # Errors
    /// [`Rejected`] with every check that failed.
    pub fn inspect(&self, bytes: &[u8], declared: PhotoSource, now: DateTime<Utc>) -> Result<Inspected, Rejected> {
        let refuse = |error: FileError| self.rejected(vec![checks::file_refused(&error)]);
        let picture = file::decode(bytes).map_err(refuse)?;
        let origin = Origin::read(bytes);
        let mut upright = DynamicImage::ImageRgb8(picture.pixels);
        upright.apply_orientation(origin.orientation);
        let upright = upright.into_rgb8();

        let mut found = vec![checks::file_accepted(bytes.len())];
        found.extend(checks::all(&upright, &origin, declared, now, &self.finder, &self.limits));
        found.extend(checks::transparency(picture.translucent));
        let reasons: Vec<Check> = found.iter().filter(|c| c.result == CheckResult::Fail).cloned().collect();
        if !reasons.is_empty() {
            return Err(self.rejected(reasons));
        }

        let jpeg = file::encode(&upright).map_err(refuse)?;
        Ok(Inspected {
            sha256: hex::encode(Sha256::digest(&jpeg)),
            jpeg,
            width: upright.width(),
            height: upright.height(),
            checks: found,
            thresholds_version: self.limits.version.clone(),
        })
    }

    /// [`Self::inspect`] on a blocking thread, waiting for its turn. A caller that gives up does not
    /// free the turn before the work is done.
    ///
    /// # Errors
    /// [`InspectError`].
    pub async fn inspect_async(
        &self,
        bytes: impl AsRef<[u8]> + Send + 'static,
        declared: PhotoSource,
        now: DateTime<Utc>,
    ) -> Result<Inspected, InspectError> {
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| InspectError::Interrupted)?;
        let inspector = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            inspector.inspect(bytes.as_ref(), declared, now)
        });
        Ok(work.await.map_err(|_| InspectError::Interrupted)??)
    }

    fn rejected(&self, reasons: Vec<Check>) -> Rejected {
        Rejected { reasons, thresholds_version: self.limits.version.clone() }
    }
}

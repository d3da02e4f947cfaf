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
use crate::domain::photo_check::{Check, CheckResult, FaceBox};

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
    /// The largest face, where one was found.
    pub face: Option<FaceBox>,
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
        Ok(Self {
            finder: FaceFinder::load()?,
            limits: Arc::new(thresholds),
            running: Arc::new(Semaphore::new(permits)),
        })
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
        let (on_picture, face) = checks::all(&upright, &origin, declared, now, &self.finder, &self.limits);
        found.extend(on_picture);
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
            face,
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

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use image::{Rgb, RgbImage, imageops};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::photo_reason::PhotoReason;
    use crate::photos::samples::{self, ExifRecord};
    use crate::photos::{EXAMINED, OnBreach};

    fn inspector() -> &'static Inspector {
        static INSPECTOR: OnceLock<Inspector> = OnceLock::new();
        INSPECTOR.get_or_init(|| Inspector::new(Thresholds::default(), 2).unwrap())
    }

    fn now() -> DateTime<Utc> {
        "2026-11-20T02:00:00Z".parse().unwrap()
    }

    fn inspect(bytes: &[u8]) -> Result<Inspected, Rejected> {
        inspector().inspect(bytes, PhotoSource::Album, now())
    }

    fn codes(outcome: Result<Inspected, Rejected>) -> Vec<&'static str> {
        outcome.unwrap_err().reasons.iter().map(|check| check.code.as_str()).collect()
    }

    fn result(inspected: &Inspected, code: PhotoReason) -> CheckResult {
        inspected.checks.iter().find(|check| check.code == code).unwrap().result
    }

    /// The markers of a JPEG's segments before its pixels.
    fn markers(jpeg: &[u8]) -> Vec<u8> {
        let mut found = Vec::new();
        let mut at = 2;
        while jpeg[at + 1] != 0xDA {
            assert_eq!(jpeg[at], 0xFF);
            found.push(jpeg[at + 1]);
            at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        }
        found
    }

    #[test]
    fn a_good_portrait_passes_every_check() {
        let record =
            ExifRecord { taken: Some("2026:11:19 10:00:00"), software: Some("iOS 19.1"), ..ExifRecord::default() };
        let photo = inspect(&samples::with_exif(&samples::jpeg(&samples::portrait()), &record.tiff())).unwrap();
        let face = photo.face.unwrap();
        assert!(
            face.left > 0 && face.left + face.width < photo.width && face.top + face.height < photo.height,
            "{face:?}"
        );
        assert_eq!((photo.width, photo.height), (520, 756));
        assert_eq!(photo.checks.iter().map(|c| c.code).collect::<Vec<_>>(), EXAMINED);
        for check in &photo.checks {
            assert_eq!(check.result, CheckResult::Pass, "{check:?}");
        }
        assert_eq!(photo.sha256, hex::encode(Sha256::digest(&photo.jpeg)));
        assert_eq!(photo.thresholds_version, "2026-11");
    }

    #[test]
    fn a_plain_white_picture_is_for_a_person_to_refuse() {
        for bytes in
            [samples::jpeg(&samples::plain(520, 756, [255; 3])), samples::png(&samples::plain(520, 756, [255; 3]))]
        {
            let photo = inspect(&bytes).unwrap();
            assert_eq!(result(&photo, PhotoReason::NotRecognisable), CheckResult::Flag);
            assert_eq!(result(&photo, PhotoReason::PhotoOlderThan6Months), CheckResult::Flag);
            assert_eq!(result(&photo, PhotoReason::HeadTooSmall), CheckResult::NotChecked);
            assert_eq!(result(&photo, PhotoReason::BackgroundNotWhite), CheckResult::Pass);
        }
    }

    #[test]
    fn every_reason_is_given_at_once() {
        let record = ExifRecord { taken: Some("2020:01:01 10:00:00"), ..ExifRecord::default() };
        let bytes = samples::with_exif(&samples::jpeg(&samples::plain(400, 300, [200, 30, 30])), &record.tiff());
        let want = ["resolution_too_low", "aspect_ratio_invalid", "background_not_white", "photo_older_than_6_months"];
        assert_eq!(codes(inspect(&bytes)), want);
        let message = inspect(&bytes).unwrap_err().to_string();
        assert!(want.iter().all(|code| message.contains(code)), "{message}");
    }

    #[test]
    fn files_that_are_no_pictures_have_one_reason() {
        for bytes in
            [&b""[..], b"GIF89a", b"<html>", b"\xFF\xD8\xFF\xE0\0\x10JFIF", &samples::png_header(50_000, 50_000)]
        {
            assert_eq!(codes(inspect(bytes)), ["file_unsupported"]);
        }
    }

    #[test]
    fn two_people_are_flagged_and_refused_only_when_told_so() {
        let bytes = samples::jpeg(&samples::two_people());
        assert_eq!(result(&inspect(&bytes).unwrap(), PhotoReason::MultipleFaces), CheckResult::Flag);
        let mut limits = Thresholds { version: "test".into(), ..Thresholds::default() };
        limits.faces_max.on_breach = OnBreach::Refuse;
        let strict = Inspector::new(limits, 1).unwrap().inspect(&bytes, PhotoSource::Album, now());
        assert_eq!(strict.as_ref().unwrap_err().thresholds_version, "test");
        assert_eq!(codes(strict), ["multiple_faces"]);
    }

    #[test]
    fn all_metadata_is_stripped() {
        let record =
            ExifRecord { orientation: Some(1), gps: true, software: Some("secret tool"), ..ExifRecord::default() };
        let bytes = samples::with_exif(&samples::jpeg(&samples::portrait()), &record.tiff());
        assert!(markers(&bytes).contains(&0xE1));
        let photo = inspect(&bytes).unwrap();
        let kept = markers(&photo.jpeg);
        assert!(kept.iter().all(|m| !(0xE1..=0xEF).contains(m) && *m != 0xFE), "{kept:x?}");
        assert!(!photo.jpeg.windows(4).any(|w| w == b"Exif"));
        assert!(!photo.jpeg.windows(6).any(|w| w == b"secret"));
    }

    #[test]
    fn orientation_is_applied_to_the_pixels() {
        // A red upper left corner in the upright picture tells where up is.
        let mut upright = samples::portrait();
        imageops::replace(&mut upright, &RgbImage::from_pixel(40, 40, Rgb([255, 0, 0])), 0, 0);
        let stored = |orientation| match orientation {
            2 => imageops::flip_horizontal(&upright),
            3 => imageops::rotate180(&upright),
            6 => imageops::rotate270(&upright),
            8 => imageops::rotate90(&upright),
            _ => upright.clone(),
        };
        for orientation in [0, 1, 2, 3, 6, 8, 9, 999] {
            let record = ExifRecord { orientation: Some(orientation), ..ExifRecord::default() };
            let photo = inspect(&samples::with_exif(&samples::jpeg(&stored(orientation)), &record.tiff())).unwrap();
            assert_eq!((photo.width, photo.height), (520, 756), "{orientation}");
            let [r, g, _] = image::load_from_memory(&photo.jpeg).unwrap().to_rgb8().get_pixel(20, 20).0;
            assert!(r > 200 && g < 60, "{orientation}");
        }
    }

    #[test]
    fn a_cut_out_is_flagged() {
        let mut rgba = DynamicImage::ImageRgb8(samples::portrait()).to_rgba8();
        rgba.put_pixel(0, 0, image::Rgba([0, 0, 0, 0]));
        let mut bytes = Vec::new();
        rgba.write_to(&mut io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        let photo = inspect(&bytes).unwrap();
        assert_eq!(result(&photo, PhotoReason::CompositePhoto), CheckResult::Flag);
    }

    #[test]
    fn the_picture_stays_out_of_logs() {
        let photo = inspect(&samples::jpeg(&samples::plain(520, 756, [255; 3]))).unwrap();
        assert!(format!("{photo:?}").len() < 4_000);
    }

    #[tokio::test]
    async fn more_callers_than_turns_are_all_served() {
        let inspector = Inspector::new(Thresholds::default(), 1).unwrap();
        let bytes: Arc<[u8]> = samples::jpeg(&samples::plain(520, 756, [255; 3])).into();
        let calls = (0..4).map(|_| inspector.inspect_async(Arc::clone(&bytes), PhotoSource::Camera, now()));
        for photo in futures::future::join_all(calls).await {
            assert_eq!(photo.unwrap().width, 520);
        }
        let refused = inspector.inspect_async(Vec::new(), PhotoSource::Camera, now()).await;
        assert!(matches!(refused, Err(InspectError::Rejected(_))));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn arbitrary_bytes_never_panic(kind in 0_usize..3, mut bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let magic: &[u8] = [&b""[..], b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40\x08\x02\0\0\0"][kind];
            bytes.splice(0..0, magic.iter().copied());
            let _ = inspect(&bytes);
        }

        #[test]
        fn damaged_pictures_never_panic(png in any::<bool>(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            static WHOLE: OnceLock<[Vec<u8>; 2]> = OnceLock::new();
            let whole = WHOLE.get_or_init(|| {
                let small = imageops::thumbnail(&samples::portrait(), 65, 94);
                [samples::jpeg(&small), samples::png(&small)]
            });
            let mut bytes = whole[usize::from(png)].clone();
            for (at, with) in damage {
                let at = at.index(bytes.len());
                bytes[at] = with;
            }
            let _ = inspect(&bytes);
        }
    }
}

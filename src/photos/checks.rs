//! The list of automatic checks, and those on the file's size and on the face.

use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};

use super::background;
use super::face::{Face, FaceFinder, fit};
use super::origin::Origin;
use super::thresholds::{OnBreach, Rule, Thresholds};
use crate::domain::application::PhotoSource;
use crate::domain::photo_check::{Check, CheckResult, FaceBox, Measure};
use crate::domain::photo_reason::{AutoClass, PhotoReason};

/// The reasons that every inspection answers, in the order of its checks. Transparency adds
/// `composite_photo`; everything else is for the reviewer alone.
pub const EXAMINED: [PhotoReason; 15] = [
    PhotoReason::FileUnsupported,
    PhotoReason::ResolutionTooLow,
    PhotoReason::AspectRatioInvalid,
    PhotoReason::BackgroundNotWhite,
    PhotoReason::LightingUneven,
    PhotoReason::NotRecognisable,
    PhotoReason::MultipleFaces,
    PhotoReason::SubjectOffCentre,
    PhotoReason::HeadTooSmall,
    PhotoReason::FaceTooDark,
    PhotoReason::FaceTooBright,
    PhotoReason::FaceHalfLit,
    PhotoReason::ImageBlurred,
    PhotoReason::PhotoOlderThan6Months,
    PhotoReason::FaceRetouched,
];

/// Size of the picture that background and exposure are measured on: the standard's 260 x 378.
const WORK_SIZE: (u32, u32) = (260, 400);
/// Width that a face is scaled to before its sharpness is measured, in pixels.
const SHARPNESS_WIDTH: u32 = 256;
const WHOLE: [f64; 4] = [0.0, 0.0, 1.0, 1.0];
/// The cheeks, as left, top, right and bottom share of the face box.
const CHEEKS: [[f64; 4]; 2] = [[0.15, 0.50, 0.40, 0.75], [0.60, 0.50, 0.85, 0.75]];

/// What a measurement comes to. A machine refuses only for reasons that the trade lets it decide on.
pub(super) fn judge(code: PhotoReason, within: bool, on_breach: OnBreach) -> CheckResult {
    match (within, on_breach, code.auto()) {
        (true, ..) => CheckResult::Pass,
        (false, OnBreach::Refuse, AutoClass::Reject) => CheckResult::Fail,
        (false, ..) => CheckResult::Flag,
    }
}

fn at_least(code: PhotoReason, value: f64, rule: Rule) -> Check {
    Check::new(code, judge(code, value >= rule.limit, rule.on_breach), value, rule.limit)
}

fn at_most(code: PhotoReason, value: f64, rule: Rule) -> Check {
    Check::new(code, judge(code, value <= rule.limit, rule.on_breach), value, rule.limit)
}

/// Every check on an upright picture except that on the file itself, in the order of [`EXAMINED`], and the largest face.
pub(super) fn all(
    picture: &RgbImage,
    origin: &Origin,
    declared: PhotoSource,
    now: chrono::DateTime<chrono::Utc>,
    finder: &FaceFinder,
    limits: &Thresholds,
) -> (Vec<Check>, Option<FaceBox>) {
    let (width, height) = fit(picture.width(), picture.height(), WORK_SIZE.0, WORK_SIZE.1);
    let small = imageops::thumbnail(picture, width, height);
    let faces = finder.find(&small, limits.face_score_min.limit);
    let face = faces.as_ref().and_then(|faces| faces.first());
    let mut checks = Vec::with_capacity(EXAMINED.len());
    checks.extend(size(picture.dimensions(), limits));
    checks.extend(background::checks(&small, face, limits));
    checks.extend(presence(faces.as_deref(), limits));
    checks.extend(portrait(picture, &small, face, limits));
    checks.push(origin.age(declared, now, limits));
    checks.push(origin.editing(limits));
    (checks, face.map(|face| face.place_in(picture.dimensions())))
}

/// P44 and P45.
fn size((width, height): (u32, u32), limits: &Thresholds) -> [Check; 2] {
    let code = PhotoReason::AspectRatioInvalid;
    let rule = &limits.aspect;
    let ratio = f64::from(width) / f64::from(height);
    let result = judge(code, ratio > rule.over && ratio < rule.under, rule.on_breach);
    let range = format!("{:.3} < w/h < {:.3}", rule.over, rule.under);
    [
        at_least(PhotoReason::ResolutionTooLow, f64::from(width), limits.width_min),
        Check::new(code, result, ratio, range),
    ]
}

/// P40 and P42.
fn presence(faces: Option<&[Face]>, limits: &Thresholds) -> [Check; 2] {
    let (none, several) = (PhotoReason::NotRecognisable, PhotoReason::MultipleFaces);
    match faces {
        None => [Check::not_checked(none), Check::not_checked(several)],
        Some([]) => [at_least(none, 0.0, limits.face_score_min), Check::not_checked(several)],
        Some(faces) => {
            let best = faces.iter().map(|face| face.score).fold(0.0, f64::max);
            [at_least(none, best, limits.face_score_min), at_most(several, faces.len() as f64, limits.faces_max)]
        }
    }
}

/// P33 to P37 and P43: place, size, light and sharpness of the face.
fn portrait(picture: &RgbImage, small: &RgbImage, face: Option<&Face>, limits: &Thresholds) -> [Check; 6] {
    use PhotoReason::{FaceHalfLit, FaceTooBright, FaceTooDark, HeadTooSmall, ImageBlurred, SubjectOffCentre};
    let whole = face.and_then(|face| Some((face, face.crop(small, WHOLE)?)));
    let Some((face, skin)) = whole else {
        return [SubjectOffCentre, HeadTooSmall, FaceTooDark, FaceTooBright, FaceHalfLit, ImageBlurred]
            .map(Check::not_checked);
    };
    let likeness = match CHEEKS.map(|cheek| face.crop(small, cheek)) {
        [Some(left), Some(right)] => at_least(FaceHalfLit, likeness(&left, &right), limits.cheek_likeness_min),
        _ => Check::not_checked(FaceHalfLit),
    };
    let blur = face
        .crop(picture, WHOLE)
        .and_then(|crop| sharpness(&crop))
        .map_or(Check::not_checked(ImageBlurred), |value| at_least(ImageBlurred, value, limits.sharpness_min));
    [
        at_most(SubjectOffCentre, (face.left + face.width / 2.0 - 0.5).abs(), limits.off_centre_max),
        at_least(HeadTooSmall, face.width, limits.head_width_min),
        at_most(FaceTooDark, share(&skin, |luma| luma <= 25), limits.dark_share_max),
        at_most(FaceTooBright, share(&skin, |luma| luma >= 247), limits.bright_share_max),
        likeness,
        blur,
    ]
}

fn share(pixels: &GrayImage, of: impl Fn(u8) -> bool) -> f64 {
    let hits = pixels.pixels().filter(|p| of(p.0[0])).count();
    hits as f64 / pixels.len().max(1) as f64
}

/// Intersection of the luma histograms, 0 (nothing alike) to 1. Each pixel counts in the two nearest
/// of its bins, so that equal cheeks are alike whichever side of a bin's edge they fall.
fn likeness(left: &GrayImage, right: &GrayImage) -> f64 {
    const BINS: usize = 17;
    let histogram = |pixels: &GrayImage| {
        let mut bins = [0.0; BINS];
        let weight = 1.0 / pixels.len().max(1) as f64;
        for pixel in pixels.pixels() {
            let place = f64::from(pixel.0[0]) / 16.0;
            let (bin, upper) = (place as usize, place.fract());
            bins[bin] += weight * (1.0 - upper);
            bins[bin + 1] += weight * upper;
        }
        bins
    };
    histogram(left).iter().zip(histogram(right)).map(|(l, r)| l.min(r)).sum()
}

/// Variance of the Laplacian at a fixed scale; none for a face too small to have one.
fn sharpness(face: &GrayImage) -> Option<f64> {
    let height =
        (u64::from(face.height()) * u64::from(SHARPNESS_WIDTH) / u64::from(face.width().max(1))).min(1024) as u32;
    let scaled = imageops::resize(face, SHARPNESS_WIDTH, height.max(1), FilterType::Triangle);
    let stride = scaled.width() as usize;
    let raw = scaled.as_raw();
    let rows: Vec<&[u8]> = raw.chunks_exact(stride).collect();
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for rows in rows.windows(3) {
        let [above, row, below] = rows else { continue };
        for x in 1..stride - 1 {
            let value = |c: u8| f64::from(c);
            let laplacian =
                value(above[x]) + value(below[x]) + value(row[x - 1]) + value(row[x + 1]) - 4.0 * value(row[x]);
            count += 1.0;
            sum += laplacian;
            squares += laplacian * laplacian;
        }
    }
    (count > 0.0).then(|| squares / count - (sum / count) * (sum / count))
}

/// P46 for a picture that was read.
pub(super) fn file_accepted(bytes: usize) -> Check {
    Check::new(PhotoReason::FileUnsupported, CheckResult::Pass, bytes as f64, super::MAX_BYTES as f64)
}

/// P46 for one that was not.
pub(super) fn file_refused(error: &super::file::FileError) -> Check {
    use super::file::FileError;
    let limit = match error {
        FileError::TooManyBytes(_) => format!("{} bytes", super::MAX_BYTES),
        FileError::TooManyPixels { .. } => format!("{} pixels, {} along one side", super::MAX_PIXELS, super::MAX_SIDE),
        FileError::Empty | FileError::Format | FileError::Damaged => "a complete jpeg or png file".to_owned(),
    };
    Check::new(PhotoReason::FileUnsupported, CheckResult::Fail, error.to_string(), limit)
}

/// P32: a photograph has no transparency; one that has was cut out by a program.
pub(super) fn transparency(share: f64) -> Option<Check> {
    let code = PhotoReason::CompositePhoto;
    (share > 0.0).then(|| Check::new(code, judge(code, false, OnBreach::Flag), Measure::from(share), 0.0))
}

#[cfg(test)]
mod tests {
    use image::{Luma, Rgb};

    use super::*;
    use crate::photos::samples;

    const FACE: Face = Face { left: 0.25, top: 0.25, width: 0.5, height: 0.35, score: 9.0 };

    /// The six face checks of a picture, by their code.
    fn result_of(code: PhotoReason, picture: &RgbImage, face: Option<&Face>) -> CheckResult {
        let checks = portrait(picture, picture, face, &Thresholds::default());
        checks.iter().find(|check| check.code == code).unwrap().result
    }

    #[test]
    fn size_and_shape() {
        use CheckResult::{Fail, Pass};
        let cases = [
            ((520, 756), [Pass, Pass]),
            ((519, 756), [Fail, Pass]),
            ((260, 378), [Fail, Pass]),
            ((600, 900), [Pass, Fail]),
            ((601, 900), [Pass, Pass]),
            ((750, 1000), [Pass, Fail]),
            ((749, 1000), [Pass, Pass]),
            ((756, 520), [Pass, Fail]),
            ((1, 1), [Fail, Fail]),
        ];
        for (dimensions, want) in cases {
            assert_eq!(size(dimensions, &Thresholds::default()).map(|c| c.result), want, "{dimensions:?}");
        }
    }

    #[test]
    fn a_machine_refuses_only_what_it_may_decide() {
        for code in PhotoReason::ALL {
            assert_eq!(judge(*code, true, OnBreach::Refuse), CheckResult::Pass);
            assert_eq!(judge(*code, false, OnBreach::Flag), CheckResult::Flag);
            let may = code.auto() == AutoClass::Reject;
            assert_eq!(judge(*code, false, OnBreach::Refuse) == CheckResult::Fail, may, "{code}");
        }
    }

    #[test]
    fn number_of_faces() {
        use CheckResult::{Flag, NotChecked, Pass};
        let results = |faces: Option<&[Face]>| presence(faces, &Thresholds::default()).map(|c| c.result);
        assert_eq!(results(None), [NotChecked, NotChecked]);
        assert_eq!(results(Some(&[])), [Flag, NotChecked]);
        assert_eq!(results(Some(&[FACE])), [Pass, Pass]);
        assert_eq!(results(Some(&[FACE, FACE])), [Pass, Flag]);
    }

    #[test]
    fn place_and_size_of_the_face() {
        use PhotoReason::{HeadTooSmall, SubjectOffCentre};
        let picture = samples::noise(260, 378);
        let result = |code, face| result_of(code, &picture, Some(&face));
        assert_eq!(result(SubjectOffCentre, FACE), CheckResult::Pass);
        assert_eq!(result(SubjectOffCentre, Face { left: 0.35, ..FACE }), CheckResult::Flag);
        assert_eq!(result(SubjectOffCentre, Face { left: 0.15, ..FACE }), CheckResult::Flag);
        assert_eq!(result(HeadTooSmall, FACE), CheckResult::Pass);
        assert_eq!(result(HeadTooSmall, Face { width: 0.3, ..FACE }), CheckResult::Flag);
    }

    #[test]
    fn light_on_the_face() {
        use PhotoReason::{FaceHalfLit, FaceTooBright, FaceTooDark};
        let cases = [
            ([180, 180], FaceTooDark, CheckResult::Pass),
            ([10, 10], FaceTooDark, CheckResult::Flag),
            ([180, 180], FaceTooBright, CheckResult::Pass),
            ([255, 255], FaceTooBright, CheckResult::Flag),
            ([180, 180], FaceHalfLit, CheckResult::Pass),
            ([176, 175], FaceHalfLit, CheckResult::Pass),
            ([60, 200], FaceHalfLit, CheckResult::Flag),
        ];
        for (sides, code, want) in cases {
            let picture = RgbImage::from_fn(260, 378, |x, _| Rgb([sides[usize::from(x >= 130)]; 3]));
            assert_eq!(result_of(code, &picture, Some(&FACE)), want, "{sides:?} {code}");
        }
    }

    #[test]
    fn sharpness_of_the_face() {
        let sharp = samples::noise(520, 756);
        assert_eq!(result_of(PhotoReason::ImageBlurred, &sharp, Some(&FACE)), CheckResult::Pass);
        let blurred = imageops::blur(&sharp, 8.0);
        assert_eq!(result_of(PhotoReason::ImageBlurred, &blurred, Some(&FACE)), CheckResult::Flag);
    }

    #[test]
    fn nothing_about_a_face_without_one() {
        let checks = portrait(&samples::noise(260, 378), &samples::noise(260, 378), None, &Thresholds::default());
        assert!(checks.iter().all(|c| c.result == CheckResult::NotChecked && c.value.is_none()));
    }

    #[test]
    fn tiny_faces_are_measured_or_left() {
        for side in [1, 2, 3] {
            let _ = sharpness(&GrayImage::from_pixel(side, side, Luma([9])));
            let _ = sharpness(&GrayImage::from_pixel(side, 5_000, Luma([9])));
            let _ = portrait(
                &samples::plain(side, side, [9; 3]),
                &samples::plain(side, side, [9; 3]),
                Some(&FACE),
                &Thresholds::default(),
            );
        }
    }
}

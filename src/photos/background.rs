//! 白底: whether the background is white and evenly lit, judged beside and above the head.

use image::RgbImage;

use super::checks::judge;
use super::face::Face;
use super::thresholds::Thresholds;
use crate::domain::photo_check::{Check, CheckResult, Measure};
use crate::domain::photo_reason::PhotoReason;

/// Strips at the left and right edge, as a share of the width: a centred head leaves 13 % free (GA 482).
const SIDE: f64 = 0.12;
/// How far the strips reach down, as a share of the height: to above the shoulders.
const DOWN: f64 = 0.40;
/// The strip along the upper edge, as a share of the height: the standard leaves 10 of 378 rows free.
const TOP: f64 = 0.02;

/// Measures of the background.
struct Background {
    /// L* of the mean, 0..100.
    lightness: f64,
    /// Chroma of the mean in Lab.
    chroma: f64,
    /// Standard deviation of the luma, 0..255.
    spread: f64,
}

/// P02 and P01.
pub(super) fn checks(picture: &RgbImage, face: Option<&Face>, limits: &Thresholds) -> [Check; 2] {
    let (white, even) = (PhotoReason::BackgroundNotWhite, PhotoReason::LightingUneven);
    let Some(found) = measure(picture, face) else {
        return [Check::not_checked(white), Check::not_checked(even)];
    };
    let rule = &limits.background_white;
    let is_white = found.lightness >= rule.lightness_min && found.chroma <= rule.chroma_max;
    let is_clear = found.lightness < rule.clear_lightness || found.chroma > rule.clear_chroma;
    let result = if is_white || is_clear { judge(white, is_white, rule.on_breach) } else { CheckResult::Flag };
    let spread = limits.background_spread_max;
    [
        Check {
            code: white,
            result,
            value: Some(Measure::from(format!("L* {:.1}, chroma {:.1}", found.lightness, found.chroma))),
            limit: Some(Measure::from(format!("L* >= {}, chroma <= {}", rule.lightness_min, rule.chroma_max))),
        },
        Check::new(even, judge(even, found.spread <= spread.limit, spread.on_breach), found.spread, spread.limit),
    ]
}

fn measure(picture: &RgbImage, face: Option<&Face>) -> Option<Background> {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let mut count = 0.0;
    let mut sum = [0.0; 3];
    let (mut luma_sum, mut luma_squares) = (0.0, 0.0);
    for (x, y, pixel) in picture.enumerate_pixels() {
        let (x, y) = ((f64::from(x) + 0.5) / width, (f64::from(y) + 0.5) / height);
        let beside = !(SIDE..=1.0 - SIDE).contains(&x) && y <= DOWN;
        if !(beside || y <= TOP) || face.is_some_and(|f| f.head_covers(x, y)) {
            continue;
        }
        let [r, g, b] = pixel.0.map(f64::from);
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        count += 1.0;
        luma_sum += luma;
        luma_squares += luma * luma;
        for (total, channel) in sum.iter_mut().zip([r, g, b]) {
            *total += linear(channel);
        }
    }
    if count < 1.0 {
        return None;
    }
    let [l, a, b] = lab(sum.map(|total| total / count));
    let mean = luma_sum / count;
    let spread = (luma_squares / count - mean * mean).max(0.0).sqrt();
    Some(Background { lightness: l, chroma: a.hypot(b), spread })
}

/// One sRGB channel (0..255) as linear light (0..1).
fn linear(channel: f64) -> f64 {
    let c = channel / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

/// CIE Lab under D65 of linear sRGB.
fn lab([r, g, b]: [f64; 3]) -> [f64; 3] {
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.412_456 * r + 0.357_576 * g + 0.180_438 * b) / 0.950_47);
    let y = f(0.212_673 * r + 0.715_152 * g + 0.072_175 * b);
    let z = f((0.019_334 * r + 0.119_192 * g + 0.950_304 * b) / 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::photos::samples;

    fn results(picture: &RgbImage) -> [CheckResult; 2] {
        checks(picture, None, &Thresholds::default()).map(|c| c.result)
    }

    #[test]
    fn lab_knows_the_reference_colours() {
        let close = |rgb: [f64; 3], want: [f64; 3]| {
            let got = lab(rgb.map(linear));
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 0.1), "{rgb:?}: {got:?}");
        };
        close([255.0; 3], [100.0, 0.0, 0.0]);
        close([0.0; 3], [0.0, 0.0, 0.0]);
        close([255.0, 0.0, 0.0], [53.24, 80.09, 67.20]);
        close([0.0, 0.0, 255.0], [32.30, 79.19, -107.86]);
    }

    #[test]
    fn white_passes_grey_is_flagged_colour_is_refused() {
        let cases = [
            ([255, 255, 255], CheckResult::Pass),
            ([235, 235, 235], CheckResult::Pass),
            ([200, 200, 200], CheckResult::Flag),
            ([235, 235, 210], CheckResult::Flag),
            ([120, 120, 120], CheckResult::Fail),
            ([0, 90, 200], CheckResult::Fail),
            ([200, 30, 30], CheckResult::Fail),
        ];
        for (colour, want) in cases {
            assert_eq!(results(&samples::plain(260, 378, colour)), [want, CheckResult::Pass], "{colour:?}");
        }
    }

    #[test]
    fn a_gradient_is_uneven() {
        let picture = RgbImage::from_fn(260, 378, |x, _| Rgb([(255 - x / 5) as u8; 3]));
        assert_eq!(results(&picture), [CheckResult::Pass, CheckResult::Flag]);
    }

    #[test]
    fn the_person_is_not_background() {
        let picture = RgbImage::from_fn(260, 378, |x, y| {
            let person = (40..220).contains(&x) && y > 20 || y > 190;
            if person { Rgb([20, 20, 30]) } else { Rgb([250; 3]) }
        });
        assert_eq!(results(&picture), [CheckResult::Pass, CheckResult::Pass]);
    }

    #[test]
    fn one_pixel_is_enough_or_not_at_all() {
        let _ = results(&samples::plain(1, 1, [255; 3]));
        let _ = results(&samples::plain(400, 1, [255; 3]));
    }
}

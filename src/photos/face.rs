//! 人脸: finds faces, with the frontal SeetaFace model. Its scores are not calibrated on portraits of
//! this kind, it knows no pose, and it misses faces in profile: what it finds is a hint for a reviewer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use image::imageops;
use image::{GrayImage, Luma, RgbImage};
use rustface::{ImageData, Model};

use crate::domain::photo_check::FaceBox;

/// The model behind the scores, stored with every inspection.
pub const MODEL_VERSION: &str = "seeta_fd_frontal_v1.0";
static MODEL: &[u8] = include_bytes!("model/seeta_fd_frontal_v1.0.bin");

/// Width of the picture that is searched, in pixels: a face must fill a fifth of it, the detector's
/// window being 40 pixels wide. In a licence photo it fills more than half.
const SEARCH_WIDTH: u32 = 200;
/// Height of the picture that is searched, at most.
const SEARCH_HEIGHT: u32 = 400;
/// The detector subtracts its window from the picture without looking: smaller ones would underflow.
const SEARCH_MIN: u32 = 48;

/// A face; places are shares of the picture's width and height, 0 at the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Face {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) score: f64,
}

impl Face {
    /// Whether a point may belong to the person: the box with some hair around it, and all below.
    pub(super) fn head_covers(&self, x: f64, y: f64) -> bool {
        let side = 0.1 * self.width;
        x > self.left - side && x < self.left + self.width + side && y > self.top - 0.4 * self.height
    }

    /// Its place in a picture of this size, without what lies outside.
    pub(super) fn place_in(&self, (width, height): (u32, u32)) -> FaceBox {
        let pixels = |from: f64, to: f64, size: u32| {
            let pixel = |share: f64| (share * f64::from(size)).round().clamp(0.0, f64::from(size)) as u32;
            (pixel(from), pixel(to).saturating_sub(pixel(from)))
        };
        let (left, width) = pixels(self.left, self.left + self.width, width);
        let (top, height) = pixels(self.top, self.top + self.height, height);
        FaceBox { left, top, width, height }
    }

    /// The face's part of a picture; none when it lies outside.
    pub(super) fn crop(&self, picture: &RgbImage, region: [f64; 4]) -> Option<GrayImage> {
        let [x0, y0, x1, y1] = region;
        let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
        let pixel = |share: f64, size: f64| (share * size).clamp(0.0, size) as u32;
        let (left, right) = (pixel(self.left + x0 * self.width, w), pixel(self.left + x1 * self.width, w));
        let (top, bottom) = (pixel(self.top + y0 * self.height, h), pixel(self.top + y1 * self.height, h));
        if right <= left || bottom <= top {
            return None;
        }
        Some(imageops::grayscale(&*imageops::crop_imm(picture, left, top, right - left, bottom - top)))
    }
}

/// The face detector; cloning shares the model.
#[derive(Clone)]
pub(super) struct FaceFinder {
    model: Arc<Model>,
}

impl FaceFinder {
    /// Loads the model that is part of the program.
    pub(super) fn load() -> io::Result<Self> {
        Ok(Self { model: Arc::new(rustface::read_model(MODEL)?) })
    }

    /// Every face of at least the given score, the largest first; none when the picture cannot be searched.
    pub(super) fn find(&self, picture: &RgbImage, score_min: f64) -> Option<Vec<Face>> {
        let (width, height) = fit(picture.width(), picture.height(), SEARCH_WIDTH, SEARCH_HEIGHT);
        // The detector panics on a score that is not positive.
        if width.min(height) < SEARCH_MIN || score_min.is_nan() || score_min <= 0.0 {
            return None;
        }
        let small = imageops::grayscale(&imageops::thumbnail(picture, width, height));
        let searched = with_margin(&small);
        let found = catch_unwind(AssertUnwindSafe(|| {
            let mut detector = rustface::create_detector_with_model(Model::clone(&self.model));
            detector.set_score_thresh(score_min);
            detector.set_pyramid_scale_factor(0.8);
            detector.set_slide_window_step(4, 4);
            detector.set_max_face_size(width.min(height));
            detector.detect(&ImageData::new(searched.as_raw(), searched.width(), searched.height()))
        }))
        .ok()?;
        let (w, h) = (f64::from(width), f64::from(height));
        let mut faces: Vec<Face> = found
            .iter()
            .map(|info| {
                let place = info.bbox();
                let (x, y, side) = (f64::from(place.x()), f64::from(place.y()), f64::from(place.width()));
                Face { left: x / w, top: y / h, width: side / w, height: side / h, score: info.score() }
            })
            .filter(|face| face.left < 1.0 && face.top < 1.0)
            .collect();
        faces.sort_by(|a, b| b.width.total_cmp(&a.width));
        Some(faces)
    }
}

/// Adds a white margin at the right and lower edge. The detector moves its windows while it refines
/// them and only guards the other two edges; here they land on the margin and are dropped as blank.
fn with_margin(picture: &GrayImage) -> GrayImage {
    let margin = picture.width().min(picture.height()) * 3 / 2;
    let mut canvas = GrayImage::from_pixel(picture.width() + margin, picture.height() + margin, Luma([255]));
    imageops::replace(&mut canvas, picture, 0, 0);
    canvas
}

/// The largest size of the same shape within the given one; never larger than the picture, never 0.
pub(super) fn fit(width: u32, height: u32, max_width: u32, max_height: u32) -> (u32, u32) {
    let share = |size: u32, max: u32| f64::from(max) / f64::from(size.max(1));
    let scale = share(width, max_width).min(share(height, max_height)).min(1.0);
    let scaled = |size: u32| ((f64::from(size) * scale).round() as u32).max(1);
    (scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photos::samples;

    #[test]
    fn finds_the_face_of_a_portrait() {
        let finder = FaceFinder::load().unwrap();
        let faces = finder.find(&samples::portrait(), 2.0).unwrap();
        assert_eq!(faces.len(), 1, "{faces:?}");
        let face = faces[0];
        assert!((face.left + face.width / 2.0 - 0.5).abs() < 0.05, "{face:?}");
        assert!(face.width > 0.4 && face.score > 5.0, "{face:?}");
        assert!(face.head_covers(0.5, 0.5) && face.head_covers(0.5, 0.99) && !face.head_covers(0.02, 0.1));
    }

    #[test]
    fn finds_none_where_there_is_none_and_two_where_there_are_two() {
        let finder = FaceFinder::load().unwrap();
        assert_eq!(finder.find(&samples::plain(520, 756, [255; 3]), 2.0), Some(Vec::new()));
        assert_eq!(finder.find(&samples::two_people(), 2.0).map(|faces| faces.len()), Some(2));
    }

    #[test]
    fn small_or_narrow_pictures_are_not_searched() {
        let finder = FaceFinder::load().unwrap();
        for (width, height) in [(1, 1), (47, 500), (48, 47), (5_000, 20)] {
            assert_eq!(finder.find(&samples::plain(width, height, [128; 3]), 2.0), None, "{width} x {height}");
        }
        for (width, height) in [(48, 48), (48, 400), (400, 48 * 2)] {
            assert!(finder.find(&samples::noise(width, height), 2.0).is_some(), "{width} x {height}");
        }
        assert_eq!(finder.find(&samples::portrait(), f64::NAN), None);
    }

    #[test]
    fn fitting_keeps_the_shape() {
        assert_eq!(fit(520, 756, 260, 400), (260, 378));
        assert_eq!(fit(100, 150, 260, 400), (100, 150));
        assert_eq!(fit(1, 20_000, 260, 400), (1, 400));
        assert_eq!(fit(20_000, 1, 260, 400), (260, 1));
    }

    #[test]
    fn a_box_stays_within_its_picture() {
        let face = Face { left: -0.1, top: 0.25, width: 0.5, height: 0.9, score: 3.0 };
        assert_eq!(face.place_in((520, 756)), FaceBox { left: 0, top: 189, width: 208, height: 567 });
    }

    #[test]
    fn a_crop_outside_the_picture_is_none() {
        let face = Face { left: 1.5, top: 0.1, width: 0.5, height: 0.5, score: 3.0 };
        assert!(face.crop(&samples::plain(10, 10, [0; 3]), [0.0, 0.0, 1.0, 1.0]).is_none());
    }
}

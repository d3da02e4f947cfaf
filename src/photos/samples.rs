//! Synthetic pictures for tests: nobody's photo is needed.

use std::io::Cursor;
use std::sync::OnceLock;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, imageops};

/// One colour.
pub(crate) fn plain(width: u32, height: u32, colour: [u8; 3]) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

/// Noise, the same at every run.
pub(crate) fn noise(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([grain(x, y); 3]))
}

fn grain(x: u32, y: u32) -> u8 {
    let mixed = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)).wrapping_mul(2_246_822_519);
    mixed.to_be_bytes()[0]
}

/// A drawn person on white, 520 x 756, that the face detector recognises.
pub(crate) fn portrait() -> RgbImage {
    static PORTRAIT: OnceLock<RgbImage> = OnceLock::new();
    PORTRAIT.get_or_init(draw).clone()
}

/// Two of them side by side, in the allowed shape.
pub(crate) fn two_people() -> RgbImage {
    let mut canvas = plain(1040, 1512, [255; 3]);
    imageops::replace(&mut canvas, &portrait(), 0, 400);
    imageops::replace(&mut canvas, &portrait(), 520, 400);
    canvas
}

/// Coverage of a soft ellipse at a point.
fn ellipse(x: f32, y: f32, [cx, cy, rx, ry]: [f32; 4]) -> f32 {
    let distance = ((x - cx) / rx).powi(2) + ((y - cy) / ry).powi(2);
    (1.0 - (distance - 1.0) * 4.0).clamp(0.0, 1.0)
}

fn draw() -> RgbImage {
    const SKIN: [f32; 4] = [260.0, 345.0, 140.0, 190.0];
    // Ellipse, opacity, colour; from back to front. Mirrored ones are drawn on both sides of the face.
    const SHAPES: [([f32; 4], f32, [f32; 3], bool); 17] = [
        ([260.0, 830.0, 300.0, 260.0], 1.0, [40.0, 45.0, 60.0], false),
        ([260.0, 540.0, 70.0, 80.0], 1.0, [205.0, 165.0, 145.0], false),
        ([260.0, 300.0, 168.0, 205.0], 1.0, [35.0, 30.0, 28.0], false),
        (SKIN, 1.0, [222.0, 184.0, 162.0], false),
        ([260.0, 160.0, 150.0, 60.0], 0.9, [35.0, 30.0, 28.0], false),
        ([198.0, 268.0, 44.0, 9.0], 0.9, [50.0, 40.0, 35.0], true),
        ([200.0, 300.0, 42.0, 24.0], 0.45, [120.0, 85.0, 75.0], true),
        ([200.0, 304.0, 30.0, 11.0], 1.0, [240.0, 235.0, 230.0], true),
        ([200.0, 304.0, 12.0, 11.0], 1.0, [30.0, 22.0, 20.0], true),
        ([200.0, 295.0, 32.0, 5.0], 0.8, [50.0, 35.0, 30.0], true),
        ([242.0, 392.0, 9.0, 6.0], 0.7, [90.0, 55.0, 50.0], true),
        ([236.0, 385.0, 12.0, 14.0], 0.3, [150.0, 110.0, 95.0], true),
        ([260.0, 350.0, 12.0, 50.0], 0.35, [245.0, 215.0, 195.0], false),
        ([260.0, 438.0, 52.0, 14.0], 0.9, [165.0, 85.0, 85.0], false),
        ([260.0, 437.0, 50.0, 3.0], 1.0, [90.0, 40.0, 40.0], false),
        ([260.0, 465.0, 40.0, 8.0], 0.3, [150.0, 110.0, 95.0], false),
        ([260.0, 490.0, 60.0, 10.0], 0.15, [120.0, 90.0, 80.0], false),
    ];
    RgbImage::from_fn(520, 756, |px, py| {
        let (x, y) = (px as f32, py as f32);
        let mut colour = [255.0_f32; 3];
        let mut blend = |share: f32, with: [f32; 3]| {
            for (c, w) in colour.iter_mut().zip(with) {
                *c = *c * (1.0 - share) + w * share;
            }
        };
        for (shape, opacity, with, mirrored) in SHAPES {
            let mut cover = ellipse(x, y, shape);
            if mirrored {
                cover = cover.max(ellipse(520.0 - x, y, shape));
            }
            blend(cover * opacity, with);
        }
        if ellipse(x, y, SKIN) > 0.5 && y > 190.0 {
            blend(((x - 260.0) / 140.0).powi(2).min(1.0) * 0.25, [120.0, 90.0, 80.0]);
        }
        let fine = (f32::from(grain(px, py)) / 16.0 - 8.0) * 0.6;
        Rgb(colour.map(|c| (c + fine).clamp(0.0, 255.0) as u8))
    })
}

pub(crate) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    super::file::encode(picture).unwrap()
}

pub(crate) fn png(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    DynamicImage::ImageRgb8(picture.clone()).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

/// The first 33 bytes of a PNG of the given size: all that a header check may need.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&crc32(&header).to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xEDB8_8320 } else { c >> 1 })
    })
}

/// A JPEG whose header claims another size.
pub(crate) fn with_jpeg_size(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg.to_vec();
    let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A JPEG with the given TIFF structure as its EXIF record.
pub(crate) fn with_exif(jpeg: &[u8], tiff: &[u8]) -> Vec<u8> {
    let mut bytes = jpeg[..2].to_vec();
    let length = u16::try_from(tiff.len() + 8).unwrap();
    bytes.extend_from_slice(&[0xFF, 0xE1]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(b"Exif\0\0");
    bytes.extend_from_slice(tiff);
    bytes.extend_from_slice(&jpeg[2..]);
    bytes
}

/// An EXIF record of the given fields.
#[derive(Default)]
pub(super) struct ExifRecord<'a> {
    pub(super) orientation: Option<u16>,
    pub(super) taken: Option<&'a str>,
    pub(super) offset: Option<&'a str>,
    pub(super) software: Option<&'a str>,
    pub(super) gps: bool,
}

impl ExifRecord<'_> {
    pub(crate) fn tiff(&self) -> Vec<u8> {
        use exif::experimental::Writer;
        use exif::{Field, In, Rational, Tag, Value};
        let ascii =
            |tag, text: &str| Field { tag, ifd_num: In::PRIMARY, value: Value::Ascii(vec![text.as_bytes().to_vec()]) };
        let mut fields = Vec::new();
        fields.extend(self.orientation.map(|n| Field {
            tag: Tag::Orientation,
            ifd_num: In::PRIMARY,
            value: Value::Short(vec![n]),
        }));
        fields.extend(self.taken.map(|text| ascii(Tag::DateTimeOriginal, text)));
        fields.extend(self.offset.map(|text| ascii(Tag::OffsetTimeOriginal, text)));
        fields.extend(self.software.map(|text| ascii(Tag::Software, text)));
        if self.gps {
            let place = Value::Rational(vec![Rational { num: 39, denom: 1 }; 3]);
            fields.push(Field { tag: Tag::GPSLatitude, ifd_num: In::PRIMARY, value: place });
        }
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut out = Cursor::new(Vec::new());
        writer.write(&mut out, false).unwrap();
        out.into_inner()
    }
}

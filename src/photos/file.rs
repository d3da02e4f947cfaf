//! From bytes to upright pixels and back to a clean JPEG. Nothing here trusts a file name, a declared
//! type or a header: size and format are judged before any pixel memory is asked for.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, Limits, Rgb, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Largest upload, in bytes (10 MiB).
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Most pixels of a picture.
pub const MAX_PIXELS: u64 = 40_000_000;
/// Most pixels along one side; also keeps every picture within what a JPEG can hold.
pub const MAX_SIDE: u32 = 20_000;

/// Memory a decoder may ask for, in bytes: 40 million pixels of three channels, twice.
const MAX_ALLOC: u64 = 256 * 1024 * 1024;
/// Quality of the stored picture; the standard asks for at least 70, a second encoding for more.
const JPEG_QUALITY: u8 = 90;

/// Why a file is not accepted, in words that a caller may see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FileError {
    #[error("the file is empty")]
    Empty,
    #[error("{0} bytes")]
    TooManyBytes(usize),
    #[error("not a jpeg or png file")]
    Format,
    #[error("{width} x {height} pixels")]
    TooManyPixels { width: u32, height: u32 },
    #[error("the file is damaged or incomplete")]
    Damaged,
}

/// A decoded picture, not yet turned upright.
pub(super) struct Picture {
    pub(super) pixels: RgbImage,
    /// Share of pixels that were not fully opaque; they now lie on white.
    pub(super) translucent: f64,
}

/// Decodes a whole JPEG or PNG file.
pub(super) fn decode(bytes: &[u8]) -> Result<Picture, FileError> {
    if bytes.is_empty() {
        return Err(FileError::Empty);
    }
    if bytes.len() > MAX_BYTES {
        return Err(FileError::TooManyBytes(bytes.len()));
    }
    let decoder: fn(&[u8]) -> Result<Picture, FileError> = match bytes {
        [0xFF, 0xD8, 0xFF, ..] => decode_jpeg,
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => decode_png,
        _ => return Err(FileError::Format),
    };
    // A decoder that panics on a hostile file costs that file, not the process.
    catch_unwind(AssertUnwindSafe(|| decoder(bytes))).unwrap_or(Err(FileError::Damaged))
}

/// Decodes strictly: the decoder of the `image` crate fills what is missing of a cut file with grey.
fn decode_jpeg(bytes: &[u8]) -> Result<Picture, FileError> {
    let side = MAX_SIDE as usize;
    // Wider limits for the header than for the picture, so that a size that is refused can be told.
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| FileError::Damaged)?;
    let info = decoder.info().ok_or(FileError::Damaged)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check_size(width, height)?;
    decoder.set_options(options.set_max_width(side).set_max_height(side));
    let raw = decoder.decode().map_err(|_| FileError::Damaged)?;
    let pixels = RgbImage::from_raw(width, height, raw).ok_or(FileError::Damaged)?;
    Ok(Picture { pixels, translucent: 0.0 })
}

fn decode_png(bytes: &[u8]) -> Result<Picture, FileError> {
    // The header is the first chunk; its numbers are judged before a decoder acts on them.
    if let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(16..24) {
        check_size(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))?;
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_ALLOC);
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits.clone()).map_err(|_| FileError::Damaged)?;
    limits.reserve(decoder.total_bytes()).map_err(|_| {
        let (width, height) = decoder.dimensions();
        FileError::TooManyPixels { width, height }
    })?;
    let image = DynamicImage::from_decoder(decoder).map_err(|_| FileError::Damaged)?;
    Ok(if image.color().has_alpha() {
        on_white(&image)
    } else {
        Picture { pixels: image.into_rgb8(), translucent: 0.0 }
    })
}

fn check_size(width: u32, height: u32) -> Result<(), FileError> {
    if width == 0 || height == 0 {
        return Err(FileError::Damaged);
    }
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(FileError::TooManyPixels { width, height });
    }
    Ok(())
}

/// Lays a picture on white, as every viewer would show it: colour under full transparency never surfaces.
fn on_white(image: &DynamicImage) -> Picture {
    let source = image.to_rgba8();
    let mut translucent = 0_u32;
    let pixels = RgbImage::from_fn(source.width(), source.height(), |x, y| {
        let [r, g, b, a] = source.get_pixel(x, y).0;
        translucent += u32::from(a < 255);
        let blend = |c: u8| ((u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255).min(255) as u8;
        Rgb([blend(r), blend(g), blend(b)])
    });
    let total = f64::from(source.width()) * f64::from(source.height());
    Picture { pixels, translucent: f64::from(translucent) / total }
}

/// Encodes as a baseline JPEG that carries pixels only: no EXIF, no comment, no profile.
pub(super) fn encode(pixels: &RgbImage) -> Result<Vec<u8>, FileError> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY).encode_image(pixels).map_err(|_| FileError::Damaged)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photos::samples;

    fn refusal(bytes: &[u8]) -> FileError {
        decode(bytes).map(|picture| picture.pixels.dimensions()).unwrap_err()
    }

    #[test]
    fn other_formats_are_refused_by_their_content() {
        let cases: [&[u8]; 9] = [
            b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"520\" height=\"756\"/>",
            b"<?xml version=\"1.0\"?><svg/>",
            b"PK\x03\x04photo.jpg",
            b"GIF89a\x08\x02\xf4\x02\x00\x00\x00,",
            b"<!doctype html><script>alert(1)</script>",
            b"%PDF-1.7",
            b"RIFF\0\0\0\0WEBPVP8 ",
            b"\0\0\0\x18ftypheic",
            b"\xFF\xD8",
        ];
        for bytes in cases {
            assert_eq!(refusal(bytes), FileError::Format, "{:?}", &bytes[..bytes.len().min(8)]);
        }
        assert_eq!(refusal(b""), FileError::Empty);
        assert_eq!(refusal(&vec![0xFF; MAX_BYTES + 1]), FileError::TooManyBytes(MAX_BYTES + 1));
        for bytes in [&b"\xFF\xD8\xFF<html>"[..], b"\x89PNG\r\n\x1a\n<html>", b"\xFF\xD8\xFF\xD9"] {
            assert_eq!(refusal(bytes), FileError::Damaged);
        }
    }

    #[test]
    fn a_huge_header_is_refused_before_memory_is_asked_for() {
        assert_eq!(
            refusal(&samples::png_header(50_000, 50_000)),
            FileError::TooManyPixels { width: 50_000, height: 50_000 }
        );
        assert_eq!(refusal(&samples::png_header(u32::MAX, 1)), FileError::TooManyPixels { width: u32::MAX, height: 1 });
        assert_eq!(
            refusal(&samples::png_header(8_000, 8_000)),
            FileError::TooManyPixels { width: 8_000, height: 8_000 }
        );
        assert_eq!(refusal(&samples::png_header(0, 756)), FileError::Damaged);
        let jpeg = samples::with_jpeg_size(&samples::jpeg(&samples::plain(32, 32, [255; 3])), 50_000, 50_000);
        assert_eq!(refusal(&jpeg), FileError::TooManyPixels { width: 50_000, height: 50_000 });
    }

    #[test]
    fn cut_files_are_refused_wherever_they_are_cut() {
        let (picture, white) = (samples::portrait(), samples::plain(520, 756, [255; 3]));
        for whole in [samples::jpeg(&picture), samples::png(&picture), samples::jpeg(&white), samples::png(&white)] {
            assert!(decode(&whole).is_ok());
            for share in [5, 20, 50, 80, 95, 99] {
                assert_eq!(refusal(&whole[..whole.len() * share / 100]), FileError::Damaged, "{share} %");
            }
        }
    }

    #[test]
    fn bytes_after_the_picture_are_dropped() {
        let mut bytes = samples::jpeg(&samples::plain(64, 96, [250; 3]));
        bytes.extend_from_slice(b"PK\x03\x04<script>");
        let clean = encode(&decode(&bytes).unwrap().pixels).unwrap();
        assert!(!clean.windows(8).any(|w| w == b"<script>"));
    }

    #[test]
    fn transparency_is_laid_on_white_and_counted() {
        let mut rgba = image::RgbaImage::from_pixel(10, 10, image::Rgba([10, 20, 30, 255]));
        for x in 0..5 {
            rgba.put_pixel(x, 0, image::Rgba([0, 0, 0, 0]));
        }
        let mut bytes = Vec::new();
        DynamicImage::ImageRgba8(rgba).write_to(&mut Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        let picture = decode(&bytes).unwrap();
        assert_eq!(picture.pixels.get_pixel(0, 0).0, [255; 3]);
        assert_eq!(picture.pixels.get_pixel(9, 9).0, [10, 20, 30]);
        assert!((picture.translucent - 0.05).abs() < 1e-9);
    }
}

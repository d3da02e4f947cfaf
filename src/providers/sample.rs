//! The data that simulated and no-op providers answer with.

use std::sync::LazyLock;

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

/// The holder's name.
pub(super) const HOLDER_NAME: &str = "张三";

/// The file number: `150300` and the last six digits of the document number, with `X` as `0`.
pub(super) fn file_number(document_number: &str) -> String {
    let digits: String = document_number
        .chars()
        .filter_map(|c| match c {
            'x' | 'X' => Some('0'),
            c => c.is_ascii_digit().then_some(c),
        })
        .collect();
    let tail = digits.get(digits.len().saturating_sub(6)..).unwrap_or_default();
    format!("150300{tail:0>6}")
}

/// A white JPEG of 520 x 756 pixels.
pub(super) fn photo() -> &'static [u8] {
    const WIDTH: u32 = 520;
    const HEIGHT: u32 = 756;
    static PHOTO: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let white = vec![0xff; (WIDTH * HEIGHT * 3) as usize];
        let mut jpeg = Vec::new();
        match JpegEncoder::new_with_quality(&mut jpeg, 85).encode(&white, WIDTH, HEIGHT, ExtendedColorType::Rgb8) {
            Ok(()) => jpeg,
            Err(_) => Vec::new(),
        }
    });
    &PHOTO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_numbers() {
        for (number, file) in [
            ("11010519491231002X", "150300310020"),
            ("110105194912310021", "150300310021"),
            ("北字第00123456号", "150300123456"),
            ("12", "150300000012"),
            ("", "150300000000"),
        ] {
            assert_eq!(file_number(number), file);
        }
    }

    #[test]
    fn the_photo_is_a_jpeg_of_the_right_size() {
        let image = image::load_from_memory_with_format(photo(), image::ImageFormat::Jpeg).unwrap();
        assert_eq!((image.width(), image.height()), (520, 756));
    }
}

//! The portrait as it goes into the card: decoded, so that a broken file is noticed, in the size that the card shows, and
//! encoded anew without what the camera wrote beside the picture.

use std::io::Cursor;

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{ImageReader, Limits, codecs::jpeg::JpegEncoder, imageops::FilterType};

use super::CardError;

/// Twice the pixels that the card shows at its own size.
const WIDTH: u32 = 352;
const HEIGHT: u32 = 512;
const QUALITY: u8 = 88;
/// More pixels on one side than any portrait has.
const MOST: u32 = 8_000;

/// The picture as a `data:` address.
///
/// # Errors
/// The file is no picture that can be shown.
pub(super) fn data_url(file: &[u8]) -> Result<String, CardError> {
    let broken = |_| CardError::PortraitUnusable;
    let mut reader =
        ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|_| CardError::PortraitUnusable)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST);
    limits.max_image_height = Some(MOST);
    reader.limits(limits);
    let mut picture = reader.decode().map_err(broken)?;
    if picture.width() > WIDTH || picture.height() > HEIGHT {
        picture = picture.resize_to_fill(WIDTH, HEIGHT, FilterType::Triangle);
    }
    let mut jpeg = Vec::new();
    picture.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).map_err(broken)?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_pictures_are_refused() {
        for file in
            [&b""[..], b"not a picture", b"\xff\xd8\xff\xe0 cut short", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
        {
            assert_eq!(data_url(file), Err(CardError::PortraitUnusable));
        }
    }
}

//! Pictures: good ones, and ones that a hostile client would send.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// A white picture. 520 × 756 has the size and the shape that the app asks for.
pub fn white_png(width: u32, height: u32) -> Vec<u8> {
    encode(&RgbImage::from_pixel(width, height, Rgb([255, 255, 255])), ImageFormat::Png)
}

pub fn white_jpeg(width: u32, height: u32) -> Vec<u8> {
    encode(&RgbImage::from_pixel(width, height, Rgb([255, 255, 255])), ImageFormat::Jpeg)
}

/// A picture in one colour.
pub fn plain_png(colour: [u8; 3]) -> Vec<u8> {
    encode(&RgbImage::from_pixel(520, 756, Rgb(colour)), ImageFormat::Png)
}

/// A picture of noise, which compresses badly: at 2000 × 2000 the file has about 12 MB.
pub fn noise_png(width: u32, height: u32) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let picture = RgbImage::from_fn(width, height, |_, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [red, green, blue, ..] = state.to_le_bytes();
        Rgb([red, green, blue])
    });
    encode(&picture, ImageFormat::Png)
}

/// A PNG of a few bytes whose header promises any number of pixels.
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    header.extend([8, 2, 0, 0, 0]);
    for (kind, data) in
        [(b"IHDR", header), (b"IDAT", vec![0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01]), (b"IEND", vec![])]
    {
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        let body = [kind.as_slice(), &data].concat();
        png.extend(&body);
        png.extend(crc32(&body).to_be_bytes());
    }
    png
}

pub const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="520" height="756"><script>alert(1)</script><rect width="520" height="756" fill="white"/></svg>"#;

/// An empty ZIP archive.
pub const ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A `multipart/form-data` body with one file; gives the content type and the body.
pub fn multipart(field: &str, file_name: &str, file_type: &str, file: &[u8]) -> (String, Vec<u8>) {
    let boundary = "greenlane-test-boundary";
    let mut body = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\ncontent-type: {file_type}\r\n\r\n"
    )
    .into_bytes();
    body.extend(file);
    body.extend(format!("\r\n--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

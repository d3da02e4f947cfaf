//! The card as a whole: looked at as pixels, and read back.

mod golden;
mod status;
mod texts;

use chrono::DateTime;
use image::RgbImage;

use super::*;

fn day(text: &str) -> Option<NaiveDate> {
    Some(text.parse().unwrap())
}

/// A licence of nobody.
fn sample() -> CardData {
    let mut portrait = std::io::Cursor::new(Vec::new());
    crate::photos::samples::portrait().write_to(&mut portrait, image::ImageFormat::Jpeg).unwrap();
    CardData {
        name: "张三".to_owned(),
        document_number: "1101**********002X".to_owned(),
        sex: Some("male".to_owned()),
        nationality: Some("中国".to_owned()),
        address: Some("内蒙古自治区乌海市海勃湾区新华街道人民路一百二十三号院五号楼二单元六〇一室".to_owned()),
        birth_date: day("1949-12-31"),
        first_issued_on: day("2009-06-01"),
        classes: "C1D".to_owned(),
        valid_from: day("2021-06-01"),
        valid_until: day("2031-06-01"),
        authority: "蒙C".to_owned(),
        file_number: "150300123456".to_owned(),
        portrait: portrait.into_inner(),
        status: LicenceStatus::parse("A"),
        notice: None,
        code: format!("greenlane:{}", "0123456789abcdefABCDEF-_".repeat(6)),
        generated_at: DateTime::from_timestamp(1_795_356_005, 0).unwrap(),
    }
}

fn with_status(letters: &str) -> CardData {
    let status = LicenceStatus::parse(letters);
    CardData { notice: status.display_message_zh(), status, ..sample() }
}

fn fonts() -> Fonts {
    Fonts::load(None).unwrap()
}

fn svg(data: &CardData) -> Result<String, CardError> {
    layout::card(&fonts(), data)
}

/// The texts of a card, one after the other: a long one stands on several lines.
fn printed(svg: &str) -> String {
    let texts = svg.split("<text ").skip(1).filter_map(|text| text.split_once('>')?.1.split_once("</text>"));
    texts.map(|(text, _)| text).collect()
}

fn pixels(data: &CardData, width: u32) -> RgbImage {
    let fonts = fonts();
    let png = png::draw(&fonts, &layout::card(&fonts, data).unwrap(), width).unwrap();
    image::load_from_memory(&png).unwrap().to_rgb8()
}

/// What an independent decoder reads in the picture.
fn decoded(picture: &RgbImage) -> Vec<String> {
    let grey = image::imageops::grayscale(picture);
    let (width, height) = (grey.width() as usize, grey.height() as usize);
    let at = |x: usize, y: usize| grey.get_pixel(x as u32, y as u32).0[0];
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, at);
    prepared.detect_grids().iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

//! What one card costs, for `greenlane bench`: from the data to the finished picture, one after the other.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use chrono::{NaiveDate, Utc};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde::Serialize;

use crate::{
    domain::licence_status::LicenceStatus,
    licences::card::{CardData, CardPress},
};

/// Cards of each kind at most.
const CARDS: usize = 20;
/// No further card is begun after this: an unoptimised program takes seconds for each.
const BUDGET: Duration = Duration::from_secs(5);

/// Median times in milliseconds of wall clock, and sizes in bytes.
#[derive(Debug, Serialize)]
pub(super) struct CardCost {
    svg_ms: f64,
    png_ms: f64,
    svg_bytes: usize,
    png_bytes: usize,
}

/// Draws some cards of nobody.
///
/// # Errors
/// A card was refused, which is a defect.
pub(super) async fn measure() -> anyhow::Result<CardCost> {
    let (press, data) = (CardPress::load(None)?, sample()?);
    let (mut svg, mut png) = (Vec::new(), Vec::new());
    let (mut svg_bytes, mut png_bytes) = (0, 0);
    let started = Instant::now();
    while svg.is_empty() || (svg.len() < CARDS && started.elapsed() < BUDGET) {
        let begun = Instant::now();
        svg_bytes = press.svg(data.clone()).await?.len();
        svg.push(begun.elapsed());
        let begun = Instant::now();
        png_bytes = press.png(data.clone()).await?.len();
        png.push(begun.elapsed());
    }
    Ok(CardCost { svg_ms: median(svg), png_ms: median(png), svg_bytes, png_bytes })
}

fn median(mut samples: Vec<Duration>) -> f64 {
    samples.sort_unstable();
    samples.get(samples.len() / 2).map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
}

fn sample() -> anyhow::Result<CardData> {
    // Not one colour: a picture that packs to nothing would cost nothing.
    let picture = RgbImage::from_fn(520, 756, |x, y| Rgb([(x / 3) as u8, (y / 4) as u8, (x * y / 700) as u8]));
    let mut portrait = Cursor::new(Vec::new());
    DynamicImage::from(picture).write_to(&mut portrait, ImageFormat::Jpeg)?;
    let day = |year| NaiveDate::from_ymd_opt(year, 6, 1);
    Ok(CardData {
        name: "张三".to_owned(),
        document_number: "1101**********002X".to_owned(),
        sex: Some("男".to_owned()),
        nationality: Some("中国".to_owned()),
        address: Some("内蒙古自治区乌海市海勃湾区新华街道人民路一百二十三号院五号楼二单元六〇一室".to_owned()),
        birth_date: day(1949),
        first_issued_on: day(2009),
        classes: "C1D".to_owned(),
        valid_from: day(2021),
        valid_until: day(2031),
        authority: "蒙C".to_owned(),
        file_number: "150300123456".to_owned(),
        portrait: portrait.into_inner(),
        status: LicenceStatus::parse("A"),
        notice: None,
        code: "0123456789abcdefABCDEF-_".repeat(7),
        generated_at: Utc::now(),
    })
}

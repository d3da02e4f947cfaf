//! Renderings compared with pictures in the repository. `GREENLANE_GOLDEN=write` writes them anew: look at them.

use std::{fs::File, io::BufWriter, path::Path};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use super::*;

/// Enough to see a wrong place, little to keep.
const WIDTH: u32 = 400;
/// Colours are kept in so many steps: fewer make smaller files, and all that is looked for is larger.
const STEP: u8 = 16;

#[test]
fn valid() {
    compare("valid", &sample());
}

#[test]
fn abnormal() {
    compare("abnormal", &with_status("SH"));
}

#[test]
fn sparse() {
    let bare = CardData {
        sex: None,
        nationality: None,
        address: None,
        birth_date: None,
        first_issued_on: None,
        valid_until: None,
        ..sample()
    };
    compare("sparse", &bare);
}

#[test]
fn crowded() {
    let crowded = CardData {
        name: "阿卜杜热西提·买买提明·吐尔逊江·阿不都克里木·努尔买买提·艾合买提江".to_owned(),
        nationality: Some("大不列颠及北爱尔兰联合王国（海外领地）".to_owned()),
        address: Some("新疆维吾尔自治区巴音郭楞蒙古自治州若羌县铁干里克镇果勒吾斯塘村三组（原米兰农场第三十六团）二百一十八号附一号，".repeat(3)),
        classes: "A1A2B1B2C1DEFMN".to_owned(),
        ..with_status("DKUMSBHI")
    };
    compare("crowded", &crowded);
}

fn compare(name: &str, data: &CardData) {
    let drawn = pixels(data, WIDTH);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/licences/card/golden/{name}.png"));
    if std::env::var("GREENLANE_GOLDEN").is_ok_and(|value| value == "write") {
        let file = BufWriter::new(File::create(&path).unwrap());
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
        let few = drawn.iter().map(|value| value / STEP * STEP + STEP / 2).collect();
        RgbImage::from_raw(drawn.width(), drawn.height(), few).unwrap().write_with_encoder(encoder).unwrap();
        return;
    }
    let golden = image::open(&path).unwrap().to_rgb8();
    assert_eq!(drawn.dimensions(), golden.dimensions(), "{name}");
    // Processors round differently; a moved or missing stroke changes whole pixels.
    let far = drawn
        .pixels()
        .zip(golden.pixels())
        .filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 40))
        .count();
    if far * 2000 > drawn.pixels().len() {
        let seen = std::env::temp_dir().join(format!("greenlane-card-{name}.png"));
        drawn.save(&seen).unwrap();
        panic!("{far} pixels of {name} differ; what was drawn is in {}", seen.display());
    }
}

//! From the registry's letters to pixels.

use image::Rgb;

use super::*;
use crate::domain::licence_status::{DisplayMode, StatusLetter};

#[test]
fn every_letter_decides_about_the_picture() {
    let combined = ["HI", "SH", "AZ", "DG", "", "?", "NPT", "MSBDKU"];
    for letters in StatusLetter::ALL.iter().map(|letter| letter.as_str()).chain(combined) {
        let data = with_status(letters);
        let wanted = match data.status.display() {
            DisplayMode::Valid => Rgb([0, 0, 0]),
            DisplayMode::Abnormal => Rgb([0xc0, 0x0d, 0x18]),
            DisplayMode::Invalid | DisplayMode::Hidden => {
                assert_eq!(svg(&data), Err(CardError::NotShown), "{letters}");
                continue;
            }
        };
        let text = printed(&svg(&data).unwrap());
        for letter in data.status.letters() {
            assert!(text.contains(letter.name_zh()), "{letters}");
        }
        let notice = data.status.display_message_zh();
        assert_eq!(notice.is_none(), data.status.display() == DisplayMode::Valid);
        assert!(notice.is_none_or(|notice| text.contains(&notice)), "{letters}");
        assert_eq!(code_colour(&data), wanted, "{letters}");
    }
}

/// The colour of the finder pattern's ring, looked up where the SVG says the code is.
fn code_colour(data: &CardData) -> Rgb<u8> {
    const WIDTH: u32 = 360;
    let text = svg(data).unwrap();
    let (_, after) = text.split_once("<path transform=\"translate(").unwrap();
    let (place, after) = after.split_once(") scale(").unwrap();
    let (x, y) = place.split_once(' ').unwrap();
    let module: f64 = after.split_once(')').unwrap().0.parse().unwrap();
    let at = |start: &str| {
        let start: f64 = start.parse().unwrap();
        // The middle of the finder pattern's core: three by three modules that are always dark.
        ((start + 7.5 * module) * f64::from(WIDTH) / layout::WIDTH) as u32
    };
    *pixels(data, WIDTH).get_pixel(at(x), at(y))
}

#[test]
fn both_codes_are_read_back() {
    for letters in ["A", "D"] {
        let data = with_status(letters);
        assert_eq!(decoded(&pixels(&data, PNG_WIDTH)), [data.code], "{letters}");
    }
}

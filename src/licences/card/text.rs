//! Texts that fit into their places: cleaned, wrapped, and made smaller where they are long.

use crate::domain::applicant::is_invisible;

use super::{CardError, fonts::Ruler};

/// The distance of two lines, in sizes.
const LEADING: f64 = 1.28;
/// Nobody reads what is smaller, at the width of a phone.
const SMALLEST: f64 = 9.0;
/// A text that is longer than this is no name and no address.
const LONGEST: usize = 1000;
/// A word with more letters is parted: no line is long enough for every word.
const LONGEST_WORD: usize = 14;

/// A text in its place.
#[derive(Debug, PartialEq)]
pub(super) struct Fitted {
    /// Of the letters.
    pub(super) size: f64,
    /// The lines with their widths.
    pub(super) lines: Vec<(String, f64)>,
}

impl Fitted {
    /// From one line to the next.
    pub(super) fn leading(&self) -> f64 {
        self.size * LEADING
    }
}

/// What is printed of a text from outside. Direction marks, zero-width and control characters would change what is read
/// or show nothing: they go. White space is one space.
pub(super) fn clean(text: &str) -> String {
    // The sign of a broken decoding stays, and is refused for want of a glyph.
    let kept = |c: &char| *c == '\u{fffd}' || c.is_whitespace() || !is_invisible(*c);
    let visible: String = text.chars().filter(kept).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The largest size, at most `largest`, at which a text fits into `width` and `height`. Line ends in the text stay.
///
/// # Errors
/// A missing glyph, or a text that would have to be too small to be read.
pub(super) fn fit(ruler: &Ruler<'_>, text: &str, width: f64, height: f64, largest: f64) -> Result<Fitted, CardError> {
    if text.len() > LONGEST * 4 {
        return Err(CardError::TextTooLong);
    }
    let paragraphs: Vec<Vec<(String, f64)>> =
        text.lines().map(|line| words(ruler, line)).collect::<Result<_, CardError>>()?;
    let mut size = largest;
    while size >= SMALLEST {
        let lines: Option<Vec<Vec<_>>> = paragraphs.iter().map(|words| wrap(words, width / size)).collect();
        if let Some(lines) = lines.map(|lines| lines.concat())
            && lines.len() as f64 * size * LEADING <= height.max(largest * LEADING)
        {
            let lines = lines.into_iter().map(|(line, ems)| (line, ems * size)).collect();
            return Ok(Fitted { size, lines });
        }
        size -= 0.5;
    }
    Err(CardError::TextTooLong)
}

/// What stays together in a line, with widths in ems: a Chinese character with the punctuation after it, a word of
/// letters and digits, a space.
fn words(ruler: &Ruler<'_>, line: &str) -> Result<Vec<(String, f64)>, CardError> {
    let mut words: Vec<String> = Vec::new();
    for character in line.chars() {
        match words.last_mut() {
            Some(word) if word.ends_with(is_letter) && is_letter(character) && word.chars().count() < LONGEST_WORD => {
                word.push(character);
            }
            Some(word) if word != " " && sticks(character, word) => word.push(character),
            _ => words.push(character.to_string()),
        }
    }
    words.into_iter().map(|word| Ok((ruler.width(&word)?, word))).map(|word| word.map(|(w, t)| (t, w))).collect()
}

/// Letters that make words; Chinese characters may be parted anywhere.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() && u32::from(character) < 0x2e80
}

/// Never begins a line: one mark of punctuation, and what changes the character before it.
fn sticks(character: char, word: &str) -> bool {
    matches!(character, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
        || (is_mark(character) && !word.ends_with(is_mark))
}

fn is_mark(character: char) -> bool {
    "，。、；：）”’》·,.;:)-'".contains(character)
}

/// Lines no wider than `width` ems; none when even one word is wider.
fn wrap(words: &[(String, f64)], width: f64) -> Option<Vec<(String, f64)>> {
    let mut lines: Vec<(String, f64)> = Vec::new();
    for (word, ems) in words {
        match lines.last_mut() {
            Some((line, used)) if *used + ems <= width => {
                line.push_str(word);
                *used += ems;
            }
            _ if word == " " => {}
            _ if *ems <= width => lines.push((word.clone(), *ems)),
            _ => return None,
        }
    }
    Some(lines)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::fonts::Fonts, *};

    #[test]
    fn what_shows_nothing_is_not_printed() {
        for (given, printed) in [
            ("张三", "张三"),
            ("\u{202e}三张\u{200f}", "三张"),
            ("\u{feff}张\u{200b}三", "张三"),
            ("  内蒙古\t乌海市\n 海勃湾区 ", "内蒙古 乌海市 海勃湾区"),
            ("买买提·吐尔逊", "买买提·吐尔逊"),
            ("\0\u{7}", ""),
            ("\u{fffd}", "\u{fffd}"),
            ("葛\u{e0100}", "葛\u{e0100}"),
        ] {
            assert_eq!(clean(given), printed, "{given:?}");
        }
    }

    fn fitted(text: &str, width: f64, height: f64) -> Result<Fitted, CardError> {
        fit(&Fonts::load(None).unwrap().ruler(), text, width, height, 36.0)
    }

    #[test]
    fn short_texts_are_large_and_long_ones_wrap_and_shrink() {
        let short = fitted("张三", 400.0, 60.0).unwrap();
        assert_eq!((short.size, short.lines), (36.0, vec![("张三".to_owned(), 72.0)]));
        let long = fitted(&"王".repeat(50), 400.0, 60.0).unwrap();
        assert!(long.lines.len() > 1 && long.size >= 14.0, "{long:?}");
        assert_eq!(fitted(&"王".repeat(5000), 400.0, 60.0), Err(CardError::TextTooLong));
        assert_eq!(fitted("𬭎", 400.0, 60.0), Err(CardError::GlyphMissing));
        assert_eq!(fitted("", 400.0, 60.0).unwrap().lines, []);
    }

    #[test]
    fn words_and_punctuation_stay_together() {
        let lines = |text, width| -> Vec<String> {
            fitted(text, width, 600.0).unwrap().lines.into_iter().map(|(line, _)| line).collect()
        };
        assert_eq!(lines("Maria Magdalena", 200.0), ["Maria ", "Magdalena"]);
        assert_eq!(lines("甲乙，丙丁", 80.0), ["甲", "乙，", "丙丁"]);
        assert_eq!(lines("C1 小型汽车\nD 普通三轮摩托车", 600.0), ["C1 小型汽车", "D 普通三轮摩托车"]);
    }

    proptest! {
        #[test]
        fn nothing_overflows(text in "[ -~一-龥，·]{0,300}", width in 60.0..600.0_f64, height in 30.0..200.0_f64) {
            let fonts = Fonts::load(None).unwrap();
            let ruler = fonts.ruler();
            if let Ok(fitted) = fit(&ruler, &clean(&text), width, height, 30.0) {
                for (line, wide) in &fitted.lines {
                    prop_assert!(*wide <= width + 1e-6);
                    prop_assert!((ruler.width(line).unwrap() * fitted.size - wide).abs() < 1e-6);
                }
                prop_assert!(fitted.lines.len() as f64 * fitted.leading() <= height.max(30.0 * LEADING) + 1e-6);
                let printed: String = fitted.lines.iter().map(|(line, _)| line.replace(' ', "")).collect();
                prop_assert_eq!(printed, clean(&text).replace(' ', ""));
            }
        }
    }
}

//! What of a provider's text may be kept in the audit log, from which nothing can be taken out again: codes and references
//! that are nobody's name or number.

use chrono::NaiveDate;

use super::{
    applicant::Mobile,
    identity::{DocumentNumber, DocumentType},
};

/// The longest code.
const LONGEST_CODE: usize = 32;
/// The longest reference; those of the gateways in use have about 20 characters.
const LONGEST_REFERENCE: usize = 64;

/// A provider's finer code, such as `204`, if it can be kept.
pub fn code(text: &str) -> Option<&str> {
    harmless(text, "_.-", LONGEST_CODE)
}

/// A provider's own reference of a message, if it can be kept.
pub fn reference(text: &str) -> Option<&str> {
    harmless(text, "_.-:^", LONGEST_REFERENCE)
}

fn harmless<'a>(text: &'a str, marks: &str, longest: usize) -> Option<&'a str> {
    let allowed = text.chars().all(|letter| letter.is_ascii_alphanumeric() || marks.contains(letter));
    let short = (1..=longest).contains(&text.len());
    (short && allowed && !text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_personal)).then_some(text)
}

/// Whether a word is, or has within letters, a mobile or an identity number.
fn is_personal(word: &str) -> bool {
    let identity = DocumentNumber::parse(DocumentType::IdentityCard, word, NaiveDate::MAX).is_ok();
    identity || word.split(|letter: char| !letter.is_ascii_digit()).any(|digits| Mobile::parse(digits).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_references_are_kept() {
        for text in ["200", "isv.OUT_OF_SERVICE", "a-b_c.d", "900619746936498440"] {
            assert_eq!((code(text), reference(text)), (Some(text), Some(text)));
        }
        for text in ["900619746936498440^0", "m-0197c0de-1111-7222-8333-444455556666:result", &"x".repeat(64)] {
            assert_eq!((code(text), reference(text)), (None, Some(text)));
        }
    }

    #[test]
    fn names_numbers_and_texts_are_not() {
        let long = "x".repeat(65);
        for text in [
            "",
            "张三",
            "sent to 1",
            "13800138000",
            "sms-13800138000",
            "SMS13800138000X",
            "11010519491231002X",
            "id.11010519491231002x",
            "{\"a\":1}",
            "a\n",
            &long,
        ] {
            assert_eq!((code(text), reference(text)), (None, None), "{text:?}");
        }
    }
}

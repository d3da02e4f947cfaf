//! What an applicant gives with an application (申请人), each a value that is right by its type.
//!
//! All of it is personal data: `Debug` shows the masked form, and only `as_str` gives the text.

use serde::{Deserialize, Serialize};

use super::mask;

/// Why a field of a request is refused. Never carries the refused text itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FieldError {
    /// A stable snake_case code.
    pub code: &'static str,
    /// What would be right.
    pub detail: String,
}

impl FieldError {
    /// An error of the given code.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    pub(super) fn character(allowed: &str) -> Self {
        Self::new("character_not_allowed", allowed)
    }
}

/// Declares a text value with a check, a mask, a redacting `Debug` and checked serde.
macro_rules! text_value {
    ($(#[$meta:meta])* $name:ident, check: $check:expr, mask: $mask:expr) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads and checks the text; it is kept exactly as it is.
            pub fn parse(text: &str) -> Result<Self, FieldError> {
                let check: fn(&str) -> Result<(), FieldError> = $check;
                check(text).map(|()| Self(text.to_owned()))
            }

            /// The text itself: personal data.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The form that may be shown and logged.
            pub fn masked(&self) -> String {
                let mask: fn(&str) -> String = $mask;
                mask(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.masked())
            }
        }

        impl TryFrom<String> for $name {
            type Error = FieldError;
            fn try_from(text: String) -> Result<Self, FieldError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

text_value! {
    /// 姓名: 1 to 50 characters of any script, rare ones and the name dot `·` included, without
    /// control, formatting and direction characters and without space at either end. Codes:
    /// `length_wrong`, `blank`, `surrounding_space`, `character_not_allowed`.
    PersonName, check: check_name, mask: mask::name
}

text_value! {
    /// 手机号 of mainland China: `1`, `3` to `9`, and nine more digits. Code: `mobile_invalid`.
    Mobile, check: check_mobile, mask: mask::mobile
}

text_value! {
    /// 档案编号: 12 digits. Sources disagree on their inner structure, so the registry decides the
    /// rest. Code: `file_number_invalid`.
    FileNumber, check: check_file_number, mask: mask::number
}

text_value! {
    /// The applicant's account in the 交管12123 app: 1 to 128 visible characters. Codes:
    /// `length_wrong`, `character_not_allowed`.
    AppUser, check: check_app_user, mask: mask::number
}

text_value! {
    /// The token under which the face verification (实人认证) is looked up: 1 to 512 visible ASCII
    /// characters. Codes: `length_wrong`, `character_not_allowed`.
    FaceToken, check: check_face_token, mask: mask::token
}

fn check_name(text: &str) -> Result<(), FieldError> {
    check_length(text, 1, 50)?;
    if text.trim().is_empty() {
        return Err(FieldError::new("blank", "must not be blank"));
    }
    if text.trim().len() != text.len() {
        return Err(FieldError::new("surrounding_space", "must not begin or end with a space"));
    }
    if text.chars().any(|c| is_invisible(c) || (c.is_whitespace() && c != ' ')) {
        return Err(FieldError::character("no control, formatting or direction characters"));
    }
    Ok(())
}

fn check_mobile(text: &str) -> Result<(), FieldError> {
    let digits = text.as_bytes();
    let right = digits.len() == 11
        && digits.iter().all(u8::is_ascii_digit)
        && digits.first() == Some(&b'1')
        && matches!(digits.get(1), Some(b'3'..=b'9'));
    if right {
        return Ok(());
    }
    Err(FieldError::new("mobile_invalid", "must be 11 digits that begin with 13 to 19"))
}

fn check_file_number(text: &str) -> Result<(), FieldError> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(FieldError::new("file_number_invalid", "must be 12 digits"))
}

fn check_app_user(text: &str) -> Result<(), FieldError> {
    check_length(text, 1, 128)?;
    if text.chars().any(|c| is_invisible(c) || c.is_whitespace()) {
        return Err(FieldError::character("visible characters only"));
    }
    Ok(())
}

fn check_face_token(text: &str) -> Result<(), FieldError> {
    check_length(text, 1, 512)?;
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(FieldError::character("visible ASCII characters only"));
    }
    Ok(())
}

/// `length_wrong` unless the text has `least` to `most` characters.
pub(super) fn check_length(text: &str, least: usize, most: usize) -> Result<(), FieldError> {
    // A character has at most four bytes, so an oversized text is not walked through.
    if text.len() <= most * 4 && (least..=most).contains(&text.chars().count()) {
        return Ok(());
    }
    Err(FieldError::new("length_wrong", format!("must have {least} to {most} characters")))
}

/// A Chinese character, the rare ones of the extensions included.
pub(super) const fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// A character that shows nothing but changes what is shown: control, zero-width, fillers, direction
/// (which could make a reviewer read another name), tags, and the sign of a broken decoding.
/// Variation selectors are not among them: names in rare glyphs use them.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code<T: std::fmt::Debug>(result: Result<T, FieldError>) -> &'static str {
        result.map_or_else(|error| error.code, |_| "ok")
    }

    #[test]
    fn names() {
        let fifty = "王".repeat(50);
        for good in ["张三", "𬭎㛃", "买买提·吐尔逊", "O'Neil-Smith Jr.", "José", "Ян", "葛󠄀", fifty.as_str()]
        {
            assert_eq!(PersonName::parse(good).unwrap().as_str(), good);
        }
        for (bad, wanted) in [
            ("", "length_wrong"),
            (&*"王".repeat(51), "length_wrong"),
            ("   ", "blank"),
            ("\u{3000}", "blank"),
            (" 张三", "surrounding_space"),
            ("张三\n", "surrounding_space"),
            ("张\n三", "character_not_allowed"),
            ("张\0三", "character_not_allowed"),
            ("张\u{202e}三", "character_not_allowed"),
            ("张\u{2066}三", "character_not_allowed"),
            ("\u{200f}张三", "character_not_allowed"),
            ("张三\u{200e}", "character_not_allowed"),
            ("张\u{200b}三", "character_not_allowed"),
            ("张\u{3000}三", "character_not_allowed"),
            ("张\u{fffd}", "character_not_allowed"),
        ] {
            assert_eq!(code(PersonName::parse(bad)), wanted, "{bad:?}");
        }
    }

    #[test]
    fn mobiles_and_file_numbers() {
        for good in ["13800138000", "19912345678"] {
            assert_eq!(code(Mobile::parse(good)), "ok");
        }
        for bad in
            ["", "12800138000", "1380013800", "138001380000", "+8613800138000", "１３８００１３８０００", "1380013800a"]
        {
            assert_eq!(code(Mobile::parse(bad)), "mobile_invalid", "{bad}");
        }
        assert_eq!(code(FileNumber::parse("150300123456")), "ok");
        for bad in ["", "15030012345", "1503001234567", "15030012345X", "１５０３００１２３４５６", "一五〇三"]
        {
            assert_eq!(code(FileNumber::parse(bad)), "file_number_invalid", "{bad}");
        }
    }

    #[test]
    fn accounts_and_tokens() {
        assert_eq!(code(AppUser::parse("u-123")), "ok");
        assert_eq!(code(AppUser::parse("用户1")), "ok");
        assert_eq!(code(AppUser::parse("")), "length_wrong");
        assert_eq!(code(AppUser::parse(&"u".repeat(129))), "length_wrong");
        assert_eq!(code(AppUser::parse("u 1")), "character_not_allowed");
        assert_eq!(code(FaceToken::parse("ft-ok")), "ok");
        assert_eq!(code(FaceToken::parse("")), "length_wrong");
        assert_eq!(code(FaceToken::parse(&"f".repeat(513))), "length_wrong");
        assert_eq!(code(FaceToken::parse("ft ok")), "character_not_allowed");
        assert_eq!(code(FaceToken::parse("令牌")), "character_not_allowed");
    }

    #[test]
    fn nothing_personal_is_printed() {
        assert_eq!(format!("{:?}", PersonName::parse("张三").unwrap()), "PersonName(张*)");
        assert_eq!(format!("{:?}", Mobile::parse("13800138000").unwrap()), "Mobile(138****8000)");
        assert_eq!(format!("{:?}", FileNumber::parse("150300123456").unwrap()), "FileNumber(150******456)");
        assert_eq!(format!("{:?}", FaceToken::parse("ft-secret-token").unwrap()), "FaceToken(ft-***)");
        let error = PersonName::parse("张\0三").unwrap_err();
        assert!(!format!("{error} {error:?}").contains('张'));
    }

    #[test]
    fn stored_values_are_checked_again() {
        let name = PersonName::parse("张三").unwrap();
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(json, "\"张三\"");
        assert_eq!(serde_json::from_str::<PersonName>(&json).unwrap(), name);
        assert!(serde_json::from_str::<Mobile>("\"123\"").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = (PersonName::parse(&text), Mobile::parse(&text), FileNumber::parse(&text));
            let _ = (AppUser::parse(&text), FaceToken::parse(&text));
        }

        #[test]
        fn good_values_are_kept_as_they_are(mobile in "1[3-9][0-9]{9}", file in "[0-9]{12}", name in "\\p{Han}{1,50}") {
            prop_assert_eq!(String::from(Mobile::parse(&mobile).unwrap()), mobile);
            prop_assert_eq!(String::from(FileNumber::parse(&file).unwrap()), file);
            prop_assert_eq!(String::from(PersonName::parse(&name).unwrap()), name);
        }
    }
}

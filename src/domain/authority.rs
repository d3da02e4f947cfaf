//! The issuing authority (发证机关) of a licence: the key by which reviews and regional holidays go.

use serde::{Deserialize, Serialize};

use super::applicant::{self, FieldError};

/// An issuing authority such as `蒙C`: 1 to 8 Chinese characters, ASCII letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IssuingAuthority(String);

impl IssuingAuthority {
    /// The greatest number of characters.
    pub const MAX_CHARS: usize = 8;

    /// Reads an authority; `length_wrong` or `character_not_allowed` otherwise.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        applicant::check_length(text, 1, Self::MAX_CHARS)?;
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || applicant::is_cjk(c)) {
            return Err(FieldError::character("Chinese characters, ASCII letters and digits only"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as the registry writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this authority lies within a region, e.g. `蒙C` within `蒙`.
    pub fn is_within(&self, prefix: &str) -> bool {
        self.0.starts_with(prefix)
    }
}

impl std::fmt::Display for IssuingAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for IssuingAuthority {
    type Error = FieldError;
    fn try_from(text: String) -> Result<Self, FieldError> {
        Self::parse(&text)
    }
}

impl From<IssuingAuthority> for String {
    fn from(authority: IssuingAuthority) -> Self {
        authority.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_registry_writes_and_nothing_else() {
        for good in ["蒙C", "京A", "黑", "公安部", "蒙C01"] {
            assert_eq!(IssuingAuthority::parse(good).unwrap().as_str(), good);
        }
        for (bad, code) in [
            ("", "length_wrong"),
            ("蒙蒙蒙蒙蒙蒙蒙蒙蒙", "length_wrong"),
            ("蒙 C", "character_not_allowed"),
            ("蒙\u{202e}C", "character_not_allowed"),
            ("蒙\0", "character_not_allowed"),
            ("蒙C'", "character_not_allowed"),
        ] {
            assert_eq!(IssuingAuthority::parse(bad).unwrap_err().code, code, "{bad:?}");
        }
    }

    #[test]
    fn lies_within_its_province() {
        let authority = IssuingAuthority::parse("蒙C").unwrap();
        assert!(authority.is_within("蒙") && authority.is_within("蒙C"));
        assert!(!authority.is_within("京"));
    }
}

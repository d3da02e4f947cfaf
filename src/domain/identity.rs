//! Identity documents (身份证明) and their numbers.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::applicant::{self, FieldError};
use super::mask;
use super::wire::wire_enum;

wire_enum! {
    /// The kind of identity document of a natural person, by the letter of the registry.
    /// The letters of organisations (B, J, L, N, P) are unknown here.
    pub enum DocumentType as "document type" {
        /// 居民身份证.
        IdentityCard = "A",
        /// 军官证.
        OfficerCard = "C",
        /// 士兵证.
        SoldierCard = "D",
        /// 军官离退休证.
        RetiredOfficerCard = "E",
        /// 境外人员身份证明.
        OverseasPerson = "F",
        /// 外交人员身份证明.
        Diplomat = "G",
        /// 居民户口簿.
        HouseholdRegister = "H",
        /// 居住暂住证明.
        ResidencePermit = "K",
        /// 临时居民身份证.
        TemporaryIdentityCard = "M",
    }
}

impl DocumentType {
    /// The Chinese name.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::IdentityCard => "居民身份证",
            Self::OfficerCard => "军官证",
            Self::SoldierCard => "士兵证",
            Self::RetiredOfficerCard => "军官离退休证",
            Self::OverseasPerson => "境外人员身份证明",
            Self::Diplomat => "外交人员身份证明",
            Self::HouseholdRegister => "居民户口簿",
            Self::ResidencePermit => "居住暂住证明",
            Self::TemporaryIdentityCard => "临时居民身份证",
        }
    }

    /// Whether the number is a citizen identity number (公民身份号码) with a check digit.
    pub const fn has_identity_number(self) -> bool {
        matches!(self, Self::IdentityCard | Self::TemporaryIdentityCard)
    }

    /// Papers of the armed forces, whose numbers are written with Chinese characters.
    pub const fn is_military(self) -> bool {
        matches!(self, Self::OfficerCard | Self::SoldierCard | Self::RetiredOfficerCard)
    }
}

wire_enum! {
    /// 性别, as an identity number tells it.
    pub enum Sex as "sex" {
        /// 男.
        Male = "male",
        /// 女.
        Female = "female",
    }
}

/// Why a document number is refused. Never carries the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DocumentNumberError {
    /// Too short or too long.
    #[error("an identity number has 18 characters, other document numbers 1 to 30")]
    LengthWrong,
    /// Digits or letters of the full-width forms, as Chinese input methods write them.
    #[error("full-width characters are not accepted, write plain digits and letters")]
    FullWidthCharacter,
    /// A character that the kind of document does not have.
    #[error("an identity number has digits and a last `X` only, other document numbers letters, digits and hyphens")]
    CharacterNotAllowed,
    /// There is no such day, or nobody born then can drive.
    #[error("the birth date in the number does not exist")]
    BirthDateImpossible,
    /// Born after today.
    #[error("the birth date in the number is in the future")]
    BirthDateInFuture,
    /// The last character is not the one that GB 11643 computes.
    #[error("the check digit is wrong")]
    CheckDigitWrong,
}

impl DocumentNumberError {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LengthWrong => "length_wrong",
            Self::FullWidthCharacter => "full_width_character",
            Self::CharacterNotAllowed => "character_not_allowed",
            Self::BirthDateImpossible => "birth_date_impossible",
            Self::BirthDateInFuture => "birth_date_in_future",
            Self::CheckDigitWrong => "check_digit_wrong",
        }
    }
}

impl From<DocumentNumberError> for FieldError {
    fn from(error: DocumentNumberError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The number of an identity document, right for its kind. Personal data: `Debug` is masked.
///
/// With serde it is `{document_type, document_number}` and checked again, except for the birth
/// date in the future, which was checked against the day on which it was given.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct DocumentNumber {
    document_type: DocumentType,
    text: String,
}

impl DocumentNumber {
    /// The length of an identity number.
    pub const IDENTITY_NUMBER_CHARS: usize = 18;
    /// The greatest length of any other number.
    pub const MAX_CHARS: usize = 30;

    /// Reads a number; `today` (local date) tells which birth dates lie in the future.
    ///
    /// A last `x` becomes `X`; everything else is kept as it is.
    pub fn parse(document_type: DocumentType, text: &str, today: NaiveDate) -> Result<Self, DocumentNumberError> {
        let number = Self::read(document_type, text)?;
        if number.birth_date().is_some_and(|born| born > today) {
            return Err(DocumentNumberError::BirthDateInFuture);
        }
        // Last, so that an impossible date is named even where the check digit is wrong too.
        number.check_digit()?;
        Ok(number)
    }

    fn read(document_type: DocumentType, text: &str) -> Result<Self, DocumentNumberError> {
        if text.chars().any(|c| matches!(c, '\u{ff01}'..='\u{ff5e}')) {
            return Err(DocumentNumberError::FullWidthCharacter);
        }
        let text = if document_type.has_identity_number() {
            read_identity_number(text)?
        } else {
            applicant::check_length(text, 1, Self::MAX_CHARS).map_err(|_| DocumentNumberError::LengthWrong)?;
            let chinese = document_type.is_military();
            if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || (chinese && applicant::is_cjk(c))) {
                return Err(DocumentNumberError::CharacterNotAllowed);
            }
            text.to_owned()
        };
        Ok(Self { document_type, text })
    }

    fn check_digit(&self) -> Result<(), DocumentNumberError> {
        let right =
            !self.document_type.has_identity_number() || self.text.chars().last() == check_digit(self.text.as_bytes());
        if right { Ok(()) } else { Err(DocumentNumberError::CheckDigitWrong) }
    }

    /// The kind of document.
    pub const fn document_type(&self) -> DocumentType {
        self.document_type
    }

    /// The number itself: personal data.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that may be shown and logged.
    pub fn masked(&self) -> String {
        mask::number(&self.text)
    }

    /// The birth date in an identity number; `None` for other documents.
    pub fn birth_date(&self) -> Option<NaiveDate> {
        if self.document_type.has_identity_number() { birth_date(&self.text) } else { None }
    }

    /// The sex in an identity number (an odd 17th digit is male); `None` for other documents.
    pub fn sex(&self) -> Option<Sex> {
        let digit = self.text.as_bytes().get(16).filter(|_| self.document_type.has_identity_number())?;
        Some(if digit % 2 == 1 { Sex::Male } else { Sex::Female })
    }
}

impl std::fmt::Debug for DocumentNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DocumentNumber({} {})", self.document_type, self.masked())
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    document_type: DocumentType,
    document_number: String,
}

impl TryFrom<Stored> for DocumentNumber {
    type Error = DocumentNumberError;
    fn try_from(stored: Stored) -> Result<Self, DocumentNumberError> {
        let number = Self::read(stored.document_type, &stored.document_number)?;
        number.check_digit()?;
        Ok(number)
    }
}

impl From<DocumentNumber> for Stored {
    fn from(number: DocumentNumber) -> Self {
        Self { document_type: number.document_type, document_number: number.text }
    }
}

/// GB 11643-1999 but for the check digit: 17 digits, a digit or X, and a birth date that exists.
fn read_identity_number(text: &str) -> Result<String, DocumentNumberError> {
    let count = text.chars().count();
    for (index, c) in text.chars().enumerate() {
        let is_last_x = matches!(c, 'x' | 'X') && index + 1 == count;
        if !c.is_ascii_digit() && !is_last_x {
            return Err(DocumentNumberError::CharacterNotAllowed);
        }
    }
    if count != DocumentNumber::IDENTITY_NUMBER_CHARS {
        return Err(DocumentNumberError::LengthWrong);
    }
    birth_date(text).ok_or(DocumentNumberError::BirthDateImpossible)?;
    Ok(text.to_ascii_uppercase())
}

/// The birth date at characters 7 to 14. The standard's own samples go back to 1880.
fn birth_date(number: &str) -> Option<NaiveDate> {
    let year = number.get(6..10)?.parse().ok().filter(|year| *year >= 1800)?;
    NaiveDate::from_ymd_opt(year, number.get(10..12)?.parse().ok()?, number.get(12..14)?.parse().ok()?)
}

/// The check digit over the first 17 digits (GB 11643-1999, ISO 7064 MOD 11-2).
pub fn check_digit(digits: &[u8]) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = WEIGHTS.iter().zip(digits).map(|(weight, digit)| weight * u32::from(digit.wrapping_sub(b'0'))).sum();
    "10X98765432".chars().nth(usize::try_from(sum % 11).ok()?)
}

#[cfg(test)]
mod tests;

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
    #[error(
        "an identity number has digits and a last `X` only, other document numbers letters, digits and hyphens"
    )]
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
        let right = !self.document_type.has_identity_number()
            || self.text.chars().last() == check_digit(self.text.as_bytes());
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
        if !c.is_ascii_digit() && !(matches!(c, 'x' | 'X') && index + 1 == count) {
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
fn check_digit(digits: &[u8]) -> Option<char> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = WEIGHTS.iter().zip(digits).map(|(weight, digit)| weight * u32::from(digit.wrapping_sub(b'0'))).sum();
    "10X98765432".chars().nth(usize::try_from(sum % 11).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "11010519491231002X";

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
    }

    fn parse(document_type: DocumentType, text: &str) -> Result<DocumentNumber, DocumentNumberError> {
        DocumentNumber::parse(document_type, text, today())
    }

    fn with_check_digit(digits: &str) -> String {
        format!("{digits}{}", check_digit(digits.as_bytes()).unwrap())
    }

    #[test]
    fn reads_the_standards_samples() {
        let number = parse(DocumentType::IdentityCard, "11010519491231002x").unwrap();
        assert_eq!(number.as_str(), SAMPLE);
        assert_eq!(number.birth_date(), NaiveDate::from_ymd_opt(1949, 12, 31));
        assert_eq!(number.sex(), Some(Sex::Female));
        let other = parse(DocumentType::TemporaryIdentityCard, "440524188001010014").unwrap();
        assert_eq!(other.sex(), Some(Sex::Male));
        assert_eq!(other.birth_date(), NaiveDate::from_ymd_opt(1880, 1, 1));
    }

    #[test]
    fn refuses_wrong_identity_numbers_by_code() {
        let leap = with_check_digit("11010520000229002");
        assert!(parse(DocumentType::IdentityCard, &leap).is_ok());
        let born_today = with_check_digit("11010520261120002");
        assert!(parse(DocumentType::IdentityCard, &born_today).is_ok());
        for (text, code) in [
            ("", "length_wrong"),
            ("110105194912310", "length_wrong"),
            ("11010519491231002XX", "character_not_allowed"),
            ("1101051949123100211", "length_wrong"),
            ("110105194912310021", "check_digit_wrong"),
            ("110105194912310020", "check_digit_wrong"),
            ("11010519X912310021", "character_not_allowed"),
            ("11010519491231002 ", "character_not_allowed"),
            (" 1010519491231002X", "character_not_allowed"),
            ("11010519491231002\0", "character_not_allowed"),
            ("１１０１０５１９４９１２３１００２Ｘ", "full_width_character"),
            ("11010519491231002Ｘ", "full_width_character"),
            ("١١٠١٠٥١٩٤٩١٢٣١٠٠٢X", "character_not_allowed"),
            ("一二三四五六", "character_not_allowed"),
            (&with_check_digit("11010519990230002"), "birth_date_impossible"),
            (&with_check_digit("11010519000229002"), "birth_date_impossible"),
            (&with_check_digit("11010519991301002"), "birth_date_impossible"),
            (&with_check_digit("11010519990001002"), "birth_date_impossible"),
            (&with_check_digit("11010500000101002"), "birth_date_impossible"),
            (&with_check_digit("11010520261121002"), "birth_date_in_future"),
            (&with_check_digit("11010529991231002"), "birth_date_in_future"),
            ("110105299912310021", "birth_date_in_future"),
        ] {
            assert_eq!(parse(DocumentType::IdentityCard, text).unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn other_documents_have_looser_numbers() {
        for (kind, text) in [
            (DocumentType::OfficerCard, "军字第1234567号"),
            (DocumentType::SoldierCard, "士字第A-12号"),
            (DocumentType::OverseasPerson, "H12345678-00"),
            (DocumentType::HouseholdRegister, SAMPLE),
            (DocumentType::ResidencePermit, "a"),
        ] {
            let number = parse(kind, text).unwrap();
            assert_eq!(number.as_str(), text);
            assert_eq!((number.birth_date(), number.sex()), (None, None));
        }
        let long = "1".repeat(31);
        for (kind, text, code) in [
            (DocumentType::OverseasPerson, "", "length_wrong"),
            (DocumentType::OverseasPerson, &*long, "length_wrong"),
            (DocumentType::OverseasPerson, "护照123", "character_not_allowed"),
            (DocumentType::Diplomat, "12 34", "character_not_allowed"),
            (DocumentType::OfficerCard, "军字第\u{202e}1号", "character_not_allowed"),
            (DocumentType::OfficerCard, "军字第１号", "full_width_character"),
            (DocumentType::OfficerCard, "军\n1", "character_not_allowed"),
        ] {
            assert_eq!(parse(kind, text).unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn only_natural_persons_have_a_type() {
        for (letter, zh) in [("A", "居民身份证"), ("E", "军官离退休证"), ("M", "临时居民身份证")] {
            assert_eq!(letter.parse::<DocumentType>().unwrap().name_zh(), zh);
        }
        for letter in ["B", "J", "L", "N", "P", "a", "", "AA"] {
            assert!(letter.parse::<DocumentType>().is_err());
        }
    }

    #[test]
    fn nothing_personal_is_printed() {
        let number = parse(DocumentType::IdentityCard, SAMPLE).unwrap();
        assert_eq!(format!("{number:?}"), "DocumentNumber(A 1101**********002X)");
    }

    #[test]
    fn stored_numbers_are_checked_again() {
        let number = parse(DocumentType::IdentityCard, SAMPLE).unwrap();
        let json = serde_json::to_string(&number).unwrap();
        assert_eq!(json, format!(r#"{{"document_type":"A","document_number":"{SAMPLE}"}}"#));
        assert_eq!(serde_json::from_str::<DocumentNumber>(&json).unwrap(), number);
        assert!(serde_json::from_str::<DocumentNumber>(&json.replace("1002X", "10021")).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), kind in 0..DocumentType::ALL.len()) {
            let _ = parse(DocumentType::ALL[kind], &text);
        }

        #[test]
        fn no_text_of_the_right_length_panics(text in "[0-9xX\\p{Han}０-９ ]{18}") {
            let _ = parse(DocumentType::IdentityCard, &text);
        }

        #[test]
        fn generated_numbers_round_trip(area in 110_000..820_000_u32, days in 0..46_000_u64, sequence in 0..1_000_u32) {
            let first = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
            let born = first + chrono::Days::new(days);
            let text = with_check_digit(&format!("{area}{}{sequence:03}", born.format("%Y%m%d")));
            let number = parse(DocumentType::IdentityCard, &text).unwrap();
            prop_assert_eq!(number.as_str(), &text);
            prop_assert_eq!(number.birth_date(), Some(born));
        }

        #[test]
        fn one_changed_digit_is_found(days in 0..46_000_u64, sequence in 0..1_000_u32, at in 14..17_usize, by in 1..10_u8) {
            let born = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap() + chrono::Days::new(days);
            let mut bytes = with_check_digit(&format!("110105{}{sequence:03}", born.format("%Y%m%d"))).into_bytes();
            bytes[at] = b'0' + (bytes[at] - b'0' + by) % 10;
            let error = parse(DocumentType::IdentityCard, std::str::from_utf8(&bytes).unwrap()).unwrap_err();
            prop_assert_eq!(error, DocumentNumberError::CheckDigitWrong);
        }
    }
}

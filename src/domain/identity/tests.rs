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

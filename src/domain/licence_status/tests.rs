use super::*;
use proptest::prelude::*;

#[test]
fn each_letter_decides_as_the_table_says() {
    for (letters, may_apply, display) in [
        ("AHINPT", true, DisplayMode::Valid),
        ("BDKUMS", false, DisplayMode::Abnormal),
        ("LJZ", false, DisplayMode::Invalid),
        ("EFGRC", false, DisplayMode::Hidden),
    ] {
        for letter in letters.chars() {
            let status = LicenceStatus::parse(&letter.to_string());
            assert_eq!((status.may_apply(), status.display()), (may_apply, display), "{letter}");
            assert_eq!(status.to_string(), letter.to_string());
            assert_eq!(status.unknown(), None);
        }
    }
    assert_eq!(StatusLetter::ALL.len(), 20);
}

#[test]
fn the_strictest_of_several_letters_decides() {
    for (text, deciding, display, may_apply) in [
        ("HI", "H", DisplayMode::Valid, true),
        ("SH", "S", DisplayMode::Abnormal, false),
        ("HS", "S", DisplayMode::Abnormal, false),
        ("DU", "D", DisplayMode::Abnormal, false),
        ("DLA", "L", DisplayMode::Invalid, false),
        ("LGD", "G", DisplayMode::Hidden, false),
    ] {
        let status = LicenceStatus::parse(text);
        assert_eq!(status.deciding_letter().as_str(), deciding, "{text}");
        assert_eq!((status.display(), status.may_apply()), (display, may_apply), "{text}");
    }
}

#[test]
fn what_is_unknown_allows_nothing() {
    for text in ["", " ", "a", "A ", "AX", "正", "A\0", "1"] {
        let status = LicenceStatus::parse(text);
        assert!(status.unknown().is_some() && !status.may_apply(), "{text:?}");
        assert_eq!(status.display(), DisplayMode::Invalid, "{text:?}");
        assert_eq!(status.apply_message_zh().unwrap(), APPLY_REFUSED_ZH);
    }
    assert_eq!(LicenceStatus::parse("").to_string(), "Z");
    assert_eq!(LicenceStatus::parse("AX?A").to_string(), "AZ");
}

#[test]
fn what_nobody_knows_is_told_cut_short_and_harmless() {
    let told = |text| LicenceStatus::parse(text).unknown().map(str::to_owned);
    assert_eq!(told("AH"), None);
    for (text, expected) in
        [("", ""), ("Q", "Q"), ("A正\n", "A??"), ("13800138000", "13800138…"), ("AHINPTZQ", "AHINPTZQ")]
    {
        assert_eq!(told(text).as_deref(), Some(expected), "{text:?}");
    }
}

#[test]
fn messages_are_the_ones_of_the_trade() {
    let apply = |text| LicenceStatus::parse(text).apply_message_zh();
    let display = |text| LicenceStatus::parse(text).display_message_zh();
    assert_eq!((apply("HI"), display("HI")), (None, None));
    for text in ["L", "J", "Z", "JD"] {
        assert_eq!(apply(text).unwrap(), "您的驾驶证状态异常，无法申领驾驶证电子版，请联系驾驶证发证地公安交管部门。");
        assert_eq!(display(text).unwrap(), "您的驾驶证状态异常，驾驶证电子版无效，请联系驾驶证发证地公安交管部门。");
    }
    assert_eq!(
        apply("SH").unwrap(),
        "您的驾驶证当前状态为“逾期未审验”，依法不能正常使用，暂不能申领驾驶证电子版，请处理完毕后再申请。"
    );
    assert!(apply("B").unwrap().contains("记满12分"));
    assert_eq!(apply("F").unwrap(), "您的驾驶证已被吊销，不能申领驾驶证电子版。");
    assert!(LicenceStatus::parse("K").apply_message().unwrap().ends_with("impounded as evidence"));
    assert_eq!(LicenceStatus::parse("N").apply_message(), None);
}

proptest! {
    #[test]
    fn any_text_has_a_status(text in any::<String>()) {
        let status = LicenceStatus::parse(&text);
        prop_assert_eq!(status.may_apply(), status.display() == DisplayMode::Valid);
        prop_assert_eq!(status.apply_message_zh().is_none(), status.may_apply());
        prop_assert_eq!(status.display_message_zh().is_none(), status.may_apply());
        let again = LicenceStatus::parse(&status.to_string());
        prop_assert_eq!(again.letters(), status.letters());
    }

    #[test]
    fn one_more_letter_never_makes_it_milder(text in "[A-Z]{0,16}", more in "[A-Za-z]") {
        let (before, after) = (LicenceStatus::parse(&text), LicenceStatus::parse(&format!("{text}{more}")));
        prop_assert!(text.is_empty() || after.display() >= before.display());
    }
}

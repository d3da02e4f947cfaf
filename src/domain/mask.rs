//! What of personal data may be shown: enough to recognise one's own, too little to use.

/// A name with only its first character: `张*`, `欧**`. A single character is hidden.
pub fn name(text: &str) -> String {
    let count = text.chars().count();
    keep_ends(text, usize::from(count > 1), 0)
}

/// A mobile number: `138****8000`. Anything else than 11 characters is masked like a number.
pub fn mobile(text: &str) -> String {
    if text.chars().count() == 11 { keep_ends(text, 3, 4) } else { number(text) }
}

/// A document or file number: the first and last quarter, at most four characters each, as in
/// `1101**********002X`.
pub fn number(text: &str) -> String {
    let shown = (text.chars().count() / 4).min(4);
    keep_ends(text, shown, shown)
}

/// A credential such as a face token: how it begins, and nothing of its length.
pub fn token(text: &str) -> String {
    let shown = if text.chars().count() >= 12 { 3 } else { 0 };
    let begin: String = text.chars().take(shown).collect();
    format!("{begin}***")
}

fn keep_ends(text: &str, first: usize, last: usize) -> String {
    let count = text.chars().count();
    text.chars().enumerate().map(|(index, c)| if index < first || index + last >= count { c } else { '*' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks_as_the_contract_shows() {
        for (masked, wanted) in [
            (name("张三"), "张*"),
            (name("欧阳修"), "欧**"),
            (name("𬭎㛃"), "𬭎*"),
            (name("张"), "*"),
            (name(""), ""),
            (number("11010519491231002X"), "1101**********002X"),
            (number("军字第1234567号"), "军字*******7号"),
            (number("1234567"), "1*****7"),
            (number("123"), "***"),
            (number(""), ""),
            (mobile("13800138000"), "138****8000"),
            (mobile("1380"), "1**0"),
            (token("ft-0123456789"), "ft-***"),
            (token("ft-ok"), "***"),
        ] {
            assert_eq!(masked, wanted);
        }
    }

    proptest! {
        #[test]
        fn at_least_half_is_hidden(text in any::<String>()) {
            let count = text.chars().count();
            for masked in [name(&text), number(&text)] {
                prop_assert_eq!(masked.chars().count(), count);
                let hidden = masked.chars().zip(text.chars()).filter(|(m, _)| *m == '*').count();
                prop_assert!(hidden * 2 >= count);
            }
            let _ = (mobile(&text), token(&text));
        }
    }
}

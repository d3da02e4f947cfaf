//! Applicants that nobody is: numbers with right check digits, counted through.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use crate::domain::{
    application::Kind,
    identity::{DocumentType, check_digit},
};

use super::cases::Case;

/// Birth dates from here on, one for each person.
const FIRST_BIRTHDAY: NaiveDate = match NaiveDate::from_ymd_opt(1955, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
/// So many different birth dates: the youngest can drive.
const BIRTHDAYS: usize = 18_000;
/// Of whom the simulated registry knows a licence.
const NAME: &str = "张三";

/// An applicant.
#[derive(Clone)]
pub(super) struct Person {
    document_type: DocumentType,
    document_number: String,
}

impl Person {
    /// The `serial`th person. The simulated providers decide by `sequence`, the digits 15 to 17 of an identity number
    /// and the last three of others.
    ///
    /// # Errors
    /// The number has no check digit.
    pub(super) fn new(document_type: DocumentType, serial: usize, sequence: u16) -> anyhow::Result<Self> {
        let born = FIRST_BIRTHDAY + Days::new((serial % BIRTHDAYS) as u64);
        let document_number = if document_type.has_identity_number() {
            with_check_digit(&format!("{}{}{sequence:03}", 110_101 + serial / BIRTHDAYS, born.format("%Y%m%d")))?
        } else {
            format!("SB{serial:05}{sequence:03}")
        };
        Ok(Self { document_type, document_number })
    }

    /// The document number, as the simulator's controls want it.
    pub(super) fn document_number(&self) -> &str {
        &self.document_number
    }

    /// The body of `POST /v1/applications` for this person and a case.
    pub(super) fn application(
        &self,
        case: &Case,
        photo_id: Option<&str>,
        callback_url: &str,
        upstream_ref: &str,
    ) -> Value {
        let mut photo = json!({ "source": case.photo });
        if let Some(id) = photo_id {
            photo["photo_id"] = id.into();
        }
        let mut body = json!({
            "kind": case.kind,
            "applicant": {
                "document_type": self.document_type, "document_number": self.document_number, "name": NAME,
                "mobile": case.mobile, "app_user": case.app_user,
            },
            "photo": photo,
            "face_token": case.face_token,
            "consent": { "version": "2026-01", "given_at": "2026-01-05T09:00:00+08:00" },
            "callback_url": callback_url,
            "upstream_ref": upstream_ref,
        });
        if case.kind != Kind::PhotoChange {
            body["licence"] = json!({ "file_number": self.file_number() });
        }
        body
    }

    /// What the simulated registry has as the file number (档案编号).
    fn file_number(&self) -> String {
        let digits: String = self.document_number.replace('X', "0").chars().filter(char::is_ascii_digit).collect();
        format!("150300{}", digits.get(digits.len().saturating_sub(6)..).unwrap_or_default())
    }
}

fn with_check_digit(digits: &str) -> anyhow::Result<String> {
    let check = check_digit(digits.as_bytes()).ok_or_else(|| anyhow::anyhow!("these digits have no check digit"))?;
    Ok(format!("{digits}{check}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_and_different() {
        let mut numbers = std::collections::HashSet::new();
        for serial in [0, 1, 17_999, 18_000, 40_000] {
            let person = Person::new(DocumentType::IdentityCard, serial, 804).unwrap();
            assert_eq!(person.document_number.get(14..17), Some("804"));
            assert!(numbers.insert(person.document_number));
        }
        let soldier = Person::new(DocumentType::SoldierCard, 12, 7).unwrap();
        assert_eq!((soldier.document_number(), soldier.file_number()), ("SB00012007", "150300012007".to_owned()));
    }

    #[test]
    fn file_numbers_are_the_simulators() {
        let person =
            |number: &str| Person { document_type: DocumentType::IdentityCard, document_number: number.to_owned() };
        assert_eq!(person("11010519491231002X").file_number(), "150300310020");
    }
}

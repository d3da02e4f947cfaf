//! Applications that the API accepts, with an applicant of their own.

use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

/// Every applicant of a test binary has another birth date, and so another identity number.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A request body that the API accepts; the methods change one thing each.
#[derive(Clone, Debug)]
pub struct Sample {
    pub body: Value,
}

/// A first issue with the retained photo for a new person whose identity number has the given
/// digits 15 to 17, from which the simulator decides (000 to 799: everything is in order).
pub fn sample(sequence: u32) -> Sample {
    Sample::of(&identity_number(sequence))
}

/// An identity number with a right check digit that no other call returns.
pub fn identity_number(sequence: u32) -> String {
    assert!(sequence < 1000);
    let person = NEXT.fetch_add(1, Ordering::Relaxed);
    let born = NaiveDate::from_ymd_opt(1950, 1, 1).unwrap() + Days::new(u64::from(person % 18_000));
    with_check_digit(&format!("110105{}{sequence:03}", born.format("%Y%m%d")))
}

/// Appends the check digit of GB 11643 (ISO 7064 MOD 11-2) to 17 digits.
pub fn with_check_digit(digits: &str) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits.bytes().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let check = b"10X98765432"[(sum % 11) as usize];
    format!("{digits}{}", char::from(check))
}

/// The file number that the simulator answers for a document number.
pub fn file_number(document_number: &str) -> String {
    let digits = document_number.replace(['X', 'x'], "0");
    format!("150300{}", &digits[digits.len() - 6..])
}

impl Sample {
    /// An application of the holder of a document number.
    pub fn of(document_number: &str) -> Self {
        Self {
            body: json!({
                "kind": "first_issue",
                "applicant": {
                    "document_type": "A", "document_number": document_number, "name": "张三",
                    "mobile": "13800138000", "app_user": "u-123",
                },
                "licence": { "file_number": file_number(document_number) },
                "photo": { "source": "retained" },
                "face_token": "ft-ok",
                "consent": { "version": "2026-01", "given_at": "2026-11-20T10:00:00+08:00" },
            }),
        }
    }

    pub fn document_number(&self) -> &str {
        self.body["applicant"]["document_number"].as_str().unwrap()
    }

    /// Another application of the same person.
    pub fn again(&self) -> Self {
        self.clone()
    }

    /// Sets the value at a JSON pointer, such as `/applicant/name`.
    pub fn set(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.body.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value.into());
        self
    }

    pub fn remove(mut self, pointer: &str) -> Self {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        self.body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
        self
    }

    pub fn kind(self, kind: &str) -> Self {
        let sample = self.set("/kind", kind);
        if kind == "photo_change" { sample.remove("/licence") } else { sample }
    }

    pub fn face_token(self, token: &str) -> Self {
        self.set("/face_token", token)
    }

    pub fn mobile(self, mobile: &str) -> Self {
        self.set("/applicant/mobile", mobile)
    }

    pub fn app_user(self, user: &str) -> Self {
        self.set("/applicant/app_user", user)
    }

    pub fn photo(self, source: &str, photo_id: &str) -> Self {
        self.set("/photo", json!({ "source": source, "photo_id": photo_id }))
    }

    pub fn photo_source(self, source: &str) -> Self {
        self.set("/photo", json!({ "source": source }))
    }

    pub fn callback(self, url: &str) -> Self {
        self.set("/callback_url", url)
    }

    pub fn upstream_ref(self, reference: &str) -> Self {
        self.set("/upstream_ref", reference)
    }
}

//! An applicant's personal data (个人信息): stored sealed, opened only where a stage needs it, masked in every answer.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    applicant::{AppUser, FaceToken, FileNumber, Mobile, PersonName},
    identity::DocumentNumber,
};

/// Table and column that the record is sealed for.
pub const APPLICANTS: (&str, &str) = ("applicants", "ciphertext");

/// What an applicant told the upstream system. `Debug` shows no contents: each part redacts itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applicant {
    /// 证件类型 and 证件号码.
    pub document: DocumentNumber,
    /// 姓名.
    pub name: PersonName,
    /// 手机号, where the SMS goes.
    pub mobile: Mobile,
    /// The account in the app, where the push goes.
    pub app_user: AppUser,
    /// 档案编号; absent for a photo change.
    pub file_number: Option<FileNumber>,
    /// The token of the face verification session.
    pub face_token: FaceToken,
    /// 同意: which text, and when.
    pub consent: Consent,
}

/// The applicant's consent to the processing of sensitive data (PIPL 29).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Version of the text.
    pub version: String,
    /// When it was given.
    pub given_at: DateTime<Utc>,
}

/// The text whose blind index identifies the holder of a document.
pub fn holder_key(document: &DocumentNumber) -> String {
    format!("{}:{}", document.document_type(), document.as_str())
}

/// The name of the blind index of [`holder_key`].
pub const HOLDER_INDEX: &str = "holder";

//! What providers answer. Anything that does not read as these types is an unclear answer.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{provider_text, wire::wire_enum};

/// What the registry knows about the holder of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAnswer {
    /// Whether there is a licence.
    pub found: bool,
    /// Whether it is filed (备案).
    pub filed: bool,
    /// The licence; always there when `found` and `filed`.
    pub licence: Option<Licence>,
}

/// The licence as the registry holds it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// 档案编号.
    pub file_number: String,
    /// 姓名.
    pub holder_name: String,
    /// Letters of the licence status table, possibly several, possibly none.
    pub status: String,
    /// 准驾车型, such as `C1D`.
    pub classes: String,
    /// 有效期起.
    pub valid_from: NaiveDate,
    /// 有效期止; `None` is 长期. A missing field is not: it must be there and null.
    #[serde(deserialize_with = "Option::deserialize")]
    pub valid_until: Option<NaiveDate>,
    /// 发证机关, such as `蒙C`.
    pub issuing_authority: String,
    /// 累积记分.
    #[serde(default)]
    pub points: i32,
    /// 留存照片.
    pub retained_photo: RetainedPhoto,
    /// 性别, where the registry has it.
    #[serde(default)]
    pub sex: Option<String>,
    /// 国籍, where the registry has it.
    #[serde(default)]
    pub nationality: Option<String>,
    /// 住址, where the registry has it.
    #[serde(default)]
    pub address: Option<String>,
    /// 出生日期, where the registry has it.
    #[serde(default)]
    pub birth_date: Option<NaiveDate>,
    /// 初次领证日期, where the registry has it.
    #[serde(default)]
    pub first_issued_on: Option<NaiveDate>,
}

impl fmt::Debug for Licence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Licence")
            .field("status", &self.status)
            .field("retained_photo", &self.retained_photo)
            .finish_non_exhaustive()
    }
}

/// The retained photo as the registry describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetainedPhoto {
    /// There is one.
    pub available: bool,
    /// It meets the photo standard.
    pub suitable: bool,
}

/// The registry's answer before its parts are held against each other.
#[derive(Deserialize)]
pub(super) struct RawRegistryAnswer {
    found: bool,
    #[serde(default)]
    filed: bool,
    licence: Option<Licence>,
    // Some registries send these beside the licence instead of in it.
    sex: Option<String>,
    nationality: Option<String>,
    address: Option<String>,
    birth_date: Option<NaiveDate>,
    first_issued_on: Option<NaiveDate>,
}

impl RawRegistryAnswer {
    /// The answer, or `None` when it contradicts itself.
    pub(super) fn check(self) -> Option<RegistryAnswer> {
        if self.found && self.filed && self.licence.is_none() {
            return None;
        }
        let licence = self.licence.map(|licence| Licence {
            sex: licence.sex.or(self.sex),
            nationality: licence.nationality.or(self.nationality),
            address: licence.address.or(self.address),
            birth_date: licence.birth_date.or(self.birth_date),
            first_issued_on: licence.first_issued_on.or(self.first_issued_on),
            ..licence
        });
        Some(RegistryAnswer {
            found: self.found,
            filed: self.found && self.filed,
            licence: licence.filter(|_| self.found),
        })
    }
}

wire_enum! {
    /// How a face verification stands.
    pub enum FaceState as "face verification state" {
        /// The applicant is the holder.
        Passed = "passed",
        /// The applicant is not the holder.
        Failed = "failed",
        /// No result yet.
        Pending = "pending",
        /// A person must verify at the counter; also every state that is not known.
        Manual = "manual",
        /// Too many tries today.
        BlockedToday = "blocked_today",
    }
}

/// The answer of face verification.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceAnswer {
    /// How it stands.
    pub state: FaceState,
    /// The provider's finer code, such as `204`; empty when there is none that can be kept.
    pub sub_code: String,
    /// Similarity, where the provider tells it.
    pub score: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct RawFaceAnswer {
    state: String,
    sub_code: Option<serde_json::Value>,
    score: Option<f64>,
}

impl From<RawFaceAnswer> for FaceAnswer {
    fn from(raw: RawFaceAnswer) -> Self {
        let sub_code = match raw.sub_code {
            Some(serde_json::Value::String(text)) => text,
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let sub_code = provider_text::code(&sub_code).unwrap_or_default().to_owned();
        Self { state: raw.state.parse().unwrap_or(FaceState::Manual), sub_code, score: raw.score }
    }
}

wire_enum! {
    /// How a message stands at the gateway.
    pub enum SmsState as "message state" {
        /// Accepted for delivery.
        Accepted = "accepted",
        /// On the applicant's telephone.
        Delivered = "delivered",
        /// Not delivered, for good.
        Failed = "failed",
    }
}

/// What the gateway knows about a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsReport {
    /// Whether it has such a message.
    pub found: bool,
    /// The gateway's id.
    pub message_id: Option<String>,
    /// How it stands; always there when `found`. A state that is not known counts as accepted: the gateway has the message.
    pub state: Option<SmsState>,
}

#[derive(Deserialize)]
pub(super) struct RawSmsReport {
    found: bool,
    message_id: Option<String>,
    state: Option<String>,
}

impl From<RawSmsReport> for SmsReport {
    fn from(raw: RawSmsReport) -> Self {
        if !raw.found {
            return Self { found: false, message_id: None, state: None };
        }
        let state = raw.state.and_then(|state| state.parse().ok()).unwrap_or(SmsState::Accepted);
        Self { found: true, message_id: raw.message_id, state: Some(state) }
    }
}

/// The answer to a message or notification that was taken.
#[derive(Deserialize)]
pub(super) struct Accepted {
    pub(super) message_id: String,
}

//! A licence as it travels: what is shown of it, and no personal data that is not masked.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        decision::LicenceFacts,
        ids::{ApplicationId, LicenceId},
        licence_display::{Display, LicenceState},
        licence_status::{DisplayMode, LicenceStatus},
        message::{PAPER_NEEDED_ZH, SCREENSHOT_INVALID_ZH},
    },
    licences::desk::Shown,
};

/// An issued licence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Licence)]
pub struct LicenceBody {
    /// The licence's id.
    pub id: LicenceId,
    /// The application that it was issued for.
    pub application_id: ApplicationId,
    /// How it stands.
    pub state: LicenceState,
    /// 准驾车型 at issue.
    #[schema(example = "C1")]
    pub classes: String,
    /// 有效期始 at issue.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止 at issue; null for 长期.
    pub valid_until: Option<NaiveDate>,
    /// 发证机关 at issue.
    #[schema(example = "蒙C")]
    pub issuing_authority: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// The holder's licence whose place it took; null where there was none.
    pub supersedes: Option<LicenceId>,
    /// Whether class, validity or authority changed in the registry since the issue.
    pub reissue_needed: bool,
    /// How it is shown now.
    pub display: DisplayBody,
    /// What the holder reads beside it.
    pub notices_zh: &'static [&'static str],
}

/// How a licence is shown at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Display)]
pub struct DisplayBody {
    /// In which way; `invalid` also while the registry cannot be asked.
    pub mode: DisplayMode,
    /// What the holder reads with the licence, or instead of it.
    pub message_zh: Option<String>,
    /// When the registry answered last; null where nobody needs to ask it.
    pub checked_at: Option<DateTime<Utc>>,
    /// Letters of the registry's status; null while it is not known.
    #[schema(example = "A")]
    pub status: Option<String>,
    /// These letters in Chinese words.
    #[schema(example = "正常")]
    pub status_zh: Option<String>,
    /// These letters in English words.
    #[schema(example = "normal")]
    pub status_en: Option<String>,
    /// False while the registry cannot be asked.
    pub registry_available: bool,
}

/// What a verifier needs of a licence, and no more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckedLicence)]
pub struct CheckedLicenceBody {
    /// The licence's id.
    pub id: LicenceId,
    /// The holder's name, masked.
    #[schema(example = "张*")]
    pub name: String,
    /// The holder's document number, masked.
    #[schema(example = "1101**********002X")]
    pub document_number: String,
    /// 准驾车型 at issue.
    pub classes: String,
    /// 有效期始 at issue.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止 at issue; null for 长期.
    pub valid_until: Option<NaiveDate>,
    /// 发证机关 at issue.
    pub issuing_authority: String,
    /// Whether class, validity or authority changed in the registry since the issue. The licence stays `valid` while its
    /// status is, but what counts is what the registry says now.
    pub reissue_needed: bool,
    /// What the registry says now; null while it cannot be asked.
    pub registry: Option<RegistryBody>,
    /// How it is shown now.
    pub display: DisplayBody,
}

/// Class, validity and authority as the registry has them at this moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegistryFacts)]
pub struct RegistryBody {
    /// 准驾车型.
    #[schema(example = "C2")]
    pub classes: String,
    /// 有效期始.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止; null for 长期.
    pub valid_until: Option<NaiveDate>,
    /// 发证机关.
    #[schema(example = "京A")]
    pub issuing_authority: String,
}

impl RegistryBody {
    fn of(facts: &LicenceFacts) -> Self {
        Self {
            classes: facts.classes.clone(),
            valid_from: facts.valid_from,
            valid_until: facts.valid_until,
            issuing_authority: facts.authority.clone(),
        }
    }
}

impl LicenceBody {
    /// As it is shown now.
    pub fn of(shown: &Shown) -> Self {
        let facts = &shown.record.facts;
        Self {
            id: shown.id,
            application_id: shown.application_id,
            state: shown.state,
            classes: facts.classes.clone(),
            valid_from: facts.valid_from,
            valid_until: facts.valid_until,
            issuing_authority: facts.authority.clone(),
            issued_at: shown.issued_at,
            supersedes: shown.record.supersedes,
            reissue_needed: shown.display.reissue_needed,
            display: DisplayBody::of(&shown.display),
            notices_zh: &[SCREENSHOT_INVALID_ZH, PAPER_NEEDED_ZH],
        }
    }
}

impl DisplayBody {
    fn of(display: &Display) -> Self {
        Self {
            mode: display.mode,
            message_zh: display.message_zh.clone(),
            checked_at: display.checked_at,
            status: display.status.as_ref().map(ToString::to_string),
            status_zh: display.status.as_ref().map(LicenceStatus::names_zh),
            status_en: display.status.as_ref().map(LicenceStatus::names_en),
            registry_available: display.available,
        }
    }
}

impl CheckedLicenceBody {
    /// As it is shown at the check.
    pub fn of(shown: &Shown) -> Self {
        let record = &shown.record;
        Self {
            id: shown.id,
            name: record.name.masked(),
            document_number: record.document.masked(),
            classes: record.facts.classes.clone(),
            valid_from: record.facts.valid_from,
            valid_until: record.facts.valid_until,
            issuing_authority: record.facts.authority.clone(),
            reissue_needed: shown.display.reissue_needed,
            registry: shown.display.registry.as_ref().map(RegistryBody::of),
            display: DisplayBody::of(&shown.display),
        }
    }
}

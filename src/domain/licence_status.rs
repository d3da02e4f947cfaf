//! The status of a driving licence (驾驶证状态, GA/T 16.25): whether it may be applied for, and how an
//! issued electronic licence is shown.
//!
//! The registry writes a string of letters, such as `HI`. An application needs every letter to
//! allow it; the strictest letter decides the display; what is unknown or empty counts as `Z`.

use serde::{Deserialize, Serialize};

use super::wire::wire_enum;

/// 锁定、停止使用, on application: the app's exact words.
pub const APPLY_REFUSED_ZH: &str = "您的驾驶证状态异常，无法申领驾驶证电子版，请联系驾驶证发证地公安交管部门。";

/// 锁定、停止使用, on display: the app's exact words.
pub const DISPLAY_INVALID_ZH: &str = "您的驾驶证状态异常，驾驶证电子版无效，请联系驾驶证发证地公安交管部门。";

wire_enum! {
    /// How an issued licence is shown, the mildest first.
    pub enum DisplayMode as "display mode" {
        /// Normal layout, black QR code.
        Valid = "valid",
        /// Still shown, with a red QR code and the status; not valid for driving.
        Abnormal = "abnormal",
        /// No licence, only a message.
        Invalid = "invalid",
        /// Not shown any more.
        Hidden = "hidden",
    }
}

impl DisplayMode {
    /// Whether the card is rendered and a code may be presented (亮证、亮码).
    pub const fn is_shown(self) -> bool {
        matches!(self, Self::Valid | Self::Abnormal)
    }
}

wire_enum! {
    /// One letter of a status.
    pub enum StatusLetter as "licence status" {
        /// 正常.
        Normal = "A",
        /// 违法未处理.
        ViolationPending = "H",
        /// 事故未处理.
        AccidentPending = "I",
        /// 超分, in the public articles 记满12分.
        PointsExhausted = "B",
        /// 暂扣.
        Suspended = "D",
        /// 扣押.
        Impounded = "K",
        /// 扣留.
        Detained = "U",
        /// 逾期未换证.
        RenewalOverdue = "M",
        /// 逾期未审验.
        ReviewOverdue = "S",
        /// 撤销.
        Rescinded = "E",
        /// 吊销.
        Revoked = "F",
        /// 注销.
        Cancelled = "G",
        /// 锁定.
        Locked = "L",
        /// 停止使用, 公告停止使用 included.
        UseStopped = "J",
        /// 注销可恢复: a cancellation, so it is treated as one (policy).
        CancelledRestorable = "R",
        /// 转出: another authority issues from now on (policy).
        TransferredOut = "C",
        /// 延期换证: valid inside the extension (policy).
        RenewalExtended = "N",
        /// 延期体检 (policy, as `N`).
        MedicalExtended = "P",
        /// 延期审验 (policy, as `N`).
        ReviewExtended = "T",
        /// 其他, and every letter that is not in this table: refused (policy).
        Other = "Z",
    }
}

impl StatusLetter {
    /// Whether an electronic licence may be applied for.
    pub const fn may_apply(self) -> bool {
        matches!(self.display(), DisplayMode::Valid)
    }

    /// How an issued licence is shown.
    pub const fn display(self) -> DisplayMode {
        match self {
            Self::Normal
            | Self::ViolationPending
            | Self::AccidentPending
            | Self::RenewalExtended
            | Self::MedicalExtended
            | Self::ReviewExtended => DisplayMode::Valid,
            Self::PointsExhausted
            | Self::Suspended
            | Self::Impounded
            | Self::Detained
            | Self::RenewalOverdue
            | Self::ReviewOverdue => DisplayMode::Abnormal,
            Self::Locked | Self::UseStopped | Self::Other => DisplayMode::Invalid,
            Self::Rescinded | Self::Revoked | Self::Cancelled | Self::CancelledRestorable | Self::TransferredOut => {
                DisplayMode::Hidden
            }
        }
    }

    /// The Chinese name in the words of the trade.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::Normal => "正常",
            Self::ViolationPending => "违法未处理",
            Self::AccidentPending => "事故未处理",
            Self::PointsExhausted => "超分",
            Self::Suspended => "暂扣",
            Self::Impounded => "扣押",
            Self::Detained => "扣留",
            Self::RenewalOverdue => "逾期未换证",
            Self::ReviewOverdue => "逾期未审验",
            Self::Rescinded => "撤销",
            Self::Revoked => "吊销",
            Self::Cancelled => "注销",
            Self::Locked => "锁定",
            Self::UseStopped => "停止使用",
            Self::CancelledRestorable => "注销可恢复",
            Self::TransferredOut => "转出",
            Self::RenewalExtended => "延期换证",
            Self::MedicalExtended => "延期体检",
            Self::ReviewExtended => "延期审验",
            Self::Other => "其他",
        }
    }

    /// The English name.
    pub const fn name_en(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::ViolationPending => "violation not yet handled",
            Self::AccidentPending => "accident not yet handled",
            Self::PointsExhausted => "demerit points at or over 12",
            Self::Suspended => "suspended (penalty)",
            Self::Impounded => "impounded as evidence",
            Self::Detained => "detained (coercive measure)",
            Self::RenewalOverdue => "renewal overdue",
            Self::ReviewOverdue => "periodic review overdue",
            Self::Rescinded => "rescinded",
            Self::Revoked => "revoked",
            Self::Cancelled => "cancelled",
            Self::Locked => "locked",
            Self::UseStopped => "use stopped",
            Self::CancelledRestorable => "cancelled, restorable within 2 years",
            Self::TransferredOut => "transferred out",
            Self::RenewalExtended => "renewal extension granted",
            Self::MedicalExtended => "medical extension granted",
            Self::ReviewExtended => "review extension granted",
            Self::Other => "other",
        }
    }

    /// The name as an applicant knows it.
    const fn public_zh(self) -> &'static str {
        match self {
            Self::PointsExhausted => "超分（记满12分）",
            Self::CancelledRestorable => "注销（可恢复）",
            _ => self.name_zh(),
        }
    }

    fn read(letter: char) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str().starts_with(letter))
    }
}

/// The status of a licence: one or more letters, each kept once. Its text form is the letters,
/// with `Z` for what the registry wrote and nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct LicenceStatus {
    /// Never empty.
    letters: Vec<StatusLetter>,
    unknown: Option<String>,
}

/// So much is kept of a status that nobody knows.
const LONGEST_UNKNOWN: usize = 8;

impl LicenceStatus {
    /// Reads the registry's string. There is no error: what cannot be read is a status that allows
    /// nothing, see [`LicenceStatus::unknown`].
    pub fn parse(text: &str) -> Self {
        let mut status = Self { letters: Vec::new(), unknown: None };
        for letter in text.chars() {
            status.add(StatusLetter::read(letter).unwrap_or(StatusLetter::Other));
        }
        if text.is_empty() || text.chars().any(|letter| StatusLetter::read(letter).is_none()) {
            status.unknown = Some(harmless(text));
        }
        if status.letters.is_empty() {
            status.add(StatusLetter::Other);
        }
        status
    }

    fn add(&mut self, letter: StatusLetter) {
        if !self.letters.contains(&letter) {
            self.letters.push(letter);
        }
    }

    /// The letters in the registry's order.
    pub fn letters(&self) -> &[StatusLetter] {
        &self.letters
    }

    /// What the registry wrote, when that is nothing or has a letter outside the table: operations should know. Cut
    /// short, and `?` for all but letters and digits, because nobody knows what else it may be.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Whether an electronic licence may be applied for: every letter allows it.
    pub fn may_apply(&self) -> bool {
        self.letters.iter().all(|letter| letter.may_apply())
    }

    /// How an issued licence is shown: as the strictest letter says.
    pub fn display(&self) -> DisplayMode {
        self.deciding_letter().display()
    }

    /// The letter that decides: the first of the strictest ones.
    pub fn deciding_letter(&self) -> StatusLetter {
        self.letters
            .iter()
            .copied()
            // `max_by_key` takes the last of equals, hence from the back.
            .rev()
            .max_by_key(|letter| letter.display())
            .unwrap_or(StatusLetter::Other)
    }

    /// The letters in words.
    pub fn names_zh(&self) -> String {
        self.letters.iter().map(|letter| letter.name_zh()).collect::<Vec<_>>().join("、")
    }

    /// [`LicenceStatus::names_zh`] in English.
    pub fn names_en(&self) -> String {
        self.letters.iter().map(|letter| letter.name_en()).collect::<Vec<_>>().join(", ")
    }

    /// What the applicant is told when the status forbids an application, else `None`.
    pub fn apply_message_zh(&self) -> Option<String> {
        let status = self.deciding_letter().public_zh();
        match self.display() {
            DisplayMode::Valid => None,
            DisplayMode::Abnormal => Some(format!(
                "您的驾驶证当前状态为“{status}”，依法不能正常使用，暂不能申领驾驶证电子版，请处理完毕后再申请。"
            )),
            DisplayMode::Invalid => Some(APPLY_REFUSED_ZH.to_owned()),
            DisplayMode::Hidden => Some(format!("您的驾驶证已被{status}，不能申领驾驶证电子版。")),
        }
    }

    /// [`LicenceStatus::apply_message_zh`] in English.
    pub fn apply_message(&self) -> Option<String> {
        let status = self.deciding_letter().name_en();
        (!self.may_apply()).then(|| format!("the licence status does not allow an electronic licence: {status}"))
    }

    /// What is shown with or instead of an issued licence; `None` when it is valid.
    pub fn display_message_zh(&self) -> Option<String> {
        let status = self.deciding_letter().public_zh();
        match self.display() {
            DisplayMode::Valid => None,
            DisplayMode::Abnormal => Some(format!("您的驾驶证当前状态为“{status}”，依法不能正常使用。")),
            DisplayMode::Invalid => Some(DISPLAY_INVALID_ZH.to_owned()),
            DisplayMode::Hidden => Some(format!("您的驾驶证已被{status}，驾驶证电子版不再显示。")),
        }
    }
}

fn harmless(text: &str) -> String {
    let known = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '?' };
    let cut = text.chars().nth(LONGEST_UNKNOWN).map(|_| '…');
    text.chars().take(LONGEST_UNKNOWN).map(known).chain(cut).collect()
}

impl std::fmt::Display for LicenceStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.letters.iter().try_for_each(|letter| f.write_str(letter.as_str()))
    }
}

impl From<String> for LicenceStatus {
    fn from(text: String) -> Self {
        Self::parse(&text)
    }
}

impl From<LicenceStatus> for String {
    fn from(status: LicenceStatus) -> Self {
        status.to_string()
    }
}

#[cfg(test)]
mod tests;

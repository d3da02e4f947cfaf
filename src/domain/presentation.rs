//! 亮码: what a presentation code claims, and how its check ends. Nothing here names anybody.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    licence_display::{Display, LicenceState},
    licence_status::DisplayMode,
    wire::wire_enum,
};

wire_enum! {
    /// What a presented licence is checked for (R22).
    pub enum Purpose as "purpose" {
        /// 路面查验.
        RoadCheck = "road_check",
        /// 违法处理.
        ViolationHandling = "violation_handling",
        /// 事故处理.
        AccidentHandling = "accident_handling",
        /// 驾驶证业务.
        LicenceBusiness = "licence_business",
        /// 汽车租赁.
        CarRental = "car_rental",
        /// 保险办理.
        Insurance = "insurance",
        /// 驾驶资质证明.
        QualificationProof = "qualification_proof",
    }
}

wire_enum! {
    /// Why a presented code is not good.
    pub enum Refused as "reason" {
        /// Its time is over, or has not begun: a screenshot.
        Expired = "expired",
        /// Not made here, or changed.
        Forged = "forged",
        /// It was checked before.
        Replayed = "replayed",
        /// A later licence took the place of this one.
        Superseded = "superseded",
        /// The service was ended.
        Terminated = "terminated",
        /// The licence is shown, and does not allow to drive.
        StatusAbnormal = "status_abnormal",
        /// The licence is not shown.
        StatusInvalid = "status_invalid",
        /// Nobody can vouch for the status now.
        RegistryUnavailable = "registry_unavailable",
    }
}

impl Refused {
    /// What the verifier reads.
    pub const fn message_zh(self) -> &'static str {
        match self {
            Self::Expired => "二维码已过期，请对方重新出示。电子驾驶证应当实时出示，截图无效。",
            Self::Forged => "二维码无效，不是驾驶证电子版的亮码。",
            Self::Replayed => "该二维码已核验过，请对方刷新后重新出示。",
            Self::Superseded => "该驾驶证电子版已被新证取代，请对方出示新的驾驶证电子版。",
            Self::Terminated => "该驾驶证（电子版）服务已终止。",
            Self::StatusAbnormal => "驾驶证状态异常，依法不能正常使用。",
            Self::StatusInvalid => "驾驶证状态异常，驾驶证电子版无效。",
            Self::RegistryUnavailable => "暂时无法核实驾驶证状态，请稍后再试或查验纸质驾驶证。",
        }
    }

    /// Of a licence as it stands and is shown at the moment of the check; none when it is good.
    pub const fn of(state: LicenceState, display: &Display) -> Option<Self> {
        match (state, display.mode) {
            (LicenceState::Superseded, _) => Some(Self::Superseded),
            (LicenceState::Terminated, _) => Some(Self::Terminated),
            _ if !display.available => Some(Self::RegistryUnavailable),
            (_, DisplayMode::Valid) => None,
            (_, DisplayMode::Abnormal) => Some(Self::StatusAbnormal),
            (_, DisplayMode::Invalid | DisplayMode::Hidden) => Some(Self::StatusInvalid),
        }
    }
}

/// How much earlier than its beginning a code is taken: the clocks of two processes differ a little.
const SKEW: TimeDelta = TimeDelta::seconds(2);
/// How the written form begins.
const VERSION: u8 = 1;
/// Version, nonce, masked licence, two times.
const BYTES: usize = 1 + 16 + 16 + 8 + 8;

/// What a code claims. Written in one way only, so that equal claims are equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// Names the presentation; a check is remembered by it.
    pub nonce: [u8; 16],
    /// The licence's id, masked under a key that only Greenlane has: two codes of one licence have nothing in common.
    pub licence: [u8; 16],
    /// From this moment, in milliseconds.
    pub issued_at: DateTime<Utc>,
    /// Until before this moment, in milliseconds.
    pub expires_at: DateTime<Utc>,
}

impl Claims {
    /// The written form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend(self.nonce);
        bytes.extend(self.licence);
        bytes.extend(self.issued_at.timestamp_millis().to_be_bytes());
        bytes.extend(self.expires_at.timestamp_millis().to_be_bytes());
        bytes
    }

    /// Reads the written form; none for any other.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (licence, rest) = rest.split_first_chunk()?;
        let (issued_at, expires_at) = rest.split_first_chunk()?;
        let time = |bytes: [u8; 8]| DateTime::from_timestamp_millis(i64::from_be_bytes(bytes));
        let claims = Self {
            nonce: *nonce,
            licence: *licence,
            issued_at: time(*issued_at)?,
            expires_at: time(expires_at.try_into().ok()?)?,
        };
        (*version == VERSION).then_some(claims)
    }

    /// Whether `now` is within the code's time.
    pub fn is_timely(&self, now: DateTime<Utc>) -> bool {
        self.issued_at - now <= SKEW && now < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        decision::LicenceFacts,
        licence_display::{Look, Seen},
        licence_status::LicenceStatus,
    };

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    fn claims() -> Claims {
        Claims { nonce: [1; 16], licence: [2; 16], issued_at: at(1_000_000), expires_at: at(1_060_000) }
    }

    #[test]
    fn a_code_lives_from_its_beginning_to_before_its_end() {
        for (now, timely) in
            [(1_000_000, true), (1_059_999, true), (1_060_000, false), (998_000, true), (997_999, false), (0, false)]
        {
            assert_eq!(claims().is_timely(at(now)), timely, "{now}");
        }
    }

    #[test]
    fn claims_are_written_in_one_way() {
        let bytes = claims().to_bytes();
        assert_eq!(Claims::from_bytes(&bytes), Some(claims()));
        for wrong in [&bytes[1..], &[bytes.as_slice(), &[0]].concat(), &[]] {
            assert_eq!(Claims::from_bytes(wrong), None);
        }
        let mut other = bytes.clone();
        other[0] = 2;
        assert_eq!(Claims::from_bytes(&other), None, "another version");
        other.clone_from(&bytes);
        other[BYTES - 8] = 0x7f;
        assert_eq!(Claims::from_bytes(&other), None, "beyond all time");
    }

    #[test]
    fn only_a_valid_current_licence_is_good() {
        let facts =
            LicenceFacts {
                classes: "C1".to_owned(), valid_from: None, valid_until: None, authority: "蒙C".to_owned()
            };
        let fresh = |status: &str| {
            Look::Fresh(Seen { at: at(0), licence: Some((LicenceStatus::parse(status), facts.clone())) })
        };
        let judge = |state, look| Refused::of(state, &Display::of(state, &facts, look));
        for (status, refused) in [
            ("A", None),
            ("HI", None),
            ("U", Some(Refused::StatusAbnormal)),
            ("L", Some(Refused::StatusInvalid)),
            ("E", Some(Refused::StatusInvalid)),
            ("", Some(Refused::StatusInvalid)),
        ] {
            assert_eq!(judge(LicenceState::Current, fresh(status)), refused, "{status}");
            assert_eq!(judge(LicenceState::Superseded, fresh(status)), Some(Refused::Superseded));
            assert_eq!(judge(LicenceState::Terminated, fresh(status)), Some(Refused::Terminated));
        }
        assert_eq!(judge(LicenceState::Current, Look::Away(Some(at(0)))), Some(Refused::RegistryUnavailable));
        let gone = Look::Fresh(Seen { at: at(0), licence: None });
        assert_eq!(judge(LicenceState::Current, gone), Some(Refused::StatusInvalid));
    }

    #[test]
    fn every_reason_has_words() {
        for reason in Refused::ALL.iter().copied() {
            assert!(reason.message_zh().ends_with('。') && !reason.message_zh().contains(','), "{reason}");
        }
    }
}

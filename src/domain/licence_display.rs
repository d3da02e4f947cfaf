//! How an issued licence is shown at this moment (亮证): what the store says of it, and what the registry says now.

use chrono::{DateTime, Utc};

use super::{
    decision::LicenceFacts,
    licence_status::{DisplayMode, LicenceStatus},
    message::REAPPLY_NEEDED_ZH,
    wire::wire_enum,
};

wire_enum! {
    /// How an electronic licence stands.
    pub enum LicenceState as "licence state" {
        /// The holder's licence.
        Current = "current",
        /// A later one took its place.
        Superseded = "superseded",
        /// 终止: an operator ended the service (R30).
        Terminated = "terminated",
    }
}

/// What is shown instead of a licence while the registry cannot be asked.
const UNAVAILABLE_ZH: &str = "暂时无法核实驾驶证状态，驾驶证电子版暂不能出示，请稍后再试。";
/// What is shown instead of a licence whose place another took.
const SUPERSEDED_ZH: &str = "该驾驶证电子版已被新证取代，请出示新的驾驶证电子版。";
/// What is shown instead of a terminated licence.
const TERMINATED_ZH: &str = "驾驶证（电子版）服务已终止，请联系驾驶证发证地公安交管部门。";
/// What is shown when the registry has no such licence any more.
const NOT_FOUND_ZH: &str = "未查询到您的驾驶证信息，驾驶证电子版不再显示。";

/// What the registry said last about the holder's licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When it said so.
    pub at: DateTime<Utc>,
    /// What: the status and the licence data; none when it has no licence.
    pub licence: Option<(LicenceStatus, LicenceFacts)>,
}

/// What is known of the registry's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It answered, not longer ago than the configuration allows.
    Fresh(Seen),
    /// It cannot be asked now; it answered last at this moment, if ever.
    Away(Option<DateTime<Utc>>),
}

/// How a licence is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Display {
    /// In which way. While the registry is away nothing is vouched for: `invalid`.
    pub mode: DisplayMode,
    /// The registry's status; none when it could not be asked or needed not be.
    pub status: Option<LicenceStatus>,
    /// What the holder reads with the licence, or instead of it.
    pub message_zh: Option<String>,
    /// When the registry answered last.
    pub checked_at: Option<DateTime<Utc>>,
    /// Whether the registry could be asked; true also where nobody needs to.
    pub available: bool,
    /// Whether class, validity or authority changed since the issue (R16, R21).
    pub reissue_needed: bool,
    /// What the registry says of them now; none while it could not be asked or needed not be.
    pub registry: Option<LicenceFacts>,
}

impl Display {
    /// How a licence that was issued with these data is shown.
    pub fn of(state: LicenceState, issued: &LicenceFacts, look: Look) -> Self {
        match state {
            LicenceState::Current => Self::current(issued, look),
            LicenceState::Superseded => Self::without_registry(SUPERSEDED_ZH),
            LicenceState::Terminated => Self::without_registry(TERMINATED_ZH),
        }
    }

    fn current(issued: &LicenceFacts, look: Look) -> Self {
        let seen = match look {
            Look::Fresh(seen) => seen,
            Look::Away(last) => {
                return Self {
                    mode: DisplayMode::Invalid,
                    checked_at: last,
                    available: false,
                    ..Self::without_registry(UNAVAILABLE_ZH)
                };
            }
        };
        let Some((status, facts)) = seen.licence else {
            return Self { checked_at: Some(seen.at), ..Self::without_registry(NOT_FOUND_ZH) };
        };
        let reissue_needed = !issued.same_as(&facts);
        let message_zh = status.display_message_zh().or_else(|| reissue_needed.then(|| REAPPLY_NEEDED_ZH.to_owned()));
        Self {
            mode: status.display(),
            message_zh,
            status: Some(status),
            checked_at: Some(seen.at),
            available: true,
            reissue_needed,
            registry: Some(facts),
        }
    }

    fn without_registry(message_zh: &str) -> Self {
        Self {
            mode: DisplayMode::Hidden,
            status: None,
            message_zh: Some(message_zh.to_owned()),
            checked_at: None,
            available: true,
            reissue_needed: false,
            registry: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::licence_status::DISPLAY_INVALID_ZH;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn facts(classes: &str) -> LicenceFacts {
        LicenceFacts { classes: classes.to_owned(), valid_from: None, valid_until: None, authority: "蒙C".to_owned() }
    }

    fn fresh(status: &str, classes: &str) -> Look {
        Look::Fresh(Seen { at: at(7), licence: Some((LicenceStatus::parse(status), facts(classes))) })
    }

    #[test]
    fn a_current_licence_follows_the_registry() {
        for (status, mode, shown) in [
            ("A", DisplayMode::Valid, true),
            ("HI", DisplayMode::Valid, true),
            ("U", DisplayMode::Abnormal, true),
            ("L", DisplayMode::Invalid, false),
            ("", DisplayMode::Invalid, false),
            ("SG", DisplayMode::Hidden, false),
        ] {
            let display = Display::of(LicenceState::Current, &facts("C1"), fresh(status, "C1"));
            assert_eq!((display.mode, display.mode.is_shown()), (mode, shown), "{status}");
            assert_eq!((display.checked_at, display.available, display.reissue_needed), (Some(at(7)), true, false));
            assert_eq!(display.message_zh.is_none(), mode == DisplayMode::Valid, "{status}");
        }
        let locked = Display::of(LicenceState::Current, &facts("C1"), fresh("L", "C1"));
        assert_eq!(locked.message_zh.as_deref(), Some(DISPLAY_INVALID_ZH));
    }

    #[test]
    fn changed_data_show_that_a_reissue_is_needed() {
        let changed = Display::of(LicenceState::Current, &facts("C1"), fresh("A", "C1D"));
        assert!(changed.reissue_needed);
        assert_eq!((changed.mode, changed.message_zh.as_deref()), (DisplayMode::Valid, Some(REAPPLY_NEEDED_ZH)));
        assert_eq!(changed.registry, Some(facts("C1D")), "what counts from now on");
        let reordered = Display::of(LicenceState::Current, &facts("C1D"), fresh("A", "DC1"));
        assert!(!reordered.reissue_needed);
        let abnormal = Display::of(LicenceState::Current, &facts("C1"), fresh("S", "C1D"));
        assert!(abnormal.reissue_needed && abnormal.message_zh.unwrap().contains("逾期未审验"));
    }

    #[test]
    fn without_the_registry_nothing_is_vouched_for() {
        for last in [None, Some(at(3))] {
            let display = Display::of(LicenceState::Current, &facts("C1"), Look::Away(last));
            assert_eq!((display.mode, display.available, display.checked_at), (DisplayMode::Invalid, false, last));
            assert_eq!(display.message_zh.as_deref(), Some(UNAVAILABLE_ZH));
        }
        let gone = Display::of(LicenceState::Current, &facts("C1"), Look::Fresh(Seen { at: at(7), licence: None }));
        assert_eq!((gone.mode, gone.available), (DisplayMode::Hidden, true));
    }

    #[test]
    fn what_is_not_current_is_hidden_whatever_the_registry_says() {
        for state in [LicenceState::Superseded, LicenceState::Terminated] {
            for look in [fresh("A", "C1"), Look::Away(None)] {
                let display = Display::of(state, &facts("C1"), look);
                assert_eq!((display.mode, display.available), (DisplayMode::Hidden, true));
                assert!(display.message_zh.is_some());
            }
        }
    }
}

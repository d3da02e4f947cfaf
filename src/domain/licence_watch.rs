//! What is remembered of a licence after its issue: the registry's status that was noted last, what its holder was told of
//! it, and why it has no card.

use serde::{Deserialize, Serialize};

use super::{
    application::Notice,
    licence_status::{DisplayMode, LicenceStatus, StatusLetter},
    wire::wire_enum,
};

/// What is noted in the place of letters when the registry has no such licence.
pub const NOT_FOUND: &str = "not_found";

/// How a licence of a noted status is shown.
pub fn shown_as(noted: &str) -> DisplayMode {
    if noted == NOT_FOUND { DisplayMode::Hidden } else { LicenceStatus::parse(noted).display() }
}

/// Whether a noted status says what the matter is. `Z` may be no more than a registry that writes what nobody knows.
pub fn is_known(noted: &str) -> bool {
    noted == NOT_FOUND || !LicenceStatus::parse(noted).letters().contains(&StatusLetter::Other)
}

wire_enum! {
    /// Why the card (驾驶证电子版) of a licence cannot be drawn.
    pub enum CardProblem as "card problem" {
        /// No font has a glyph for one of its characters.
        GlyphMissing = "glyph_missing",
        /// A text would have to be too small to be read.
        TextTooLong = "text_too_long",
        /// There is no portrait, or no picture in its file.
        PortraitUnusable = "portrait_unusable",
    }
}

/// What is remembered; grows only after the issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LicenceWatch {
    /// Letters of the status that the audit log has last; none while it is the one at issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Whether class, validity or authority are other ones than at issue.
    #[serde(default)]
    pub reissue_needed: bool,
    /// The notices that a reissue is needed, one per channel. They are planned once in the licence's life.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// The notices of the last change that its holder was told of, one per channel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status_notices: Vec<Notice>,
    /// How many changes the holder was told of.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub status_round: u32,
    /// Why its card cannot be drawn, as operators were told; none while it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_problem: Option<CardProblem>,
    /// Whether an operator ended the service.
    #[serde(default)]
    pub terminated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_says_how_a_licence_is_shown() {
        for (noted, mode, known) in [
            ("HI", DisplayMode::Valid, true),
            ("SH", DisplayMode::Abnormal, true),
            ("L", DisplayMode::Invalid, true),
            ("Z", DisplayMode::Invalid, false),
            ("AZ", DisplayMode::Invalid, false),
            ("EZ", DisplayMode::Hidden, false),
            (NOT_FOUND, DisplayMode::Hidden, true),
        ] {
            assert_eq!((shown_as(noted), is_known(noted)), (mode, known), "{noted}");
        }
    }
}

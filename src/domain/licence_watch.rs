//! What is remembered of a licence after its issue: the registry's status that was noted last, that its holder was told
//! once that a reissue is needed, and why it has no card.

use serde::{Deserialize, Serialize};

use super::{application::Notice, wire::wire_enum};

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
    /// Why its card cannot be drawn, as operators were told; none while it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_problem: Option<CardProblem>,
    /// Whether an operator ended the service.
    #[serde(default)]
    pub terminated: bool,
}

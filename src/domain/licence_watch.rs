//! What is remembered of a licence after its issue: the registry's status that was noted last, and that its holder was
//! told once that a reissue is needed.

use serde::{Deserialize, Serialize};

use super::application::Notice;

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
    /// Whether an operator ended the service.
    #[serde(default)]
    pub terminated: bool,
}

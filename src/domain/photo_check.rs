//! What an automatic check of a photo found: the shape that applicants' systems, reviewers and the
//! evidence hash of a review all see.

use serde::{Deserialize, Serialize};

use super::photo_reason::PhotoReason;
use super::wire::wire_enum;

wire_enum! {
    /// How a check ended.
    pub enum CheckResult as "check result" {
        /// Nothing against the photo.
        Pass = "pass",
        /// A reviewer should look at it.
        Flag = "flag",
        /// The photo is refused.
        Fail = "fail",
        /// The check could not be made, for instance because no face was found.
        NotChecked = "not_checked",
    }
}

/// A measured value or the limit it is held against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Measure {
    /// A number, in the unit of the check (pixels, bytes, a share of 1, L*).
    Number(f64),
    /// Anything else, for instance a date or the name of a program.
    Text(String),
}

impl From<f64> for Measure {
    /// Rounds to three decimals, so that equal photos give equal evidence on every machine.
    fn from(value: f64) -> Self {
        Self::Number((value * 1000.0).round() / 1000.0)
    }
}

impl From<u32> for Measure {
    fn from(value: u32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl From<String> for Measure {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Measure {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// Where a face was found in a picture, in its pixels from the upper left corner. The detector's box is narrower than the
/// head: from brow to chin, without hair and ears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FaceBox {
    /// From the left edge.
    pub left: u32,
    /// From the upper edge.
    pub top: u32,
    /// To the right.
    pub width: u32,
    /// Downwards.
    pub height: u32,
}

/// One automatic check of one photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Check {
    /// The reason the photo is refused or flagged for when the check is breached.
    pub code: PhotoReason,
    /// How the check ended.
    pub result: CheckResult,
    /// What was measured; null when nothing could be.
    pub value: Option<Measure>,
    /// What it was held against; null when there is no single limit.
    pub limit: Option<Measure>,
}

impl Check {
    /// A check with its value and limit.
    pub fn new(code: PhotoReason, result: CheckResult, value: impl Into<Measure>, limit: impl Into<Measure>) -> Self {
        Self { code, result, value: Some(value.into()), limit: Some(limit.into()) }
    }

    /// A check that could not be made.
    pub fn not_checked(code: PhotoReason) -> Self {
        Self { code, result: CheckResult::NotChecked, value: None, limit: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travels_in_the_shape_of_the_contract() {
        let cases = [
            (
                Check::new(PhotoReason::ResolutionTooLow, CheckResult::Fail, 400_u32, 520_u32),
                r#"{"code":"resolution_too_low","result":"fail","value":400.0,"limit":520.0}"#,
            ),
            (
                Check::new(PhotoReason::FaceRetouched, CheckResult::Flag, "Meitu", "none"),
                r#"{"code":"face_retouched","result":"flag","value":"Meitu","limit":"none"}"#,
            ),
            (
                Check::not_checked(PhotoReason::ImageBlurred),
                r#"{"code":"image_blurred","result":"not_checked","value":null,"limit":null}"#,
            ),
        ];
        for (check, json) in cases {
            assert_eq!(serde_json::to_string(&check).unwrap(), json);
            assert_eq!(serde_json::from_str::<Check>(json).unwrap(), check);
        }
    }

    #[test]
    fn numbers_are_rounded() {
        assert_eq!(Measure::from(0.123_456), Measure::Number(0.123));
    }
}

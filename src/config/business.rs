//! The trade: workflows, working days, face verification, reviews, photos, licences.

use super::{
    outside::check_scale,
    problem::{Problem, Problems},
    values::Seconds,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[workflow]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkflowConfig {
    /// `GREENLANE_WORKFLOWS`: the folder of workflow files.
    pub folder: PathBuf,
    /// Multiplies every retry wait of every stage.
    pub retry_scale: f64,
}

impl Default for WorkflowConfig {
    fn default() -> Self {
        Self { folder: "workflows".into(), retry_scale: 1.0 }
    }
}

impl WorkflowConfig {
    /// Whether the folder is there.
    pub fn require_folder(&self) -> Result<(), Problem> {
        if self.folder.is_dir() {
            return Ok(());
        }
        let reason = format!("there is no folder `{}`; set GREENLANE_WORKFLOWS", self.folder.display());
        Err(Problem::new("workflow.folder", reason))
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        check_scale(self.retry_scale, "workflow.retry_scale", problems);
    }
}

/// `[calendar]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarConfig {
    /// The folder of calendar files; none: `calendar` in the folder of workflows.
    pub folder: Option<PathBuf>,
    /// So many days before its data ends operations are told.
    pub warn_days: u32,
}

impl Default for CalendarConfig {
    fn default() -> Self {
        Self { folder: None, warn_days: 30 }
    }
}

/// `[face]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaceConfig {
    /// After so long a verification that is still pending is asked about again.
    pub pending_poll_seconds: Seconds,
}

impl Default for FaceConfig {
    fn default() -> Self {
        Self { pending_poll_seconds: Seconds::new(15) }
    }
}

impl FaceConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            self.pending_poll_seconds.get() > 0.0,
            "face.pending_poll_seconds",
            "must be above 0: face verification would be asked without a pause",
        );
    }
}

/// `[review]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewConfig {
    /// How long a claimed task stays with its reviewer without a heartbeat.
    pub lease_seconds: Seconds,
    /// Open claims of one reviewer.
    pub claim_limit: u32,
    /// The console's time to take a decision back; 0 to 60.
    pub undo_seconds: Seconds,
    /// The share of signed-in people's decisions, 0 to 1, that a second person looks at; unlawful or improper content
    /// always is. Never 0 in earnest: a second look would tell of the first verdict.
    pub second_look_share: f64,
}

impl Default for ReviewConfig {
    fn default() -> Self {
        Self {
            lease_seconds: Seconds::new(300),
            claim_limit: 3,
            undo_seconds: Seconds::new(10),
            second_look_share: 0.02,
        }
    }
}

impl ReviewConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            self.lease_seconds.get() >= 1.0,
            "review.lease_seconds",
            "must be 1 or more: a reviewer needs time to look",
        );
        problems.require(
            (1..=1000).contains(&self.claim_limit),
            "review.claim_limit",
            "must be 1 to 1000: with 0 nobody could review",
        );
        problems.require(
            self.undo_seconds.get() <= 60.0,
            "review.undo_seconds",
            "must be 0 to 60: the applicant waits for it",
        );
        problems.require(
            (0.0..=1.0).contains(&self.second_look_share),
            "review.second_look_share",
            "must be 0 to 1: a share of the decisions",
        );
    }
}

/// `[photos]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PhotosConfig {
    /// A file of thresholds for the automatic checks; none: the built-in ones.
    pub thresholds: Option<PathBuf>,
}

/// `[licence]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LicenceConfig {
    /// How long a registry status may be shown again without asking; 0: always ask.
    pub status_cache_seconds: Seconds,
    /// How long a presentation (亮码) is good for.
    pub presentation_seconds: Seconds,
    /// Once in so long the registry is asked about each issued licence in the background.
    pub sweep_every_seconds: Seconds,
    /// So many of these questions a second, over all processes; 0: none, and the sweep is off.
    pub sweep_per_second: f64,
    /// A font file for the card with more characters than the shipped one; none: the shipped one alone.
    pub font: Option<PathBuf>,
}

impl Default for LicenceConfig {
    fn default() -> Self {
        Self {
            status_cache_seconds: Seconds::new(5),
            presentation_seconds: Seconds::new(60),
            sweep_every_seconds: Seconds::new(24 * 3600),
            sweep_per_second: 5.0,
            font: None,
        }
    }
}

impl LicenceConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.require(
            self.status_cache_seconds.get() <= 60.0,
            "licence.status_cache_seconds",
            "must be 0 to 60: the shown status must be today's truth",
        );
        problems.require(
            (1.0..=600.0).contains(&self.presentation_seconds.get()),
            "licence.presentation_seconds",
            "must be 1 to 600: a longer one could be shown as a screenshot",
        );
        problems.require(
            self.sweep_every_seconds.get() >= 1.0,
            "licence.sweep_every_seconds",
            "must be 1 or more: the registry would be asked without a pause",
        );
        problems.require(
            self.sweep_per_second == 0.0 || (0.001..=1000.0).contains(&self.sweep_per_second),
            "licence.sweep_per_second",
            "must be 0 (no sweep), or 0.001 to 1000",
        );
    }
}

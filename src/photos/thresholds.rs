//! The limits of the automatic checks. They are starting values: calibrate them on photos that
//! reviewers decided, and give every change a version of its own, because the version is part of what
//! a reviewer signs.

use serde::{Deserialize, Serialize};

use crate::domain::wire::wire_enum;

wire_enum! {
    /// What a breached limit does.
    pub enum OnBreach as "breach rule" {
        /// The photo is refused at upload. Only reasons a machine may decide on are ever refused.
        Refuse = "refuse",
        /// The reviewer is told.
        Flag = "flag",
    }
}

/// One limit and what its breach does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The limit, in the unit of the check.
    pub limit: f64,
    /// What a breach does.
    pub on_breach: OnBreach,
}

/// The aspect ratio (width by height): both bounds are excluded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AspectRule {
    /// Below or at this ratio is a breach.
    pub over: f64,
    /// Above or at this ratio is a breach.
    pub under: f64,
    /// What a breach does.
    pub on_breach: OnBreach,
}

/// How white a white background (白底) is, in CIE Lab.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhiteRule {
    /// Darker than this L* is a breach.
    pub lightness_min: f64,
    /// More coloured than this chroma is a breach.
    pub chroma_max: f64,
    /// Between `lightness_min` and this L* a breach is only flagged: indoor light is often grey.
    pub clear_lightness: f64,
    /// Between `chroma_max` and this chroma a breach is only flagged.
    pub clear_chroma: f64,
    /// What a clear breach does.
    pub on_breach: OnBreach,
}

/// Every limit, under one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// The name of this set of limits, stored with every inspection.
    pub version: String,
    /// Smallest width, in pixels.
    pub width_min: Rule,
    /// Allowed aspect ratio.
    pub aspect: AspectRule,
    /// Whiteness of the background.
    pub background_white: WhiteRule,
    /// Largest standard deviation of the background's luma (0..255).
    pub background_spread_max: Rule,
    /// Smallest detector score of a face.
    pub face_score_min: Rule,
    /// Largest number of faces.
    pub faces_max: Rule,
    /// Largest distance of the face from the vertical middle line, as a share of the width.
    pub off_centre_max: Rule,
    /// Smallest width of the face box, as a share of the width.
    pub head_width_min: Rule,
    /// Largest share of face pixels of luma 25 or less.
    pub dark_share_max: Rule,
    /// Largest share of face pixels of luma 247 or more.
    pub bright_share_max: Rule,
    /// Smallest likeness (histogram intersection, 0..1) of the two cheeks.
    pub cheek_likeness_min: Rule,
    /// Smallest variance of the Laplacian of the face, scaled to a fixed width.
    pub sharpness_min: Rule,
    /// Greatest age, in calendar months.
    pub age_months_max: Rule,
    /// Greatest age of a photo that is said to come from the camera, in hours; older ones are flagged.
    pub camera_age_hours_max: f64,
    /// Programs that retouch or compose pictures, looked for in the picture's metadata, in lower case.
    pub editors: Vec<String>,
}

impl Default for Thresholds {
    fn default() -> Self {
        let refuse = |limit| Rule { limit, on_breach: OnBreach::Refuse };
        // The face detector is not calibrated on portraits of this kind, so what it finds only flags.
        let flag = |limit| Rule { limit, on_breach: OnBreach::Flag };
        Self {
            version: "2026-11".into(),
            width_min: refuse(520.0),
            aspect: AspectRule { over: 2.0 / 3.0, under: 3.0 / 4.0, on_breach: OnBreach::Refuse },
            background_white: WhiteRule {
                lightness_min: 85.0,
                chroma_max: 8.0,
                clear_lightness: 75.0,
                clear_chroma: 16.0,
                on_breach: OnBreach::Refuse,
            },
            background_spread_max: flag(12.0),
            face_score_min: flag(2.0),
            faces_max: flag(1.0),
            off_centre_max: flag(0.08),
            head_width_min: flag(0.35),
            dark_share_max: flag(0.35),
            bright_share_max: flag(0.20),
            cheek_likeness_min: flag(0.25),
            sharpness_min: flag(60.0),
            age_months_max: refuse(6.0),
            camera_age_hours_max: 24.0,
            editors: EDITORS.map(str::to_owned).to_vec(),
        }
    }
}

const EDITORS: [&str; 20] = [
    "photoshop",
    "lightroom",
    "snapseed",
    "gimp",
    "pixelmator",
    "picsart",
    "facetune",
    "faceapp",
    "airbrush",
    "meitu",
    "美图",
    "美颜",
    "beautyplus",
    "faceu",
    "ulike",
    "轻颜",
    "xingtu",
    "醒图",
    "b612",
    "youcam",
];

/// Limits that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadThresholds {
    /// The limits differ from the released set of the same version.
    #[error("photo thresholds were changed under version `{0}`: give the changed set a version of its own")]
    VersionNotChanged(String),
    /// A limit is outside of its range.
    #[error("photo threshold `{name}` must lie in {range}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// The allowed range.
        range: &'static str,
    },
}

impl Thresholds {
    /// Refuses limits that cannot be meant.
    ///
    /// # Errors
    /// [`BadThresholds`] names the first setting and what it must be.
    pub fn validate(&self) -> Result<(), BadThresholds> {
        let released = Self::default();
        if self.version == released.version && *self != released {
            return Err(BadThresholds::VersionNotChanged(self.version.clone()));
        }
        let white = &self.background_white;
        let shares = [
            self.off_centre_max,
            self.head_width_min,
            self.dark_share_max,
            self.bright_share_max,
            self.cheek_likeness_min,
        ];
        let ranges = [
            ("version", "1 to 40 characters", !self.version.is_empty() && self.version.chars().count() <= 40),
            ("width_min", "1..=20000", (1.0..=20_000.0).contains(&self.width_min.limit)),
            ("aspect", "0 < over < under", 0.0 < self.aspect.over && self.aspect.over < self.aspect.under),
            (
                "background_white.lightness",
                "0 <= clear_lightness <= lightness_min <= 100",
                0.0 <= white.clear_lightness
                    && white.clear_lightness <= white.lightness_min
                    && white.lightness_min <= 100.0,
            ),
            (
                "background_white.chroma",
                "0 <= chroma_max <= clear_chroma",
                0.0 <= white.chroma_max && white.chroma_max <= white.clear_chroma,
            ),
            // The detector panics on a score of 0 or less.
            ("face_score_min", "0.1..=100", (0.1..=100.0).contains(&self.face_score_min.limit)),
            (
                "off_centre_max, head_width_min, dark_share_max, bright_share_max, cheek_likeness_min",
                "0..=1",
                shares.iter().all(|r| (0.0..=1.0).contains(&r.limit)),
            ),
            (
                "age_months_max",
                "a whole number in 1..=120",
                (1.0..=120.0).contains(&self.age_months_max.limit) && self.age_months_max.limit.fract() == 0.0,
            ),
        ];
        match ranges.into_iter().find(|(_, _, ok)| !ok) {
            Some((name, range, _)) => Err(BadThresholds::OutOfRange { name, range }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_released_set_is_valid_and_survives_serde() {
        let set = Thresholds::default();
        assert_eq!(set.validate(), Ok(()));
        let text = toml::to_string(&set).unwrap();
        assert_eq!(toml::from_str::<Thresholds>(&text).unwrap(), set);
        assert_eq!(toml::from_str::<Thresholds>("").unwrap(), set);
    }

    #[test]
    fn a_change_needs_a_version() {
        let change = "sharpness_min = { limit = 80, on_breach = \"refuse\" }";
        let set: Thresholds = toml::from_str(change).unwrap();
        assert_eq!(set.validate(), Err(BadThresholds::VersionNotChanged("2026-11".into())));
        let set: Thresholds = toml::from_str(&format!("version = \"2026-12\"\n{change}")).unwrap();
        assert_eq!(set.validate(), Ok(()));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        type Change = fn(&mut Thresholds);
        let cases: [(&str, Change); 6] = [
            ("width_min", |t| t.width_min.limit = f64::NAN),
            ("aspect", |t| t.aspect.over = 2.0),
            ("background_white.chroma", |t| t.background_white.clear_chroma = 1.0),
            ("face_score_min", |t| t.face_score_min.limit = 0.0),
            ("age_months_max", |t| t.age_months_max.limit = 2.5),
            ("version", |t| t.version.clear()),
        ];
        for (name, change) in cases {
            let mut set = Thresholds { version: "test".into(), ..Thresholds::default() };
            change(&mut set);
            let error = set.validate().unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(toml::from_str::<Thresholds>("widht_min = 1").is_err());
    }
}

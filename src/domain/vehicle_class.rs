//! The classes of vehicles that a licence is for (准驾车型), e.g. `A2D`.

use serde::{Deserialize, Serialize};

use super::wire::wire_enum;

wire_enum! {
    /// One class.
    pub enum VehicleClass as "vehicle class" {
        /// 大型客车.
        A1 = "A1",
        /// 重型牵引挂车.
        A2 = "A2",
        /// 城市公交车.
        A3 = "A3",
        /// 中型客车.
        B1 = "B1",
        /// 大型货车.
        B2 = "B2",
        /// 小型汽车.
        C1 = "C1",
        /// 小型自动挡汽车.
        C2 = "C2",
        /// 低速载货汽车.
        C3 = "C3",
        /// 三轮汽车.
        C4 = "C4",
        /// 残疾人专用小型自动挡载客汽车.
        C5 = "C5",
        /// 轻型牵引挂车.
        C6 = "C6",
        /// 普通三轮摩托车.
        D = "D",
        /// 普通二轮摩托车.
        E = "E",
        /// 轻便摩托车.
        F = "F",
        /// 轮式专用机械车.
        M = "M",
        /// 无轨电车.
        N = "N",
        /// 有轨电车.
        P = "P",
    }
}

impl VehicleClass {
    /// The Chinese name.
    pub const fn name_zh(self) -> &'static str {
        match self {
            Self::A1 => "大型客车",
            Self::A2 => "重型牵引挂车",
            Self::A3 => "城市公交车",
            Self::B1 => "中型客车",
            Self::B2 => "大型货车",
            Self::C1 => "小型汽车",
            Self::C2 => "小型自动挡汽车",
            Self::C3 => "低速载货汽车",
            Self::C4 => "三轮汽车",
            Self::C5 => "残疾人专用小型自动挡载客汽车",
            Self::C6 => "轻型牵引挂车",
            Self::D => "普通三轮摩托车",
            Self::E => "普通二轮摩托车",
            Self::F => "轻便摩托车",
            Self::M => "轮式专用机械车",
            Self::N => "无轨电车",
            Self::P => "有轨电车",
        }
    }

    /// The classes that may be driven too (准予驾驶的其他准驾车型).
    pub const fn implied(self) -> &'static [Self] {
        use VehicleClass::{A3, B1, B2, C1, C2, C3, C4, C6, E, F, M};
        match self {
            Self::A1 => &[A3, B1, B2, C1, C2, C3, C4, M],
            Self::A2 => &[B1, B2, C1, C2, C3, C4, C6, M],
            Self::A3 => &[C1, C2, C3, C4],
            Self::B1 | Self::B2 => &[C1, C2, C3, C4, M],
            Self::C1 => &[C2, C3, C4],
            Self::C3 => &[C4],
            Self::D => &[E, F],
            Self::E => &[F],
            Self::C2 | Self::C4 | Self::C5 | Self::C6 | Self::F | Self::M | Self::N | Self::P => &[],
        }
    }
}

/// Why a text is no compound of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VehicleClassError {
    /// Empty or longer than 15 characters.
    #[error("vehicle classes have 1 to {max} characters", max = VehicleClasses::MAX_CHARS)]
    Length,
    /// No class begins at this character.
    #[error("no vehicle class at character {0}, write for example `C1D`")]
    Unknown(usize),
}

/// The classes of a licence. The order in which the registry writes them means nothing, so two
/// values are equal when they hold the same classes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VehicleClasses(
    /// Sorted, each once, never empty.
    Vec<VehicleClass>,
);

impl VehicleClasses {
    /// The greatest length of the text.
    pub const MAX_CHARS: usize = 15;

    /// Reads a compound such as `C1D`, taking the longest class at each place.
    pub fn parse(text: &str) -> Result<Self, VehicleClassError> {
        // No class has a character of more than one byte, so bytes are counted.
        if text.is_empty() || text.len() > Self::MAX_CHARS {
            return Err(VehicleClassError::Length);
        }
        let mut classes = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (class, after) = VehicleClass::ALL
                .iter()
                .filter_map(|class| rest.strip_prefix(class.as_str()).map(|after| (*class, after)))
                .min_by_key(|(_, after)| after.len())
                .ok_or(VehicleClassError::Unknown(text.len() - rest.len() + 1))?;
            classes.push(class);
            rest = after;
        }
        classes.sort_unstable();
        classes.dedup();
        Ok(Self(classes))
    }

    /// The classes, in the order of the table.
    pub fn classes(&self) -> &[VehicleClass] {
        &self.0
    }

    /// Whether a class may be driven, by itself or because another one includes it.
    pub fn covers(&self, class: VehicleClass) -> bool {
        self.0.iter().any(|held| *held == class || held.implied().contains(&class))
    }
}

impl std::fmt::Display for VehicleClasses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|class| f.write_str(class.as_str()))
    }
}

impl TryFrom<String> for VehicleClasses {
    type Error = VehicleClassError;
    fn try_from(text: String) -> Result<Self, VehicleClassError> {
        Self::parse(&text)
    }
}

impl From<VehicleClasses> for String {
    fn from(classes: VehicleClasses) -> Self {
        classes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_compounds_greedily() {
        for (text, wanted) in
            [("C1", "C1"), ("C1D", "C1D"), ("DC1", "C1D"), ("A1A2D", "A1A2D"), ("C1C1", "C1"), ("NPMFE", "EFMNP")]
        {
            assert_eq!(VehicleClasses::parse(text).unwrap().to_string(), wanted);
        }
        for (text, error) in [
            ("", VehicleClassError::Length),
            ("A1A2A3B1B2C1C2C3", VehicleClassError::Length),
            ("C", VehicleClassError::Unknown(1)),
            ("C7", VehicleClassError::Unknown(1)),
            ("C1X", VehicleClassError::Unknown(3)),
            ("c1", VehicleClassError::Unknown(1)),
            ("C1 D", VehicleClassError::Unknown(3)),
            ("Ｃ１", VehicleClassError::Unknown(1)),
        ] {
            assert_eq!(VehicleClasses::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn higher_classes_include_lower_ones() {
        let classes = VehicleClasses::parse("A2D").unwrap();
        for class in [VehicleClass::A2, VehicleClass::C6, VehicleClass::C1, VehicleClass::M, VehicleClass::F] {
            assert!(classes.covers(class), "{class}");
        }
        assert!(!classes.covers(VehicleClass::A1) && !classes.covers(VehicleClass::C5));
        assert!(!VehicleClasses::parse("A1").unwrap().covers(VehicleClass::C6));
    }

    #[test]
    fn the_table_of_included_classes_is_complete_in_itself() {
        for class in VehicleClass::ALL {
            for implied in class.implied() {
                assert_ne!(class, implied);
                assert!(implied.implied().iter().all(|next| class.implied().contains(next)), "{class} {implied}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = VehicleClasses::parse(&text);
        }

        #[test]
        fn compounds_round_trip(picked in prop::collection::vec(0..VehicleClass::ALL.len(), 1..8)) {
            let text: String = picked.iter().map(|index| VehicleClass::ALL[*index].as_str()).collect();
            let classes = VehicleClasses::parse(&text).unwrap();
            prop_assert!(picked.iter().all(|index| classes.classes().contains(&VehicleClass::ALL[*index])));
            prop_assert_eq!(VehicleClasses::parse(&classes.to_string()).unwrap(), classes);
        }
    }
}

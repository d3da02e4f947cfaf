//! Enums that travel: one declaration gives the variant and the name it has on the wire, in the
//! database and in logs, so that renaming a variant never strands stored data.

/// A name that is not one of an enum's wire names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what}: `{value}`")]
pub struct UnknownName {
    /// What was looked for, e.g. `status`.
    pub what: &'static str,
    /// The text that was given.
    pub value: String,
}

/// Declares a fieldless enum with its wire names: `as_str`, `ALL`, `Display`, `FromStr`, serde and `utoipa` schema, and a
/// test of the enum's own name that all of them agree.
///
/// The names are token trees: as `literal` fragments they would reach the derives wrapped, and `utoipa` looks for a bare one.
macro_rules! wire_enum {
    ($(#[$meta:meta])* $vis:vis enum $name:ident as $what:literal { $($(#[$vmeta:meta])* $variant:ident = $wire:tt),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        $vis enum $name { $($(#[$vmeta])* #[serde(rename = $wire)] $variant),+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire, in the database and in logs.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::wire::UnknownName;
            fn from_str(s: &str) -> std::result::Result<Self, Self::Err> {
                match s {
                    $($wire => Ok(Self::$variant),)+
                    _ => Err($crate::domain::wire::UnknownName { what: $what, value: s.to_owned() }),
                }
            }
        }

        #[cfg(test)]
        #[test]
        #[expect(non_snake_case, reason = "functions have a namespace of their own, so the enum's name is free for its test")]
        fn $name() {
            let names: Vec<&str> = $name::ALL.iter().map(|value| value.as_str()).collect();
            let documented = serde_json::to_value(<$name as utoipa::PartialSchema>::schema()).unwrap();
            assert_eq!(documented["enum"], serde_json::json!(names), "what the API's document names");
            assert_eq!(serde_json::json!($name::ALL), serde_json::json!(names), "what is sent");
            let read: Vec<$name> = serde_json::from_value(documented["enum"].clone()).unwrap();
            assert_eq!(read, $name::ALL, "what is read");
            assert!($name::ALL.iter().all(|value| value.as_str().parse() == Ok(*value)));
        }
    };
}
pub(crate) use wire_enum;

//! The values of a workflow file as they are written: waits, rates and retry schedules.

use std::{borrow::Cow, ops::Range, str::FromStr, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use toml::Spanned;

use crate::domain::retry::{self, RetrySchedule};

/// A value with its place in the text. One that cannot be read is kept as the reason why, so that
/// reading goes on and every problem of the file is found in one go.
#[derive(Debug)]
pub(super) struct Field<T> {
    pub(super) span: Range<usize>,
    pub(super) value: Result<T, String>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Spanned::<toml::Value>::deserialize(deserializer)?;
        let span = raw.span();
        let value = T::deserialize(raw.into_inner()).map_err(|error| error.message().to_owned());
        Ok(Self { span, value })
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A length of time as [`retry::parse_duration`] reads it, at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) Duration);

impl FromStr for Wait {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match retry::parse_duration(text).map_err(|error| error.to_string())? {
            Duration::ZERO => Err("must be longer than 0".to_owned()),
            longer if longer > Duration::from_hours(24) => Err("must be at most `24h`".to_owned()),
            duration => Ok(Self(duration)),
        }
    }
}

/// How often something may run, written `50/s`, `600/m` or `1000/h`; kept as runs per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate(pub(super) f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |unit| match unit {
            "s" => Some(1.0),
            "m" => Some(60.0),
            "h" => Some(3600.0),
            _ => None,
        };
        let parts = text.split_once('/');
        let parsed = parts.and_then(|(count, unit)| Some((count.parse::<u32>().ok()?, seconds(unit)?)));
        match parsed {
            None => Err(format!("not a rate like `50/s`, `600/m` or `1000/h`: `{text}`")),
            Some((0, _)) => Err("must be more than zero; pause the queue to stop a stage".to_owned()),
            Some((count, seconds)) => Ok(Self(f64::from(count) / seconds)),
        }
    }
}

/// When a failed attempt is repeated: a table as [`RetrySchedule`] reads it, or only its list of waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retry(pub(super) RetrySchedule);

impl<'de> Deserialize<'de> for Retry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = match toml::Value::deserialize(deserializer)? {
            waits @ toml::Value::Array(_) => toml::Table::from_iter([("waits".to_owned(), waits)]),
            toml::Value::Table(table) => table,
            _ => return Err(D::Error::custom("expected a list of waits, or a table with `base` and `max`")),
        };
        RetrySchedule::deserialize(table).map(Self).map_err(|error| D::Error::custom(error.message()))
    }
}

impl JsonSchema for Retry {
    fn schema_name() -> Cow<'static, str> {
        "Retry".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let wait = generator.subschema_for::<Wait>();
        let waits = json_schema!({
            "description": "The waits after the first, second, … failed attempt; the last one repeats.",
            "type": "array", "items": wait, "minItems": 1,
        });
        let jitter = json_schema!({
            "description": "The part by which a wait may be shorter or longer, from 0 to below 1; 0.2 without it.",
            "type": "number", "minimum": 0, "exclusiveMaximum": 1,
        });
        let factor = json_schema!({
            "description": "By how much each wait is longer than the one before; 2 without it.",
            "type": "number", "minimum": 1, "maximum": 10,
        });
        let table = |properties, required| json_schema!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
        json_schema!({
            "description": "The waits between the attempts.",
            "anyOf": [
                waits,
                table(json!({ "waits": waits, "jitter": jitter }), json!(["waits"])),
                table(json!({ "base": wait, "factor": factor, "max": wait, "jitter": jitter }), json!(["base", "max"])),
            ],
        })
    }
}

/// A value that is written as a string of its own form.
macro_rules! written {
    ($type:ident, $pattern:literal, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "description": $description })
            }
        }
    };
}
written!(Wait, "^[0-9]+(ms|s|m|h|d)$", "A length of time like `500ms`, `10s`, `5m` or `2h`.");
written!(Rate, "^[0-9]+/(s|m|h)$", "How often, like `50/s`, `600/m` or `1000/h`.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("24h", 86_400_000)]
        {
            let wait: Wait = text.parse().unwrap();
            assert_eq!(wait.0, Duration::from_millis(millis), "{text}");
        }
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "+1s",
            "1.5s",
            " 1s",
            "1 s",
            "1S",
            "2d",
            "0s",
            "0ms",
            "25h",
            "99999999999999999999s",
            "18446744073709551615h",
            "１s",
        ] {
            assert!(text.parse::<Wait>().is_err(), "{text}");
        }
    }

    #[test]
    fn retries() {
        let retry =
            |text: &str| toml::from_str::<std::collections::BTreeMap<String, Retry>>(&format!("retry = {text}"));
        let list = retry("['1s', '5s']").unwrap();
        assert_eq!(list, retry("{ waits = ['1s', '5s'], jitter = 0.2 }").unwrap());
        assert!(retry("{ base = '2s', factor = 2, max = '5m' }").is_ok());
        for (text, wanted) in [
            ("'5s'", "expected a list of waits"),
            ("[]", "give either `waits`"),
            ("[5]", "expected a string"),
            ("{ bas = '2s', max = '5m' }", "unknown field `bas`"),
            ("{ base = '2s' }", "give either `waits`"),
            ("{ base = '2s', max = '1s' }", "`max` must not be shorter"),
            ("{ base = '0s', max = '1s' }", "longer than 0"),
        ] {
            let error = retry(text).unwrap_err();
            assert!(error.message().contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn rates() {
        for (text, per_second) in [("50/s", 50.0), ("600/m", 10.0), ("3600/h", 1.0)] {
            assert_eq!(text.parse::<Rate>(), Ok(Rate(per_second)), "{text}");
        }
        for text in ["", "50", "/s", "50/", "50/d", "0/s", "-1/s", "1.5/s", "50/s/s", "99999999999/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}

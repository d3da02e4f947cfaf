//! The registry: the sequence digits of the document number decide.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Content, Reply, Simulator, text};
use crate::providers::sample;

/// The last override of each document number.
#[derive(Default)]
pub(super) struct Overrides(Mutex<HashMap<String, Map<String, Value>>>);

impl Overrides {
    pub(super) fn set(&self, number: &str, fields: Map<String, Value>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number.to_uppercase(), fields);
    }

    fn of(&self, number: &str) -> Option<Map<String, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&number.to_uppercase()).cloned()
    }
}

/// Digits 15 to 17 of an 18-character identity number; the last three digits of any other number.
pub(super) fn sequence(number: &str) -> u32 {
    let characters: Vec<char> = number.chars().collect();
    let digits: String = match characters.as_slice() {
        [body @ .., last]
            if body.len() == 17
                && body.iter().all(char::is_ascii_digit)
                && (last.is_ascii_digit() || matches!(last, 'x' | 'X')) =>
        {
            body.iter().skip(14).collect()
        }
        _ => characters.iter().filter(|c| c.is_ascii_digit()).collect(),
    };
    digits.get(digits.len().saturating_sub(3)..).and_then(|tail| tail.parse().ok()).unwrap_or_default()
}

/// The licence status of a sequence number.
fn status(sequence: u32) -> &'static str {
    const FROM_801: [&str; 22] =
        ["H", "I", "HI", "B", "D", "K", "U", "M", "S", "E", "F", "G", "L", "J", "R", "C", "N", "P", "T", "Z", "SH", ""];
    let place = sequence.checked_sub(801).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| FROM_801.get(place)).copied().unwrap_or("A")
}

/// What the registry knows of a number: the table, then the override.
pub(super) fn knows(simulator: &Simulator, number: &str) -> Value {
    let sequence = sequence(number);
    let mut licence = json!({
        "file_number": match sequence { 903 => "150300000000".to_owned(), _ => sample::file_number(number) },
        "holder_name": match sequence { 902 => "李四", _ => sample::HOLDER_NAME },
        "status": status(sequence),
        "classes": "C1",
        "valid_from": "2021-06-01",
        "valid_until": "2027-06-01",
        "issuing_authority": "蒙C",
        "points": 0,
        "retained_photo": { "available": sequence != 904, "suitable": !matches!(sequence, 904 | 905) },
    });
    let mut answer = json!({ "found": sequence != 900, "filed": !matches!(sequence, 900 | 901) });
    for (field, value) in simulator.registry.of(number).unwrap_or_default() {
        match field.as_str() {
            "found" | "filed" => answer[field] = value,
            "licence" => merge(&mut licence, value),
            _ => merge(&mut licence, json!({ field: value })),
        }
    }
    answer["licence"] = if answer["found"] == json!(false) { Value::Null } else { licence };
    answer
}

/// Lays objects over each other, field by field.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (field, value) in over {
                merge(under.entry(field).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

pub(super) fn licence(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    text(body, "document_type")?;
    let number = text(body, "document_number")?;
    Ok(match sequence(number) {
        910 if simulator.tries.count(&["registry", number]) <= 2 => Reply::unavailable(),
        911 => Reply::unavailable(),
        912 => Reply { after: Duration::from_secs(20), ..Reply::answered(knows(simulator, number)) },
        913 => Reply::new(StatusCode::OK, Content::Text("<root><head><code>1</code>"), "garbage"),
        _ => Reply::answered(knows(simulator, number)),
    })
}

pub(super) fn photo(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    text(body, "document_type")?;
    let number = text(body, "document_number")?;
    let known = knows(simulator, number);
    if known["licence"]["retained_photo"]["available"] == json!(true) {
        Ok(Reply::new(StatusCode::OK, Content::Jpeg, "answered"))
    } else {
        Err(Reply::refused(StatusCode::NOT_FOUND, "no_retained_photo", "there is no retained photo"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences() {
        for (number, expected) in [
            ("11010519491231002X", 2),
            ("11010519491231002x", 2),
            ("110105194912319110", 911),
            ("北字第00123911号", 911),
            ("H12345678", 678),
            ("12", 12),
            ("无", 0),
            ("", 0),
        ] {
            assert_eq!(sequence(number), expected, "{number}");
        }
    }

    #[test]
    fn statuses() {
        for (sequence, expected) in [
            (0, "A"),
            (799, "A"),
            (800, "A"),
            (801, "H"),
            (803, "HI"),
            (809, "S"),
            (812, "G"),
            (814, "J"),
            (815, "R"),
            (820, "Z"),
            (821, "SH"),
            (822, ""),
            (823, "A"),
            (999, "A"),
        ] {
            assert_eq!(status(sequence), expected, "{sequence}");
        }
    }
}

//! Holds a configuration tree against the defaults: unknown keys, and texts of the environment
//! that stand for numbers, booleans and lists.

use super::problem::Problems;
use ::config::{Value as Given, ValueKind};
use serde_json::{Map, Value};

/// The tree in the types of the defaults. What is unknown or of a wrong type is reported and left
/// out.
pub(super) fn typed(given: &Given, defaults: &Map<String, Value>, problems: &mut Problems) -> Map<String, Value> {
    match &given.kind {
        ValueKind::Table(table) => Walk { root: defaults, problems }.section(
            "",
            table.iter().map(|(key, value)| (key.as_str(), value)),
            defaults,
        ),
        _ => Map::new(),
    }
}

struct Walk<'a> {
    root: &'a Map<String, Value>,
    problems: &'a mut Problems,
}

impl Walk<'_> {
    fn section<'v>(
        &mut self,
        path: &str,
        given: impl Iterator<Item = (&'v str, &'v Given)>,
        defaults: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut typed = Map::new();
        // Hash order would make the list of problems another one at every start.
        let mut given: Vec<_> = given.collect();
        given.sort_by_key(|(key, _)| *key);
        for (key, value) in given {
            let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            // An empty section of the defaults is a map with free keys, all of them whole numbers.
            let default = if defaults.is_empty() { Some(&Value::from(0)) } else { defaults.get(key) };
            let Some(default) = default.cloned() else {
                let hint = suggestion(key, defaults, self.root).unwrap_or_default();
                self.problems.add(path, format!("is unknown{}{hint}", place(value)));
                continue;
            };
            if let Some(value) = self.value(&path, value, &default) {
                typed.insert(key.to_owned(), value);
            }
        }
        typed
    }

    fn value(&mut self, path: &str, given: &Given, default: &Value) -> Option<Value> {
        let expected = match (default, &given.kind) {
            (Value::Object(defaults), ValueKind::Table(table)) => {
                let entries = table.iter().map(|(key, value)| (key.as_str(), value));
                return Some(Value::Object(self.section(path, entries, defaults)));
            }
            (Value::Object(_), _) => "a section with keys",
            (Value::Bool(_), kind) => match boolean(kind) {
                Some(value) => return Some(value.into()),
                None => "true or false",
            },
            (Value::Number(number), kind) if number.is_f64() => match float(kind) {
                Some(value) => return Some(value.into()),
                None => "a number",
            },
            (Value::Number(_), kind) => match whole(kind) {
                Some(value) => return Some(value.into()),
                None => "a whole number, 0 or more",
            },
            (Value::Array(_), kind) => match list(kind) {
                Some(value) => return Some(value.into()),
                None => "a list of texts",
            },
            // An optional text has the default null.
            (Value::String(_) | Value::Null, ValueKind::String(text)) => {
                return Some(text.clone().into());
            }
            (Value::String(_) | Value::Null, _) => "a text in quotes",
        };
        self.problems.add(path, format!("must be {expected}{}", place(given)));
        None
    }
}

fn place(value: &Given) -> &'static str {
    if value.origin() == Some(super::load::ENVIRONMENT) { " (from the environment)" } else { "" }
}

fn boolean(kind: &ValueKind) -> Option<bool> {
    match kind {
        ValueKind::Boolean(value) => Some(*value),
        ValueKind::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

fn whole(kind: &ValueKind) -> Option<u64> {
    match kind {
        ValueKind::I64(value) => u64::try_from(*value).ok(),
        ValueKind::U64(value) => Some(*value),
        ValueKind::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn float(kind: &ValueKind) -> Option<f64> {
    let value = match kind {
        ValueKind::Float(value) => Some(*value),
        ValueKind::I64(value) => Some(*value as f64),
        ValueKind::U64(value) => Some(*value as f64),
        ValueKind::String(text) => text.parse().ok(),
        _ => None,
    };
    value.filter(|value| value.is_finite())
}

fn list(kind: &ValueKind) -> Option<Vec<Value>> {
    match kind {
        ValueKind::Array(items) => items
            .iter()
            .map(|item| match &item.kind {
                ValueKind::String(text) => Some(text.clone().into()),
                _ => None,
            })
            .collect(),
        ValueKind::String(text) => {
            Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Into::into).collect())
        }
        _ => None,
    }
}

/// `; did you mean …?`: the same key of another section, or the nearest of this one.
fn suggestion(key: &str, siblings: &Map<String, Value>, root: &Map<String, Value>) -> Option<String> {
    let near = siblings.keys().map(|known| (distance(key, known), known)).min()?;
    if near.0 <= 2.max(key.len() / 3) && near.0 < key.len() {
        return Some(format!("; did you mean `{}`?", near.1));
    }
    let section = root.iter().find(|(_, keys)| keys.get(key).is_some())?.0;
    Some(format!("; did you mean `{section}.{key}`?"))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, y) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(x != *y)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}

//! Strict reading of JSON: what serde would quietly accept (a member twice, a NUL inside of a text, a list where an
//! object is meant) is refused with a pointer, and what it would quote from the request is not.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::problem::{Fault, Problem};

/// Members that are lists. Everywhere else a list is refused: serde would read one as an object by its order.
const LISTS: &[&str] = &["/reasons", "/scopes"];
/// More faults than this help nobody.
const MOST_FAULTS: usize = 50;
/// The longest pointer that is told.
const LONGEST_POINTER: usize = 200;

/// Reads a whole JSON object.
///
/// # Errors
/// 400 `malformed_json` for what is no JSON, is no UTF-8 or is nested too deeply; 422 with pointers for the rest.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let faults = inspect(bytes)?;
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    typed(&mut deserializer)
}

/// Turns values that are known to be well-formed into a type.
///
/// # Errors
/// 422 with a pointer.
pub(super) fn typed<'de, T: DeserializeOwned, D>(deserializer: D) -> Result<T, Problem>
where
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        if error.inner().classify() == Category::Data {
            Problem::invalid(vec![fault(error.path(), &error.inner().to_string())])
        } else {
            malformed()
        }
    })
}

fn malformed() -> Problem {
    Problem::bad_request("malformed_json", "the body is not well-formed JSON")
}

/// Walks through everything once, keeping nothing but what is wrong.
fn inspect(bytes: &[u8]) -> Result<Vec<Fault>, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut faults = Vec::new();
    Walk { pointer: &mut String::new(), faults: &mut faults }
        .deserialize(&mut deserializer)
        .map_err(|_| malformed())?;
    deserializer.end().map_err(|_| malformed())?;
    if !text.trim_start().starts_with('{') {
        faults.insert(0, Fault::new("", "wrong_type", "must be an object"));
    }
    Ok(faults)
}

struct Walk<'a> {
    pointer: &'a mut String,
    faults: &'a mut Vec<Fault>,
}

impl Walk<'_> {
    fn fault(&mut self, code: &'static str, detail: &str) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::new(shortened(self.pointer), code, detail));
        }
    }

    fn text(&mut self, text: &str) {
        if text.contains('\0') {
            self.fault("nul_character", "must not contain the character U+0000");
        }
    }

    /// The same walk one level deeper.
    fn below<T>(&mut self, name: &str, walk: impl FnOnce(Walk<'_>) -> T) -> T {
        let length = self.pointer.len();
        push(self.pointer, name);
        let result = walk(Walk { pointer: self.pointer, faults: self.faults });
        self.pointer.truncate(length);
        result
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(mut self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        if !LISTS.contains(&self.pointer.as_str()) && !self.pointer.is_empty() {
            self.fault("wrong_type", "must not be a list");
        }
        let mut index = 0_usize;
        loop {
            let name = index.to_string();
            if self.below(&name, |walk| list.next_element_seed(walk))?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = object.next_key::<Cow<'_, str>>()? {
            let new = !seen.contains(name.as_ref());
            self.below(&name, |mut walk| {
                walk.text(&name);
                if !new {
                    walk.fault("duplicate_field", "must be given once");
                }
                object.next_value_seed(walk)
            })?;
            if new {
                seen.insert(name.into_owned());
            }
            if seen.len() > 10_000 {
                return Err(A::Error::custom("too many members"));
            }
        }
        Ok(())
    }
}

/// Appends a reference token (RFC 6901).
fn push(pointer: &mut String, name: &str) {
    pointer.push('/');
    for letter in name.chars() {
        match letter {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

fn shortened(pointer: &str) -> String {
    pointer.chars().take(LONGEST_POINTER).collect()
}

/// Says what serde found, without what serde quotes: its message may repeat personal data, save for its end, which
/// names what the type expects.
fn fault(path: &Path, message: &str) -> Fault {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => push(&mut pointer, &index.to_string()),
            Segment::Map { key } => push(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let expected = || match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("must be {}", expected.trim_start_matches("one of ")),
        None => "must be another value".to_owned(),
    };
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        push(&mut pointer, name);
        return Fault::new(shortened(&pointer), "missing", "is required");
    }
    let (code, detail) = if message.starts_with("unknown field") {
        ("unknown_field", "is not known".to_owned())
    } else if message.starts_with("unknown variant") {
        ("unknown_value", expected())
    } else if message.starts_with("invalid type") {
        ("wrong_type", expected())
    } else if message.starts_with("must ") {
        ("invalid_value", message.to_owned())
    } else {
        ("invalid_value", "is not valid".to_owned())
    };
    Fault::new(shortened(&pointer), code, detail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        inner: Option<Inner>,
        #[serde(default)]
        reasons: Vec<Colour>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        count: u8,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Green,
    }

    fn refusal(text: &str) -> (u16, Vec<(String, &'static str)>) {
        let problem = decode::<Outer>(text.as_bytes()).unwrap_err();
        let body = serde_json::to_string(&problem.clone().into_body()).unwrap();
        assert!(!body.contains("张三") && !body.contains("13800138000"), "{body}");
        (problem.status().as_u16(), problem.errors().iter().map(|fault| (fault.pointer.clone(), fault.code)).collect())
    }

    #[test]
    fn good_bodies_are_read() {
        let outer: Outer = decode(r#"{"name": "张三", "inner": {"count": 1}, "reasons": ["red"]}"#.as_bytes()).unwrap();
        assert_eq!(outer.reasons, [Colour::Red]);
        assert_eq!(decode::<Outer>(b" {\"name\":\"\"}\n").unwrap().inner, None);
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = format!("{{\"name\": {}{}}}", "[".repeat(200), "]".repeat(200));
        let brackets = "[".repeat(100_000);
        for text in [
            "",
            "{",
            "{}{}",
            "{'a': 1}",
            "{\"a\": NaN}",
            "{\"a\": \"\\ud800\"}",
            "{\"a\": \"\0\"}",
            "<a/>",
            &deep,
            &brackets,
        ] {
            assert_eq!(refusal(text).0, 400, "{text:.40}");
        }
        assert_eq!(decode::<Outer>(b"{\"name\": \"\xff\"}").unwrap_err().code(), "malformed_json");
    }

    #[test]
    fn what_is_wrong_is_named_by_pointer() {
        for (text, pointer, code) in [
            ("{}", "/name", "missing"),
            (r#"{"name": "张三", "extra": 1}"#, "/extra", "unknown_field"),
            (r#"{"name": "x", "inner": {"count": 1, "a/b~c": 2}}"#, "/inner/a~1b~0c", "unknown_field"),
            (r#"{"name": "x", "inner": {}}"#, "/inner/count", "missing"),
            (r#"{"name": "x", "inner": {"count": "13800138000"}}"#, "/inner/count", "wrong_type"),
            (r#"{"name": "x", "inner": {"count": 13800138000}}"#, "/inner/count", "invalid_value"),
            (r#"{"name": 13800138000}"#, "/name", "wrong_type"),
            (r#"{"name": "x", "reasons": ["red", "张三, expected 1"]}"#, "/reasons/1", "unknown_value"),
            (r#"{"name": "张三", "name": "李四"}"#, "/name", "duplicate_field"),
            (r#"{"name": "x", "inner": {"count": 1, "count": 2}}"#, "/inner/count", "duplicate_field"),
            (r#"{"name": "张\u0000三"}"#, "/name", "nul_character"),
            (r#"{"name": "x", "inner": [1]}"#, "/inner", "wrong_type"),
            (r#"["x", null, []]"#, "", "wrong_type"),
            ("null", "", "wrong_type"),
            ("\"text\"", "", "wrong_type"),
        ] {
            let (status, errors) = refusal(text);
            assert_eq!(status, 422, "{text}");
            assert!(errors.contains(&(pointer.to_owned(), code)), "{text}: {errors:?}");
        }
    }

    #[test]
    fn every_strict_fault_is_told_at_once() {
        let (_, errors) = refusal(r#"{"name": "\u0000", "name": "a", "inner": {"count": 1, "count": 1}}"#);
        assert_eq!(errors.len(), 3, "{errors:?}");
    }

    #[test]
    fn long_names_and_many_faults_stay_short() {
        let text = format!("{{\"{}\": \"\\u0000\"}}", "n".repeat(5000));
        assert_eq!(refusal(&text).1[0].0.len(), LONGEST_POINTER);
        let text = format!("{{\"reasons\": [{}]}}", vec!["\"\\u0000\""; 1000].join(","));
        assert_eq!(refusal(&text).1.len(), MOST_FAULTS);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Outer>(&bytes);
        }

        #[test]
        fn texts_arrive_unharmed(name in "[^\0]{0,40}") {
            let text = serde_json::json!({ "name": name }).to_string();
            prop_assert_eq!(decode::<Outer>(text.as_bytes()).unwrap().name, name);
        }
    }
}

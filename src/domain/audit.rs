//! The audit log (审计日志) as a hash chain per application.
//!
//! An event's hash is SHA-256 over its RFC 8785 form as the API shows it, without `hash` and with
//! `application_id`. As it contains `prev_hash`, an edited, removed, inserted or moved event
//! breaks the chain there. Whoever can write the table can still compute a whole chain anew or cut
//! off its end; that is what a [checkpoint](super::checkpoint) finds, signed and kept elsewhere.
//! Hashes are lower-case hexadecimal text, as stored and shown.

mod verify;

pub use verify::{Break, Head, Link, Tampering, verify_chain, verify_chain_against};

use super::{event::Actor, ids::ApplicationId};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize as _;
use serde_json::{
    Value,
    ser::{CompactFormatter, Formatter},
};
use sha2::{Digest, Sha256};
use std::io;
use uuid::Uuid;

/// What the first event of every chain follows.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The number of the first event of every chain.
pub const FIRST_SEQ: i64 = 1;

/// How many chains hold the acts that belong to no application: so many, that no act waits for all others.
const ACTS_CHAINS: u128 = 16;

/// The chain of an actor's acts that belong to no application, for example a paused queue. Its id is one that no application
/// has, so that the log, its search, its checkpoints and its verification need not know the difference.
pub fn acts_chain(actor: &Actor) -> ApplicationId {
    let digest = Sha256::digest(actor.id.as_bytes());
    ApplicationId(Uuid::from_u128(u128::from(digest[0]) % ACTS_CHAINS))
}

/// Whether an id is that of a chain of acts.
pub const fn is_acts_chain(id: ApplicationId) -> bool {
    id.0.as_u128() < ACTS_CHAINS
}

/// The largest whole number that RFC 8785 tells from its neighbour.
const MAX_EXACT: u64 = 1 << 53;

/// Bytes of an event's canonical form without its data, about: so that it is written without growing.
const CANONICAL_ROOM: usize = 384;

/// One event, before it has a hash.
#[derive(Debug, Clone, Copy)]
pub struct ChainEvent<'a> {
    /// Whose chain.
    pub application_id: ApplicationId,
    /// From [`FIRST_SEQ`], without gaps.
    pub seq: i64,
    /// Counts in microseconds, like the databases; what is finer is cut off.
    pub at: DateTime<Utc>,
    /// The wire name of the event type.
    pub kind: &'a str,
    /// Who did it.
    pub actor: &'a Actor,
    /// The stage's wire name, where there is one.
    pub stage: Option<&'a str>,
    /// Details, exactly as [`canonical_data`] wrote them.
    pub data: &'a str,
}

/// Why details cannot go into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataError {
    /// The canonical form could not tell this number from another one.
    #[error("audit data holds a whole number beyond 2^53; send it as a string")]
    InexactNumber,
    /// The data has no canonical form.
    #[error("audit data has no canonical JSON form")]
    NotCanonical,
}

/// The RFC 8785 text of an event's details, which is what is stored and hashed. Whole numbers go up
/// to ±2^53.
pub fn canonical_data(data: &Value) -> Result<String, DataError> {
    if !is_exact(data) {
        return Err(DataError::InexactNumber);
    }
    let text = if is_plain(data) { plain(data) } else { serde_json_canonicalizer::to_string(data) };
    text.map_err(|_| DataError::NotCanonical)
}

/// Whether RFC 8785 asks for nothing that [`plain`] does not do. Nearly all details have plain keys and numbers, and the
/// canonicalizer took an eighth of the CPU time of a loaded process.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64() || number.as_f64().is_some_and(|value| PLAIN.contains(&value.abs())),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(members) => members.iter().all(|(key, value)| key.is_ascii() && is_plain(value)),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Sizes of numbers that are written without an exponent whoever writes them.
const PLAIN: std::ops::Range<f64> = 1e-3..1e9;

/// As `serde_json` writes it, but a whole number without a point, for example a score of 100.
fn plain(data: &Value) -> serde_json::Result<String> {
    struct Format;

    impl Formatter for Format {
        fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
            if value.fract() == 0.0 { write!(writer, "{value:.0}") } else { CompactFormatter.write_f64(writer, value) }
        }
    }

    let mut json = Vec::with_capacity(256);
    data.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Format))?;
    String::from_utf8(json).map_err(serde::ser::Error::custom)
}

/// The hash of an event that follows the one with `prev_hash`. A few microseconds.
pub fn hash(event: &ChainEvent<'_>, prev_hash: &str) -> String {
    hex::encode(Sha256::digest(canonical(event, prev_hash)))
}

/// The RFC 8785 form. All keys are fixed and ASCII and the data is canonical already, so that
/// writing them in their order is enough.
fn canonical(event: &ChainEvent<'_>, prev_hash: &str) -> Vec<u8> {
    let ChainEvent { application_id, seq, at, kind, actor, stage, data } = event;
    let mut json = Vec::with_capacity(CANONICAL_ROOM + data.len());
    member(&mut json, r#"{"actor":{"id":"#, &actor.id);
    member(&mut json, r#","kind":"#, actor.kind.as_str());
    member(&mut json, r#"},"application_id":"#, application_id.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    member(&mut json, r#","at":"#, &at.to_rfc3339_opts(SecondsFormat::Micros, true));
    json.extend_from_slice(br#","data":"#);
    json.extend_from_slice(data.as_bytes());
    member(&mut json, r#","prev_hash":"#, prev_hash);
    json.extend_from_slice(br#","seq":"#);
    json.extend_from_slice(seq.to_string().as_bytes());
    match stage {
        Some(stage) => member(&mut json, r#","stage":"#, stage),
        None => json.extend_from_slice(br#","stage":null"#),
    }
    member(&mut json, r#","type":"#, kind);
    json.push(b'}');
    json
}

/// Appends what leads to a text, and the text as JSON.
fn member(json: &mut Vec<u8>, leading: &str, text: &str) {
    json.extend_from_slice(leading.as_bytes());
    // Every text has a JSON form, and memory takes it.
    let _infallible = serde_json::to_writer(json, text);
}

/// Whether every whole number survives RFC 8785, which knows only double precision.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            size.is_none_or(|size| size <= MAX_EXACT)
        }
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::ActorKind;
    use serde_json::json;

    fn event<'a>(actor: &'a Actor, data: &'a str) -> ChainEvent<'a> {
        ChainEvent {
            application_id: ApplicationId(Uuid::from_u128(1)),
            seq: 7,
            at: DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap(),
            kind: "stage_completed",
            actor,
            stage: Some("generation"),
            data,
        }
    }

    #[test]
    fn acts_have_chains_that_are_no_application_s() {
        let chain = |name: &str| acts_chain(&Actor::new(ActorKind::Operator, name));
        assert_eq!(chain("qian"), chain("qian"));
        let chains: std::collections::BTreeSet<_> = (0..200).map(|n| chain(&format!("op-{n}"))).collect();
        assert!(chains.len() > 8 && chains.into_iter().all(is_acts_chain));
        assert!(!is_acts_chain(ApplicationId::new()));
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_json() {
        let actor = Actor::new(ActorKind::Reviewer, "名\"\\\u{1}\n\u{7f}");
        let data = json!({"b": [1, 2.5, -0.0, 1e30], "a": {"\u{fb33}": null, "😀": true, "€": "x"}});
        let text = canonical_data(&data).unwrap();
        let event = event(&actor, &text);
        let mut whole = json!({
            "application_id": event.application_id, "seq": 7, "at": "2023-11-14T22:13:20.123456Z",
            "type": "stage_completed", "actor": actor, "stage": "generation", "data": data, "prev_hash": GENESIS,
        });
        let expected = serde_json_canonicalizer::to_string(&whole).unwrap();
        assert_eq!(canonical(&event, GENESIS), expected.as_bytes());
        assert_eq!(hash(&event, GENESIS), hex::encode(Sha256::digest(expected)));
        whole["stage"] = Value::Null;
        let expected = serde_json_canonicalizer::to_string(&whole).unwrap();
        assert_eq!(canonical(&ChainEvent { stage: None, ..event }, GENESIS), expected.as_bytes());
    }

    #[test]
    fn what_is_plain_needs_no_canonicalizer() {
        let texts = (0..0x250).filter_map(char::from_u32).collect::<String>() + "\u{2028}\u{fb33}😀";
        for (data, is_plain_data) in [
            (
                json!({"b": [1, -7, texts], "a": {"z": null, "A": true, "aa": {}, "a": []}, "": 9_007_199_254_740_992_i64}),
                true,
            ),
            (json!({"score": 100.0, "b": [0.97, -0.001, -7.0, 123_456_789.25, 999_999_999.0, 0.1 + 0.2]}), true),
            (json!([-0.0]), false),
            (json!([1e-7]), false),
            (json!([1.5e300]), false),
            (json!([{"é": 1}]), false),
        ] {
            assert_eq!(is_plain(&data), is_plain_data, "{data}");
            assert_eq!(canonical_data(&data).unwrap(), serde_json_canonicalizer::to_string(&data).unwrap());
        }
    }

    #[test]
    fn the_hash_never_changes_between_versions() {
        let actor = Actor::system();
        let first = hash(&event(&actor, r#"{"attempt":1}"#), GENESIS);
        assert_eq!(first, "2b78d74fad64b08444a536ee2b09faacab58a2a93d49e418bd3233fbeb1c2498");
        assert_eq!(
            hash(&event(&actor, "{}"), &first),
            "a82a7f2a0af43c72dbdaac9eb4ede3017e223d07367b6bdf0d2adce9e2a72e42"
        );
    }

    #[test]
    fn time_counts_in_microseconds() {
        let actor = Actor::system();
        let event = event(&actor, "{}");
        let later = |nanoseconds| ChainEvent { at: event.at + chrono::TimeDelta::nanoseconds(nanoseconds), ..event };
        assert_eq!(hash(&later(210), GENESIS), hash(&event, GENESIS));
        assert_ne!(hash(&later(1000), GENESIS), hash(&event, GENESIS));
    }

    #[test]
    fn numbers_that_would_blur_are_refused() {
        for (data, fits) in [
            (json!([9_007_199_254_740_992_i64, -9_007_199_254_740_992_i64, 0.1]), true),
            (json!({"a": [9_007_199_254_740_993_i64]}), false),
            (json!(-9_007_199_254_740_993_i64), false),
            (json!(u64::MAX), false),
            (json!(i64::MIN), false),
        ] {
            assert_eq!(canonical_data(&data).is_ok(), fits, "{data}");
        }
    }
}

//! The audit log (审计日志) as a hash chain per application.
//!
//! An event's hash is SHA-256 over its RFC 8785 form as the API shows it, without `hash` and with
//! `application_id`. As it contains `prev_hash`, an edited, removed, inserted or moved event
//! breaks the chain there. Whoever can write the table can still compute a whole chain anew or cut
//! off its end; that is what a [checkpoint](super::checkpoint) finds, signed and kept elsewhere.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use uuid::Uuid;

mod verify;

pub use verify::{Break, Head, Tampering, verify_chain, verify_chain_against};

/// What the first event of every chain follows: 64 zeros in hexadecimal.
pub const GENESIS: [u8; 32] = [0; 32];

/// The number of the first event of every chain.
pub const FIRST_SEQ: i64 = 1;

/// The largest whole number that RFC 8785 tells from its neighbour.
const MAX_EXACT: u64 = 1 << 53;

/// One event, before it has a hash. Borrowed: it is built, hashed and dropped for each event.
#[derive(Debug, Clone, Copy)]
pub struct ChainEvent<'a> {
    /// Whose chain.
    pub application_id: Uuid,
    /// From [`FIRST_SEQ`], without gaps.
    pub seq: i64,
    /// Counts in microseconds, like the databases; what is finer is cut off.
    pub at: DateTime<Utc>,
    /// The wire name of the event type.
    pub kind: &'a str,
    /// `system`, `upstream`, `reviewer` or `operator`.
    pub actor_kind: &'a str,
    /// Who exactly.
    pub actor_id: &'a str,
    /// The stage's wire name, where there is one.
    pub stage: Option<&'a str>,
    /// Details without personal data. Whole numbers up to ±2^53; larger ones travel as strings.
    pub data: &'a Value,
}

/// Why an event cannot be hashed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The canonical form could not tell this number from another one.
    #[error("audit data holds a whole number beyond 2^53; send it as a string")]
    InexactNumber,
    /// The data has no canonical form.
    #[error("audit data has no canonical JSON form")]
    NotCanonical,
}

/// An event as it is stored and returned, with its links.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEvent {
    /// Whose chain.
    pub application_id: Uuid,
    /// Number within the chain.
    pub seq: i64,
    /// When, in microseconds.
    pub at: DateTime<Utc>,
    /// The wire name of the event type.
    pub kind: String,
    /// The kind of actor.
    pub actor_kind: String,
    /// Who exactly.
    pub actor_id: String,
    /// The stage's wire name.
    pub stage: Option<String>,
    /// Details.
    pub data: Value,
    /// The hash of the event before it, or [`GENESIS`].
    pub prev_hash: [u8; 32],
    /// This event's own hash.
    pub hash: [u8; 32],
}

impl StoredEvent {
    /// The part that is hashed.
    pub fn event(&self) -> ChainEvent<'_> {
        ChainEvent {
            application_id: self.application_id,
            seq: self.seq,
            at: self.at,
            kind: &self.kind,
            actor_kind: &self.actor_kind,
            actor_id: &self.actor_id,
            stage: self.stage.as_deref(),
            data: &self.data,
        }
    }

    /// Whether the hash is that of the contents, were the event's number `seq`.
    fn is_itself_as(&self, seq: i64) -> bool {
        hash(
            &ChainEvent {
                seq,
                ..self.event()
            },
            &self.prev_hash,
        )
        .is_ok_and(|hash| hash == self.hash)
    }
}

/// The hash of an event that follows the one with `prev_hash`. A few microseconds.
pub fn hash(event: &ChainEvent<'_>, prev_hash: &[u8; 32]) -> Result<[u8; 32], HashError> {
    if !is_exact(event.data) {
        return Err(HashError::InexactNumber);
    }
    let bytes = canonical(event, prev_hash).map_err(|_| HashError::NotCanonical)?;
    Ok(Sha256::digest(bytes).into())
}

/// The RFC 8785 form. The outer object has fixed ASCII keys and is written in their order; only
/// the data needs the general (and slower) canonicaliser.
fn canonical(event: &ChainEvent<'_>, prev_hash: &[u8; 32]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    out.write_all(br#"{"actor":{"id":"#)?;
    serde_json::to_writer(&mut out, event.actor_id)?;
    out.write_all(br#","kind":"#)?;
    serde_json::to_writer(&mut out, event.actor_kind)?;
    let at = event.at.to_rfc3339_opts(SecondsFormat::Micros, true);
    write!(
        out,
        r#"}},"application_id":"{}","at":"{at}","data":"#,
        event.application_id
    )?;
    serde_json_canonicalizer::to_writer(event.data, &mut out)?;
    let prev = hex::encode(prev_hash);
    write!(out, r#","prev_hash":"{prev}","seq":{},"stage":"#, event.seq)?;
    serde_json::to_writer(&mut out, &event.stage)?;
    out.write_all(br#","type":"#)?;
    serde_json::to_writer(&mut out, event.kind)?;
    out.write_all(b"}")?;
    Ok(out)
}

/// Whether every whole number survives RFC 8785, which knows only double precision.
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (None, None) => true,
            (unsigned, signed) => unsigned
                .or(signed.map(i64::unsigned_abs))
                .is_some_and(|size| size <= MAX_EXACT),
        },
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::domain::audit) const APPLICATION: Uuid =
        Uuid::from_u128(0x0192_7b1e_0000_7000_8000_0000_0000_0001);

    pub(in crate::domain::audit) fn chain(length: i64) -> Vec<StoredEvent> {
        let mut prev_hash = GENESIS;
        (FIRST_SEQ..FIRST_SEQ + length)
            .map(|seq| {
                let mut event = StoredEvent {
                    application_id: APPLICATION,
                    seq,
                    at: DateTime::from_timestamp(1_700_000_000 + seq, 0).unwrap(),
                    kind: "stage.completed".to_owned(),
                    actor_kind: "system".to_owned(),
                    actor_id: "worker".to_owned(),
                    stage: (seq % 2 == 0).then(|| "generation".to_owned()),
                    data: json!({"attempt": seq, "outcome": "passed"}),
                    prev_hash,
                    hash: GENESIS,
                };
                seal(&mut event);
                prev_hash = event.hash;
                event
            })
            .collect()
    }

    pub(in crate::domain::audit) fn seal(event: &mut StoredEvent) {
        event.hash = hash(&event.event(), &event.prev_hash).unwrap();
    }

    #[test]
    fn the_hash_is_that_of_the_canonical_json() {
        let event = StoredEvent {
            at: DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap(),
            actor_id: "名\"\u{1}\n\u{7f}".to_owned(),
            data: json!({"b": [1, 2.5, -0.0, 1e30], "a": {"\u{fb33}": null, "😀": true, "€": "x"}}),
            ..chain(1).remove(0)
        };
        let whole = json!({
            "application_id": APPLICATION, "seq": 1, "at": "2023-11-14T22:13:20.123456Z",
            "type": event.kind, "actor": {"kind": event.actor_kind, "id": event.actor_id},
            "stage": event.stage, "data": event.data, "prev_hash": "0".repeat(64),
        });
        let expected = serde_json_canonicalizer::to_string(&whole).unwrap();
        let got = String::from_utf8(canonical(&event.event(), &GENESIS).unwrap()).unwrap();
        assert_eq!(got, expected);
        let digest: [u8; 32] = Sha256::digest(expected).into();
        assert_eq!(hash(&event.event(), &GENESIS), Ok(digest));
    }

    #[test]
    fn the_hash_never_changes_between_versions() {
        let hashes: Vec<String> = chain(2)
            .iter()
            .map(|event| hex::encode(event.hash))
            .collect();
        assert_eq!(
            hashes,
            [
                "2b447dcb8357975b2ce9eac1bc003518880c468898aac69693fdd8f219578b34",
                "d90835dbeb442203ea5dba33b3f5e33a4101ec1e97c6c2717f60914af5496e57"
            ]
        );
    }

    #[test]
    fn what_the_databases_change_is_not_hashed() {
        let mut event = chain(1).remove(0);
        event.at += chrono::TimeDelta::nanoseconds(999);
        event.data = serde_json::from_str(r#"{"outcome":"passed", "attempt":1.0}"#).unwrap();
        assert!(event.is_itself_as(1));
    }

    #[test]
    fn numbers_that_would_blur_are_refused() {
        for (data, fits) in [
            (
                json!([9_007_199_254_740_992_i64, -9_007_199_254_740_992_i64, 0.1]),
                true,
            ),
            (json!({"a": [9_007_199_254_740_993_i64]}), false),
            (json!(-9_007_199_254_740_993_i64), false),
            (json!(u64::MAX), false),
        ] {
            let event = StoredEvent {
                data,
                ..chain(1).remove(0)
            };
            let result = hash(&event.event(), &GENESIS);
            assert_eq!(result.is_ok(), fits, "{:?}", event.data);
        }
    }
}

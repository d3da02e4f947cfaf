//! Checkpoints (检查点) over the audit chains: at intervals the heads of the chains that grew are
//! listed, linked to the checkpoint before and signed. Kept outside the database, they prove that
//! no chain was cut off, rewritten or removed as a whole.

use super::{
    audit::{GENESIS, Head},
    ids::ApplicationId,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The number of the first checkpoint.
pub const FIRST_ID: i64 = 1;

/// The head of one chain at the time of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointHead {
    /// Whose chain.
    pub application_id: ApplicationId,
    /// The number of its last event.
    pub seq: i64,
    /// That event's hash, hexadecimal.
    pub hash: String,
}

/// A signed list of chain heads. Its JSON is the document that is stored and kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// From [`FIRST_ID`], without gaps.
    pub id: i64,
    /// Covers events up to this moment; counts in microseconds.
    pub until: DateTime<Utc>,
    /// The digest of the checkpoint before it in hexadecimal, or [`GENESIS`].
    pub prev: String,
    /// The chains that grew since the checkpoint before it, in the order of their ids.
    pub heads: Vec<CheckpointHead>,
    /// The id of the key that signed.
    pub key_id: String,
    /// The signature over the 32 bytes of [`Checkpoint::digest`], hexadecimal.
    pub signature: String,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// It does not follow the one before it: one is missing, added or out of order.
    #[error("does not follow the checkpoint before it")]
    Unlinked,
    /// The signature is not that of the contents.
    #[error("has a wrong signature")]
    WrongSignature,
}

/// The first bad checkpoint of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint {id} {fault}")]
pub struct CheckpointBreak {
    /// Which one.
    pub id: i64,
    /// What is wrong with it.
    pub fault: CheckpointFault,
}

impl Checkpoint {
    /// The checkpoint that follows `last`, without its signature: sign [`Checkpoint::digest`] and
    /// call [`Checkpoint::signed`]. Heads are put in order.
    pub fn unsigned(
        last: Option<&Self>,
        until: DateTime<Utc>,
        mut heads: Vec<CheckpointHead>,
        key_id: impl Into<String>,
    ) -> Self {
        heads.sort_unstable_by_key(|head| head.application_id);
        Self {
            id: last.map_or(FIRST_ID, |last| last.id + 1),
            until,
            prev: last.map_or_else(|| GENESIS.to_owned(), |last| hex::encode(last.digest())),
            heads,
            key_id: key_id.into(),
            signature: String::new(),
        }
    }

    /// With its signature.
    #[must_use]
    pub fn signed(self, signature: &[u8]) -> Self {
        Self { signature: hex::encode(signature), ..self }
    }

    /// SHA-256 over the RFC 8785 form of the document without `signature`, with `until` in UTC and
    /// microseconds.
    pub fn digest(&self) -> [u8; 32] {
        let heads: Vec<_> = self
            .heads
            .iter()
            .map(|head| json!({"application_id": head.application_id, "hash": head.hash, "seq": head.seq}))
            .collect();
        // The keys are in order and the values are strings and small whole numbers, so that
        // `to_string` gives the canonical form; a test holds this against the canonicaliser.
        let body = json!({
            "heads": heads,
            "id": self.id,
            "key_id": self.key_id,
            "prev": self.prev,
            "until": self.until.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        Sha256::digest(body.to_string()).into()
    }
}

/// Verifies checkpoints, oldest first, that follow `last` (none: from the very first one). `signed`
/// says whether a signature belongs to the key of this id and the digest.
pub fn verify_checkpoints<'a>(
    last: Option<&Checkpoint>,
    checkpoints: impl IntoIterator<Item = &'a Checkpoint>,
    signed: impl Fn(&str, &[u8; 32], &[u8]) -> bool,
) -> Result<(), CheckpointBreak> {
    let (mut id, mut prev) =
        last.map_or_else(|| (FIRST_ID, GENESIS.to_owned()), |last| (last.id + 1, hex::encode(last.digest())));
    for checkpoint in checkpoints {
        let digest = checkpoint.digest();
        let signature = hex::decode(&checkpoint.signature);
        if checkpoint.id != id || checkpoint.prev != prev {
            return Err(CheckpointBreak { id: checkpoint.id, fault: CheckpointFault::Unlinked });
        }
        if !signature.is_ok_and(|signature| signed(&checkpoint.key_id, &digest, &signature)) {
            return Err(CheckpointBreak { id, fault: CheckpointFault::WrongSignature });
        }
        (id, prev) = (id + 1, hex::encode(digest));
    }
    Ok(())
}

/// The furthest head of every application that any of the checkpoints (oldest first) lists: what
/// [`super::audit::verify_chain_against`] takes. An application listed here must have events.
/// A later checkpoint never takes back what an earlier one has seen: it may have been signed after
/// the chain was cut off or rewritten.
pub fn furthest_heads<'a>(checkpoints: impl IntoIterator<Item = &'a Checkpoint>) -> HashMap<ApplicationId, Head> {
    let mut furthest: HashMap<ApplicationId, Head> = HashMap::new();
    for head in checkpoints.into_iter().flat_map(|checkpoint| &checkpoint.heads) {
        let known = furthest.get(&head.application_id);
        if known.is_none_or(|known| known.seq < head.seq) {
            furthest.insert(head.application_id, Head { seq: head.seq, hash: head.hash.clone() });
        }
    }
    furthest
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    /// Stands in for a signature: the digest itself.
    fn sign(checkpoint: Checkpoint) -> Checkpoint {
        let digest = checkpoint.digest();
        checkpoint.signed(&digest)
    }

    fn signed(key_id: &str, digest: &[u8; 32], signature: &[u8]) -> bool {
        key_id == "k" && signature == digest
    }

    const fn application(number: u128) -> ApplicationId {
        ApplicationId(Uuid::from_u128(number))
    }

    fn head(number: u128, seq: i64) -> CheckpointHead {
        CheckpointHead { application_id: application(number), seq, hash: format!("{seq:064}") }
    }

    fn three() -> Vec<Checkpoint> {
        let mut all: Vec<Checkpoint> = Vec::new();
        for heads in [vec![head(2, 3), head(1, 4)], vec![], vec![head(1, 6)]] {
            let until = DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap();
            all.push(sign(Checkpoint::unsigned(all.last(), until, heads, "k")));
        }
        all
    }

    #[test]
    fn intact_checkpoints_verify_and_give_the_furthest_heads() {
        let all = three();
        assert_eq!(verify_checkpoints(None, &all, signed), Ok(()));
        assert_eq!(verify_checkpoints(Some(&all[0]), &all[1..], signed), Ok(()));
        assert_eq!(all[0].heads[0].application_id, application(1));
        let heads = furthest_heads(&all);
        assert_eq!(heads[&application(1)].seq, 6);
        assert_eq!(heads[&application(2)].seq, 3);
    }

    #[test]
    fn a_checkpoint_after_the_deed_excuses_nothing() {
        let mut all = three();
        let forged = CheckpointHead { hash: "f".repeat(64), ..head(2, 3) };
        all.push(sign(Checkpoint::unsigned(all.last(), all[2].until, vec![head(1, 2), forged], "k")));
        assert_eq!(verify_checkpoints(None, &all, signed), Ok(()));
        let heads = furthest_heads(&all);
        assert_eq!(heads[&application(1)].seq, 6);
        assert_eq!(heads[&application(2)].hash, head(2, 3).hash);
    }

    #[test]
    fn every_change_is_found() {
        use CheckpointFault::{Unlinked, WrongSignature};
        type Change = fn(&mut Vec<Checkpoint>);
        let cases: [(Change, (i64, CheckpointFault)); 10] = [
            (|c| drop(c.remove(1)), (3, Unlinked)),
            (|c| drop(c.remove(0)), (2, Unlinked)),
            (|c| c.swap(1, 2), (3, Unlinked)),
            (|c| c.insert(1, c[0].clone()), (1, Unlinked)),
            (|c| c[0].heads[0].seq = 3, (1, WrongSignature)),
            (|c| drop(c[0].heads.remove(0)), (1, WrongSignature)),
            (|c| c[1].until += chrono::TimeDelta::microseconds(1), (2, WrongSignature)),
            (|c| c[2].key_id = "other".to_owned(), (3, WrongSignature)),
            (|c| c[2].signature.push('x'), (3, WrongSignature)),
            (
                |c| {
                    c[0].heads.clear();
                    c[0] = sign(c[0].clone());
                },
                (2, Unlinked),
            ),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            let mut all = three();
            change(&mut all);
            let found = verify_checkpoints(None, &all, signed).unwrap_err();
            assert_eq!((found.id, found.fault), expected, "case {number}");
        }
    }

    #[test]
    fn the_document_round_trips_and_the_digest_is_that_of_its_canonical_form() {
        let checkpoint = &three()[0];
        let document = serde_json::to_string(checkpoint).unwrap();
        let read: Checkpoint = serde_json::from_str(&document).unwrap();
        assert_eq!(&read, checkpoint);
        let mut body: serde_json::Value = serde_json::from_str(&document).unwrap();
        body.as_object_mut().unwrap().remove("signature");
        body["until"] = json!("2023-11-14T22:13:20.123456Z");
        let canonical = serde_json_canonicalizer::to_string(&body).unwrap();
        let digest: [u8; 32] = Sha256::digest(canonical).into();
        assert_eq!(checkpoint.digest(), digest);
    }
}

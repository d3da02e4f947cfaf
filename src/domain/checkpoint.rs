//! Checkpoints (检查点) over the audit chains: at intervals the heads of the chains that grew are
//! listed, linked to the checkpoint before and signed. Kept outside the database, they prove that
//! no chain was cut off, rewritten or removed as a whole.

use super::audit::Head;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;

/// The head of one chain at the time of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointHead {
    /// Whose chain.
    pub application_id: Uuid,
    /// Its last event.
    pub head: Head,
}

/// A signed list of chain heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its id.
    pub id: Uuid,
    /// When it was taken; counts in microseconds.
    pub at: DateTime<Utc>,
    /// The digest of the checkpoint before it, or [`super::audit::GENESIS`].
    pub prev: [u8; 32],
    /// The chains that grew since the checkpoint before it, in the order of their ids.
    pub heads: Vec<CheckpointHead>,
    /// The id of the key that signed.
    pub key_id: String,
    /// The signature over [`Checkpoint::digest`].
    pub signature: Vec<u8>,
}

/// What is wrong with a list of checkpoints.
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
#[error("checkpoint `{id}` {fault}")]
pub struct CheckpointBreak {
    /// Which one.
    pub id: Uuid,
    /// What is wrong with it.
    pub fault: CheckpointFault,
}

impl Checkpoint {
    /// A checkpoint without its signature: sign [`Checkpoint::digest`] and set `signature`. Heads
    /// are put in order.
    pub fn unsigned(
        id: Uuid,
        at: DateTime<Utc>,
        prev: [u8; 32],
        mut heads: Vec<CheckpointHead>,
        key_id: String,
    ) -> Self {
        heads.sort_unstable_by_key(|head| head.application_id);
        Self {
            id,
            at,
            prev,
            heads,
            key_id,
            signature: Vec::new(),
        }
    }

    /// SHA-256 over the RFC 8785 form of everything but the signature; heads as
    /// `[application_id, seq, hash]`.
    pub fn digest(&self) -> [u8; 32] {
        let heads: Vec<_> = self
            .heads
            .iter()
            .map(|entry| {
                json!([
                    entry.application_id,
                    entry.head.seq,
                    hex::encode(entry.head.hash)
                ])
            })
            .collect();
        // Keys are in order and the values are ASCII strings and small whole numbers, so that
        // `to_string` is the canonical form; a test holds this against the canonicaliser.
        let body = json!({
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "heads": heads,
            "id": self.id,
            "key_id": self.key_id,
            "prev": hex::encode(self.prev),
        });
        Sha256::digest(body.to_string()).into()
    }
}

/// Verifies checkpoints, oldest first. The first one must follow `prev`: [`super::audit::GENESIS`],
/// or the digest of the last one that was verified before. `signed` says whether a signature
/// belongs to the key of this id and the digest. Returns the digest of the last one.
pub fn verify_checkpoints<'a>(
    prev: [u8; 32],
    checkpoints: impl IntoIterator<Item = &'a Checkpoint>,
    signed: impl Fn(&str, &[u8; 32], &[u8]) -> bool,
) -> Result<[u8; 32], CheckpointBreak> {
    checkpoints.into_iter().try_fold(prev, |prev, checkpoint| {
        let broken = |fault| {
            Err(CheckpointBreak {
                id: checkpoint.id,
                fault,
            })
        };
        let digest = checkpoint.digest();
        if checkpoint.prev != prev {
            broken(CheckpointFault::Unlinked)
        } else if !signed(&checkpoint.key_id, &digest, &checkpoint.signature) {
            broken(CheckpointFault::WrongSignature)
        } else {
            Ok(digest)
        }
    })
}

/// The latest head of every application that any of the checkpoints (oldest first) lists: what
/// [`super::audit::verify_chain_against`] takes.
pub fn latest_heads<'a>(
    checkpoints: impl IntoIterator<Item = &'a Checkpoint>,
) -> HashMap<Uuid, Head> {
    let heads = checkpoints
        .into_iter()
        .flat_map(|checkpoint| &checkpoint.heads);
    heads
        .map(|entry| (entry.application_id, entry.head))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::GENESIS;

    /// Stands in for a signature: the digest under the key id.
    fn sign(mut checkpoint: Checkpoint) -> Checkpoint {
        checkpoint.signature = checkpoint.digest().to_vec();
        checkpoint
    }

    fn signed(key_id: &str, digest: &[u8; 32], signature: &[u8]) -> bool {
        key_id == "k" && signature == digest
    }

    fn head(application: u128, seq: i64) -> CheckpointHead {
        let hash = [u8::try_from(seq).unwrap(); 32];
        CheckpointHead {
            application_id: Uuid::from_u128(application),
            head: Head { seq, hash },
        }
    }

    fn three() -> Vec<Checkpoint> {
        let mut prev = GENESIS;
        [vec![head(2, 3), head(1, 4)], vec![], vec![head(1, 6)]]
            .into_iter()
            .zip(1..)
            .map(|(heads, n)| {
                let at = DateTime::from_timestamp(1_700_000_000 + n, 0).unwrap();
                let id = Uuid::from_u128(n.unsigned_abs().into());
                let checkpoint = sign(Checkpoint::unsigned(id, at, prev, heads, "k".to_owned()));
                prev = checkpoint.digest();
                checkpoint
            })
            .collect()
    }

    fn verdict(checkpoints: &[Checkpoint]) -> Option<(u128, CheckpointFault)> {
        verify_checkpoints(GENESIS, checkpoints, signed)
            .err()
            .map(|found| (found.id.as_u128(), found.fault))
    }

    #[test]
    fn intact_checkpoints_verify_and_give_the_latest_heads() {
        let all = three();
        assert_eq!(
            verify_checkpoints(GENESIS, &all, signed),
            Ok(all[2].digest())
        );
        assert_eq!(
            verify_checkpoints(all[0].digest(), &all[1..], signed),
            Ok(all[2].digest())
        );
        assert_eq!(all[0].heads[0].application_id, Uuid::from_u128(1));
        let heads = latest_heads(&all);
        assert_eq!(heads[&Uuid::from_u128(1)].seq, 6);
        assert_eq!(heads[&Uuid::from_u128(2)].seq, 3);
    }

    #[test]
    fn every_change_is_found() {
        type Change = fn(&mut Vec<Checkpoint>);
        let cases: [(Change, (u128, CheckpointFault)); 8] = [
            (
                |c| {
                    c.remove(1);
                },
                (3, CheckpointFault::Unlinked),
            ),
            (
                |c| {
                    c.remove(0);
                },
                (2, CheckpointFault::Unlinked),
            ),
            (|c| c.swap(1, 2), (3, CheckpointFault::Unlinked)),
            (
                |c| c[0].heads[0].head.seq = 3,
                (1, CheckpointFault::WrongSignature),
            ),
            (
                |c| {
                    c[0].heads.remove(0);
                },
                (1, CheckpointFault::WrongSignature),
            ),
            (
                |c| c[1].at += chrono::TimeDelta::microseconds(1),
                (2, CheckpointFault::WrongSignature),
            ),
            (
                |c| c[2].key_id = "other".to_owned(),
                (3, CheckpointFault::WrongSignature),
            ),
            (
                |c| {
                    c[0].heads.clear();
                    c[0] = sign(c[0].clone());
                },
                (2, CheckpointFault::Unlinked),
            ),
        ];
        for (number, (change, expected)) in cases.into_iter().enumerate() {
            let mut all = three();
            change(&mut all);
            assert_eq!(verdict(&all), Some(expected), "case {number}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_canonical_json() {
        let checkpoint = &three()[0];
        let body = json!({
            "id": checkpoint.id, "at": "2023-11-14T22:13:21.000000Z", "prev": "0".repeat(64), "key_id": "k",
            "heads": [
                [Uuid::from_u128(1), 4, "04".repeat(32)],
                [Uuid::from_u128(2), 3, "03".repeat(32)],
            ],
        });
        let canonical = serde_json_canonicalizer::to_string(&body).unwrap();
        let digest: [u8; 32] = Sha256::digest(canonical).into();
        assert_eq!(checkpoint.digest(), digest);
    }
}

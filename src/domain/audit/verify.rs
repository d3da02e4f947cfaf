//! Finds the first bad event of a chain and says what was done to it.

use super::{FIRST_SEQ, GENESIS, StoredEvent};
use uuid::Uuid;

/// The last event of an intact chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number, which is also the chain's length.
    pub seq: i64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// What happened to the log, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Tampering {
    /// Contents or hash were changed.
    #[error("was edited")]
    Edited,
    /// It is gone.
    #[error("was removed")]
    Removed,
    /// It was not there when the log was written.
    #[error("was inserted")]
    Inserted,
    /// It stands where another event belongs.
    #[error("was swapped with another")]
    Swapped,
    /// It and all that followed are gone, although a checkpoint has them.
    #[error("was cut off, with all that followed")]
    CutOff,
    /// The whole chain up to here was computed anew: it differs from the checkpoint.
    #[error("was rewritten after a checkpoint")]
    Rewritten,
    /// There is no event at all.
    #[error("is missing, like every other of the application")]
    Missing,
}

/// The first bad event of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} of application `{application_id}` {reason}")]
pub struct Break {
    /// Whose chain.
    pub application_id: Uuid,
    /// The number of the first bad (or missing) event.
    pub seq: i64,
    /// What happened to it.
    pub reason: Tampering,
}

/// Verifies the events of one application, as read in the order of `seq`.
pub fn verify_chain(application_id: Uuid, events: &[StoredEvent]) -> Result<Head, Break> {
    let broken = |(seq, reason)| Break {
        application_id,
        seq,
        reason,
    };
    let mut head = Head {
        seq: FIRST_SEQ - 1,
        hash: GENESIS,
    };
    for (at, event) in events.iter().enumerate() {
        let seq = head.seq + 1;
        let follows = event.seq == seq && event.prev_hash == head.hash;
        if event.application_id != application_id || !follows || !event.is_itself_as(seq) {
            return Err(broken(diagnose(application_id, events, at, seq)));
        }
        head = Head {
            seq,
            hash: event.hash,
        };
    }
    if events.is_empty() {
        Err(broken((FIRST_SEQ, Tampering::Missing)))
    } else {
        Ok(head)
    }
}

/// Verifies a chain and that it still contains the event that a checkpoint saw as its head.
pub fn verify_chain_against(
    application_id: Uuid,
    events: &[StoredEvent],
    checkpointed: Head,
) -> Result<Head, Break> {
    let head = verify_chain(application_id, events)?;
    let broken = |seq, reason| {
        Err(Break {
            application_id,
            seq,
            reason,
        })
    };
    if head.seq < checkpointed.seq {
        return broken(head.seq + 1, Tampering::CutOff);
    }
    match events.iter().find(|event| event.seq == checkpointed.seq) {
        Some(event) if event.hash == checkpointed.hash => Ok(head),
        _ => broken(checkpointed.seq, Tampering::Rewritten),
    }
}

/// Says which event is the bad one and what was done, for the first event that does not fit.
/// `events[at]` should have had the number `seq`. An event whose hash fits another number is
/// genuine and was moved, which tells a removal from an edit even after renumbering.
fn diagnose(application_id: Uuid, events: &[StoredEvent], at: usize, seq: i64) -> (i64, Tampering) {
    let rest = events.get(at..).unwrap_or_default();
    let Some((event, later)) = rest.split_first() else {
        return (seq, Tampering::Missing);
    };
    let belongs_at = |event: &StoredEvent| {
        (FIRST_SEQ..=seq + rest.len() as i64).find(|n| event.is_itself_as(*n))
    };
    if event.application_id != application_id {
        return (seq, Tampering::Inserted);
    }
    if event.seq < seq {
        return (event.seq, Tampering::Inserted);
    }
    if event.seq > seq {
        let elsewhere = later.iter().any(|other| other.seq == seq);
        return (
            seq,
            if elsewhere {
                Tampering::Swapped
            } else {
                Tampering::Removed
            },
        );
    }
    match belongs_at(event) {
        // Genuine and in its place, but what stands before it is not what it followed.
        Some(own) if own == seq => ((seq - 1).max(FIRST_SEQ), Tampering::Edited),
        // Its place is taken: by an event that was put in front of it, or it is a copy.
        Some(own) if own < seq => {
            let copied = events
                .iter()
                .any(|other| other.seq == own && other.hash == event.hash);
            (if copied { seq } else { own }, Tampering::Inserted)
        }
        Some(_) if later.iter().any(|other| other.is_itself_as(seq)) => (seq, Tampering::Swapped),
        Some(_) => (seq, Tampering::Removed),
        None if later
            .first()
            .is_some_and(|next| next.seq != seq && next.is_itself_as(seq)) =>
        {
            (seq, Tampering::Inserted)
        }
        None => (seq, Tampering::Edited),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{APPLICATION, chain, seal};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn renumber(events: &mut [StoredEvent]) {
        for (seq, event) in (FIRST_SEQ..).zip(events) {
            event.seq = seq;
        }
    }

    fn verdict(events: &[StoredEvent]) -> (i64, Tampering) {
        let found = verify_chain(APPLICATION, events).unwrap_err();
        (found.seq, found.reason)
    }

    #[test]
    fn an_intact_chain_gives_its_head() {
        let events = chain(5);
        let head = Head {
            seq: 5,
            hash: events[4].hash,
        };
        assert_eq!(verify_chain(APPLICATION, &events), Ok(head));
        assert_eq!(verdict(&[]), (1, Tampering::Missing));
    }

    #[test]
    fn each_kind_of_tampering_is_named() {
        type Change = fn(&mut Vec<StoredEvent>);
        let cases: [(&str, Change, (i64, Tampering)); 16] = [
            ("edited", |c| c[2].data = json!({}), (3, Tampering::Edited)),
            ("hash edited", |c| c[2].hash[0] ^= 1, (3, Tampering::Edited)),
            (
                "link edited",
                |c| c[2].prev_hash[0] ^= 1,
                (3, Tampering::Edited),
            ),
            (
                "edited and hashed anew",
                |c| {
                    c[2].kind.push('x');
                    seal(&mut c[2]);
                },
                (3, Tampering::Edited),
            ),
            (
                "first edited and hashed anew",
                |c| {
                    c[0].kind.push('x');
                    seal(&mut c[0]);
                },
                (1, Tampering::Edited),
            ),
            (
                "last edited",
                |c| c[4].stage = Some(String::new()),
                (5, Tampering::Edited),
            ),
            (
                "removed",
                |c| {
                    c.remove(2);
                },
                (3, Tampering::Removed),
            ),
            (
                "first removed",
                |c| {
                    c.remove(0);
                },
                (1, Tampering::Removed),
            ),
            (
                "removed and renumbered",
                |c| {
                    c.remove(2);
                    renumber(c);
                },
                (3, Tampering::Removed),
            ),
            (
                "two removed and renumbered",
                |c| {
                    c.drain(1..3);
                    renumber(c);
                },
                (2, Tampering::Removed),
            ),
            (
                "inserted",
                |c| {
                    let mut e = c[2].clone();
                    e.kind.push('x');
                    c.insert(3, e);
                },
                (3, Tampering::Inserted),
            ),
            (
                "inserted and renumbered",
                |c| {
                    let e = c[0].clone();
                    c.insert(2, e);
                    renumber(c);
                },
                (3, Tampering::Inserted),
            ),
            (
                "forged, inserted and renumbered",
                |c| {
                    let mut e = c[2].clone();
                    e.kind.push('x');
                    seal(&mut e);
                    c.insert(2, e);
                    renumber(c);
                },
                (3, Tampering::Inserted),
            ),
            ("swapped", |c| c.swap(1, 3), (2, Tampering::Swapped)),
            (
                "swapped and renumbered",
                |c| {
                    c.swap(1, 3);
                    renumber(c);
                },
                (2, Tampering::Swapped),
            ),
            (
                "another application's",
                |c| c[2].application_id = Uuid::nil(),
                (3, Tampering::Inserted),
            ),
        ];
        for (name, change, expected) in cases {
            let mut events = chain(5);
            change(&mut events);
            assert_eq!(verdict(&events), expected, "{name}");
        }
    }

    #[test]
    fn a_checkpointed_head_finds_what_the_chain_alone_cannot() {
        let events = chain(5);
        let head = |seq: i64| Head {
            seq,
            hash: events[seq as usize - 1].hash,
        };
        let against = |events: &[StoredEvent], seq| {
            verify_chain_against(APPLICATION, events, head(seq))
                .map_err(|found| (found.seq, found.reason))
        };
        assert_eq!(against(&events, 5), Ok(head(5)));
        assert_eq!(against(&events, 3), Ok(head(5)));
        assert_eq!(against(&events[..3], 5), Err((4, Tampering::CutOff)));
        assert_eq!(against(&[], 5), Err((1, Tampering::Missing)));
        let mut forged = chain(5);
        let mut prev = GENESIS;
        for event in &mut forged {
            event.actor_id = "nobody".to_owned();
            event.prev_hash = prev;
            seal(event);
            prev = event.hash;
        }
        assert!(verify_chain(APPLICATION, &forged).is_ok());
        assert_eq!(against(&forged, 4), Err((4, Tampering::Rewritten)));
    }

    /// One change to a chain, whatever it is.
    fn tamper(events: &mut Vec<StoredEvent>, what: u8, a: usize, b: usize, renumbered: bool) {
        match what {
            0 => events[a].kind.push('x'),
            1 => events[a].actor_id.push('x'),
            2 => events[a].actor_kind.push('x'),
            3 => events[a].stage = Some("other".to_owned()),
            4 => events[a].at += chrono::TimeDelta::microseconds(1),
            5 => events[a].data["attempt"] = json!(-1),
            6 => events[a].hash[b] ^= 1,
            7 => events[a].prev_hash[b] ^= 1,
            8 => events[a].seq += 1,
            9 => {
                events.remove(a);
            }
            10 => {
                let copy = events[a].clone();
                events.insert(b.min(events.len()), copy);
            }
            11 => events.swap(a, b),
            _ => {
                let mut copy = events[a].clone();
                copy.kind.push('x');
                seal(&mut copy);
                events[a] = copy;
            }
        }
        if renumbered {
            renumber(events);
        }
    }

    proptest! {
        #[test]
        fn any_single_change_is_found(
            length in 2i64..12, what in 0u8..13, renumbered in any::<bool>(),
            a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
        ) {
            let intact = chain(length);
            let mut events = intact.clone();
            let (a, b) = (a.index(events.len()), b.index(events.len()));
            tamper(&mut events, what, a, b, renumbered);
            prop_assume!(events != intact);
            let last = intact.last().unwrap();
            let head = Head { seq: last.seq, hash: last.hash };
            let found = verify_chain_against(APPLICATION, &events, head);
            prop_assert!(found.is_err());
            prop_assert!(found.unwrap_err().seq <= length + 1);
        }

        #[test]
        fn any_truncation_is_found(length in 1i64..12, kept in any::<prop::sample::Index>()) {
            let events = chain(length);
            let kept = kept.index(events.len());
            let head = Head { seq: length, hash: events[length as usize - 1].hash };
            let found = verify_chain_against(APPLICATION, &events[..kept], head).unwrap_err();
            prop_assert_eq!(found.seq, kept as i64 + 1);
        }
    }
}

//! Finds the first bad event of a chain and says what was done to it.

use super::{ChainEvent, FIRST_SEQ, GENESIS, hash, is_acts_chain};
use crate::domain::ids::ApplicationId;

/// An event of the log with its links, as read from the store.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The contents.
    pub event: ChainEvent<'a>,
    /// The hash of the event before it, or [`GENESIS`].
    pub prev_hash: &'a str,
    /// Its own hash.
    pub hash: &'a str,
}

impl Link<'_> {
    /// Whether the hash is that of the contents, were the event's number `seq`.
    fn is_itself_as(&self, seq: i64) -> bool {
        hash(&ChainEvent { seq, ..self.event }, self.prev_hash) == self.hash
    }
}

/// The last event of an intact chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its number, which is also the chain's length.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
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
#[error("event {seq} of {} {reason}", named(*application_id))]
pub struct Break {
    /// Whose chain.
    pub application_id: ApplicationId,
    /// The number of the first bad (or missing) event.
    pub seq: i64,
    /// What happened to it.
    pub reason: Tampering,
}

/// What a chain is called in a sentence.
fn named(id: ApplicationId) -> String {
    if is_acts_chain(id) { format!("chain `{id}` of operators' acts") } else { format!("application `{id}`") }
}

/// Verifies the events of one application, as read in the order of `seq`.
pub fn verify_chain(application_id: ApplicationId, events: &[Link<'_>]) -> Result<Head, Break> {
    let broken = |(seq, reason)| Break { application_id, seq, reason };
    let (mut seq, mut prev_hash) = (FIRST_SEQ - 1, GENESIS);
    for (at, link) in events.iter().enumerate() {
        seq += 1;
        let follows = link.event.seq == seq && link.prev_hash == prev_hash;
        if link.event.application_id != application_id || !follows || !link.is_itself_as(seq) {
            return Err(broken(diagnose(application_id, events, at, seq)));
        }
        prev_hash = link.hash;
    }
    if events.is_empty() {
        return Err(broken((FIRST_SEQ, Tampering::Missing)));
    }
    Ok(Head { seq, hash: prev_hash.to_owned() })
}

/// Verifies a chain and that it still contains the event that a checkpoint saw as its head.
pub fn verify_chain_against(
    application_id: ApplicationId,
    events: &[Link<'_>],
    checkpointed: &Head,
) -> Result<Head, Break> {
    let head = verify_chain(application_id, events)?;
    let broken = |seq, reason| Err(Break { application_id, seq, reason });
    if head.seq < checkpointed.seq {
        return broken(head.seq + 1, Tampering::CutOff);
    }
    match events.iter().find(|link| link.event.seq == checkpointed.seq) {
        Some(link) if link.hash == checkpointed.hash => Ok(head),
        _ => broken(checkpointed.seq, Tampering::Rewritten),
    }
}

/// Says which event is the bad one and what was done, for the first event that does not fit.
/// `events[at]` should have had the number `seq`. An event whose hash fits another number is
/// genuine and was moved, which tells a removal from an edit even after renumbering.
fn diagnose(application_id: ApplicationId, events: &[Link<'_>], at: usize, seq: i64) -> (i64, Tampering) {
    let Some((link, later)) = events.get(at..).and_then(<[_]>::split_first) else {
        return (seq, Tampering::Missing);
    };
    if link.event.application_id != application_id {
        return (seq, Tampering::Inserted);
    }
    if link.event.seq < seq {
        return (link.event.seq, Tampering::Inserted);
    }
    if link.event.seq > seq {
        let elsewhere = later.iter().any(|other| other.event.seq == seq);
        return (seq, if elsewhere { Tampering::Swapped } else { Tampering::Removed });
    }
    // Removing many and renumbering leaves numbers beyond the present length; those read "edited".
    let numbers = FIRST_SEQ..=FIRST_SEQ.saturating_add_unsigned(2 * events.len() as u64);
    match numbers.into_iter().find(|number| link.is_itself_as(*number)) {
        // Genuine and in its place, but what stands before it is not what it followed.
        Some(own) if own == seq => ((seq - 1).max(FIRST_SEQ), Tampering::Edited),
        // Its place is taken: by an event that was put in front of it, or it is a copy.
        Some(own) if own < seq => {
            let copied = events.iter().any(|other| other.event.seq == own && other.hash == link.hash);
            (if copied { seq } else { own }, Tampering::Inserted)
        }
        Some(_) if later.iter().any(|other| other.is_itself_as(seq)) => (seq, Tampering::Swapped),
        Some(_) => (seq, Tampering::Removed),
        None if later.first().is_some_and(|next| next.event.seq != seq && next.is_itself_as(seq)) => {
            (seq, Tampering::Inserted)
        }
        None => (seq, Tampering::Edited),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, ActorKind};
    use chrono::{DateTime, TimeDelta, Utc};
    use proptest::prelude::*;
    use uuid::Uuid;

    const APPLICATION: ApplicationId = ApplicationId(Uuid::from_u128(1));

    /// An event that can be tampered with.
    #[derive(Debug, Clone, PartialEq)]
    struct Stored {
        application_id: ApplicationId,
        seq: i64,
        at: DateTime<Utc>,
        kind: String,
        actor: Actor,
        stage: Option<String>,
        data: String,
        prev_hash: String,
        hash: String,
    }

    impl Stored {
        fn link(&self) -> Link<'_> {
            let event = ChainEvent {
                application_id: self.application_id,
                seq: self.seq,
                at: self.at,
                kind: &self.kind,
                actor: &self.actor,
                stage: self.stage.as_deref(),
                data: &self.data,
            };
            Link { event, prev_hash: &self.prev_hash, hash: &self.hash }
        }

        fn seal(&mut self) {
            self.hash = hash(&self.link().event, &self.prev_hash);
        }
    }

    fn chain(length: i64) -> Vec<Stored> {
        let mut prev_hash = GENESIS.to_owned();
        let mut one = |seq| {
            let mut event = Stored {
                application_id: APPLICATION,
                seq,
                at: DateTime::from_timestamp(1_700_000_000 + seq, 0).unwrap(),
                kind: "stage_completed".to_owned(),
                actor: Actor::system(),
                stage: (seq % 2 == 0).then(|| "generation".to_owned()),
                data: format!(r#"{{"attempt":{seq}}}"#),
                prev_hash: prev_hash.clone(),
                hash: String::new(),
            };
            event.seal();
            prev_hash.clone_from(&event.hash);
            event
        };
        (FIRST_SEQ..FIRST_SEQ + length).map(&mut one).collect()
    }

    fn renumber(events: &mut [Stored]) {
        for (seq, event) in (FIRST_SEQ..).zip(events) {
            event.seq = seq;
        }
    }

    fn head(events: &[Stored], seq: i64) -> Head {
        let event = events.iter().find(|event| event.seq == seq).unwrap();
        Head { seq, hash: event.hash.clone() }
    }

    fn verify(events: &[Stored], checkpointed: Option<&Head>) -> Result<Head, (i64, Tampering)> {
        let links: Vec<Link<'_>> = events.iter().map(Stored::link).collect();
        match checkpointed {
            Some(head) => verify_chain_against(APPLICATION, &links, head),
            None => verify_chain(APPLICATION, &links),
        }
        .map_err(|found| (found.seq, found.reason))
    }

    #[test]
    fn an_intact_chain_gives_its_head() {
        let events = chain(5);
        assert_eq!(verify(&events, None), Ok(head(&events, 5)));
        assert_eq!(verify(&[], None), Err((1, Tampering::Missing)));
    }

    #[test]
    fn each_kind_of_tampering_is_named() {
        use Tampering::{Edited, Inserted, Removed, Swapped};
        type Change = fn(&mut Vec<Stored>);
        let cases: [(&str, Change, (i64, Tampering)); 17] = [
            ("edited", |c| c[2].data = "{}".to_owned(), (3, Edited)),
            ("written otherwise", |c| c[2].data = r#"{"attempt": 3}"#.to_owned(), (3, Edited)),
            ("hash edited", |c| c[2].hash.replace_range(..1, "x"), (3, Edited)),
            ("link edited", |c| c[2].prev_hash = GENESIS.to_owned(), (3, Edited)),
            (
                "edited and hashed anew",
                |c| {
                    c[2].kind.push('x');
                    c[2].seal();
                },
                (3, Edited),
            ),
            (
                "first edited and hashed anew",
                |c| {
                    c[0].kind.push('x');
                    c[0].seal();
                },
                (1, Edited),
            ),
            ("last edited", |c| c[4].stage = Some(String::new()), (5, Edited)),
            ("removed", |c| drop(c.remove(2)), (3, Removed)),
            ("first removed", |c| drop(c.remove(0)), (1, Removed)),
            (
                "removed and renumbered",
                |c| {
                    c.remove(2);
                    renumber(c);
                },
                (3, Removed),
            ),
            (
                "two removed and renumbered",
                |c| {
                    c.drain(1..3);
                    renumber(c);
                },
                (2, Removed),
            ),
            (
                "inserted",
                |c| {
                    let mut forged = c[2].clone();
                    forged.kind.push('x');
                    c.insert(3, forged);
                },
                (3, Inserted),
            ),
            (
                "copied and renumbered",
                |c| {
                    c.insert(2, c[0].clone());
                    renumber(c);
                },
                (3, Inserted),
            ),
            (
                "forged, inserted and renumbered",
                |c| {
                    let mut forged = c[2].clone();
                    forged.kind.push('x');
                    forged.seal();
                    c.insert(2, forged);
                    renumber(c);
                },
                (3, Inserted),
            ),
            ("swapped", |c| c.swap(1, 3), (2, Swapped)),
            (
                "swapped and renumbered",
                |c| {
                    c.swap(1, 3);
                    renumber(c);
                },
                (2, Swapped),
            ),
            ("another application's", |c| c[2].application_id = ApplicationId(Uuid::nil()), (3, Inserted)),
        ];
        for (name, change, expected) in cases {
            let mut events = chain(5);
            change(&mut events);
            assert_eq!(verify(&events, None), Err(expected), "{name}");
        }
    }

    #[test]
    fn a_checkpointed_head_finds_what_the_chain_alone_cannot() {
        let events = chain(5);
        let last = head(&events, 5);
        assert_eq!(verify(&events, Some(&last)), Ok(last.clone()));
        assert_eq!(verify(&events, Some(&head(&events, 3))), Ok(last.clone()));
        assert_eq!(verify(&events[..3], Some(&last)), Err((4, Tampering::CutOff)));
        assert_eq!(verify(&[], Some(&last)), Err((1, Tampering::Missing)));
        let mut forged = chain(5);
        let mut prev_hash = GENESIS.to_owned();
        for event in &mut forged {
            event.actor = Actor::new(ActorKind::System, "nobody");
            event.prev_hash = prev_hash;
            event.seal();
            prev_hash = event.hash.clone();
        }
        assert!(verify(&forged, None).is_ok());
        assert_eq!(verify(&forged, Some(&head(&events, 4))), Err((4, Tampering::Rewritten)));
    }

    /// One change to a chain, whatever it is.
    fn tamper(events: &mut Vec<Stored>, what: u8, a: usize, b: usize, renumbered: bool) {
        match what {
            0 => events[a].kind.push('x'),
            1 => events[a].actor.id.push('x'),
            2 => events[a].actor.kind = ActorKind::Operator,
            3 => events[a].stage = Some("other".to_owned()),
            4 => events[a].at += TimeDelta::microseconds(1),
            5 => events[a].data.insert(1, ' '),
            6 => events[a].hash.replace_range(b..=b, "x"),
            7 => events[a].prev_hash.replace_range(b..=b, "x"),
            8 => events[a].seq += 1,
            9 => drop(events.remove(a)),
            10 => events.insert(b, events[a].clone()),
            11 => events.swap(a, b),
            _ => {
                events[a].kind.push('x');
                events[a].seal();
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
            let found = verify(&events, Some(&head(&intact, length)));
            prop_assert!(found.is_err());
            prop_assert!(found.unwrap_err().0 <= length + 1);
        }

        #[test]
        fn any_truncation_is_found(length in 1i64..12, kept in any::<prop::sample::Index>()) {
            let events = chain(length);
            let kept = kept.index(events.len());
            let (seq, _) = verify(&events[..kept], Some(&head(&events, length))).unwrap_err();
            prop_assert_eq!(seq, kept as i64 + 1);
        }
    }
}

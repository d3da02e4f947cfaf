//! Appends planned events to an application's audit chain.

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        application::ChainHead,
        audit::{ChainEvent, GENESIS, canonical_data, hash},
        event::NewEvent,
        ids::ApplicationId,
        stage::Stage,
    },
    store::types::StoredEvent,
};

/// The head of a chain without events.
pub(super) fn empty_chain() -> ChainHead {
    ChainHead { seq: 0, hash: GENESIS.to_owned() }
}

/// Links the event to the head and moves the head to it.
pub(super) fn append(
    head: &mut ChainHead,
    application_id: ApplicationId,
    at: DateTime<Utc>,
    event: NewEvent,
) -> StoredEvent {
    // Planned data is built from strings and small numbers; should a plan ever hold another one, the log says so
    // rather than losing the event.
    let data = canonical_data(&event.data).unwrap_or_else(|error| format!(r#"{{"problem":"{error}"}}"#));
    let seq = head.seq + 1;
    let kind = event.kind.as_str();
    let stage = event.stage.map(Stage::as_str);
    let chained = ChainEvent { application_id, seq, at, kind, actor: &event.actor, stage, data: &data };
    let hash = hash(&chained, &head.hash);
    let prev_hash = std::mem::replace(&mut head.hash, hash.clone());
    head.seq = seq;
    StoredEvent {
        application_id,
        seq,
        at,
        kind: kind.to_owned(),
        stage: stage.map(str::to_owned),
        actor: event.actor,
        data,
        hash,
        prev_hash,
    }
}

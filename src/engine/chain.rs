//! Appends planned events to an application's audit chain.

use chrono::{DateTime, Utc};

use crate::{
    domain::{application::ChainHead, audit::GENESIS, event::NewEvent, ids::ApplicationId, stage::Stage},
    store::{rows::chained, types::StoredEvent},
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
    let stored = chained(
        head,
        application_id,
        at,
        event.kind.as_str(),
        event.actor,
        event.stage.map(Stage::as_str),
        &event.data,
    );
    *head = ChainHead { seq: stored.seq, hash: stored.hash.clone() };
    stored
}

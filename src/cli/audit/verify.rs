//! Reads the whole log, or one application's, and collects what is wrong with it.
//!
//! Three witnesses must agree: the chain of events, the head that the application's document names, and the furthest
//! head that a signed checkpoint saw. Acts that belong to no application have the first and the last. The log may grow meanwhile.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::{Anchor, PAGE};
use crate::{
    domain::{
        application::ChainHead,
        audit::{Break, ChainEvent, Head, Link, Tampering, is_acts_chain, verify_chain, verify_chain_against},
        checkpoint::{Checkpoint, FIRST_ID, furthest_heads, verify_checkpoints},
        ids::ApplicationId,
    },
    secrets::KeyMaterial,
    store::{
        self, Store,
        types::{ApplicationFilter, Page, StoredCheckpoint, StoredEvent},
    },
};

/// Applications asked for at once.
const APPLICATIONS: usize = 200;
/// Questions to the database side by side.
const SIDE_BY_SIDE: usize = 4;

/// What was read and what is wrong with it.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// Whether nothing is wrong.
    pub(super) intact: bool,
    /// Chains read.
    pub(super) applications: usize,
    /// Events of applications read.
    pub(super) events: usize,
    /// Acts read that belong to no application.
    pub(super) acts: usize,
    /// Checkpoints read.
    pub(super) checkpoints: usize,
    /// The last of them, to be compared with what is kept elsewhere.
    pub(super) last_checkpoint: Option<LastCheckpoint>,
    /// The first bad event of each broken chain, after the bad checkpoints.
    pub(super) breaks: Vec<Found>,
}

/// The last checkpoint.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct LastCheckpoint {
    id: i64,
    until: chrono::DateTime<chrono::Utc>,
    digest: String,
}

/// Something that is wrong.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Found {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application_id: Option<ApplicationId>,
    /// The first bad event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<i64>,
    /// One sentence that says all of it.
    pub(super) text: String,
}

impl From<Break> for Found {
    fn from(found: Break) -> Self {
        Self {
            application_id: Some(found.application_id),
            seq: Some(found.seq),
            text: found.to_string(),
            ..Self::default()
        }
    }
}

/// One application's chain, or one of acts that belong to none.
struct Chain {
    id: ApplicationId,
    events: usize,
    found: Option<Found>,
}

pub(super) struct Verifier<'a> {
    store: &'a dyn Store,
    secrets: &'a KeyMaterial,
    heads: HashMap<ApplicationId, Head>,
    report: Report,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(store: &'a dyn Store, secrets: &'a KeyMaterial) -> Self {
        Self { store, secrets, heads: HashMap::new(), report: Report::default() }
    }

    pub(super) fn into_report(mut self) -> Report {
        self.report.intact = self.report.breaks.is_empty();
        self.report
    }

    /// Verifies the checkpoints and keeps what they saw, of one application if only that matters.
    pub(super) async fn read_checkpoints(
        &mut self,
        only: Option<ApplicationId>,
        anchor: Option<&Anchor>,
    ) -> store::Result<()> {
        let signer = self.secrets.checkpoint_signer();
        let signed = |key: &str, digest: &[u8; 32], signature: &[u8]| signer.verify(key, digest, signature).is_ok();
        let mut last: Option<Checkpoint> = None;
        let mut anchored = anchor.is_none();
        let mut linked = true;
        loop {
            let after = last.as_ref().map_or(FIRST_ID - 1, |last| last.id);
            let stored = self.store.checkpoints(after, PAGE).await?;
            let mut page = Vec::with_capacity(stored.len());
            for row in &stored {
                match parse(row) {
                    Some(checkpoint) => page.push(checkpoint),
                    None => self.bad_checkpoint(row.id, format!("checkpoint {} is not what was stored", row.id)),
                }
            }
            let Some(newest) = page.last().cloned() else { break };
            self.report.checkpoints += page.len();
            if linked && let Err(found) = verify_checkpoints(last.as_ref(), &page, signed) {
                // Those that follow the first bad one are not in doubt themselves.
                linked = false;
                self.bad_checkpoint(found.id, found.to_string());
            }
            if let Some(anchor) = anchor
                && let Some(kept) = page.iter().find(|checkpoint| checkpoint.id == anchor.id)
            {
                anchored = hex::encode(kept.digest()) == anchor.digest;
            }
            let trusted = page.iter().filter(|checkpoint| {
                hex::decode(&checkpoint.signature)
                    .is_ok_and(|signature| signed(&checkpoint.key_id, &checkpoint.digest(), &signature))
            });
            for (id, head) in furthest_heads(trusted) {
                let is_news = self.heads.get(&id).is_none_or(|known| known.seq < head.seq);
                if is_news && only.is_none_or(|only| only == id) {
                    self.heads.insert(id, head);
                }
            }
            last = Some(newest);
        }
        if let Some(anchor) = anchor.filter(|_| !anchored) {
            self.bad_checkpoint(anchor.id, format!("checkpoint {} is gone or another one than was kept", anchor.id));
        }
        self.report.last_checkpoint =
            last.map(|last| LastCheckpoint { id: last.id, until: last.until, digest: hex::encode(last.digest()) });
        Ok(())
    }

    /// Verifies every chain of acts, and every application that has events, is stored, or was seen by a checkpoint.
    pub(super) async fn verify_all(&mut self) -> store::Result<()> {
        let mut seen = HashSet::new();
        let mut after = None;
        loop {
            let ids = self.store.audited_applications(after, APPLICATIONS).await?;
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            self.verify_each(ids, &mut seen).await?;
        }
        let mut page = Page { limit: APPLICATIONS, after: None };
        loop {
            let listed = self.store.applications(&ApplicationFilter::default(), &page).await?;
            let ids = listed.items.iter().map(|view| view.application.id).collect();
            self.verify_each(ids, &mut seen).await?;
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
        let mut ids: Vec<ApplicationId> = self.heads.keys().copied().collect();
        ids.sort_unstable();
        self.verify_each(ids, &mut seen).await
    }

    /// Verifies one application. An unknown one counts as broken.
    pub(super) async fn verify_one(&mut self, id: ApplicationId) -> store::Result<()> {
        self.verify_each(vec![id], &mut HashSet::new()).await
    }

    async fn verify_each(
        &mut self,
        mut ids: Vec<ApplicationId>,
        seen: &mut HashSet<ApplicationId>,
    ) -> store::Result<()> {
        ids.retain(|id| seen.insert(*id));
        let store = self.store;
        let checks = ids.into_iter().map(|id| verify(store, id, self.heads.get(&id)));
        let chains: Vec<Chain> = stream::iter(checks).buffered(SIDE_BY_SIDE).try_collect().await?;
        for chain in chains {
            if is_acts_chain(chain.id) {
                self.report.acts += chain.events;
            } else {
                self.report.applications += 1;
                self.report.events += chain.events;
            }
            self.report.breaks.extend(chain.found);
        }
        Ok(())
    }

    fn bad_checkpoint(&mut self, id: i64, text: String) {
        self.report.breaks.push(Found { checkpoint: Some(id), text, ..Found::default() });
    }
}

/// The checkpoint of a row, if the row's own columns say the same.
fn parse(row: &StoredCheckpoint) -> Option<Checkpoint> {
    let checkpoint: Checkpoint = serde_json::from_str(&row.document).ok()?;
    (checkpoint.id == row.id && checkpoint.until.timestamp_micros() == row.until.timestamp_micros())
        .then_some(checkpoint)
}

async fn verify(store: &dyn Store, id: ApplicationId, checkpointed: Option<&Head>) -> store::Result<Chain> {
    // In this order: the log may only be longer than the document read before it.
    let before = chain_head(store, id).await?;
    let events = store.events(id).await?;
    let links: Vec<Link<'_>> = events.iter().map(link).collect();
    let chain = |found| Ok(Chain { id, events: events.len(), found });
    let verified = match checkpointed {
        Some(head) => verify_chain_against(id, &links, head),
        None => verify_chain(id, &links),
    };
    let head = match verified {
        Ok(head) => head,
        Err(found) => return chain(Some(found.into())),
    };
    if is_acts_chain(id) {
        // No document names its head: only the checkpoints do.
        return chain(None);
    }
    let Some(document) = before else {
        let text = format!("application `{id}` is missing, although it has events");
        return chain(Some(Found { application_id: Some(id), text, ..Found::default() }));
    };
    if let Err(found) = verify_chain_against(id, &links, &Head { seq: document.seq, hash: document.hash.clone() }) {
        return chain(Some(found.into()));
    }
    if head.seq > document.seq {
        let now = chain_head(store, id).await?.map_or(document.seq, |head| head.seq);
        if head.seq > now {
            let found = Break { application_id: id, seq: now + 1, reason: Tampering::Inserted };
            return chain(Some(found.into()));
        }
    }
    chain(None)
}

async fn chain_head(store: &dyn Store, id: ApplicationId) -> store::Result<Option<ChainHead>> {
    Ok(store.application(id).await?.map(|view| view.application.chain))
}

fn link(event: &StoredEvent) -> Link<'_> {
    Link {
        event: ChainEvent {
            application_id: event.application_id,
            seq: event.seq,
            at: event.at,
            kind: &event.kind,
            actor: &event.actor,
            stage: event.stage.as_deref(),
            data: &event.data,
        },
        prev_hash: &event.prev_hash,
        hash: &event.hash,
    }
}

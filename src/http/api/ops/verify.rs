//! Verifying an application's audit chain now.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        audit::{ChainEvent, Head, Link, verify_chain_against},
        ids::ApplicationId,
    },
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        params::Named,
        problem::Problem,
        state::AppState,
    },
    store::types::StoredEvent,
};

/// What a verification found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ChainVerification)]
pub(in crate::http) struct VerifiedBody {
    /// Whether the events are those that were written, up to the head that the application names. (`greenlane audit
    /// verify` also compares with the signed checkpoints.)
    pub(in crate::http) intact: bool,
    /// How many events were read.
    pub(in crate::http) events: usize,
    /// The number of the first bad event.
    pub(in crate::http) seq: Option<i64>,
    /// What is wrong, in one sentence.
    pub(in crate::http) detail: Option<String>,
}

/// Verify an application's audit chain.
#[utoipa::path(post, path = "/v1/ops/applications/{id}/verify", operation_id = "verify_chain", tag = "operations", security(("key" = ["ops:read"])),
    params(("id" = ApplicationId, Path)), responses((status = 200, description = "What was found", body = VerifiedBody)))]
pub(super) async fn verify(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Named(id): Named<ApplicationId>,
) -> Result<Json<VerifiedBody>, Problem> {
    chain(&state, id).await.map(Json)
}

/// Verifies the chain of an application against the head that its document names.
pub(in crate::http) async fn chain(state: &AppState, id: ApplicationId) -> Result<VerifiedBody, Problem> {
    let store = &state.engine.shared.store;
    // In this order: the log may only be longer than the document read before it.
    let view = store.application(id).await?.ok_or_else(Problem::not_found)?;
    let events = store.events(id).await?;
    let links: Vec<Link<'_>> = events.iter().map(link).collect();
    let head = view.application.chain;
    let broken = verify_chain_against(id, &links, &Head { seq: head.seq, hash: head.hash }).err();
    Ok(VerifiedBody {
        intact: broken.is_none(),
        events: events.len(),
        seq: broken.map(|found| found.seq),
        detail: broken.map(|found| found.to_string()),
    })
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

//! What happened to a task before: notes, former rounds, and why it was given back or put off.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        decision::SealedRecord,
        event::EventType,
        ids::ApplicationId,
        review::{FormerRound, Review},
    },
    http::{problem::Problem, state::AppState},
    store::types::StoredEvent,
};

use super::{
    body::{DecisionBody, Viewer},
    claim::token_hash,
};

/// What notes are sealed for.
const NOTES: (&str, &str) = ("review_notes", "ciphertext");

/// A note for colleagues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewNote)]
pub struct NoteBody {
    /// When.
    pub at: DateTime<Utc>,
    /// Who wrote it; null for a second person, and where it is not known.
    pub by: Option<String>,
    /// The text.
    pub text: String,
}

/// A round that a supervisor ended by opening the task again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FormerReviewRound)]
pub struct FormerRoundBody {
    /// Its number.
    pub round: u32,
    /// What was decided in it, oldest first.
    pub decisions: Vec<DecisionBody>,
    /// The supervisor.
    pub reopened_by: String,
    /// When.
    pub reopened_at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// What somebody did with a task, and why.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewStep)]
pub struct StepBody {
    /// When.
    pub at: DateTime<Utc>,
    /// `review_released`, `review_postponed`, `review_reassigned`, `review_reopened` or `review_second_demanded`.
    pub kind: &'static str,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A note as it is sealed.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Note {
    Signed {
        text: String,
        by: String,
        /// Of the lease that it was written under, which is that of the decision too.
        token_hash: String,
    },
    /// As notes were before.
    Text(String),
}

/// Seals a note of whoever holds the token.
pub(super) fn sealed_note(
    state: &AppState,
    review: &Review,
    token: &str,
    note: Option<&str>,
) -> Result<Option<SealedRecord>, Problem> {
    let Some(text) = note else { return Ok(None) };
    let (table, column) = NOTES;
    let by = review.lease.as_ref().map(|lease| lease.reviewer.clone()).unwrap_or_default();
    let note = Note::Signed { text: text.to_owned(), by, token_hash: token_hash(token) };
    let sealed = state.engine.shared.secrets.sealer().seal_record(table, column, &review.id.to_string(), &note);
    sealed.map(Some).map_err(|error| Problem::internal(&error))
}

/// What colleagues wrote, oldest first. A second person sees nothing that goes with a decision, and no names.
pub(super) async fn notes(state: &AppState, review: &Review) -> Result<Vec<NoteBody>, Problem> {
    let shared = &state.engine.shared;
    let (table, column) = NOTES;
    let unprejudiced = review.is_second_look();
    let opened = shared.store.notes(review.application_id).await?.into_iter().filter_map(|note| {
        let row = note.review_id.to_string();
        let opened: Note = shared.secrets.sealer().open_record(table, column, &row, &note.sealed).ok()?;
        match opened {
            Note::Signed { token_hash, .. }
                if unprejudiced && review.decisions().any(|made| made.token_hash == token_hash) =>
            {
                None
            }
            Note::Signed { text, by, .. } => Some(NoteBody { at: note.at, by: (!unprejudiced).then_some(by), text }),
            Note::Text(_) if unprejudiced => None,
            Note::Text(text) => Some(NoteBody { at: note.at, by: None, text }),
        }
    });
    Ok(opened.collect())
}

/// Former rounds, oldest first; nothing for a second person.
pub(super) fn former(review: &Review) -> Vec<FormerRoundBody> {
    let body = |round: &FormerRound| FormerRoundBody {
        round: round.round,
        decisions: round.decisions.iter().cloned().map(DecisionBody::of).collect(),
        reopened_by: round.reopened_by.clone(),
        reopened_at: round.reopened_at,
        reason: round.reason.clone(),
    };
    if review.is_second_look() { Vec::new() } else { review.former.iter().map(body).collect() }
}

/// What was done with the application's tasks for a reason, oldest first; for supervisors.
pub(super) async fn steps(
    state: &AppState,
    application: ApplicationId,
    viewer: &Viewer,
) -> Result<Vec<StepBody>, Problem> {
    if !viewer.supervisor {
        return Ok(Vec::new());
    }
    let events = state.engine.shared.store.events(application).await?;
    Ok(events.into_iter().filter_map(step).collect())
}

fn step(event: StoredEvent) -> Option<StepBody> {
    let kind: EventType = event.kind.parse().ok()?;
    let told = matches!(
        kind,
        EventType::ReviewReleased
            | EventType::ReviewPostponed
            | EventType::ReviewReassigned
            | EventType::ReviewReopened
            | EventType::ReviewSecondDemanded
    );
    let data: serde_json::Value = serde_json::from_str(&event.data).ok()?;
    let reason = data["reason"].as_str().filter(|_| told)?.to_owned();
    Some(StepBody { at: event.at, kind: kind.as_str(), by: event.actor.id, reason })
}

//! An issued licence as operators see it, and the end of its service (R30).

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        cause::Cause,
        event::ActorKind,
        ids::LicenceId,
        licence_display::LicenceState,
        licence_watch::CardProblem,
        presentation::{Purpose, Refused},
    },
    http::{
        api::{change, licences::body::LicenceBody, written_field},
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::Named,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    licences::{desk::Shown, record::Record},
    store::{licences::Verification, types::Page},
};

use super::stalled::{LONGEST_REASON, ReasonBody};

/// So many of its checks come with a licence, the newest first.
const CHECKS: usize = 20;

/// An issued licence as operators see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorLicence)]
pub(in crate::http) struct OperatorLicenceBody {
    /// What its holder's system sees.
    #[serde(flatten)]
    pub(in crate::http) licence: LicenceBody,
    /// Whose it is.
    pub(in crate::http) owner: String,
    /// When its service was ended.
    pub(in crate::http) terminated_at: Option<DateTime<Utc>>,
    /// Why its card cannot be drawn; null while it can, or nobody asked.
    pub(in crate::http) card: Option<CardRefusedBody>,
    /// Who checked it, newest first; at most 20.
    pub(in crate::http) checks: Vec<CheckBody>,
}

/// Why a card cannot be drawn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardRefused)]
pub(in crate::http) struct CardRefusedBody {
    /// The code that whoever asks for the card gets.
    pub(in crate::http) reason: CardProblem,
    /// The code points for which no font of this process has a glyph now, each once.
    #[schema(example = json!(["U+2CB4E"]))]
    pub(in crate::http) missing: Vec<String>,
}

impl CardRefusedBody {
    /// The characters are looked up anew: they stand nowhere but in the sealed record.
    pub(in crate::http) fn of(state: &AppState, reason: CardProblem, record: &Record) -> Self {
        Self { reason, missing: state.cards.missing(record.printed()).into_iter().collect() }
    }
}

/// A check of a licence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OperatorCheck)]
pub(in crate::http) struct CheckBody {
    /// When.
    pub(in crate::http) at: DateTime<Utc>,
    /// Who: the owner of the verifier's key, or the person.
    pub(in crate::http) verifier: String,
    /// Name of the key, or the person.
    pub(in crate::http) key: String,
    /// Which of the keys of that name; null for a person.
    pub(in crate::http) key_id: Option<String>,
    /// What for.
    pub(in crate::http) purpose: Purpose,
    /// Why it was not good; null when it was.
    pub(in crate::http) reason: Option<Refused>,
}

impl CheckBody {
    fn of(check: Verification) -> Self {
        Self {
            at: check.at,
            verifier: check.verifier,
            key: check.key,
            key_id: check.key_id,
            purpose: check.purpose,
            reason: check.refused,
        }
    }
}

/// Get an issued licence of any owner, with the checks made of it and what is wrong with its card.
#[utoipa::path(get, path = "/v1/ops/licences/{id}", operation_id = "get_operator_licence", tag = "operations", security(("key" = ["ops:read"])),
    params(("id" = LicenceId, Path)),
    responses((status = 200, description = "The licence", body = OperatorLicenceBody)))]
pub(super) async fn get(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Named(id): Named<LicenceId>,
) -> Result<Json<OperatorLicenceBody>, Problem> {
    look(&state, id).await.map(Json)
}

/// What operators see of a licence.
///
/// # Errors
/// 404 where there is none.
pub(in crate::http) async fn look(state: &AppState, id: LicenceId) -> Result<OperatorLicenceBody, Problem> {
    let shown = state.licences.show(id).await?.ok_or_else(Problem::not_found)?;
    let checks = state.licences.verifications(id, &Page { limit: CHECKS, after: None }).await?;
    Ok(OperatorLicenceBody {
        licence: LicenceBody::of(&shown),
        card: shown.card_problem.map(|reason| CardRefusedBody::of(state, reason, &shown.record)),
        checks: checks.items.into_iter().map(CheckBody::of).collect(),
        terminated_at: shown.terminated_at,
        owner: shown.owner,
    })
}

/// End the service of a current licence, for good. Its holder may apply again.
#[utoipa::path(post, path = "/v1/ops/licences/{id}/terminate", operation_id = "terminate_licence", tag = "operations", security(("key" = ["ops:write"])),
    params(("id" = LicenceId, Path)), request_body = ReasonBody,
    responses(
        (status = 200, description = "Terminated", body = LicenceBody),
        (status = 409, description = "`licence_not_current`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn terminate(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<LicenceId>,
    Json(body): Json<ReasonBody>,
) -> Result<Json<LicenceBody>, Problem> {
    Ok(Json(LicenceBody::of(&end_service(&state, &caller, id, body.reason).await?)))
}

/// Ends the service of a licence in somebody's name.
///
/// # Errors
/// 409 unless it is current, also when it was replaced at this very moment.
pub(in crate::http) async fn end_service(
    state: &AppState,
    caller: &Caller,
    id: LicenceId,
    reason: String,
) -> Result<Shown, Problem> {
    written_field("/reason", &reason, LONGEST_REASON)?;
    let licence = state.engine.shared.store.licence(id).await?.ok_or_else(Problem::not_found)?;
    if licence.state != LicenceState::Current {
        let detail = format!("the licence is `{}`", licence.state);
        return Err(Problem::conflict("licence_not_current", detail));
    }
    let cause = Cause::Terminate { actor: caller.actor(ActorKind::Operator), licence: id, reason };
    if let (_, Some(refusal)) = change(state, licence.application_id, cause, None).await? {
        return Err(refusal.into());
    }
    state.licences.show(id).await?.ok_or_else(Problem::not_found)
}

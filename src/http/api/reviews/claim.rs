//! Claiming a task: the most urgent one, or a certain one.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    domain::{
        authority::IssuingAuthority,
        cause::{Cause, Refusal, ReviewAct},
        ids::ReviewId,
        review::Review,
    },
    http::{
        body::Json,
        params::Named,
        problem::{Fault, Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
    store::offers::{Claimant, Offer},
};

use super::{
    super::change,
    body::{ClaimedBody, ReviewBody},
    promise::Promise,
    task,
};

/// Tasks that are looked at in one go: as many as colleagues may take at the same moment.
const CANDIDATES: usize = 50;
/// Goes before a reviewer who loses every race is told that there is nothing.
const ROUNDS: usize = 5;

/// Which tasks are wanted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimNext {
    /// Of this issuing authority only.
    #[schema(example = "蒙C")]
    authority: Option<String>,
}

/// Claim the most urgent task.
#[utoipa::path(post, path = "/v1/reviews/claim-next", operation_id = "claim_next_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    request_body = Option<ClaimNext>,
    responses(
        (status = 200, description = "The task is the reviewer's", body = ClaimedBody),
        (status = 204, description = "There is none"),
        (status = 409, description = "`claim_limit_reached`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn claim_next(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    body: Option<Json<ClaimNext>>,
) -> Result<Response, Problem> {
    let asked = body.and_then(|Json(body)| body.authority);
    if let Some(authority) = &asked {
        let wrong = |error| Problem::invalid(vec![Fault::at("/authority", error)]);
        IssuingAuthority::parse(authority).map_err(wrong)?;
    }
    let wanted = reviewer.authorities(asked.as_deref())?;
    // The claim itself looks again; here for those to whom nothing could be offered.
    if state.engine.shared.store.claims_of(&reviewer.name).await? >= state.engine.shared.settings.timing.claim_limit {
        return Err(Refusal::ClaimLimit.into());
    }
    // A breached promise and what reviewers passed on wait for a supervisor, and so they come before the rest.
    let offers: &[Offer] = if reviewer.supervisor {
        &[Offer::Assigned, Offer::Overdue, Offer::Escalated, Offer::Usual]
    } else {
        &[Offer::Assigned, Offer::Usual]
    };
    for authority in wanted {
        for offer in offers {
            if let Some(claimed) = most_urgent(&state, &reviewer, authority, *offer).await? {
                return Ok(Json(claimed).into_response());
            }
        }
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn most_urgent(
    state: &AppState,
    reviewer: &AsReviewer,
    authority: Option<&str>,
    offer: Offer,
) -> Result<Option<ClaimedBody>, Problem> {
    let document = reviewer.document();
    let who = Claimant {
        reviewer: &reviewer.name,
        document: document.as_deref(),
        supervisor: reviewer.supervisor,
        authority,
    };
    for _ in 0..ROUNDS {
        let candidates = state.engine.shared.store.claimable(&who, offer, CANDIDATES).await?;
        if candidates.is_empty() {
            break;
        }
        for review in candidates {
            match take(state, &review, reviewer).await? {
                Ok(claimed) => return Ok(Some(claimed)),
                Err(Refusal::ClaimLimit) => return Err(Refusal::ClaimLimit.into()),
                // A colleague was quicker.
                Err(_) => {}
            }
        }
    }
    Ok(None)
}

/// Claim a task.
#[utoipa::path(post, path = "/v1/reviews/{id}/claim", operation_id = "claim_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses(
        (status = 200, description = "The task is the reviewer's", body = ClaimedBody),
        (status = 403, description = "`conflict_of_interest`: the reviewer decided on this application before, or it is their own; `authority_not_allowed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_claimed`, `claim_limit_reached`, `supervisor_only`, `assigned_to_other`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn claim(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Named(id): Named<ReviewId>,
) -> Result<Json<ClaimedBody>, Problem> {
    let review = task(&state, id).await?;
    reviewer.authorities(review.authority.as_deref())?;
    let claimed = take(&state, &review, &reviewer).await?;
    Ok(Json(claimed?))
}

async fn take(
    state: &AppState,
    review: &Review,
    reviewer: &AsReviewer,
) -> Result<Result<ClaimedBody, Refusal>, Problem> {
    let (lease_token, token_hash) = fresh_token();
    let act = ReviewAct::Claim {
        reviewer: reviewer.name.clone(),
        supervisor: reviewer.supervisor,
        document: reviewer.document(),
        token_hash,
    };
    let cause = Cause::Review { review: review.id, act };
    let (after, refusal) = change(state, review.application_id, cause, None).await?;
    if let Some(refusal) = refusal {
        return Ok(Err(refusal));
    }
    let review = after.review.ok_or_else(Problem::not_found)?;
    Ok(Ok(ClaimedBody { review: ReviewBody::of(review, &Promise::of(state), &reviewer.viewer()), lease_token }))
}

/// A token of 32 random bytes, and what is stored of it.
pub(super) fn fresh_token() -> (String, String) {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    let token = URL_SAFE_NO_PAD.encode(bytes);
    let hash = token_hash(&token);
    (token, hash)
}

/// What is stored of a lease token: SHA-256, hex.
pub(super) fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_random_and_stored_as_hashes() {
        let (token, hash) = fresh_token();
        assert_eq!(token.len(), 43);
        assert_eq!(hash, token_hash(&token));
        assert_ne!(fresh_token().0, token);
    }
}

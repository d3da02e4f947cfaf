//! The public keys of licence records and presentation codes.

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{problem::Problem, state::AppState},
    secrets::Jwk,
};

/// How long a verifier may keep the keys, in seconds: a new key is published long before it signs.
const KEPT: &str = "public, max-age=300";
/// What a signature alone does not say.
const NOTE: &str = "a good signature proves that a code was made here; whether it is in its time, unused and of a licence \
                    in order is answered by POST /v1/presentations/verify only";

/// A set of public keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeySet)]
struct KeySetBody {
    /// Newest first; old ones stay as long as what they signed is in use.
    keys: Vec<Jwk>,
    /// What a signature does not prove.
    note: &'static str,
}

/// Get the public keys that sign licence records and presentation codes.
#[utoipa::path(get, path = "/.well-known/greenlane-keys", operation_id = "get_keys", tag = "licences",
    responses((status = 200, description = "The keys", body = KeySetBody)))]
pub(super) async fn keys(State(state): State<AppState>) -> Result<Response, Problem> {
    let keys = state.engine.shared.secrets.signing_keys().public_keys().cloned().collect();
    let body = serde_json::to_vec(&KeySetBody { keys, note: NOTE }).map_err(|error| Problem::internal(&error))?;
    let headers = [(header::CONTENT_TYPE, "application/jwk-set+json"), (header::CACHE_CONTROL, KEPT)];
    Ok((headers, body).into_response())
}

//! From a submission to a stored application, alone or in a batch.

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, StatusCode, request::Parts},
};

use crate::{
    domain::{application::Application, calendar::local_date, ids::ApplicationId, personal::Applicant},
    engine::admit::{Admittance, NewApplication},
    http::{auth::Caller, problem::Problem, state::AppState},
};

use super::submission::{Submission, Surroundings};

/// The header, and the field of a batch's line.
const HEADER: &str = "idempotency-key";
/// The longest key, in characters.
const LONGEST: usize = 255;
/// The name of the fingerprint of requests.
const REQUEST_INDEX: &str = "request";

/// An idempotency key: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    /// 400 `idempotency_key_missing` or `idempotency_key_invalid`.
    pub(super) fn parse(text: Option<&[u8]>) -> Result<Self, Problem> {
        let text = text.ok_or_else(|| {
            Problem::bad_request("idempotency_key_missing", "the request needs an idempotency key of its own")
        })?;
        let fits = (1..=LONGEST).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        let key = String::from_utf8(text.to_vec()).ok().filter(|_| fits);
        let wrong = || {
            let detail = format!("an idempotency key has 1 to {LONGEST} visible ASCII characters");
            Problem::bad_request("idempotency_key_invalid", detail)
        };
        key.map(Self).ok_or_else(wrong)
    }

    /// The key.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::parse(parts.headers.get(HEADER).map(HeaderValue::as_bytes))
    }
}

/// What became of an accepted submission.
pub(super) enum Accepted {
    /// A new application.
    Created(Box<Application>, Box<Applicant>),
    /// The same request came before.
    Replayed(ApplicationId),
}

/// Checks a submission and stores it. Answers after it is durable.
///
/// # Errors
/// 422 for what is wrong with it, 409 for what stands against it, 503 when nothing can be stored.
pub(super) async fn admit(
    state: &AppState,
    caller: &Caller,
    submission: Submission,
    key: IdempotencyKey,
) -> Result<Accepted, Problem> {
    let shared = &state.engine.shared;
    let upload = match submission.photo_id() {
        Some(id) => shared.store.photo(id).await?,
        None => None,
    };
    let upload = match upload {
        // A repeated request is answered as at first, even when its photo is erased by now.
        Some(photo) if photo.condemned => {
            shared.store.by_key(&caller.owner, key.as_str()).await?.is_some().then_some(photo)
        }
        upload => upload,
    };
    let checked = submission.check(&Surroundings {
        owner: &caller.owner,
        upload: upload.as_ref(),
        today: local_date(shared.clock.now()),
        allow_private_callbacks: state.settings.allow_private_callbacks,
    })?;
    let canonical = checked.canonical().map_err(|error| Problem::internal(&error))?;
    let applicant = Box::new(checked.applicant.clone());
    let new = NewApplication {
        owner: caller.owner.clone(),
        key_name: caller.name.clone(),
        idempotency_key: key.0,
        // Keyed, because a plain hash of personal data can be guessed.
        request_hash: shared.secrets.blind_index_hex(REQUEST_INDEX, &canonical),
        kind: checked.kind,
        applicant: checked.applicant,
        photo: checked.photo,
        callback_url: checked.callback_url,
        upstream_ref: checked.upstream_ref,
    };
    match state.engine.admitter.admit(new).await? {
        Admittance::Created(application) => Ok(Accepted::Created(application, applicant)),
        Admittance::Replayed(id) => Ok(Accepted::Replayed(id)),
        Admittance::KeyReused => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "the same idempotency key came before with another request",
        )),
        Admittance::InProgress => {
            Err(Problem::conflict("application_in_progress", "the holder has another open application"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_visible_ascii() {
        let code = |text: Option<&[u8]>| IdempotencyKey::parse(text).map_or_else(|problem| problem.code(), |_| "ok");
        assert_eq!(code(None), "idempotency_key_missing");
        assert_eq!(code(Some(&[b'k'; 255])), "ok");
        for wrong in [&b""[..], b"a b", &[b'k'; 256], "ключ".as_bytes(), b"\x7f"] {
            assert_eq!(code(Some(wrong)), "idempotency_key_invalid");
        }
    }
}

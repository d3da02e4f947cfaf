//! Problem details (RFC 9457): the one shape of every error that leaves the API.
//!
//! A problem says what the caller did or should do. What went wrong inside is logged here, once, and never sent.

use std::{error::Error, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    administration::{Refused, calendar::Unfit},
    domain::{applicant::FieldError, cause::Refusal},
    engine::{admit::AdmitError, commit::ApplyError},
    licences::desk::DeskError,
    photos::VaultError,
    store::StoreError,
};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What a caller is told to wait when the database is away.
const AWAY: Duration = Duration::from_secs(2);

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// JSON pointer into the body; for a query parameter `/name`.
    pub pointer: String,
    /// Stable, snake_case.
    pub code: &'static str,
    /// What would be right. Never repeats what was sent.
    pub detail: String,
}

impl Fault {
    /// A fault at a pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// A domain error at a pointer.
    pub fn at(pointer: impl Into<String>, error: FieldError) -> Self {
        Self::new(pointer, error.code, error.detail)
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<Fault>,
    retry_after: Option<Duration>,
}

/// A problem as it travels.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:greenlane:problem:application_in_progress")]
    pub kind: String,
    /// The kind of problem in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, snake_case.
    #[schema(example = "application_in_progress")]
    pub code: &'static str,
    /// One sentence about this case.
    pub detail: String,
    /// Wrong fields, where fields are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
}

impl Problem {
    /// A problem with its stable code and one sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 404, also for what belongs to somebody else.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such resource")
    }

    /// 409: the present state does not allow it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 401: a page without a session.
    pub fn not_signed_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first")
    }

    /// 422 with the wrong fields.
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = "one or more fields are wrong".to_owned();
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail) }
    }

    /// 422 with one wrong field.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault::new(pointer, code, detail)])
    }

    /// 503: nothing can be stored now.
    pub fn unavailable() -> Self {
        let detail = "the service cannot reach its database, try again";
        Self { retry_after: Some(AWAY), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail) }
    }

    /// 500; the cause goes to the log, not to the caller.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        tracing::error!(error, "a request failed");
        Self::crashed()
    }

    /// 500 of a request whose cause is logged already.
    pub(super) fn crashed() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "the service failed, and its operators are told")
    }

    /// With wrong fields.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.errors = errors;
        self
    }

    /// With another code.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// With the time after which the same request may succeed.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The wrong fields.
    pub fn errors(&self) -> &[Fault] {
        &self.errors
    }

    /// As it travels.
    pub fn into_body(self) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:greenlane:problem:{}", self.code),
            title: title(self.code),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            errors: self.errors,
        }
    }
}

/// The code in words: `not_found` becomes `Not found`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// Goes with a problem's answer, for what turns it into a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// The problem's code.
    pub(super) code: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, retry_after, code) = (self.status, self.retry_after, self.code);
        let body = serde_json::to_vec(&self.into_body()).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, MEDIA_TYPE), (header::CACHE_CONTROL, "no-store")], body).into_response();
        response.extensions_mut().insert(Told { code });
        if let Some(wait) = retry_after {
            // Rounded up: a caller that obeys must not come too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => Self::field("/cursor", "cursor_invalid", "must be a `next_cursor` of this list"),
            error if error.is_transient() => {
                tracing::warn!(error = &error as &dyn Error, "the database is away");
                Self::unavailable()
            }
            error => Self::internal(&error),
        }
    }
}

impl From<DeskError> for Problem {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Store(error) | DeskError::Photo(VaultError::Store(error)) => error.into(),
            DeskError::Commit(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::Wrong { what, error } => Self::field(format!("/{what}"), error.code, error.detail),
            Refused::Nothing(_) => Self::not_found(),
            Refused::NameTaken(_) => Self::conflict("name_taken", detail),
            Refused::Oneself => Self::conflict("not_oneself", detail),
            Refused::LastAdmin => Self::conflict("last_administrator", detail),
            Refused::Store(error) => error.into(),
            Refused::Failed(_) => Self::internal(&refused),
        }
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        let detail = unfit.to_string();
        match unfit {
            Unfit::Wrong(_) => Self::field("", "calendar_invalid", detail),
            Unfit::InUse(_) => Self::conflict("calendar_in_use", detail),
            Unfit::VersionTaken(_) => Self::conflict("calendar_version_taken", detail),
        }
    }
}

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Unavailable => Self::unavailable(),
            AdmitError::Failed => Self::internal(&error),
        }
    }
}

impl From<ApplyError> for Problem {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Refused(refusal) => refusal.into(),
            ApplyError::NotFound => Self::not_found(),
            ApplyError::Unavailable => Self::unavailable(),
            ApplyError::Failed => Self::internal(&error),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::ConflictOfInterest => StatusCode::FORBIDDEN,
            Refusal::NoSuchReview => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_travels_in_the_shape_of_the_rfc() {
        let problem = Problem::field("/applicant/mobile", "mobile_invalid", "must be 11 digits");
        let json = serde_json::to_value(problem.into_body()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:greenlane:problem:validation_failed", "title": "Validation failed", "status": 422,
                "code": "validation_failed", "detail": "one or more fields are wrong",
                "errors": [{ "pointer": "/applicant/mobile", "code": "mobile_invalid", "detail": "must be 11 digits" }],
            })
        );
        assert!(serde_json::to_value(Problem::not_found().into_body()).unwrap().get("errors").is_none());
    }

    #[test]
    fn headers_follow_the_kind() {
        let header = |problem: Problem, name| problem.into_response().headers().get(name).cloned();
        assert_eq!(header(Problem::not_found(), header::CONTENT_TYPE).unwrap(), MEDIA_TYPE);
        assert_eq!(header(Problem::unavailable(), header::RETRY_AFTER).unwrap(), "2");
        let hasty = Problem::unavailable().with_retry_after(Duration::from_millis(1200));
        assert_eq!(header(hasty, header::RETRY_AFTER).unwrap(), "2");
        let at_once = Problem::unavailable().with_retry_after(Duration::ZERO);
        assert_eq!(header(at_once, header::RETRY_AFTER).unwrap(), "1");
        let stranger = Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "x");
        assert_eq!(header(stranger, header::WWW_AUTHENTICATE).unwrap(), "Bearer");
        assert_eq!(header(Problem::not_found(), header::RETRY_AFTER), None);
    }

    #[test]
    fn refusals_keep_their_codes() {
        for (refusal, status) in [
            (Refusal::AlreadyClaimed, 409),
            (Refusal::ConflictOfInterest, 403),
            (Refusal::NoSuchReview, 404),
            (Refusal::LeaseLost, 409),
        ] {
            let code = refusal.code();
            let problem = Problem::from(refusal);
            assert_eq!((problem.status().as_u16(), problem.code()), (status, code));
        }
    }

    #[test]
    fn the_inside_stays_inside() {
        let problem = Problem::from(StoreError::Schema("SELECT secret FROM applicants".to_owned()));
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!serde_json::to_string(&problem.into_body()).unwrap().contains("SELECT"));
        assert_eq!(Problem::from(StoreError::BadCursor).errors()[0].pointer, "/cursor");
    }
}

//! `/verify`: where somebody who is shown a code (亮码) checks it.
//!
//! The page itself is open: it holds nothing of anybody. What is checked goes to `POST /v1/presentations/verify`, with
//! the session of a role that may verify, or with a key that stays in the page.

use askama::Template;
use axum::{http::HeaderValue, response::Response};

use super::page::{Page, html};
use crate::{
    domain::presentation::{Purpose, Refused},
    http::auth::Scope,
};

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    page: Page,
    /// Whether the session's role may verify; otherwise a key is asked for.
    by_session: bool,
    purposes: &'static [Purpose],
    reasons: &'static [Refused],
    /// Statuses of calls that got no verdict; what has none of its own is a 500.
    failures: &'static [u16],
}

/// Nobody answered, no key or a wrong one, not allowed, too fast, anything else.
const FAILURES: &[u16] = &[0, 401, 403, 429, 500];

/// The page.
pub(super) async fn show(page: Page) -> Response {
    let by_session = page.role().is_some_and(|role| role.may(Scope::LicencesVerify));
    let mut response =
        html(&VerifyPage { page, by_session, purposes: Purpose::ALL, reasons: Refused::ALL, failures: FAILURES });
    response.headers_mut().insert("permissions-policy", HeaderValue::from_static("camera=(self), microphone=()"));
    response
}

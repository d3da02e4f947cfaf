//! What all pages have in common: layout, languages, themes, style sheets and scripts, signing in, errors.
//!
//! `web/README.md` says how to add a page.

pub mod assets;
pub mod chip;
pub(super) mod errors;
pub mod messages;
pub mod page;
pub mod sign_in;
mod verify;

use axum::{
    Form, Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use super::state::AppState;
use messages::Language;
use page::{Page, Theme, local_path};

/// The most that a form of a page may send.
pub(super) const FORM: usize = 16 * 1024;
/// How long a browser keeps language and theme, in seconds.
const KEPT: u32 = 365 * 24 * 3600;

/// The routes of this module.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(sign_in::show).post(sign_in::sign_in))
        .route("/logout", post(sign_in::sign_out))
        .route("/account", get(sign_in::account))
        .route("/account/password", post(sign_in::change_password))
        .route("/verify", get(verify::show))
        .route("/preferences", post(prefer))
        .route("/static/{version}/{*name}", get(assets::serve))
        .layer(DefaultBodyLimit::max(FORM))
}

/// To where the person's work is.
async fn home(page: Page) -> Redirect {
    Redirect::to(page.role().map_or("/login", |role| role.home()))
}

/// What somebody likes better.
#[derive(Deserialize)]
struct Preferences {
    language: Option<Language>,
    theme: Option<Theme>,
    #[serde(default)]
    next: String,
}

/// Keeps language and theme in the browser, and shows the page again.
async fn prefer(Form(preferences): Form<Preferences>) -> Response {
    let mut response = Redirect::to(local_path(&preferences.next, "/")).into_response();
    let chosen = [
        (page::LANGUAGE, preferences.language.map(Language::as_str)),
        (page::THEME, preferences.theme.map(Theme::as_str)),
    ];
    for (name, value) in chosen {
        let Some(value) = value else { continue };
        let cookie = format!("{name}={value}; Path=/; Max-Age={KEPT}; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response
}

//! `/review`: the reviewer's console (审核台).

use askama::Template;
use axum::{Router, response::Response, routing::get};

use super::{
    auth,
    pages::page::{Page, html},
    person::Person,
    state::AppState,
};

/// The routes of this module.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/review", get(home))
}

#[derive(Template)]
#[template(path = "review/home.html")]
struct Home {
    page: Page,
}

/// Where a reviewer begins.
async fn home(page: Page, _person: Person<auth::Review>) -> Response {
    html(&Home { page })
}

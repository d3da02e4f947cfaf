//! `/review`: the reviewer's console (审核台). Its pages read by the functions of the API, and its scripts call the API.

mod home;
mod reasons;
mod task;
mod tasks;
mod view;

use axum::{Router, routing::get};

use super::state::AppState;

/// The routes of this module.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/review", get(home::home))
        .route("/review/tasks", get(tasks::tasks))
        .route("/review/tasks/{id}", get(task::task))
        .route("/review/tasks/{id}/deadline", get(task::deadline))
}

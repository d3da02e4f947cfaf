//! `/ops`: the operations dashboard (运维看板). Its pages call the same functions as `/v1/ops`.

mod application;
mod audit;
mod bulk;
mod calendar;
mod charts;
mod keys;
mod licences;
mod overview;
mod queues;
mod schedules;
mod show;
pub mod stalled;
mod system;
mod users;
mod webhooks;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use super::{
    api::ops::calendar::LARGEST,
    auth::{Caller, Needs},
    pages,
    person::Person,
    state::AppState,
};

/// The most that the form with a calendar file sends: Chinese takes nine letters a character there.
const CALENDAR_FORM: usize = 3 * LARGEST;

/// The routes of this module.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ops", get(overview::show))
        .route("/ops/queues", get(queues::show))
        .route("/ops/queues/{name}/pause", post(queues::pause))
        .route("/ops/queues/{name}/resume", post(queues::resume))
        .route("/ops/queues/{name}/limits", post(queues::limit))
        .route("/ops/find", get(application::search).post(application::find))
        .route("/ops/applications/{id}", get(application::show))
        .route("/ops/applications/{id}/verify", post(application::verify))
        .route("/ops/stalled", get(stalled::list))
        .route("/ops/stalled/{act}", get(bulk::preview).post(bulk::act))
        .route("/ops/stalled/{id}/act", post(stalled::act))
        .route("/ops/batches/{id}", get(bulk::batch))
        .route("/ops/charts", get(charts::show))
        .route("/ops/licences", get(licences::list))
        .route("/ops/licences/{id}/terminate", post(licences::terminate))
        .route("/ops/webhooks", get(webhooks::list))
        .route("/ops/webhooks/{id}/retry", post(webhooks::retry))
        .route("/ops/system", get(system::show))
        .route("/ops/audit", get(audit::search))
        .route("/ops/users", get(users::list).post(users::create))
        .route("/ops/users/{name}", get(users::show))
        .route("/ops/users/{name}/change", post(users::change))
        .route("/ops/users/{name}/password", post(users::set_password))
        .route("/ops/users/{name}/disable", post(users::disable))
        .route("/ops/users/{name}/enable", post(users::enable))
        .route("/ops/keys", get(keys::list).post(keys::create))
        .route("/ops/keys/{id}/revoke", post(keys::revoke))
        .layer(DefaultBodyLimit::max(pages::FORM))
        .route("/ops/calendar", get(calendar::show).post(calendar::act).layer(DefaultBodyLimit::max(CALENDAR_FORM)))
}

/// A person as one who calls the API.
fn caller<N: Needs>(person: &Person<N>) -> Caller {
    Caller::from((**person).clone())
}

//! `/ops`: the operations dashboard (运维看板). Its pages call the same functions as `/v1/ops`.

mod application;
mod audit;
mod bulk;
mod charts;
mod overview;
mod queues;
mod show;
pub mod stalled;
mod system;
mod webhooks;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use super::{
    auth::{Caller, Needs},
    pages,
    person::Person,
    state::AppState,
};

/// The routes of this module.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/ops", get(overview::show))
        .route("/ops/queues", get(queues::show))
        .route("/ops/queues/{name}/pause", post(queues::pause))
        .route("/ops/queues/{name}/resume", post(queues::resume))
        .route("/ops/find", get(application::search).post(application::find))
        .route("/ops/applications/{id}", get(application::show))
        .route("/ops/applications/{id}/verify", post(application::verify))
        .route("/ops/stalled", get(stalled::list))
        .route("/ops/stalled/{act}", get(bulk::preview).post(bulk::act))
        .route("/ops/stalled/{id}/act", post(stalled::act))
        .route("/ops/batches/{id}", get(bulk::batch))
        .route("/ops/charts", get(charts::show))
        .route("/ops/webhooks", get(webhooks::list))
        .route("/ops/webhooks/{id}/retry", post(webhooks::retry))
        .route("/ops/system", get(system::show))
        .route("/ops/audit", get(audit::search))
        .layer(DefaultBodyLimit::max(pages::FORM))
}

/// A person as one who calls the API.
fn caller<N: Needs>(person: &Person<N>) -> Caller {
    Caller::from((**person).clone())
}

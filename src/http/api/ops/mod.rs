//! `/v1/ops`: what operators see and do.

pub mod batches;
pub mod figures;
pub mod find;
pub mod forecast;
pub mod licences;
pub mod limits;
pub mod overview;
pub mod queues;
pub mod stalled;
pub mod stream;
pub mod verify;
pub mod webhooks;
pub mod workers;

pub use overview::OverviewBody;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::event::ActorKind,
    http::{auth::Caller, problem::Problem, state::AppState},
    store::types::OperatorAction,
};

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(overview::overview))
        .routes(routes!(queues::list))
        .routes(routes!(queues::pause))
        .routes(routes!(queues::resume))
        .routes(routes!(limits::limit))
        .routes(routes!(stalled::list))
        .routes(routes!(batches::retry_many))
        .routes(routes!(stalled::retry))
        .routes(routes!(stalled::reject))
        .routes(routes!(stalled::accept))
        .routes(routes!(batches::get_batch))
        .routes(routes!(workers::list))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::retry))
        .routes(routes!(licences::terminate))
        .routes(routes!(stream::stream))
        .routes(routes!(stalled::groups))
        .routes(routes!(find::find))
        .routes(routes!(verify::verify))
        .routes(routes!(figures::figures))
        .routes(routes!(forecast::forecast))
}

/// Records what an operator does that belongs to no application.
async fn record(state: &AppState, caller: &Caller, kind: &str, data: serde_json::Value) -> Result<(), Problem> {
    let shared = &state.engine.shared;
    let actor = caller.actor(ActorKind::Operator);
    let action = OperatorAction { at: shared.clock.now(), actor, kind: kind.to_owned(), data };
    Ok(shared.store.record_action(&action).await?)
}

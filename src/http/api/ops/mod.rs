//! `/v1/ops`: what operators see and do.

pub mod batches;
pub mod calendar;
pub mod deadline;
pub mod figures;
pub mod find;
pub mod forecast;
pub mod keys;
pub mod licence_changes;
pub mod licence_problems;
pub mod licences;
pub mod limits;
pub mod overview;
pub mod queues;
pub mod schedules;
pub mod stalled;
pub mod stream;
pub mod users;
pub mod verify;
pub mod webhooks;
pub mod workers;

pub use forecast::ForecastBody;
pub use overview::OverviewBody;

use std::collections::BTreeMap;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    administration::Administrator,
    domain::{application::Status, event::ActorKind, stage::Stage},
    http::{auth::Caller, problem::Problem, state::AppState},
    store::{
        rows::COUNT_CAP,
        types::{ApplicationFilter, OperatorAction, StatusCount},
    },
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
        .routes(routes!(batches::reject_many))
        .routes(routes!(stalled::retry))
        .routes(routes!(stalled::reject))
        .routes(routes!(stalled::accept))
        .routes(routes!(batches::get_batch))
        .routes(routes!(workers::list))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::retry))
        .routes(routes!(licences::get))
        .routes(routes!(licences::terminate))
        .routes(routes!(licence_problems::list))
        .routes(routes!(licence_changes::list))
        .routes(routes!(stream::stream))
        .routes(routes!(stalled::groups))
        .routes(routes!(find::find))
        .routes(routes!(verify::verify))
        .routes(routes!(deadline::deadline))
        .routes(routes!(figures::figures))
        .routes(routes!(forecast::forecast))
        .routes(routes!(calendar::get, calendar::import))
        .routes(routes!(schedules::list))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::change))
        .routes(routes!(users::disable))
        .routes(routes!(users::enable))
        .routes(routes!(users::set_password))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
}

/// Whoever calls, as one who administers.
pub(in crate::http) fn administrator<'a>(state: &'a AppState, caller: &'a Caller) -> Administrator<'a> {
    let person = caller.person.as_ref().map(|person| person.name.as_str());
    Administrator::remote(state.engine.shared.store.as_ref(), caller.actor(ActorKind::Operator), person)
}

/// What an operator does that belongs to no application, to be recorded with its effect.
fn action(state: &AppState, caller: &Caller, kind: &str, data: serde_json::Value) -> OperatorAction {
    let actor = caller.actor(ActorKind::Operator);
    OperatorAction { at: state.engine.shared.clock.now(), actor, kind: kind.to_owned(), data }
}

/// How many applications wait for an operator, by the stage that went wrong: what lists of them show.
async fn stalled_counts(state: &AppState, counts: &[StatusCount]) -> Result<BTreeMap<Stage, i64>, Problem> {
    let mut stalled: BTreeMap<Stage, i64> = Stage::ALL.iter().map(|&stage| (stage, 0)).collect();
    for count in counts.iter().filter(|count| count.status == Status::Stalled) {
        if let Some(stage) = count.stage {
            *stalled.entry(stage).or_default() += count.count;
        }
    }
    let filter =
        ApplicationFilter { stage: Some(Stage::Notification), needs_operator: true, ..ApplicationFilter::default() };
    let undelivered = state.engine.shared.store.count_applications(&filter, COUNT_CAP).await?;
    stalled.insert(Stage::Notification, i64::try_from(undelivered).unwrap_or(i64::MAX));
    Ok(stalled)
}

//! The overview as it changes, for dashboards.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};

use crate::{
    http::{
        auth::{Authorised, ReadOperations, Scope},
        problem::Problem,
        state::AppState,
    },
    store::users::User,
};

use super::overview::{OverviewBody, look};

/// How often the overview is looked at.
const PERIOD: Duration = Duration::from_secs(2);
/// A dashboard connects again after this, so that a key which was revoked meanwhile sees no more.
const LONGEST: u32 = 300;

/// Follow the overview: an event `overview` at once and every other second, for ten minutes; then connect again.
#[utoipa::path(get, path = "/v1/ops/stream", operation_id = "follow_overview", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "Server-sent events", body = OverviewBody, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(state): State<AppState>,
    caller: Authorised<ReadOperations>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    look(&state).await?;
    let person = caller.person.clone();
    let events = stream::unfold((state, person, 0), async |(state, person, count)| {
        if count >= LONGEST || state.engine.shared.places.is_closed() {
            return None;
        }
        if count > 0 {
            tokio::time::sleep(PERIOD).await;
            if !still_may(&state, person.as_ref()).await {
                return None;
            }
        }
        Some((Ok(event(&state).await), (state, person, count + 1)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Whether the person whose session it is may still look. A key is asked again when the dashboard connects again.
async fn still_may(state: &AppState, person: Option<&User>) -> bool {
    let Some(person) = person else { return true };
    // While the database is away there is nothing to be seen anyway.
    let Ok(now) = state.engine.shared.store.user(&person.name).await else { return true };
    now.is_some_and(|now| now.disabled_at.is_none() && now.epoch == person.epoch && now.role.may(Scope::OpsRead))
}

/// The overview; a comment when it cannot be had, so that the connection stays while the database is away.
async fn event(state: &AppState) -> Event {
    match look(state).await.map(|overview| Event::default().event("overview").json_data(overview)) {
        Ok(Ok(event)) => event,
        Ok(Err(_)) | Err(_) => Event::default().comment("no overview now"),
    }
}

//! The overview as it changes, for dashboards.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    response::sse::{Event, KeepAlive, Sse},
};
use futures::{Stream, stream};

use crate::http::{
    auth::{Authorised, ReadOperations},
    problem::Problem,
    state::AppState,
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
    _caller: Authorised<ReadOperations>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    look(&state).await?;
    let events = stream::unfold((state, 0), async |(state, count)| {
        if count >= LONGEST || state.engine.shared.places.is_closed() {
            return None;
        }
        if count > 0 {
            tokio::time::sleep(PERIOD).await;
        }
        Some((Ok(event(&state).await), (state, count + 1)))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// The overview; a comment when it cannot be had, so that the connection stays while the database is away.
async fn event(state: &AppState) -> Event {
    match look(state).await.map(|overview| Event::default().event("overview").json_data(overview)) {
        Ok(Ok(event)) => event,
        Ok(Err(_)) | Err(_) => Event::default().comment("no overview now"),
    }
}

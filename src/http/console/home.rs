//! Where a reviewer begins: the next task by one key, what they hold, how they do.

use askama::Template;
use axum::{extract::State, response::Response};

use crate::{
    domain::review::ReviewState,
    http::{
        api::reviews::{
            body::{ReviewBody, Viewer},
            pace::{PaceBody, pace_of},
            promise::Promise,
        },
        auth,
        pages::{
            chip::Chip,
            page::{Page, html},
        },
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::{Page as Slice, ReviewFilter},
};

use super::view;

/// Claims that are shown; the limit of open claims is below.
const CLAIMS: usize = 50;
/// Tasks that are counted at most.
const MOST: u64 = 10_000;

#[derive(Template)]
#[template(path = "review/home.html")]
struct Home {
    page: Page,
    open: u64,
    claimed: u64,
    claims: Vec<(ReviewBody, Chip)>,
    limit: u64,
    pace: PaceBody,
    overturned: String,
}

/// The reviewer's first page.
pub(super) async fn home(
    State(state): State<AppState>,
    page: Page,
    person: Person<auth::Review>,
) -> Result<Response, Problem> {
    let store = &state.engine.shared.store;
    // Whoever is bound to one authority sees what waits there.
    let bound = person.authority.clone().filter(|_| !person.other_authorities);
    let of = |state| ReviewFilter { state: Some(state), authority: bound.clone(), reviewer: None };
    let open = store.count_reviews(&of(ReviewState::Open), MOST).await?;
    let claimed = store.count_reviews(&of(ReviewState::Claimed), MOST).await?;
    let mine = ReviewFilter { state: Some(ReviewState::Claimed), authority: None, reviewer: Some(person.name.clone()) };
    let held = store.reviews(&mine, &Slice { limit: CLAIMS, after: None }).await?;
    let promise = Promise::of(&state);
    let viewer = Viewer::person(&person);
    let bodies = held.items.into_iter().map(|review| ReviewBody::of(review, &promise, &viewer));
    let claims: Vec<_> =
        bodies.map(|body| (view::deadline(&page, &body), body)).map(|(chip, body)| (body, chip)).collect();
    let pace = pace_of(&state, &person.name).await?;
    let overturned = match pace.decided_30_days {
        0 => "–".to_owned(),
        decided => format!("{:.1} %", pace.overturned_30_days as f64 * 100.0 / decided as f64),
    };
    let limit = state.engine.shared.settings.timing.claim_limit;
    Ok(html(&Home { page, open, claimed, claims, limit, pace, overturned }))
}

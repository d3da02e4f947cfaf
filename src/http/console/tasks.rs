//! The list of tasks, for supervisors: reviewers take the next one and do not pick.

use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

use crate::{
    domain::{authority::IssuingAuthority, review::ReviewState},
    http::{
        api::reviews::{body::ReviewBody, promise::Promise},
        auth,
        pages::{
            chip::Chip,
            page::{Page, html},
        },
        params::Params,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::{Page as Slice, ReviewFilter},
};

use super::view;

/// Tasks on one page.
const SHOWN: usize = 50;

/// Which tasks.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<String>,
    authority: Option<String>,
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "review/tasks.html")]
struct TasksPage {
    page: Page,
    state: String,
    authority: String,
    wrong_authority: bool,
    tasks: Vec<Row>,
    next: Option<String>,
    people: Vec<String>,
}

/// A task of the list.
struct Row {
    task: ReviewBody,
    chip: Chip,
    /// Whether it is decided, and the decision has not taken effect.
    can_reopen: bool,
    /// Whether a second look can be asked for.
    can_demand: bool,
}

/// Tasks, least time left first.
pub(super) async fn tasks(
    State(state): State<AppState>,
    page: Page,
    _person: Person<auth::Supervise>,
    Params(wanted): Params<Wanted>,
) -> Result<Response, Problem> {
    let store = &state.engine.shared.store;
    let wanted_state = wanted.state.unwrap_or_else(|| ReviewState::Open.as_str().to_owned());
    let authority = wanted.authority.unwrap_or_default();
    let wrong_authority = !authority.is_empty() && IssuingAuthority::parse(&authority).is_err();
    let filter = ReviewFilter {
        // Anything else shows all of them.
        state: wanted_state.parse().ok(),
        authority: Some(authority.clone()).filter(|text| !text.is_empty()),
        reviewer: None,
    };
    let listed = store.reviews(&filter, &Slice { limit: SHOWN, after: wanted.cursor }).await?;
    let promise = Promise::of(&state);
    let bodies = listed.items.into_iter().map(|review| ReviewBody::of(review, &promise));
    let now = state.engine.shared.clock.now();
    let row = |task: ReviewBody| Row {
        chip: view::deadline(&page, &task),
        can_demand: !task.second_demanded
            && !task.second_look
            && task.disputed.is_empty()
            && matches!(task.state, ReviewState::Open | ReviewState::Claimed),
        can_reopen: task.decision.as_ref().is_some_and(|decision| decision.takes_effect_at > now),
        task,
    };
    let tasks = bodies.map(row).collect();
    let people = store
        .users()
        .await?
        .into_iter()
        .filter(|user| user.disabled_at.is_none() && user.role.may(auth::Scope::Reviews));
    let people = people.map(|user| user.name).collect();
    Ok(html(&TasksPage { page, state: wanted_state, authority, wrong_authority, tasks, next: listed.next, people }))
}

impl TasksPage {
    /// The address of the same list from a place on.
    fn from(&self, cursor: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", &self.state);
        if !self.authority.is_empty() {
            query.append_pair("authority", &self.authority);
        }
        format!("/review/tasks?{}", query.append_pair("cursor", cursor).finish())
    }
}

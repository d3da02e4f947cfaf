//! The list of tasks, for supervisors: reviewers take the next one and do not pick.

use askama::Template;
use axum::{extract::State, response::Response};
use futures::future::try_join_all;
use serde::Deserialize;

use crate::{
    domain::{
        application::{Application, Status},
        authority::IssuingAuthority,
        review::{Review, ReviewState},
    },
    http::{
        api::reviews::{
            body::{ReviewBody, Viewer},
            promise::Promise,
        },
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
    store::{
        types::{Page as Slice, ReviewFilter},
        users::User,
    },
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
    /// Whether it is decided, and the applicant may not know.
    can_reopen: bool,
    /// Whether a second look can be asked for.
    can_demand: bool,
    /// Whether it waits for a supervisor and each of them has decided on it, or may not.
    is_stranded: bool,
}

/// Tasks, least time left first.
pub(super) async fn tasks(
    State(state): State<AppState>,
    page: Page,
    person: Person<auth::Supervise>,
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
    let viewer = Viewer::person(&person);
    let users: Vec<User> = store.users().await?.into_iter().filter(|user| user.disabled_at.is_none()).collect();
    let row = async |review: Review| -> Result<Row, Problem> {
        let view = store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
        let is_stranded = is_stranded(&users, &review, &view.application);
        let task = ReviewBody::of(review, &promise, &viewer);
        Ok(Row {
            is_stranded,
            chip: view::deadline(&page, &task),
            can_demand: task.second_demanded != Some(true)
                && task.second_look != Some(true)
                && task.disputed.is_empty()
                && matches!(task.state, ReviewState::Open | ReviewState::Claimed),
            can_reopen: task.state == ReviewState::Decided && is_untold(&view.application),
            task,
        })
    };
    let tasks = try_join_all(listed.items.into_iter().map(row)).await?;
    let people = users.iter().filter(|user| user.role.may(auth::Scope::Reviews));
    let people = people.map(|user| user.name.clone()).collect();
    Ok(html(&TasksPage { page, state: wanted_state, authority, wrong_authority, tasks, next: listed.next, people }))
}

/// Whether the result may not have reached the applicant yet: whether a notification was taken up is known only when
/// somebody asks to open the task again.
fn is_untold(app: &Application) -> bool {
    app.completed_at.is_none() && app.notified_at.is_none() && app.status != Status::Issued
}

/// A supervisor who was one of two that disagree cannot settle it; somebody has to know when there is no other.
fn is_stranded(users: &[User], review: &Review, app: &Application) -> bool {
    let may = |user: &User| {
        user.role.may(auth::Scope::ReviewsSupervise)
            && user.takes(review.authority.as_deref())
            && user.document.as_ref() != Some(&app.holder)
            && !app.reviewed_by.contains(&user.name)
            && !review.was_decided_by(&user.name)
    };
    review.state == ReviewState::Open && review.supervisor_only && !users.iter().any(may)
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

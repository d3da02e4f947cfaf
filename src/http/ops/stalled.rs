//! Applications that wait for an operator: by error, and one by one.

use askama::Template;
use axum::{
    Form,
    extract::{Query, RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    caller,
    show::{self, moment},
};
use crate::{
    domain::{cause::OperatorAct, ids::ApplicationId, stage::Stage, wire::wire_enum},
    http::{
        api::{
            ops::{
                batches::BulkFilter,
                stalled::{self as api, GroupBody, LONGEST_REASON, StalledBody, grouped},
            },
            reviews::promise::Promise,
            written_field,
        },
        auth::{ReadOperations, WriteOperations},
        pages::{
            chip::{self, Chip},
            page::{Page, html, html_with},
        },
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::{ApplicationFilter, ApplicationView, Page as Rows},
};

/// Applications on a page.
const LISTED: usize = 50;

/// Which applications: in the address, so that a list can be shared.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    pub(super) stage: String,
    #[serde(default)]
    pub(super) error_code: String,
    #[serde(default)]
    pub(super) cursor: String,
    /// The application that was acted on last.
    #[serde(default)]
    pub(super) done: String,
}

impl Filter {
    /// What an act on all of them is about.
    ///
    /// # Errors
    /// A stage that is none: it would mean all of them.
    pub(super) fn bulk(&self) -> Result<BulkFilter, Problem> {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let stage = text(&self.stage).map(|stage| stage.parse::<Stage>()).transpose();
        let stage = stage.map_err(|_| Problem::field("/stage", "unknown_value", "must be the name of a stage"))?;
        Ok(BulkFilter { stage, error_code: text(&self.error_code), kind: None, owner: None })
    }

    /// The address of the list after an act on an application of it.
    fn after(&self, id: ApplicationId) -> String {
        let mut place = url::form_urlencoded::Serializer::new(self.query());
        let place = place.append_pair("cursor", &self.cursor).append_pair("done", &id.to_string()).finish();
        format!("/ops/stalled?{place}")
    }

    /// As it stands in an address, without the place in the list.
    pub(super) fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("stage", &self.stage).append_pair("error_code", &self.error_code).finish()
    }
}

#[derive(Template)]
#[template(path = "ops/stalled.html")]
struct List {
    page: Page,
    groups: Vec<Group>,
    filter: Filter,
    query: String,
    items: Vec<Row>,
    next: Option<String>,
    problem: String,
    /// The application that was acted on last.
    done: Option<ApplicationId>,
}

struct Group {
    body: GroupBody,
    first: String,
    last: String,
    query: String,
}

pub(super) struct Row {
    pub(super) body: StalledBody,
    pub(super) at: String,
    pub(super) detail: String,
    pub(super) deadline: Chip,
    /// Whether the identity can be accepted as checked at the counter.
    acceptable: bool,
}

impl Row {
    pub(super) fn of(page: &Page, body: StalledBody) -> Self {
        Self {
            deadline: chip::due(page, &body.due),
            at: body.last_error.as_ref().map_or_else(|| show::NOTHING.to_owned(), |error| moment(error.at)),
            detail: body.last_error.as_ref().map_or_else(String::new, |error| error.detail.clone()),
            acceptable: body.error_code.as_deref() == Some("face_manual"),
            body,
        }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    Ok(html(&listed(&state, page, filter, String::new()).await?))
}

async fn listed(state: &AppState, page: Page, filter: Filter, problem: String) -> Result<List, Problem> {
    let group = |body: GroupBody| {
        let query = Filter { stage: body.stage.clone(), error_code: body.error_code.clone(), ..Filter::default() };
        Group { first: moment(body.first_seen_at), last: moment(body.last_seen_at), query: query.query(), body }
    };
    let groups = grouped(state).await?.into_iter().map(group).collect();
    let BulkFilter { stage, error_code, .. } = filter.bulk()?;
    let wanted = ApplicationFilter { stage, error_code, needs_operator: true, ..ApplicationFilter::default() };
    let after = Some(filter.cursor.clone()).filter(|cursor| !cursor.is_empty());
    let found = state.engine.shared.store.applications(&wanted, &Rows { limit: LISTED, after }).await?;
    let promise = Promise::of(state);
    let row = |view: &ApplicationView| Row::of(&page, StalledBody::of(&view.application, &promise));
    let items = found.items.iter().map(row).collect();
    let done = filter.done.parse().ok().filter(|_| problem.is_empty());
    Ok(List { page, groups, query: filter.query(), filter, items, next: found.next, problem, done })
}

wire_enum! {
    /// What an operator does about an application.
    pub enum Act as "act" {
        /// Try again.
        Retry = "retry",
        /// Reject it.
        Reject = "reject",
        /// Accept the identity as checked at the counter.
        Accept = "accept",
    }
}

/// What to do, why, and where to go on.
#[derive(Deserialize)]
pub(super) struct ActForm {
    act: Act,
    #[serde(default)]
    reason: String,
}

pub(super) async fn act(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(id): Named<ApplicationId>,
    RawQuery(query): RawQuery,
    Query(filter): Query<Filter>,
    Form(form): Form<ActForm>,
) -> Result<Response, Problem> {
    let reason = || written_field("/reason", &form.reason, LONGEST_REASON).map(|()| form.reason.clone());
    let act = match form.act {
        Act::Retry => Ok(OperatorAct::Retry),
        Act::Reject => reason().map(|reason| OperatorAct::Reject { reason }),
        Act::Accept => reason().map(|reason| OperatorAct::Accept { reason }),
    };
    let done = match act {
        Ok(act) => api::act(&state, &caller(&person), id, act).await.map(drop),
        Err(problem) => Err(problem),
    };
    match done {
        // A list says which one it is; the application's own page says nothing.
        Ok(()) if query.is_some() => Ok(Redirect::to(&filter.after(id)).into_response()),
        Ok(()) => Ok(Redirect::to(&format!("/ops/applications/{id}")).into_response()),
        Err(problem) if matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) => {
            let status = problem.status();
            let problem = show::refusal(&page, &problem);
            Ok(html_with(status, &listed(&state, page, filter, problem).await?))
        }
        Err(problem) => Err(problem),
    }
}

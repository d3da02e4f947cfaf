//! Applications that wait for an operator: by error, one by one, and many at once.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::{
    caller,
    show::{self, moment},
};
use crate::{
    domain::{
        cause::OperatorAct,
        ids::{ApplicationId, BatchId},
        stage::Stage,
        wire::wire_enum,
    },
    http::{
        api::{
            ops::{
                batches::{BatchBody, BulkFilter, BulkRetry, ItemBody, StartedBody, progress, start},
                stalled::{self as api, GroupBody, LONGEST_REASON, StalledBody, grouped},
            },
            written_field,
        },
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::{
        rows::needs_operator,
        types::{ApplicationFilter, Page as Rows},
    },
};

/// Applications on a page.
const LISTED: usize = 50;
/// Above so many applications, their number has to be typed.
const TYPED_ABOVE: u64 = 100;
/// Items of a batch that a page shows and verifies.
const ITEMS: usize = 100;
/// Applications that are looked up side by side.
const SIDE_BY_SIDE: usize = 4;

/// Which applications: in the address, so that a list can be shared.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    cursor: String,
}

impl Filter {
    fn stage(&self) -> Option<Stage> {
        self.stage.parse().ok()
    }

    fn error_code(&self) -> Option<String> {
        Some(self.error_code.clone()).filter(|code| !code.is_empty())
    }

    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("stage", &self.stage).append_pair("error_code", &self.error_code).finish()
    }

    fn bulk(&self, dry_run: bool) -> BulkRetry {
        let filter = BulkFilter { stage: self.stage(), error_code: self.error_code(), kind: None, owner: None };
        BulkRetry { filter, dry_run }
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
}

struct Group {
    body: GroupBody,
    first: String,
    last: String,
    query: String,
}

struct Row {
    body: StalledBody,
    at: String,
    detail: String,
    /// Whether the identity can be accepted as checked at the counter.
    acceptable: bool,
}

impl Row {
    fn of(body: StalledBody) -> Self {
        Self {
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
        let query = Filter { stage: body.stage.clone(), error_code: body.error_code.clone(), cursor: String::new() };
        Group { first: moment(body.first_seen_at), last: moment(body.last_seen_at), query: query.query(), body }
    };
    let groups = grouped(state).await?.into_iter().map(group).collect();
    let wanted = ApplicationFilter {
        stage: filter.stage(),
        error_code: filter.error_code(),
        needs_operator: true,
        ..ApplicationFilter::default()
    };
    let after = Some(filter.cursor.clone()).filter(|cursor| !cursor.is_empty());
    let found = state.engine.shared.store.applications(&wanted, &Rows { limit: LISTED, after }).await?;
    let items = found.items.iter().map(|view| Row::of(StalledBody::of(&view.application))).collect();
    Ok(List { page, groups, query: filter.query(), filter, items, next: found.next, problem })
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
        Ok(()) => Ok(Redirect::to(&format!("/ops/applications/{id}")).into_response()),
        Err(problem) if matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) => {
            let status = problem.status();
            let problem = show::refusal(&page, &problem);
            Ok(html_with(status, &listed(&state, page, Filter::default(), problem).await?))
        }
        Err(problem) => Err(problem),
    }
}

#[derive(Template)]
#[template(path = "ops/retry.html")]
struct Preview {
    page: Page,
    filter: Filter,
    started: StartedBody,
    sample: Vec<Row>,
    typed: bool,
    problem: String,
}

pub(super) async fn preview(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    Ok(html(&previewed(&state, page, &person, filter, String::new()).await?))
}

async fn previewed(
    state: &AppState,
    page: Page,
    person: &Person<WriteOperations>,
    filter: Filter,
    problem: String,
) -> Result<Preview, Problem> {
    let mut started = start(state, &caller(person), filter.bulk(true)).await?;
    let sample = std::mem::take(&mut started.sample).into_iter().map(Row::of).collect();
    Ok(Preview { typed: started.matched > TYPED_ABOVE, page, filter, started, sample, problem })
}

/// The filter again, and the number that was typed.
#[derive(Deserialize)]
pub(super) struct RetryForm {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    typed: String,
}

pub(super) async fn retry_many(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Form(form): Form<RetryForm>,
) -> Result<Response, Problem> {
    let filter = Filter { stage: form.stage, error_code: form.error_code, cursor: String::new() };
    let matched = start(&state, &caller(&person), filter.bulk(true)).await?.matched;
    if matched == 0 || (matched > TYPED_ABOVE && form.typed.trim() != matched.to_string()) {
        let none = matched == 0;
        let problem = if none { page.t("ops.retry.none") } else { page.t("ops.retry.typed_wrong") };
        let problem = problem.to_owned();
        let again = previewed(&state, page, &person, filter, problem).await?;
        return Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &again));
    }
    let started = start(&state, &caller(&person), filter.bulk(false)).await?;
    let id = started.batch_id.ok_or_else(Problem::not_found)?;
    Ok(Redirect::to(&format!("/ops/batches/{id}")).into_response())
}

wire_enum! {
    /// What became of a retried application.
    pub enum Verdict as "verdict" {
        /// Not retried yet.
        Queued = "queued",
        /// The retry was refused.
        Refused = "refused",
        /// It goes on, and the error is gone.
        Succeeded = "succeeded",
        /// It stalled again.
        Failed = "failed",
        /// It is being tried.
        Waiting = "waiting",
    }
}

#[derive(Template)]
#[template(path = "ops/batch.html")]
struct Batch {
    page: Page,
    body: BatchBody,
    at: String,
    share: u64,
    items: Vec<(ItemBody, Verdict)>,
    tally: Vec<(Verdict, usize)>,
    more: bool,
}

pub(super) async fn batch(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Named(id): Named<BatchId>,
) -> Result<Response, Problem> {
    let mut body = progress(&state, id).await?;
    let more = body.items.len() > ITEMS;
    let mut items = std::mem::take(&mut body.items);
    items.truncate(ITEMS);
    let judged = items.into_iter().map(|item| judge(&state, item));
    let items: Vec<(ItemBody, Verdict)> = stream::iter(judged).buffered(SIDE_BY_SIDE).try_collect().await?;
    let count = |verdict: &Verdict| (*verdict, items.iter().filter(|(_, other)| other == verdict).count());
    let tally = Verdict::ALL.iter().map(count).filter(|(_, count)| *count > 0).collect();
    let share = body.done * 100 / body.matched.max(1);
    Ok(html(&Batch { at: moment(body.created_at), page, share, items, tally, more, body }))
}

/// What became of an item, by the application as it is now.
async fn judge(state: &AppState, item: ItemBody) -> Result<(ItemBody, Verdict), Problem> {
    let verdict = match item.result.as_deref() {
        None => Verdict::Queued,
        Some("retried") => match state.engine.shared.store.application(item.application_id).await? {
            Some(view) if needs_operator(&view.application) => Verdict::Failed,
            Some(view) if view.application.last_error.is_none() || view.application.completed_at.is_some() => {
                Verdict::Succeeded
            }
            _ => Verdict::Waiting,
        },
        Some(_) => Verdict::Refused,
    };
    Ok((item, verdict))
}

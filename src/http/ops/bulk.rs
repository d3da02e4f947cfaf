//! Many applications at once: what an act would be about, its confirmation, and what became of each.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    caller,
    show::{self, moment},
    stalled::{Filter, Row},
};
use crate::{
    domain::{
        batch::{BatchAct, ItemVerdict},
        ids::BatchId,
    },
    http::{
        api::ops::batches::{BatchBody, Bulk, ItemBody, StartedBody, progress, start},
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::Page as Rows,
};

/// Above so many applications, their number has to be typed.
const TYPED_ABOVE: u64 = 100;
/// Items of a batch on a page.
const ITEMS: usize = 50;

#[derive(Template)]
#[template(path = "ops/bulk.html")]
struct Preview {
    page: Page,
    act: BatchAct,
    filter: Filter,
    reason: String,
    started: StartedBody,
    sample: Vec<Row>,
    typed: bool,
    problem: String,
}

pub(super) async fn preview(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(act): Named<BatchAct>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let form = BulkForm { stage: filter.stage, error_code: filter.error_code, ..BulkForm::default() };
    Ok(html(&previewed(&state, page, &person, act, form, String::new()).await?))
}

async fn previewed(
    state: &AppState,
    page: Page,
    person: &Person<WriteOperations>,
    act: BatchAct,
    form: BulkForm,
    problem: String,
) -> Result<Preview, Problem> {
    let mut started = start(state, &caller(person), form.bulk(act, true)?).await?;
    let sample = std::mem::take(&mut started.sample).into_iter().map(|body| Row::of(&page, body)).collect();
    let (filter, reason) = (form.filter(), form.reason);
    Ok(Preview { typed: started.matched > TYPED_ABOVE, page, act, filter, reason, started, sample, problem })
}

/// The filter again, why, and the number that was typed.
#[derive(Default, Deserialize)]
pub(super) struct BulkForm {
    #[serde(default)]
    stage: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    typed: String,
}

impl BulkForm {
    fn filter(&self) -> Filter {
        Filter { stage: self.stage.clone(), error_code: self.error_code.clone(), ..Filter::default() }
    }

    fn bulk(&self, act: BatchAct, dry_run: bool) -> Result<Bulk, Problem> {
        let reason = (act == BatchAct::Reject).then(|| self.reason.clone());
        Ok(Bulk { act, reason, filter: self.filter().bulk()?, dry_run })
    }

    /// What is wrong with the confirmation.
    fn doubt(&self, page: &Page, matched: u64) -> Option<String> {
        let doubt = match matched {
            0 => page.t("ops.bulk.none"),
            _ if matched > TYPED_ABOVE && self.typed.trim() != matched.to_string() => page.t("ops.bulk.typed_wrong"),
            _ => return None,
        };
        Some(doubt.to_owned())
    }
}

pub(super) async fn act(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(act): Named<BatchAct>,
    Form(form): Form<BulkForm>,
) -> Result<Response, Problem> {
    let matched = start(&state, &caller(&person), form.bulk(act, true)?).await?.matched;
    let problem = match form.doubt(&page, matched) {
        Some(doubt) => doubt,
        None => match start(&state, &caller(&person), form.bulk(act, false)?).await {
            Ok(started) => {
                let id = started.batch_id.ok_or_else(Problem::not_found)?;
                return Ok(Redirect::to(&format!("/ops/batches/{id}")).into_response());
            }
            Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => show::refusal(&page, &problem),
            Err(problem) => return Err(problem),
        },
    };
    let again = previewed(&state, page, &person, act, form, problem).await?;
    Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &again))
}

/// Which page of a batch.
#[derive(Deserialize)]
pub(super) struct Place {
    cursor: Option<String>,
}

#[derive(Template)]
#[template(path = "ops/batch.html")]
struct Batch {
    page: Page,
    body: BatchBody,
    at: String,
    share: u64,
    /// Each with its tone, those that there are.
    tallies: Vec<(ItemVerdict, u64, &'static str)>,
    items: Vec<(ItemBody, &'static str)>,
}

/// How a verdict looks.
fn tone(verdict: ItemVerdict) -> &'static str {
    match verdict {
        ItemVerdict::Succeeded => "good",
        ItemVerdict::Failed | ItemVerdict::Refused => "bad",
        ItemVerdict::Queued | ItemVerdict::Waiting => "",
    }
}

pub(super) async fn batch(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Named(id): Named<BatchId>,
    Query(place): Query<Place>,
) -> Result<Response, Problem> {
    let mut body = progress(&state, id, &Rows { limit: ITEMS, after: place.cursor }).await?;
    let share = body.done * 100 / body.matched.max(1);
    let counted = body.verdicts.iter().filter(|(_, count)| **count > 0);
    let tallies = counted.map(|(verdict, count)| (*verdict, *count, tone(*verdict))).collect();
    let items = std::mem::take(&mut body.items).into_iter().map(|item| {
        let tone = tone(item.verdict);
        (item, tone)
    });
    Ok(html(&Batch { at: moment(body.created_at), page, share, tallies, items: items.collect(), body }))
}

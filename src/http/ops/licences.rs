//! Issued licences: what is wrong with some, what changed, and the end of one's service.

use askama::Template;
use axum::{
    Form,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    application, caller,
    show::{self, moment, moment_or},
};
use crate::{
    domain::ids::LicenceId,
    http::{
        api::ops::{
            licence_changes::{ChangeBody, changes},
            licence_problems::{ProblemLicenceBody, card_refused},
            licences::{CheckBody, OperatorLicenceBody, end_service, look},
        },
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::Page as Rows,
};

/// Licences on a page.
const LISTED: usize = 50;
/// So many of the last characters of a licence's id are typed to end its service.
const TYPED: usize = 6;

/// Which pages of the lists.
#[derive(Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    cursor: String,
    #[serde(default)]
    changes: String,
}

#[derive(Template)]
#[template(path = "ops/licences.html")]
struct List {
    page: Page,
    refused: Vec<(ProblemLicenceBody, String)>,
    next: Option<String>,
    changes: Vec<(ChangeBody, String)>,
    next_changes: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let rows = |cursor: String| Rows { limit: LISTED, after: Some(cursor).filter(|cursor| !cursor.is_empty()) };
    let refused = card_refused(&state, &rows(filter.cursor)).await?;
    let changes = changes(&state, &rows(filter.changes)).await?;
    Ok(html(&List {
        page,
        next: refused.next_cursor,
        refused: with_moments(refused.items, |body| body.issued_at),
        next_changes: changes.next_cursor,
        changes: with_moments(changes.items, |body| body.at),
    }))
}

/// Each with a moment as pages show it.
fn with_moments<T>(bodies: Vec<T>, at: impl Fn(&T) -> DateTime<Utc>) -> Vec<(T, String)> {
    let shown = |body| {
        let at = moment(at(&body));
        (body, at)
    };
    bodies.into_iter().map(shown).collect()
}

/// The licence of an application, as its page shows it.
pub(super) struct Panel {
    pub(super) body: OperatorLicenceBody,
    pub(super) issued: String,
    pub(super) terminated: String,
    pub(super) checked: String,
    pub(super) checks: Vec<(CheckBody, String)>,
    /// What is typed to end its service.
    pub(super) typed: String,
    /// Why it was not ended; empty where nobody tried.
    pub(super) problem: String,
}

impl Panel {
    /// Looks at a licence now.
    ///
    /// # Errors
    /// Those of the desk.
    pub(super) async fn of(state: &AppState, id: LicenceId) -> Result<Self, Problem> {
        let mut body = look(state, id).await?;
        let checks = std::mem::take(&mut body.checks);
        Ok(Self {
            issued: moment(body.licence.issued_at),
            terminated: moment_or(body.terminated_at),
            checked: moment_or(body.licence.display.checked_at),
            checks: with_moments(checks, |check| check.at),
            typed: typed(id),
            problem: String::new(),
            body,
        })
    }
}

fn typed(id: LicenceId) -> String {
    let id = id.to_string();
    id.chars().skip(id.chars().count().saturating_sub(TYPED)).collect()
}

/// The end of a service: why, and the characters that say that it is meant.
#[derive(Deserialize)]
pub(super) struct Termination {
    reason: String,
    typed: String,
}

pub(super) async fn terminate(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(id): Named<LicenceId>,
    Form(form): Form<Termination>,
) -> Result<Response, Problem> {
    let licence = state.engine.shared.store.licence(id).await?.ok_or_else(Problem::not_found)?;
    let problem = if form.typed.trim() == typed(id) {
        match end_service(&state, &caller(&person), id, form.reason).await {
            Ok(_) => {
                let back = format!("/ops/applications/{}#licence", licence.application_id);
                return Ok(Redirect::to(&back).into_response());
            }
            Err(problem) if problem.status().is_client_error() => show::refusal(&page, &problem),
            Err(problem) => return Err(problem),
        }
    } else {
        page.t("ops.licence.not_typed").to_owned()
    };
    let mut shown = application::everything(&state, page, licence.application_id, None).await?;
    if let Some(panel) = &mut shown.licence {
        panel.problem = problem;
    }
    Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &shown))
}

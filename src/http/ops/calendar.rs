//! The working-day calendar: what is in use, a dry run of another one, its import.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    caller,
    show::{self, moment_or},
};
use crate::http::{
    api::ops::calendar::{CalendarBody, ChangeBody, ImportBody, replace, shown, try_out},
    auth::{ReadOperations, Scope, forbidden},
    pages::page::{Page, html, html_with},
    person::Person,
    problem::Problem,
    state::AppState,
};

#[derive(Template)]
#[template(path = "ops/calendar.html")]
struct CalendarPage {
    page: Page,
    calendar: CalendarBody,
    problem: String,
    form: ImportForm,
    tried: Option<Tried>,
}

/// What a dry run found.
struct Tried {
    body: ImportBody,
    looked_at: usize,
    complete: bool,
    total: usize,
    rows: Vec<(ChangeBody, String, String)>,
}

impl Tried {
    fn of(mut body: ImportBody) -> Option<Self> {
        let found = body.preview.take()?;
        let row = |change: ChangeBody| {
            let (from, to) = (moment_or(change.from), moment_or(change.to));
            (change, from, to)
        };
        let rows = found.items.into_iter().map(row).collect();
        Some(Self { body, looked_at: found.looked_at, complete: found.complete, total: found.total, rows })
    }
}

/// A file, and whether it is meant.
#[derive(Default, Deserialize)]
pub(super) struct ImportForm {
    #[serde(default)]
    source: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    act: String,
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
) -> Result<Response, Problem> {
    Ok(html(&filled(&state, page, ImportForm::default()).await?))
}

async fn filled(state: &AppState, page: Page, form: ImportForm) -> Result<CalendarPage, Problem> {
    let calendar = shown(state).await?;
    Ok(CalendarPage { page, calendar, problem: String::new(), form, tried: None })
}

pub(super) async fn act(
    State(state): State<AppState>,
    page: Page,
    person: Person<ReadOperations>,
    Form(form): Form<ImportForm>,
) -> Result<Response, Problem> {
    let is_meant = form.act == "import";
    if is_meant && !person.role.may(Scope::OpsWrite) {
        return Err(forbidden(&[Scope::OpsWrite]));
    }
    // A browser sends lines with CRLF.
    let source = form.source.replace("\r\n", "\n");
    let done = if is_meant {
        replace(&state, &caller(&person), source, form.reason.trim()).await
    } else {
        try_out(&state, source).await
    };
    match done {
        Ok(body) if body.imported => Ok(Redirect::to("/ops/calendar").into_response()),
        Ok(body) => {
            let tried = Tried::of(body);
            Ok(html(&CalendarPage { tried, ..filled(&state, page, form).await? }))
        }
        Err(problem) if matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) => {
            let (status, problem) = (problem.status(), told(&page, &problem));
            Ok(html_with(status, &CalendarPage { problem, ..filled(&state, page, form).await? }))
        }
        Err(problem) => Err(problem),
    }
}

/// What is wrong: with the file's line, where a line is to blame.
fn told(page: &Page, problem: &Problem) -> String {
    match problem.errors().first() {
        Some(fault) if fault.code == "calendar_invalid" => page.say("ops.calendar.invalid", &fault.detail),
        _ => show::refusal(page, problem),
    }
}

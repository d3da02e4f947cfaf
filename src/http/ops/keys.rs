//! API keys: listed, made and shown once, revoked. For administrators.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{Redirect, Response},
};

use super::{
    caller,
    show::{moment, moment_or},
};
use crate::{
    domain::scope::Scope,
    http::{
        api::ops::keys::{CreateRequest, CreatedBody, KeyBody, all, end, make},
        auth::Administer,
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
};

#[derive(Template)]
#[template(path = "ops/keys.html")]
struct Keys {
    page: Page,
    keys: Vec<(KeyBody, String, String)>,
    scopes: &'static [Scope],
    problem: String,
    /// What stood in the form that was refused.
    form: KeyForm,
    /// The key that was just made.
    fresh: Option<CreatedBody>,
}

/// A key as a form says it.
#[derive(Default)]
struct KeyForm {
    name: String,
    owner: String,
    scopes: Vec<Scope>,
}

impl KeyForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (field, value) in fields {
            match field.as_str() {
                "name" => value.trim().clone_into(&mut form.name),
                "owner" => value.trim().clone_into(&mut form.owner),
                "scope" => form.scopes.extend(value.parse::<Scope>().ok()),
                _ => {}
            }
        }
        form
    }

    fn creation(&self) -> CreateRequest {
        let owner = (!self.owner.is_empty()).then(|| self.owner.clone());
        CreateRequest { name: self.name.clone(), scopes: self.scopes.clone(), owner }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<Administer>,
) -> Result<Response, Problem> {
    Ok(html(&shown(&state, page, KeyForm::default()).await?))
}

async fn shown(state: &AppState, page: Page, form: KeyForm) -> Result<Keys, Problem> {
    let row = |key: KeyBody| {
        let (created, revoked) = (moment(key.created_at), moment_or(key.revoked_at));
        (key, created, revoked)
    };
    let keys = all(state).await?.into_iter().map(row).collect();
    Ok(Keys { page, keys, scopes: Scope::ALL, problem: String::new(), form, fresh: None })
}

pub(super) async fn create(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Problem> {
    let form = KeyForm::read(fields);
    match make(&state, &caller(&person), form.creation()).await {
        Ok(made) => {
            let list = shown(&state, page, KeyForm::default()).await?;
            Ok(html_with(StatusCode::CREATED, &Keys { fresh: Some(made), ..list }))
        }
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let what = problem.errors().first().map_or(problem.code(), |fault| fault.pointer.trim_start_matches('/'));
            let problem = page.t_of("ops.key.problem.", what);
            let list = shown(&state, page, form).await?;
            Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &Keys { problem, ..list }))
        }
        Err(problem) => Err(problem),
    }
}

pub(super) async fn revoke(
    State(state): State<AppState>,
    person: Person<Administer>,
    Named(id): Named<String>,
) -> Result<Redirect, Problem> {
    end(&state, &caller(&person), &id).await?;
    Ok(Redirect::to("/ops/keys"))
}

//! People who sign in: listed, made, changed, disabled. For administrators.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use secrecy::SecretString;
use serde::Deserialize;

use super::{
    caller,
    show::{moment, moment_or},
};
use crate::{
    domain::{identity::DocumentType, user::Role},
    http::{
        api::ops::{
            administrator,
            users::{
                ChangeRequest, CreateRequest, DocumentBody, PasswordRequest, UserBody, all, assign, make, one,
                replace_password,
            },
        },
        auth::Administer,
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
};

#[derive(Template)]
#[template(path = "ops/users.html")]
struct Users {
    page: Page,
    users: Vec<Row>,
    roles: &'static [Role],
    kinds: &'static [DocumentType],
    problem: String,
    /// What stood in the form that was refused.
    form: UserForm,
    /// The name and the password that were just made.
    fresh: Option<(String, String)>,
}

struct Row {
    user: UserBody,
    created: String,
    disabled: String,
}

impl From<UserBody> for Row {
    fn from(user: UserBody) -> Self {
        Self { created: moment(user.created_at), disabled: moment_or(user.disabled_at), user }
    }
}

#[derive(Template)]
#[template(path = "ops/user.html")]
struct One {
    page: Page,
    row: Row,
    roles: &'static [Role],
    kinds: &'static [DocumentType],
    /// Whether it is the person who looks.
    oneself: bool,
    problem: String,
    done: bool,
    /// The password that was just made.
    fresh: Option<String>,
}

/// A user as a form says it; what is empty is not there.
#[derive(Default, Deserialize)]
pub(super) struct UserForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    authority: String,
    #[serde(default)]
    other_authorities: bool,
    #[serde(default)]
    document_type: String,
    #[serde(default)]
    document_number: SecretString,
    #[serde(default)]
    forget_document: bool,
    #[serde(default)]
    password: SecretString,
}

impl UserForm {
    fn role(&self) -> Result<Role, Problem> {
        self.role.parse().map_err(|_| Problem::field("/role", "unknown_value", "must be a role"))
    }

    fn authority(&self) -> Option<String> {
        Some(self.authority.trim().to_owned()).filter(|authority| !authority.is_empty())
    }

    fn document(&self) -> Result<Option<DocumentBody>, Problem> {
        let Some(document_number) = given(&self.document_number) else { return Ok(None) };
        let kind = self.document_type.parse();
        let document_type =
            kind.map_err(|_| Problem::field("/document_number", "unknown_value", "needs a document type"))?;
        Ok(Some(DocumentBody { document_type, document_number }))
    }

    fn creation(&self) -> Result<CreateRequest, Problem> {
        Ok(CreateRequest {
            name: self.name.trim().to_owned(),
            role: self.role()?,
            authority: self.authority(),
            other_authorities: self.other_authorities,
            document: self.document()?,
            password: given(&self.password),
        })
    }

    fn change(&self) -> Result<ChangeRequest, Problem> {
        let document = if self.forget_document { Some(None) } else { self.document()?.map(Some) };
        Ok(ChangeRequest {
            role: Some(self.role()?),
            authority: Some(self.authority()),
            other_authorities: Some(self.other_authorities),
            document,
        })
    }
}

/// What stands in a field, where something does.
fn given(field: &SecretString) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    (!field.expose_secret().is_empty()).then(|| field.clone())
}

/// What to tell of a refusal: the rule of the field that is wrong.
fn refusal(page: &Page, problem: Problem) -> Result<String, Problem> {
    if !matches!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT) {
        return Err(problem);
    }
    let what = problem.errors().first().map_or(problem.code(), |fault| fault.pointer.as_str());
    Ok(page.t_of("ops.user.problem.", what.rsplit('/').next().unwrap_or(what)))
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<Administer>,
) -> Result<Response, Problem> {
    Ok(html(&shown(&state, page, UserForm::default()).await?))
}

async fn shown(state: &AppState, page: Page, form: UserForm) -> Result<Users, Problem> {
    let users = all(state).await?.into_iter().map(Row::from).collect();
    let (roles, kinds) = (Role::ALL, DocumentType::ALL);
    Ok(Users { page, users, roles, kinds, problem: String::new(), form, fresh: None })
}

pub(super) async fn create(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Form(form): Form<UserForm>,
) -> Result<Response, Problem> {
    let made = match form.creation() {
        Ok(request) => make(&state, &caller(&person), request).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(made) => {
            let fresh = Some((made.user.name, made.password.unwrap_or_default()));
            let list = shown(&state, page, UserForm::default()).await?;
            Ok(html_with(StatusCode::CREATED, &Users { fresh, ..list }))
        }
        Err(problem) => {
            let (status, problem) = (problem.status(), refusal(&page, problem)?);
            let list = shown(&state, page, form).await?;
            Ok(html_with(status, &Users { problem, ..list }))
        }
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    Ok(html(&single(&state, page, &person, &name).await?))
}

async fn single(state: &AppState, page: Page, person: &Person<Administer>, name: &str) -> Result<One, Problem> {
    let (row, oneself) = (one(state, name).await?.into(), person.name == name);
    let (roles, kinds) = (Role::ALL, DocumentType::ALL);
    Ok(One { page, row, roles, kinds, oneself, problem: String::new(), done: false, fresh: None })
}

/// The user's page after an act, with the password that it made, or with the reason why it was refused.
async fn after(
    state: &AppState,
    page: Page,
    person: &Person<Administer>,
    name: &str,
    acted: Result<Option<String>, Problem>,
) -> Result<Response, Problem> {
    match acted {
        Ok(fresh) => Ok(html(&One { done: true, fresh, ..single(state, page, person, name).await? })),
        Err(problem) => {
            let (status, problem) = (problem.status(), refusal(&page, problem)?);
            Ok(html_with(status, &One { problem, ..single(state, page, person, name).await? }))
        }
    }
}

pub(super) async fn change(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Named(name): Named<String>,
    Form(form): Form<UserForm>,
) -> Result<Response, Problem> {
    let changed = match form.change() {
        Ok(request) => assign(&state, &caller(&person), &name, request).await.map(|_| None),
        Err(problem) => Err(problem),
    };
    after(&state, page, &person, &name, changed).await
}

pub(super) async fn set_password(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Named(name): Named<String>,
    Form(form): Form<UserForm>,
) -> Result<Response, Problem> {
    let request = PasswordRequest { password: given(&form.password) };
    let set = replace_password(&state, &caller(&person), &name, request).await;
    after(&state, page, &person, &name, set.map(|set| set.password)).await
}

pub(super) async fn disable(
    State(state): State<AppState>,
    page: Page,
    person: Person<Administer>,
    Named(name): Named<String>,
) -> Result<Response, Problem> {
    let disabled = administrator(&state, &caller(&person)).disable_user(&name).await;
    match disabled.map_err(Problem::from) {
        Ok(()) => Ok(Redirect::to("/ops/users").into_response()),
        Err(problem) => after(&state, page, &person, &name, Err(problem)).await,
    }
}

pub(super) async fn enable(
    State(state): State<AppState>,
    person: Person<Administer>,
    Named(name): Named<String>,
) -> Result<Redirect, Problem> {
    administrator(&state, &caller(&person)).enable_user(&name).await?;
    Ok(Redirect::to("/ops/users"))
}

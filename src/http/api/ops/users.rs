//! The people who sign in.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::{
    administration::users::{Changes, NewUser, OwnDocument},
    domain::{identity::DocumentType, user::Role},
    http::{
        auth::{Administer, Authorised, Caller},
        body::Json,
        params::{ListBody, Named},
        problem::Problem,
        state::AppState,
    },
    secrets::password,
    store::users::User,
};

use super::administrator;

/// A person who may sign in, or might once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(in crate::http) struct UserBody {
    /// The name to sign in with.
    pub(in crate::http) name: String,
    /// What the person is here for.
    pub(in crate::http) role: Role,
    /// 发证机关 whose tasks come first.
    pub(in crate::http) authority: Option<String>,
    /// Whether the tasks of other authorities follow.
    pub(in crate::http) other_authorities: bool,
    /// Whether the person's own document is known; its number is not.
    pub(in crate::http) has_document: bool,
    /// When the user was made.
    pub(in crate::http) created_at: DateTime<Utc>,
    /// Since when the person may not sign in any more.
    pub(in crate::http) disabled_at: Option<DateTime<Utc>>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            role: user.role,
            authority: user.authority,
            other_authorities: user.other_authorities,
            has_document: user.document.is_some(),
            created_at: user.created_at,
            disabled_at: user.disabled_at,
        }
    }
}

/// The user's own document: nobody reviews their own photo.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OwnDocument)]
pub(in crate::http) struct DocumentBody {
    /// 证件类型.
    pub(in crate::http) document_type: DocumentType,
    /// 证件号码; only a blind index of it is stored.
    #[schema(value_type = String)]
    pub(in crate::http) document_number: SecretString,
}

impl From<DocumentBody> for OwnDocument {
    fn from(body: DocumentBody) -> Self {
        Self { kind: body.document_type, number: body.document_number }
    }
}

/// A user to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserCreation)]
pub(in crate::http) struct CreateRequest {
    /// 1 to 64 characters; it stays as it is for ever, because the audit log names it.
    pub(in crate::http) name: String,
    /// What the person is here for.
    pub(in crate::http) role: Role,
    /// 发证机关 whose tasks the person reviews, e.g. 蒙C; none: of every authority.
    pub(in crate::http) authority: Option<String>,
    /// Whether the tasks of other authorities follow.
    #[serde(default)]
    pub(in crate::http) other_authorities: bool,
    /// The person's own document.
    pub(in crate::http) document: Option<DocumentBody>,
    /// 12 to 256 characters; without it one is generated, and answered once.
    #[schema(value_type = Option<String>)]
    pub(in crate::http) password: Option<SecretString>,
}

/// A fresh user.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserCreated)]
pub(in crate::http) struct CreatedBody {
    /// The user.
    pub(in crate::http) user: UserBody,
    /// The generated password, which is not answered again; null where it was given.
    pub(in crate::http) password: Option<String>,
}

/// List every user, by name. The scope `admin` is what the role of the same name has.
#[utoipa::path(get, path = "/v1/ops/users", operation_id = "list_users", tag = "administration", security(("key" = ["admin"])),
    responses((status = 200, description = "Every user", body = ListBody<UserBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<Administer>,
) -> Result<Json<ListBody<UserBody>>, Problem> {
    Ok(Json(ListBody::whole(all(&state).await?)))
}

/// Every user.
pub(in crate::http) async fn all(state: &AppState) -> Result<Vec<UserBody>, Problem> {
    Ok(state.engine.shared.store.users().await?.into_iter().map(UserBody::from).collect())
}

/// Create a user. 409 `name_taken`.
#[utoipa::path(post, path = "/v1/ops/users", operation_id = "create_user", tag = "administration", security(("key" = ["admin"])),
    request_body = CreateRequest, responses((status = 201, description = "Made", body = CreatedBody)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Json(request): Json<CreateRequest>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    Ok((StatusCode::CREATED, Json(make(&state, &caller, request).await?)))
}

/// Makes a user in somebody's name.
pub(in crate::http) async fn make(
    state: &AppState,
    caller: &Caller,
    request: CreateRequest,
) -> Result<CreatedBody, Problem> {
    let (password, shown) = given_or_generated(request.password);
    let new = NewUser {
        name: request.name,
        role: request.role,
        authority: request.authority,
        other_authorities: request.other_authorities,
        document: request.document.map(OwnDocument::from),
        password,
    };
    let user = administrator(state, caller).create_user(&state.engine.shared.secrets, new).await?;
    Ok(CreatedBody { user: user.into(), password: shown })
}

/// The password to store, and the one to show.
fn given_or_generated(given: Option<SecretString>) -> (SecretString, Option<String>) {
    match given {
        Some(given) => (given, None),
        None => {
            let generated = password::generate();
            let shown = generated.expose_secret().to_owned();
            (generated, Some(shown))
        }
    }
}

/// What is to be another; what is left out stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserChange)]
pub(in crate::http) struct ChangeRequest {
    /// Another role; it counts from the next request of the person on.
    pub(in crate::http) role: Option<Role>,
    /// Another authority; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(in crate::http) authority: Option<Option<String>>,
    /// Whether the tasks of other authorities follow.
    pub(in crate::http) other_authorities: Option<bool>,
    /// Another document; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<DocumentBody>)]
    pub(in crate::http) document: Option<Option<DocumentBody>>,
}

/// Keeps a member that is null apart from one that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Change a user's role, authority or document. 409 `not_oneself` for one's own role, `last_administrator` for the last
/// one's.
#[utoipa::path(patch, path = "/v1/ops/users/{name}", operation_id = "change_user", tag = "administration", security(("key" = ["admin"])),
    params(("name" = String, Path)), request_body = ChangeRequest, responses((status = 200, description = "Changed", body = UserBody)))]
pub(super) async fn change(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Named(name): Named<String>,
    Json(request): Json<ChangeRequest>,
) -> Result<Json<UserBody>, Problem> {
    Ok(Json(assign(&state, &caller, &name, request).await?))
}

/// Changes a user in somebody's name.
pub(in crate::http) async fn assign(
    state: &AppState,
    caller: &Caller,
    name: &str,
    request: ChangeRequest,
) -> Result<UserBody, Problem> {
    let changes = Changes {
        role: request.role,
        authority: request.authority,
        other_authorities: request.other_authorities,
        document: request.document.map(|document| document.map(OwnDocument::from)),
    };
    let changed = administrator(state, caller).change_user(&state.engine.shared.secrets, name, changes).await?;
    Ok(changed.into())
}

/// Let a user sign in no more; the user's sessions end at once. 409 `not_oneself`, `last_administrator`.
#[utoipa::path(post, path = "/v1/ops/users/{name}/disable", operation_id = "disable_user", tag = "administration", security(("key" = ["admin"])),
    params(("name" = String, Path)), responses((status = 200, description = "Disabled", body = UserBody)))]
pub(super) async fn disable(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Named(name): Named<String>,
) -> Result<Json<UserBody>, Problem> {
    administrator(&state, &caller).disable_user(&name).await?;
    Ok(Json(one(&state, &name).await?))
}

/// Let a disabled user sign in again.
#[utoipa::path(post, path = "/v1/ops/users/{name}/enable", operation_id = "enable_user", tag = "administration", security(("key" = ["admin"])),
    params(("name" = String, Path)), responses((status = 200, description = "Enabled", body = UserBody)))]
pub(super) async fn enable(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Named(name): Named<String>,
) -> Result<Json<UserBody>, Problem> {
    administrator(&state, &caller).enable_user(&name).await?;
    Ok(Json(one(&state, &name).await?))
}

/// A user by name.
pub(in crate::http) async fn one(state: &AppState, name: &str) -> Result<UserBody, Problem> {
    state.engine.shared.store.user(name).await?.map(UserBody::from).ok_or_else(Problem::not_found)
}

/// Another password.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserPassword)]
pub(in crate::http) struct PasswordRequest {
    /// 12 to 256 characters; without it one is generated, and answered once.
    #[schema(value_type = Option<String>)]
    pub(in crate::http) password: Option<SecretString>,
}

/// What was generated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserPasswordSet)]
pub(in crate::http) struct PasswordBody {
    /// The generated password, which is not answered again; null where it was given.
    pub(in crate::http) password: Option<String>,
}

/// Give a user another password; the user's sessions end at once. One's own is changed with the present one at
/// `/account`: 409 `not_oneself`.
#[utoipa::path(post, path = "/v1/ops/users/{name}/password", operation_id = "set_user_password", tag = "administration", security(("key" = ["admin"])),
    params(("name" = String, Path)), request_body = PasswordRequest, responses((status = 200, description = "Set", body = PasswordBody)))]
pub(super) async fn set_password(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Named(name): Named<String>,
    Json(request): Json<PasswordRequest>,
) -> Result<Json<PasswordBody>, Problem> {
    Ok(Json(replace_password(&state, &caller, &name, request).await?))
}

/// Sets a password in somebody's name.
pub(in crate::http) async fn replace_password(
    state: &AppState,
    caller: &Caller,
    name: &str,
    request: PasswordRequest,
) -> Result<PasswordBody, Problem> {
    let (password, shown) = given_or_generated(request.password);
    administrator(state, caller).set_password(name, password).await?;
    Ok(PasswordBody { password: shown })
}

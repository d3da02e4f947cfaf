//! The keys of upstream systems, partners and operators.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::scope::Scope,
    http::{
        auth::{Administer, Authorised, Caller},
        body::Json,
        params::{ListBody, Named},
        problem::Problem,
        state::AppState,
    },
    store::types::ApiKeyRecord,
};

use super::administrator;

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(in crate::http) struct KeyBody {
    /// The public part.
    pub(in crate::http) id: String,
    /// For people and the audit log.
    pub(in crate::http) name: String,
    /// Who owns what the key creates.
    pub(in crate::http) owner: String,
    /// What it may do.
    pub(in crate::http) scopes: Vec<String>,
    /// When it was made.
    pub(in crate::http) created_at: DateTime<Utc>,
    /// Since when it works no more.
    pub(in crate::http) revoked_at: Option<DateTime<Utc>>,
}

impl From<ApiKeyRecord> for KeyBody {
    fn from(record: ApiKeyRecord) -> Self {
        let ApiKeyRecord { id, digest: _, name, owner, scopes, created_at, revoked_at } = record;
        Self { id, name, owner, scopes, created_at, revoked_at }
    }
}

/// A key to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyCreation)]
pub(in crate::http) struct CreateRequest {
    /// For people and the audit log: 1 to 200 characters.
    pub(in crate::http) name: String,
    /// What it may do.
    #[schema(min_items = 1)]
    pub(in crate::http) scopes: Vec<Scope>,
    /// Who owns what the key creates; the name, where nothing is said.
    pub(in crate::http) owner: Option<String>,
}

/// A fresh key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeyCreated)]
pub(in crate::http) struct CreatedBody {
    /// What is stored of it.
    pub(in crate::http) key: KeyBody,
    /// The key itself, for `Authorization: Bearer …`. It is not answered again.
    pub(in crate::http) secret: String,
}

/// List every key, revoked ones too, without the secrets.
#[utoipa::path(get, path = "/v1/ops/keys", operation_id = "list_keys", tag = "administration", security(("key" = ["admin"])),
    responses((status = 200, description = "Every key", body = ListBody<KeyBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<Administer>,
) -> Result<Json<ListBody<KeyBody>>, Problem> {
    Ok(Json(ListBody::whole(all(&state).await?)))
}

/// Every key.
pub(in crate::http) async fn all(state: &AppState) -> Result<Vec<KeyBody>, Problem> {
    Ok(state.engine.shared.store.keys().await?.into_iter().map(KeyBody::from).collect())
}

/// Create a key.
#[utoipa::path(post, path = "/v1/ops/keys", operation_id = "create_key", tag = "administration", security(("key" = ["admin"])),
    request_body = CreateRequest, responses((status = 201, description = "Made", body = CreatedBody)))]
pub(super) async fn create(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Json(request): Json<CreateRequest>,
) -> Result<(StatusCode, Json<CreatedBody>), Problem> {
    Ok((StatusCode::CREATED, Json(make(&state, &caller, request).await?)))
}

/// Makes a key in somebody's name.
pub(in crate::http) async fn make(
    state: &AppState,
    caller: &Caller,
    request: CreateRequest,
) -> Result<CreatedBody, Problem> {
    let owner = request.owner.as_ref().unwrap_or(&request.name);
    let (key, secret) = administrator(state, caller).create_key(&request.name, owner, &request.scopes).await?;
    Ok(CreatedBody { key: key.into(), secret: secret.expose_secret().to_owned() })
}

/// Revoke a key for good; other processes may believe it for two seconds more.
#[utoipa::path(post, path = "/v1/ops/keys/{id}/revoke", operation_id = "revoke_key", tag = "administration", security(("key" = ["admin"])),
    params(("id" = String, Path)), responses((status = 204, description = "Revoked")))]
pub(super) async fn revoke(
    State(state): State<AppState>,
    caller: Authorised<Administer>,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    end(&state, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a key in somebody's name.
pub(in crate::http) async fn end(state: &AppState, caller: &Caller, id: &str) -> Result<(), Problem> {
    administrator(state, caller).revoke_key(id).await?;
    state.keys.forget(id);
    Ok(())
}

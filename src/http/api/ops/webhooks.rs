//! Webhook deliveries: that wait, are dead, or were made.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use crate::{
    domain::ids::{ApplicationId, WebhookId},
    http::{
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::webhooks::{DeliveryState, WebhookFilter, WebhookRecord},
};

use super::action;

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub(in crate::http) struct WebhookBody {
    /// The `webhook-id` of every try.
    pub(in crate::http) id: WebhookId,
    /// The application.
    pub(in crate::http) application_id: ApplicationId,
    /// Where it goes, without the query, which may hold a secret.
    pub(in crate::http) url: String,
    /// How it stands.
    pub(in crate::http) state: DeliveryState,
    /// Tries so far.
    pub(in crate::http) attempts: u32,
    /// The next try; null for a delivered one.
    pub(in crate::http) due_at: Option<DateTime<Utc>>,
    /// When it was delivered.
    pub(in crate::http) delivered_at: Option<DateTime<Utc>>,
    /// The HTTP status that took it.
    pub(in crate::http) last_status: Option<u16>,
    /// What went wrong last.
    pub(in crate::http) last_error: Option<String>,
    /// When the change happened.
    pub(in crate::http) created_at: DateTime<Utc>,
}

impl WebhookBody {
    /// From the outbox.
    pub(in crate::http) fn of(record: WebhookRecord) -> Self {
        Self {
            id: record.id,
            application_id: record.application_id,
            url: without_secrets(&record.url),
            state: record.state,
            attempts: record.attempts,
            due_at: record.due_at,
            delivered_at: record.delivered_at,
            last_status: record.status,
            last_error: record.last_error,
            created_at: record.created_at,
        }
    }
}

fn without_secrets(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return String::new() };
    url.set_query(None);
    url.set_fragment(None);
    // These fail for addresses that cannot have them anyway.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Which deliveries, and which page.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// In this state.
    state: Option<DeliveryState>,
    /// Of this application.
    application_id: Option<ApplicationId>,
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List deliveries, oldest change first; `state=delivered` newest first, for as long as `[retention]` says.
#[utoipa::path(get, path = "/v1/ops/webhooks", operation_id = "list_webhooks", tag = "operations", security(("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<WebhookBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<WebhookBody>>, Problem> {
    let filter = WebhookFilter { state: params.state, application: params.application_id };
    let listed = state.engine.shared.store.webhooks(&filter, &page(params.limit, params.cursor)).await?;
    Ok(Json(ListBody::of(listed, WebhookBody::of)))
}

/// A delivery that is tried again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RetriedBody {
    /// The same `webhook-id` as before.
    id: WebhookId,
    /// Always `pending`.
    state: DeliveryState,
}

/// Send a dead delivery again.
#[utoipa::path(post, path = "/v1/ops/webhooks/{id}/retry", operation_id = "retry_webhook", tag = "operations", security(("key" = ["ops:write"])),
    params(("id" = WebhookId, Path)), responses((status = 200, description = "It will be tried", body = RetriedBody)))]
pub(super) async fn retry(
    State(state): State<AppState>,
    caller: Authorised<WriteOperations>,
    Named(id): Named<WebhookId>,
) -> Result<Json<RetriedBody>, Problem> {
    replay(&state, &caller, id).await?;
    Ok(Json(RetriedBody { id, state: DeliveryState::Pending }))
}

/// Sends a dead delivery again in somebody's name.
pub(in crate::http) async fn replay(state: &AppState, caller: &Caller, id: WebhookId) -> Result<(), Problem> {
    let shared = &state.engine.shared;
    let act = action(state, caller, "webhook_replayed", json!({ "webhook_id": id }));
    if !shared.store.replay_webhook(id, &act).await? {
        return Err(Problem::not_found());
    }
    shared.wake_webhooks();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_their_secrets() {
        let shown = without_secrets("https://user:password@a.example:8443/hook/1?token=secret#part");
        assert_eq!(shown, "https://a.example:8443/hook/1");
        assert_eq!(without_secrets("nonsense"), "");
    }
}

//! Webhook deliveries that wait or are dead.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::{ApplicationId, WebhookId},
        wire::wire_enum,
    },
    http::{
        auth::{Authorised, Caller, ReadOperations, WriteOperations},
        body::Json,
        params::{Limit, ListBody, Named, Params, page},
        problem::Problem,
        state::AppState,
    },
    store::types::WebhookRecord,
};

use super::action;

wire_enum! {
    /// How a delivery stands.
    pub enum DeliveryState as "delivery state" {
        /// It will be tried.
        Pending = "pending",
        /// Given up; an operator can send it again.
        Dead = "dead",
    }
}

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
    /// Failed tries so far.
    pub(in crate::http) attempts: u32,
    /// The next try.
    pub(in crate::http) due_at: DateTime<Utc>,
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
            state: if record.dead { DeliveryState::Dead } else { DeliveryState::Pending },
            attempts: record.attempts,
            due_at: record.due_at,
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
    /// 1 to 200.
    #[param(inline)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// List deliveries that are not done, oldest first.
#[utoipa::path(get, path = "/v1/ops/webhooks", operation_id = "list_webhooks", tag = "operations", security(("key" = ["ops:read"])),
    params(ListParams), responses((status = 200, description = "One page", body = ListBody<WebhookBody>)))]
pub(super) async fn list(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
    Params(params): Params<ListParams>,
) -> Result<Json<ListBody<WebhookBody>>, Problem> {
    let dead = params.state.map(|state| state == DeliveryState::Dead);
    let listed = state.engine.shared.store.webhooks(dead, &page(params.limit, params.cursor)).await?;
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

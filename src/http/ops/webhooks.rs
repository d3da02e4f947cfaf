//! Webhook deliveries: that wait, are dead, or were made.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{Redirect, Response},
};
use serde::Deserialize;

use super::{
    caller,
    show::{moment, moment_or},
};
use crate::{
    domain::ids::WebhookId,
    http::{
        api::ops::webhooks::{WebhookBody, replay},
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::{
        types::Page as Rows,
        webhooks::{DeliveryState, WebhookFilter},
    },
};

/// Deliveries on a page.
const LISTED: usize = 50;

/// Which deliveries.
#[derive(Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    state: String,
    #[serde(default)]
    cursor: String,
}

#[derive(Template)]
#[template(path = "ops/webhooks.html")]
struct List {
    page: Page,
    /// Which can be shown, and which are.
    states: &'static [DeliveryState],
    state: DeliveryState,
    items: Vec<(WebhookBody, String, String)>,
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let shown = filter.state.parse().unwrap_or(DeliveryState::Dead);
    let after = Some(filter.cursor).filter(|cursor| !cursor.is_empty());
    let wanted = WebhookFilter { state: Some(shown), application: None };
    let listed = state.engine.shared.store.webhooks(&wanted, &Rows { limit: LISTED, after }).await?;
    let row = |record| {
        let body = WebhookBody::of(record);
        let (created, at) = (moment(body.created_at), moment_or(body.delivered_at.or(body.due_at)));
        (body, created, at)
    };
    Ok(html(&List {
        page,
        states: DeliveryState::ALL,
        state: shown,
        next: listed.next,
        items: listed.items.into_iter().map(row).collect(),
    }))
}

pub(super) async fn retry(
    State(state): State<AppState>,
    person: Person<WriteOperations>,
    Named(id): Named<WebhookId>,
) -> Result<Redirect, Problem> {
    replay(&state, &caller(&person), id).await?;
    Ok(Redirect::to("/ops/webhooks"))
}

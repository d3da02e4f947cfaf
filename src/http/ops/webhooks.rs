//! Webhook deliveries that wait or are dead.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::{Redirect, Response},
};
use serde::Deserialize;

use super::{caller, show::moment};
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
    store::types::Page as Rows,
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
    /// Whether dead ones are shown, or those that wait.
    dead: bool,
    items: Vec<(WebhookBody, String, String)>,
    next: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let dead = filter.state != "pending";
    let after = Some(filter.cursor).filter(|cursor| !cursor.is_empty());
    let listed = state.engine.shared.store.webhooks(Some(dead), &Rows { limit: LISTED, after }).await?;
    let row = |record| {
        let body = WebhookBody::of(record);
        let (created, due) = (moment(body.created_at), moment(body.due_at));
        (body, created, due)
    };
    Ok(html(&List { page, dead, next: listed.next, items: listed.items.into_iter().map(row).collect() }))
}

pub(super) async fn retry(
    State(state): State<AppState>,
    person: Person<WriteOperations>,
    Named(id): Named<WebhookId>,
) -> Result<Redirect, Problem> {
    replay(&state, &caller(&person), id).await?;
    Ok(Redirect::to("/ops/webhooks"))
}

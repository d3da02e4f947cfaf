//! Searching the audit log.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

use super::show::{self, moment};
use crate::{
    domain::{audit::is_acts_chain, ids::ApplicationId},
    http::{
        auth::ReadAudit,
        pages::page::{Page, html},
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::types::{EventFilter, Page as Rows, StoredEvent},
};

/// Events on a page.
const LISTED: usize = 50;

/// Which events: in the address, so that a search can be shared.
#[derive(Clone, Deserialize)]
pub(super) struct Filter {
    #[serde(default)]
    actor: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    cursor: String,
}

impl Filter {
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("actor", &self.actor), ("type", &self.kind), ("from", &self.from), ("to", &self.to)] {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "ops/audit.html")]
struct Found {
    page: Page,
    query: String,
    filter: Filter,
    items: Vec<Row>,
    next: Option<String>,
}

/// An event as shown.
struct Row {
    at: String,
    /// None for an act that belongs to no application.
    application: Option<ApplicationId>,
    event: StoredEvent,
}

impl Row {
    fn of(event: StoredEvent) -> Self {
        let application = Some(event.application_id).filter(|id| !is_acts_chain(*id));
        Self { at: moment(event.at), application, event }
    }
}

pub(super) async fn search(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadAudit>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let wanted = EventFilter {
        actor: text(&filter.actor),
        kind: text(&filter.kind),
        from: show::field("/from", &filter.from)?.map(|from| from.0),
        to: show::field("/to", &filter.to)?.map(|to| to.0),
    };
    let after = text(&filter.cursor);
    let listed = state.engine.shared.store.search_events(&wanted, &Rows { limit: LISTED, after }).await?;
    let items = listed.items.into_iter().map(Row::of).collect();
    Ok(html(&Found { page, query: filter.query(), filter, items, next: listed.next }))
}

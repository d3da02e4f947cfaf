//! Finding an application, and everything that is known of it.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::{
    licences::Panel,
    show::{self, length, moment, moment_or},
};
use crate::{
    domain::{
        ids::ApplicationId,
        timeline::{Moment, Passage, Present, Spent, passages},
    },
    engine::view::{ApplicationBody, waiting_for},
    http::{
        api::{
            ops::{
                deadline::{ExplainedBody, explained},
                find::{FoundBody, look},
                stalled::StalledBody,
                verify::{VerifiedBody, chain},
                webhooks::WebhookBody,
            },
            reviews::{detail::PromiseBody, promise::Promise},
        },
        auth::ReadOperations,
        pages::{
            chip::{self, Chip},
            page::{Page, html, html_with},
        },
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    store::{
        rows::needs_operator,
        types::{Page as Rows, StoredEvent},
        webhooks::WebhookFilter,
    },
};

/// The most events, the newest ones, that the page shows.
const EVENTS: usize = 300;
/// The most deliveries that the page shows.
const WEBHOOKS: usize = 50;

#[derive(Template)]
#[template(path = "ops/find.html")]
struct Found {
    page: Page,
    /// Whether something was looked for.
    asked: bool,
    problem: String,
    found: Vec<(FoundBody, String, Chip)>,
}

pub(super) async fn search(page: Page, _person: Person<ReadOperations>) -> Response {
    html(&Found { page, asked: false, problem: String::new(), found: Vec::new() })
}

/// What somebody looks for; never in an address, as it may be a document number.
#[derive(Deserialize)]
pub(super) struct Query {
    query: String,
}

pub(super) async fn find(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Form(form): Form<Query>,
) -> Result<Response, Problem> {
    match look(&state, &form.query).await {
        Ok(found) => {
            if let [only] = found.as_slice() {
                return Ok(Redirect::to(&format!("/ops/applications/{}", only.application_id)).into_response());
            }
            let row = |body: FoundBody| {
                let (at, chip) = (moment(body.submitted_at), chip::due(&page, &body.due));
                (body, at, chip)
            };
            let found = found.into_iter().map(row).collect();
            Ok(html(&Found { page, asked: true, problem: String::new(), found }))
        }
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            let problem = show::refusal(&page, &problem);
            let body = Found { page, asked: false, problem, found: Vec::new() };
            Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &body))
        }
        Err(problem) => Err(problem),
    }
}

#[derive(Template)]
#[template(path = "ops/application.html")]
pub(super) struct Application {
    page: Page,
    /// The licence that was issued for it.
    pub(super) licence: Option<Panel>,
    body: ApplicationBody,
    owner: String,
    authority: String,
    submitted: String,
    deadline: Chip,
    promise: Option<PromiseBody>,
    decided: String,
    completed: String,
    waiting_until: String,
    stalled: Option<StalledBody>,
    passages: Vec<Stretch>,
    failures: Vec<Row>,
    reviews: Vec<Row>,
    webhooks: Vec<(WebhookBody, String)>,
    events: Vec<Row>,
    more_events: bool,
    verified: Option<VerifiedBody>,
}

/// A passage as shown.
struct Stretch {
    stage: String,
    from: String,
    total: String,
    failures: u32,
    /// Use, length, and its hundredths of the passage.
    spent: Vec<(Spent, String, i64)>,
}

/// An event as shown.
struct Row {
    seq: i64,
    at: String,
    kind: String,
    actor: String,
    stage: String,
    data: String,
    hash: String,
}

impl Row {
    fn of(event: &StoredEvent) -> Self {
        Self {
            seq: event.seq,
            at: moment(event.at),
            kind: event.kind.clone(),
            actor: format!("{} {}", event.actor.kind, event.actor.id),
            stage: event.stage.clone().unwrap_or_default(),
            data: event.data.clone(),
            hash: event.hash.chars().take(12).collect(),
        }
    }
}

impl Stretch {
    fn of(page: &Page, passage: &Passage) -> Self {
        let whole = passage.total().num_milliseconds().max(1);
        let spent = Spent::ALL.iter().zip(passage.spent).filter(|(_, time)| time.num_milliseconds() > 0);
        Self {
            stage: passage.stage.clone(),
            from: moment(passage.from),
            total: length(page, passage.total().num_seconds()),
            failures: passage.failures,
            spent: spent
                .map(|(how, time)| (*how, length(page, time.num_seconds()), time.num_milliseconds() * 100 / whole))
                .collect(),
        }
    }
}

fn timed(event: &StoredEvent) -> Moment {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
    let until = ["retry_at", "until"].iter().find_map(|key| data.get(key)?.as_str()?.parse::<DateTime<Utc>>().ok());
    let ran = data.get("ran_ms").and_then(Value::as_i64).and_then(TimeDelta::try_milliseconds);
    Moment { at: event.at, kind: event.kind.clone(), stage: event.stage.clone(), until, ran }
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Problem> {
    Ok(html(&everything(&state, page, id, None).await?))
}

pub(super) async fn verify(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
    Named(id): Named<ApplicationId>,
) -> Result<Response, Problem> {
    let verified = chain(&state, id).await?;
    Ok(html(&everything(&state, page, id, Some(verified)).await?))
}

pub(super) async fn everything(
    state: &AppState,
    page: Page,
    id: ApplicationId,
    verified: Option<VerifiedBody>,
) -> Result<Application, Problem> {
    let (shared, store) = (&state.engine.shared, &state.engine.shared.store);
    let view = store.application(id).await?.ok_or_else(Problem::not_found)?;
    let application = &view.application;
    let now = shared.clock.now();
    let waiting = waiting_for(application, &view.jobs, &state.pauses().await?, now);
    let waiting_until = moment_or(waiting.as_ref().and_then(|waiting| waiting.until));
    // An erased record does not open, and the page does without.
    let applicant = shared.open_applicant(id, &view.applicant).ok();
    let body = ApplicationBody::of(application, applicant.as_ref(), waiting);
    let ExplainedBody { due, why: promise } = explained(state, application);
    let events = store.events(id).await?;
    let of_this = WebhookFilter { application: Some(id), state: None };
    let webhooks = store.webhooks(&of_this, &Rows { limit: WEBHOOKS, after: None }).await?;
    let webhooks = webhooks.items.into_iter().map(WebhookBody::of);
    let timeline: Vec<Moment> = events.iter().map(timed).collect();
    let runs = view.jobs.iter().any(|job| job.lease.is_some());
    let present = application.completed_at.is_none().then_some(Present { at: now, runs });
    let of = |kinds: fn(&str) -> bool| events.iter().filter(|event| kinds(&event.kind)).map(Row::of).collect();
    let licence = match application.licence_id {
        Some(id) => Some(Panel::of(state, id).await?),
        None => None,
    };
    Ok(Application {
        licence,
        owner: application.owner.clone(),
        authority: application.authority().unwrap_or(show::NOTHING).to_owned(),
        submitted: moment(application.submitted_at),
        deadline: chip::due(&page, &due),
        promise,
        decided: moment_or(application.decided_at),
        completed: moment_or(application.completed_at),
        waiting_until,
        stalled: needs_operator(application).then(|| StalledBody::of(application, &Promise::of(state))),
        passages: passages(&timeline, present).iter().map(|passage| Stretch::of(&page, passage)).collect(),
        failures: of(|kind| matches!(kind, "attempt_failed" | "stalled" | "notification_failed" | "stage_waiting")),
        reviews: of(|kind| kind.starts_with("review_")),
        webhooks: webhooks
            .map(|webhook| {
                let at = moment_or(webhook.delivered_at.or(webhook.due_at));
                (webhook, at)
            })
            .collect(),
        more_events: events.len() > EVENTS,
        events: events.iter().skip(events.len().saturating_sub(EVENTS)).map(Row::of).collect(),
        verified,
        body,
        page,
    })
}

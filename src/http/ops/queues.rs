//! The queues: figures, why work waits, pausing and resuming.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    caller,
    show::{self, length_or, moment, moment_or},
};
use crate::{
    domain::stage::Stage,
    engine::stats::Percentiles,
    http::{
        api::ops::queues::{PauseRequest, QueueBody, all, pause_queue, resume_queue},
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
    providers::breaker::BreakerState,
};

#[derive(Template)]
#[template(path = "ops/queues.html")]
struct Queues {
    page: Page,
    queues: Vec<Row>,
    problem: String,
    /// The queue whose form was refused, and what stood in it.
    of: Option<Stage>,
    reason: String,
    until: String,
}

struct Row {
    queue: QueueBody,
    oldest: String,
    wait: String,
    run: String,
    pause: Option<Pause>,
    /// Wire names of why work waits.
    why: Vec<&'static str>,
}

struct Pause {
    reason: String,
    actor: String,
    since: String,
    until: String,
}

impl Row {
    fn of(page: &Page, queue: QueueBody) -> Self {
        Self {
            oldest: length_or(page, queue.oldest_ready_seconds),
            wait: percentiles(queue.wait_ms),
            run: percentiles(queue.run_ms),
            pause: queue.pause.as_ref().map(|pause| Pause {
                reason: pause.reason.clone(),
                actor: pause.actor.clone(),
                since: moment(pause.since),
                until: moment_or(pause.until),
            }),
            why: why(&queue),
            queue,
        }
    }
}

fn percentiles(of: Percentiles) -> String {
    format!("{} · {} · {} ms", of.p50, of.p95, of.p99)
}

/// Why due work is not run, as far as the figures tell.
fn why(queue: &QueueBody) -> Vec<&'static str> {
    let running = usize::try_from(queue.running).unwrap_or(usize::MAX);
    let reasons = [
        ("paused", queue.paused),
        ("no_worker", !queue.paused && queue.concurrency == 0),
        ("breaker_open", queue.breaker == Some(BreakerState::Open)),
        ("breaker_half_open", queue.breaker == Some(BreakerState::HalfOpen)),
        ("all_places_taken", queue.ready > 0 && queue.concurrency > 0 && running >= queue.concurrency),
        ("scheduled", queue.scheduled > 0),
        ("stalled", queue.stalled > 0),
    ];
    reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect()
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
) -> Result<Response, Problem> {
    let queues = all(&state).await?.into_iter().map(|queue| Row::of(&page, queue)).collect();
    let (reason, until) = (String::new(), String::new());
    Ok(html(&Queues { page, queues, problem: String::new(), of: None, reason, until }))
}

/// Why, and until when.
#[derive(Deserialize)]
pub(super) struct PauseForm {
    reason: String,
    #[serde(default)]
    until: String,
}

pub(super) async fn pause(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(stage): Named<Stage>,
    Form(form): Form<PauseForm>,
) -> Result<Response, Problem> {
    let until = show::field(&form.until);
    let paused = if !form.until.is_empty() && until.is_none() {
        Err(Problem::field("/until", "time_invalid", "must be a time"))
    } else {
        let request = PauseRequest { reason: form.reason.clone(), until };
        pause_queue(&state, &caller(&person), stage, request).await
    };
    let Err(problem) = paused else { return Ok(Redirect::to("/ops/queues").into_response()) };
    if problem.status() != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(problem);
    }
    let queues = all(&state).await?.into_iter().map(|queue| Row::of(&page, queue)).collect();
    let problem = show::refusal(&page, &problem);
    let refused = Queues { page, queues, problem, of: Some(stage), reason: form.reason, until: form.until };
    Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &refused))
}

pub(super) async fn resume(
    State(state): State<AppState>,
    person: Person<WriteOperations>,
    Named(stage): Named<Stage>,
) -> Result<Redirect, Problem> {
    resume_queue(&state, &caller(&person), stage).await?;
    Ok(Redirect::to("/ops/queues"))
}

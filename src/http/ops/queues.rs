//! The queues: figures, why work waits; pausing, resuming and limiting.

use std::str::FromStr;

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
    domain::{breaker::BreakerState, stage::Stage},
    engine::stats::Percentiles,
    http::{
        api::ops::{
            limits::{LimitsRequest, limit_queue},
            queues::{PauseRequest, QueueBody, all, pause_queue, resume_queue},
        },
        auth::{ReadOperations, WriteOperations},
        pages::page::{Page, html, html_with},
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
};

#[derive(Template)]
#[template(path = "ops/queues.html")]
struct Queues {
    page: Page,
    queues: Vec<Row>,
    problem: String,
}

struct Row {
    queue: QueueBody,
    oldest: String,
    wait: String,
    run: String,
    pause: Option<Pause>,
    limits: Option<Limits>,
    /// Wire names of why work waits.
    why: Vec<&'static str>,
    /// What stood in a form that was refused.
    refused_pause: Option<PauseForm>,
    refused_limits: Option<LimitsForm>,
}

struct Pause {
    reason: String,
    actor: String,
    since: String,
    until: String,
}

struct Limits {
    concurrency: Option<usize>,
    rate: Option<f64>,
    reason: String,
    actor: String,
    since: String,
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
            limits: queue.limits.as_ref().map(|limits| Limits {
                concurrency: limits.concurrency,
                rate: limits.rate,
                reason: limits.reason.clone(),
                actor: limits.actor.clone(),
                since: moment(limits.since),
            }),
            why: why(&queue),
            refused_pause: None,
            refused_limits: None,
            queue,
        }
    }

    /// What stands in the form for limits: what was typed, else what counts now.
    fn limits_form(&self) -> LimitsForm {
        let text = |number: Option<String>| number.unwrap_or_default();
        self.refused_limits.clone().unwrap_or_else(|| {
            let now = self.queue.limits.as_ref();
            LimitsForm {
                concurrency: text(now.and_then(|limits| limits.concurrency).map(|most| most.to_string())),
                rate: text(now.and_then(|limits| limits.rate).map(|rate| rate.to_string())),
                reason: String::new(),
            }
        })
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

async fn rows(state: &AppState, page: &Page) -> Result<Vec<Row>, Problem> {
    Ok(all(state).await?.into_iter().map(|queue| Row::of(page, queue)).collect())
}

pub(super) async fn show(
    State(state): State<AppState>,
    page: Page,
    _person: Person<ReadOperations>,
) -> Result<Response, Problem> {
    let queues = rows(&state, &page).await?;
    Ok(html(&Queues { page, queues, problem: String::new() }))
}

/// After an act: the queues again, or the form with what is wrong in it.
async fn shown<T>(
    state: &AppState,
    page: Page,
    stage: Stage,
    done: Result<T, Problem>,
    keep: impl FnOnce(&mut Row),
) -> Result<Response, Problem> {
    let Err(problem) = done else { return Ok(Redirect::to("/ops/queues").into_response()) };
    if problem.status() != StatusCode::UNPROCESSABLE_ENTITY {
        return Err(problem);
    }
    let mut queues = rows(state, &page).await?;
    if let Some(row) = queues.iter_mut().find(|row| row.queue.name == stage) {
        keep(row);
    }
    let problem = show::refusal(&page, &problem);
    Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &Queues { page, queues, problem }))
}

/// Why, and until when.
#[derive(Clone, Deserialize)]
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
    let paused = match show::field("/until", &form.until) {
        Ok(until) => {
            let request = PauseRequest { reason: form.reason.clone(), until };
            pause_queue(&state, &caller(&person), stage, request).await
        }
        Err(problem) => Err(problem),
    };
    shown(&state, page, stage, paused, |row| row.refused_pause = Some(form)).await
}

pub(super) async fn resume(
    State(state): State<AppState>,
    person: Person<WriteOperations>,
    Named(stage): Named<Stage>,
) -> Result<Redirect, Problem> {
    resume_queue(&state, &caller(&person), stage).await?;
    Ok(Redirect::to("/ops/queues"))
}

/// How much, and why. An empty number is the workflow's.
#[derive(Clone, Deserialize)]
pub(super) struct LimitsForm {
    #[serde(default)]
    concurrency: String,
    #[serde(default)]
    rate: String,
    reason: String,
}

impl LimitsForm {
    fn request(&self) -> Result<LimitsRequest, Problem> {
        Ok(LimitsRequest {
            concurrency: number("/concurrency", &self.concurrency)?,
            rate: number("/rate", &self.rate)?,
            reason: self.reason.clone(),
        })
    }
}

fn number<T: FromStr>(pointer: &str, text: &str) -> Result<Option<T>, Problem> {
    let text = text.trim();
    let wrong = |_| Problem::field(pointer, "number_invalid", "must be a number");
    (!text.is_empty()).then(|| text.parse().map_err(wrong)).transpose()
}

pub(super) async fn limit(
    State(state): State<AppState>,
    page: Page,
    person: Person<WriteOperations>,
    Named(stage): Named<Stage>,
    Form(form): Form<LimitsForm>,
) -> Result<Response, Problem> {
    let limited = match form.request() {
        Ok(request) => limit_queue(&state, &caller(&person), stage, request).await,
        Err(problem) => Err(problem),
    };
    shown(&state, page, stage, limited, |row| row.refused_limits = Some(form)).await
}

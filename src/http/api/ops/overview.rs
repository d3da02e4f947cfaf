//! How everything stands, on one page.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{application::Status, stage::Stage},
    engine::stats::Percentiles,
    http::{
        auth::{Authorised, ReadOperations},
        body::Json,
        problem::Problem,
        state::AppState,
    },
    store::types::{Backlog, DONE, QueueDepth, StatusCount},
};

use super::{
    forecast::{self, ForecastBody, WhatIf},
    queues::{Figures, figures},
    stalled_counts,
};

/// How everything stands.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Overview)]
pub struct OverviewBody {
    /// When it was looked at.
    pub at: DateTime<Utc>,
    /// Applications by status.
    pub by_status: BTreeMap<Status, i64>,
    /// Undecided and unfinished applications by stage, and `done`.
    #[schema(value_type = BTreeMap<String, i64>)]
    pub by_stage: BTreeMap<&'static str, i64>,
    /// Applications that wait for an operator, by the stage that went wrong; failed notifications, whose applications are
    /// decided, are counted up to 10,000.
    #[schema(value_type = BTreeMap<Stage, i64>)]
    pub stalled_by_stage: BTreeMap<Stage, i64>,
    /// How long the oldest due job has waited for a worker; null when none waits.
    pub oldest_waiting_seconds: Option<i64>,
    /// What is done now.
    pub throughput: Throughput,
    /// Photo reviews.
    pub reviews: ReviewBacklog,
    /// Open promises that were warned of; counted up to 10,000.
    pub at_risk: u64,
    /// Open promises whose due time passed; counted up to 10,000.
    pub breached: u64,
    /// Webhooks that wait.
    pub webhooks: WebhookBacklog,
    /// From due to started in milliseconds, by stage, of the slowest process.
    #[schema(value_type = BTreeMap<Stage, Percentiles>)]
    pub wait_ms: BTreeMap<Stage, Percentiles>,
    /// From started to decided in milliseconds, by stage, of the slowest process.
    #[schema(value_type = BTreeMap<Stage, Percentiles>)]
    pub run_ms: BTreeMap<Stage, Percentiles>,
    /// What is to be expected.
    pub forecast: Forecast,
}

/// What is done now.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Throughput {
    /// Runs in the last minute by stage, all processes together.
    #[schema(value_type = BTreeMap<Stage, u64>)]
    pub per_minute: BTreeMap<Stage, u64>,
}

/// The review backlog. Counted up to 10,000.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReviewBacklog {
    /// Waiting for a person.
    pub open: u64,
    /// Under a lease.
    pub claimed: u64,
    /// Due time of the most urgent one.
    pub next_due: Option<DateTime<Utc>>,
}

/// The webhook backlog. Counted up to 10,000.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct WebhookBacklog {
    /// Waiting to be delivered.
    pub pending: u64,
    /// Age of the oldest of them.
    pub oldest_seconds: Option<i64>,
}

/// Which due times will be missed, a quarter of a minute old at most; and when the waiting jobs will have been run, at the
/// pace of the last minute.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Forecast {
    /// Due jobs of all stages.
    pub ready: u64,
    /// Until the slowest stage has caught up; null while a stage with due jobs stands still.
    pub caught_up_in_seconds: Option<u64>,
    /// As of `GET /v1/ops/forecast`.
    #[serde(flatten)]
    pub breaches: ForecastBody,
}

/// See how everything stands.
#[utoipa::path(get, path = "/v1/ops/overview", operation_id = "get_overview", tag = "operations", security(("key" = ["ops:read"])),
    responses((status = 200, description = "At most a second old", body = OverviewBody)))]
pub(super) async fn overview(
    State(state): State<AppState>,
    _caller: Authorised<ReadOperations>,
) -> Result<Json<OverviewBody>, Problem> {
    look(&state).await.map(Json)
}

/// The overview, shared by all who ask within a second.
pub(in crate::http) async fn look(state: &AppState) -> Result<OverviewBody, Problem> {
    state
        .overview
        .get(async || {
            let store = &state.engine.shared.store;
            let (counts, backlog) = (store.status_counts().await?, store.backlog().await?);
            let (depths, processes) = (store.depths().await?, store.processes().await?);
            let breaches = state.forecast.get(async || forecast::look(state, WhatIf::default()).await).await?;
            let stalled = stalled_counts(state, &counts).await?;
            let now = state.engine.shared.clock.now();
            Ok(OverviewBody::of(now, &counts, stalled, &backlog, &depths, &figures(&processes), breaches))
        })
        .await
}

impl OverviewBody {
    fn of(
        at: DateTime<Utc>,
        counts: &[StatusCount],
        stalled_by_stage: BTreeMap<Stage, i64>,
        backlog: &Backlog,
        depths: &[QueueDepth],
        figures: &BTreeMap<Stage, Figures>,
        breaches: ForecastBody,
    ) -> Self {
        let age = |since: Option<DateTime<Utc>>| since.map(|since| (at - since).num_seconds().max(0));
        let mut by_status: BTreeMap<Status, i64> = Status::ALL.iter().map(|&status| (status, 0)).collect();
        let mut by_stage: BTreeMap<&str, i64> = Stage::ALL.iter().map(|stage| (stage.as_str(), 0)).collect();
        for count in counts {
            *by_status.entry(count.status).or_default() += count.count;
            *by_stage.entry(count.stage.map_or(DONE, Stage::as_str)).or_default() += count.count;
        }
        let of = |stage: Stage| figures.get(&stage).copied().unwrap_or_default();
        let per_minute: BTreeMap<Stage, u64> = Stage::ALL.iter().map(|&stage| (stage, of(stage).per_minute)).collect();
        Self {
            at,
            by_status,
            by_stage,
            stalled_by_stage,
            oldest_waiting_seconds: age(depths.iter().filter_map(|depth| depth.oldest_ready).min()),
            wait_ms: Stage::ALL.iter().map(|&stage| (stage, of(stage).wait_ms)).collect(),
            run_ms: Stage::ALL.iter().map(|&stage| (stage, of(stage).run_ms)).collect(),
            forecast: Forecast::of(depths, &per_minute, breaches),
            throughput: Throughput { per_minute },
            reviews: ReviewBacklog { open: backlog.open, claimed: backlog.claimed, next_due: backlog.next_due },
            at_risk: backlog.at_risk,
            breached: backlog.breached,
            webhooks: WebhookBacklog { pending: backlog.webhooks_pending, oldest_seconds: age(backlog.oldest_webhook) },
        }
    }
}

impl Forecast {
    fn of(depths: &[QueueDepth], per_minute: &BTreeMap<Stage, u64>, breaches: ForecastBody) -> Self {
        let seconds = depths.iter().filter(|depth| depth.ready > 0).map(|depth| {
            let pace = per_minute.get(&depth.stage).copied().filter(|&pace| pace > 0)?;
            Some((depth.ready * 60).div_ceil(pace))
        });
        let slowest = seconds.collect::<Option<Vec<u64>>>().map(|all| all.into_iter().max().unwrap_or(0));
        Self { ready: depths.iter().map(|depth| depth.ready).sum(), caught_up_in_seconds: slowest, breaches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(stage: Stage, ready: u64) -> QueueDepth {
        QueueDepth { stage, ready, running: 0, scheduled: 0, oldest_ready: None }
    }

    #[test]
    fn forecasts_follow_the_slowest_stage() {
        let paces = BTreeMap::from([(Stage::Eligibility, 60), (Stage::Generation, 30)]);
        let forecast =
            |depths: &[QueueDepth]| Forecast::of(depths, &paces, ForecastBody::default()).caught_up_in_seconds;
        assert_eq!(forecast(&[depth(Stage::Eligibility, 60), depth(Stage::Generation, 60)]), Some(120));
        assert_eq!(forecast(&[depth(Stage::Eligibility, 0)]), Some(0));
        assert_eq!(forecast(&[]), Some(0));
        assert_eq!(forecast(&[depth(Stage::Notification, 1), depth(Stage::Eligibility, 1)]), None);
    }

    #[test]
    fn counts_are_summed() {
        let at = Utc::now();
        let count = |status, stage, count| StatusCount { status, stage, count };
        let counts = [
            count(Status::Issued, Some(Stage::Notification), 2),
            count(Status::Issued, None, 5),
            count(Status::Stalled, Some(Stage::Eligibility), 1),
        ];
        let (backlog, none) = (Backlog::default(), BTreeMap::new());
        let body = OverviewBody::of(at, &counts, none, &backlog, &[], &BTreeMap::new(), ForecastBody::default());
        assert_eq!((body.by_status[&Status::Issued], body.by_stage[DONE], body.by_stage["notification"]), (7, 5, 2));
        assert_eq!(body.by_status[&Status::InReview], 0);
    }
}

//! The metrics of `GET /metrics`, in the Prometheus text format. One list names them all; labels
//! are wire names, never ids and never personal data.

use ::metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::{sync::OnceLock, thread, time::Duration};

/// From 1 ms to a minute: provider calls, requests, commits.
const SHORT: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From 10 ms to a day: waiting in a queue.
const LONG: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0];
/// Things in one batch.
const SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Spread over these buckets.
    Histogram(&'static [f64]),
}

/// A metric, for the telemetry page and for registration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The name in Prometheus; ends in its unit.
    pub name: &'static str,
    /// What kind of metric.
    pub kind: Kind,
    /// Label names.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Declares each metric's name as a constant and lists them all.
macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:expr, [$($label:literal),*], $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+

        /// Every metric.
        pub const ALL: &[Metric] = &[
            $(Metric { name: $name, kind: $kind, labels: &[$($label),*], help: $help }),+
        ];
    };
}

metrics! {
    APPLICATIONS = "greenlane_applications_total", Kind::Counter, ["kind"],
        "Applications accepted.";
    DECISIONS = "greenlane_decisions_total", Kind::Counter, ["outcome"],
        "Applications decided, by outcome code.";
    QUEUE_JOBS = "greenlane_queue_jobs", Kind::Gauge, ["queue", "state"],
        "Jobs of a queue: ready, running or scheduled.";
    QUEUE_AGE = "greenlane_queue_oldest_ready_seconds", Kind::Gauge, ["queue"],
        "How long the oldest ready job of a queue has been due.";
    STAGE_WAIT = "greenlane_stage_wait_seconds", Kind::Histogram(LONG), ["stage"],
        "From a job being due to its run.";
    STAGE_DURATION = "greenlane_stage_duration_seconds", Kind::Histogram(SHORT), ["stage"],
        "One run of a stage, provider calls included, commit excluded.";
    ATTEMPTS = "greenlane_attempts_total", Kind::Counter, ["stage", "result"],
        "Runs of a stage by what they decided: advance, wait, await, retry, reject, stall, interrupted.";
    DEADLINE_SLACK = "greenlane_deadline_slack_seconds", Kind::Gauge, [],
        "Time left of the open promise that is due first; below zero once it is late, not a number when none is open.";
    DEADLINES_OPEN = "greenlane_deadlines", Kind::Gauge, ["state"],
        "Open promises in danger: at_risk (warned of) or breached (past their due time).";
    REVIEW_BACKLOG = "greenlane_review_backlog", Kind::Gauge, ["state"],
        "Review tasks: open or claimed.";
    OUTBOX_PENDING = "greenlane_outbox_pending", Kind::Gauge, [],
        "Webhooks not yet delivered, dead ones not counted.";
    RESCUED = "greenlane_jobs_rescued_total", Kind::Counter, [],
        "Jobs freed from processes whose lease lapsed.";
    CALENDAR_DAYS = "greenlane_calendar_days_left", Kind::Gauge, [],
        "Days until the working-day calendar has no data.";
    OUTBOX_LAG = "greenlane_outbox_oldest_due_seconds", Kind::Gauge, [],
        "How long the webhook that is due first has been due and not been tried.";
    WEBHOOK_TRIES = "greenlane_webhook_tries_total", Kind::Counter, ["result"],
        "Tries to deliver a webhook: delivered, retried or dead.";
    LICENCE_CHECKS = "greenlane_licence_checks_total", Kind::Counter, ["result"],
        "Questions of the status sweep to the registry: answered, unanswered or failed.";
    LICENCE_CHANGES = "greenlane_licence_changes_total", Kind::Counter, [],
        "Issued licences whose status or data the registry had changed.";
    PRESENTATIONS = "greenlane_presentations_total", Kind::Counter, ["mode"],
        "Presentation codes made, by how the licence was shown.";
    VERIFICATIONS = "greenlane_verifications_total", Kind::Counter, ["purpose", "result"],
        "Presentations checked, by purpose and by result: valid, or the reason.";
    PROVIDER_CALLS = "greenlane_provider_calls_total", Kind::Counter, ["provider", "result"],
        "Calls to a provider by result: ok, circuit_open, or the class of the error.";
    PROVIDER_DURATION = "greenlane_provider_call_duration_seconds", Kind::Histogram(SHORT), ["provider"],
        "One call to a provider.";
    COMMIT_DURATION = "greenlane_commit_duration_seconds", Kind::Histogram(SHORT), [],
        "One transaction of the group commit.";
    COMMIT_BATCH_SIZE = "greenlane_commit_batch_size", Kind::Histogram(SIZES), [],
        "Plans in one transaction.";
    HTTP_REQUESTS = "greenlane_http_requests_total", Kind::Counter, ["method", "route", "status"],
        "Requests answered.";
    HTTP_DURATION = "greenlane_http_request_duration_seconds", Kind::Histogram(SHORT), ["method", "route"],
        "One request, from its head to the end of its answer's head.";
}

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// How often collected samples are summed up. Without it they would grow until the next scrape.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts collecting. Without it every metric is dropped and [`render`] is empty.
///
/// # Errors
/// Another recorder was installed in this process, or this one was before.
pub fn install() -> Result<(), BuildError> {
    let handle = builder()?.install_recorder()?;
    describe();
    let upkeep = handle.clone();
    // A thread of its own: it must go on when the runtime is busy, and ends with the process.
    let spawned = thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(move || {
        loop {
            thread::sleep(UPKEEP);
            upkeep.run_upkeep();
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(error.message = %error, "metrics are only summed up when they are read");
    }
    // The recorder is installed once, so the cell was empty.
    let _ = HANDLE.set(handle);
    Ok(())
}

/// The metrics in the Prometheus text format.
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    ALL.iter().try_fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets),
        Kind::Counter | Kind::Gauge => Ok(builder),
    })
}

fn describe() {
    for metric in ALL {
        let unit = if metric.name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::metrics::{counter, gauge, histogram, with_local_recorder};
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_rules() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len(), "each name once");
        for metric in ALL {
            assert!(metric.name.starts_with("greenlane_"), "{}", metric.name);
            let total = metric.name.ends_with("_total");
            assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(buckets.is_sorted(), "{}", metric.name);
            }
        }
    }

    #[test]
    fn the_text_names_help_and_buckets() {
        let recorder = builder().unwrap().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || {
            describe();
            counter!(ATTEMPTS, "stage" => "generation", "result" => "advance").increment(2);
            gauge!(DEADLINE_SLACK).set(-3.5);
            histogram!(COMMIT_BATCH_SIZE).record(7.0);
            histogram!(STAGE_DURATION, "stage" => "generation").record(0.02);
        });
        let text = handle.render();
        for line in [
            "# TYPE greenlane_attempts_total counter",
            "# HELP greenlane_commit_batch_size Plans in one transaction.",
            "greenlane_attempts_total{stage=\"generation\",result=\"advance\"} 2",
            "greenlane_deadline_slack_seconds -3.5",
            "greenlane_commit_batch_size_bucket{le=\"5\"} 0",
            "greenlane_commit_batch_size_bucket{le=\"10\"} 1",
            "greenlane_stage_duration_seconds_bucket{stage=\"generation\",le=\"0.025\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}

//! Presentation codes under load, for `greenlane bench`: thousands of live codes, made and then checked side by side.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::{
    domain::{application::Status, ids::LicenceId, presentation::Purpose},
    engine::Engine,
    licences::{
        desk::Desk,
        presentation::{Presentation, Verifier},
    },
    store::types::{ApplicationFilter, Page},
};

use super::bench::Latency;

/// Codes that live at once.
const CODES: usize = 5000;
/// Calls side by side.
const AT_ONCE: usize = 64;

/// Rates per second; latencies in milliseconds of one check, the registry's answer included (which takes no time here).
#[derive(Debug, Serialize)]
pub(super) struct PresentationLoad {
    live_codes: usize,
    presentations_per_second: f64,
    verifications_per_second: f64,
    verification_ms: Latency,
    /// Checks that found the code good; fewer than codes only where the checks took longer than a code lives.
    valid: usize,
}

/// Presents licences that the benchmark issued, at most `most` codes, and checks every code.
///
/// # Errors
/// The database failed, or there is no licence.
pub(super) async fn measure(engine: &Engine, desk: &Desk, most: usize) -> anyhow::Result<PresentationLoad> {
    let filter = ApplicationFilter { status: Some(Status::Issued), ..ApplicationFilter::default() };
    let issued = engine.shared.store.applications(&filter, &Page { limit: 200, after: None }).await?;
    let licences: Vec<LicenceId> = issued.items.iter().filter_map(|view| view.application.licence_id).collect();
    anyhow::ensure!(!licences.is_empty(), "there is no licence to present");

    let begun = Instant::now();
    let codes: Vec<Presentation> = stream::iter(licences.iter().copied().cycle().take(CODES.min(most)))
        .map(|licence| present(desk, licence))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let presenting = begun.elapsed();

    let verifier = Verifier { key: "bench".to_owned(), owner: "bench".to_owned() };
    let begun = Instant::now();
    let checks: Vec<(bool, Duration)> =
        stream::iter(&codes).map(|code| check(desk, code, &verifier)).buffer_unordered(AT_ONCE).try_collect().await?;
    let checking = begun.elapsed();
    let rate = |took: Duration| codes.len() as f64 / took.as_secs_f64();
    Ok(PresentationLoad {
        live_codes: codes.len(),
        presentations_per_second: rate(presenting),
        verifications_per_second: rate(checking),
        valid: checks.iter().filter(|(valid, _)| *valid).count(),
        verification_ms: Latency::of(checks.into_iter().map(|(_, took)| took).collect()),
    })
}

async fn present(desk: &Desk, licence: LicenceId) -> anyhow::Result<Presentation> {
    let shown = desk.show(licence).await?.context("the licence is gone")?;
    desk.present(&shown)?.context("the licence is not shown")
}

async fn check(desk: &Desk, code: &Presentation, verifier: &Verifier) -> anyhow::Result<(bool, Duration)> {
    let begun = Instant::now();
    let checked = desk.verify(&code.token, Purpose::RoadCheck, verifier).await?;
    Ok((checked.refused.is_none(), begun.elapsed()))
}

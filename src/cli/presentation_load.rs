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
    /// Each checked code is replaced by a fresh one, so that as many live until the end.
    verifications_per_second: f64,
    verification_ms: Latency,
}

/// Presents licences that the benchmark issued, at most `most` codes, then checks each of them and presents another one in
/// its place.
///
/// # Errors
/// The database failed, there is no licence, or a code was refused: also one that expired before its check, as then the
/// machine does not carry so many.
pub(super) async fn measure(engine: &Engine, desk: &Desk, most: usize) -> anyhow::Result<PresentationLoad> {
    let filter = ApplicationFilter { status: Some(Status::Issued), ..ApplicationFilter::default() };
    let issued = engine.shared.store.applications(&filter, &Page { limit: 200, after: None }).await?;
    let licences: Vec<LicenceId> = issued.items.iter().filter_map(|view| view.application.licence_id).collect();
    anyhow::ensure!(!licences.is_empty(), "there is no licence to present");
    let count = CODES.min(most);
    let licences = || licences.iter().copied().cycle().take(count);

    let begun = Instant::now();
    let codes: Vec<Presentation> =
        stream::iter(licences()).map(|licence| present(desk, licence)).buffered(AT_ONCE).try_collect().await?;
    let presenting = begun.elapsed();

    let verifier = &Verifier { key: "bench".to_owned(), key_id: None, owner: "bench".to_owned() };
    let begun = Instant::now();
    let checks: Vec<Duration> = stream::iter(codes.iter().zip(licences()))
        .map(|(code, licence)| async move {
            let took = check(desk, code, verifier).await?;
            present(desk, licence).await?;
            anyhow::Ok(took)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let checking = begun.elapsed();
    let rate = |took: Duration| count as f64 / took.as_secs_f64();
    Ok(PresentationLoad {
        live_codes: count,
        presentations_per_second: rate(presenting),
        verifications_per_second: rate(checking),
        verification_ms: Latency::of(checks),
    })
}

async fn present(desk: &Desk, licence: LicenceId) -> anyhow::Result<Presentation> {
    let shown = desk.show(licence).await?.context("the licence is gone")?;
    desk.present(&shown)?.context("the licence is not shown")
}

/// How long the check of a code took that must be good.
async fn check(desk: &Desk, code: &Presentation, verifier: &Verifier) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    match desk.verify(&code.token, Purpose::RoadCheck, verifier).await?.refused {
        None => Ok(begun.elapsed()),
        Some(refused) => anyhow::bail!("a live code was refused as `{refused}`"),
    }
}

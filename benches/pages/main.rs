//! How long pages and lists take with very many applications in the database.
//!
//! ```text
//! cargo bench --bench pages -- --database sqlite --applications 1000000
//! GREENLANE_TEST_POSTGRES=postgres://… cargo bench --bench pages -- --database postgres
//! ```
//!
//! A whole installation is started on a fresh database, a few applications live through the real API, and their rows are
//! multiplied with SQL. Then every page and list is asked for several times.
#![allow(missing_docs, unreachable_pub, reason = "a benchmark has no outside")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "a benchmark fails by panicking, and prints what it measured"
)]

mod ask;
mod multiply;
#[path = "../../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports, unused_macros, reason = "shared with the tests of the program")]
mod support;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{BOUND, Database, Site, sample};

/// What is multiplied: an application that lived through the API.
struct Template {
    id: String,
    /// Its review, if one is open.
    review: Option<String>,
    /// Its share of all, in thousandths.
    share: u64,
}

/// What was asked for on the command line.
struct Wanted {
    postgres: bool,
    applications: u64,
    rounds: usize,
}

impl Wanted {
    fn read() -> Self {
        let mut wanted = Self { postgres: false, applications: 100_000, rounds: 7 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("`{word}` needs a value"));
            match word.as_str() {
                "--database" => wanted.postgres = value() == "postgres",
                "--applications" => wanted.applications = value().parse().unwrap(),
                "--rounds" => wanted.rounds = value().parse().unwrap(),
                // Said by `cargo bench`.
                "--bench" => {}
                _ => panic!("unknown: `{word}`; known are `--database sqlite|postgres`, `--applications`, `--rounds`"),
            }
        }
        wanted
    }
}

#[tokio::main]
async fn main() {
    let wanted = Wanted::read();
    let database = if wanted.postgres { Database::postgres().await } else { Database::sqlite() };
    let mut site = Site::on(database).setting("workflow.retry_scale", "0.0001").roles("api,worker").start().await;
    let templates = live(&site).await;
    site.server.kill();
    let started = Instant::now();
    let many = multiply::Database::open(&site.database).await;
    many.multiply(&templates, wanted.applications).await;
    many.figures().await;
    many.analyse().await;
    println!("{} applications, {} events in {:.0?}", wanted.applications, many.events().await, started.elapsed());
    site.restart().await;
    ask::everything(&site, &templates, wanted.rounds).await;
}

/// One application of each sort: issued, rejected, under review, stalled at two stages.
async fn live(site: &Site) -> Vec<Template> {
    let patience: Duration = 4 * BOUND;
    let mut templates = Vec::new();
    let issued = site.api.admit(&sample(0)).await;
    site.api.wait_until(&issued, patience, |body| !body["completed_at"].is_null()).await;
    templates.push(Template { id: issued, review: None, share: 840 });
    let rejected = site.api.admit(&sample(0).face_token("ft-fail-1")).await;
    site.api.wait_until(&rejected, patience, |body| !body["completed_at"].is_null()).await;
    templates.push(Template { id: rejected, review: None, share: 100 });
    let photo = site.api.upload_photo("camera").await;
    let review = site.api.admit(&sample(0).photo("camera", &photo)).await;
    site.api.wait_for_status(&review, "in_review").await;
    let task = site.api.review_of(&review).await;
    templates.push(Template { review: task["id"].as_str().map(str::to_owned), id: review, share: 30 });
    for (provider, share) in [("registry", 20), ("face", 10)] {
        site.simulator.fault(provider, json!({ "error_rate": 1.0, "seed": 1 })).await;
        let stalled = site.api.admit(&sample(0)).await;
        site.api.wait_until(&stalled, patience, |body| body["status"] == "stalled").await;
        site.simulator.fault(provider, json!({ "error_rate": 0.0, "seed": 1 })).await;
        templates.push(Template { id: stalled, review: None, share });
    }
    templates
}

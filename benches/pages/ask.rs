//! Asks for each page and list, and says how long that took.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Template,
    support::{Answer, Site, browser::Browser, fresh_key, sample::identity_number},
};

/// What every page has to stay below.
const LIMIT: Duration = Duration::from_millis(200);

/// How long the answers took, fastest first.
struct Timed {
    call: String,
    times: Vec<Duration>,
}

pub async fn everything(site: &Site, templates: &[Template], rounds: usize) {
    let mut results = Vec::new();
    let [issued, _, review, stalled, ..] = templates else { panic!("templates are missing") };
    let mut admin = site.signed_in("zhao", "admin").await;
    let span = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
    let mut pages: Vec<String> = [
        "/ops",
        "/ops?reviewers=12&paused=generation",
        "/ops/queues",
        "/ops/stalled",
        "/ops/stalled?stage=eligibility",
        "/ops/stalled/retry?stage=eligibility",
        "/ops/charts?span=1h",
        "/ops/charts?span=24h",
        "/ops/charts?span=14d",
        "/ops/webhooks?state=dead",
        "/ops/webhooks?state=pending",
        "/ops/webhooks?state=delivered",
        "/ops/system",
        "/ops/audit",
        "/ops/audit?type=completed",
        "/ops/audit?type=pii_revealed",
        "/ops/audit?actor=system",
        "/ops/audit?actor=nobody",
        "/ops/licences",
        "/ops/licences?problem=card_refused",
        "/ops/users",
        "/ops/keys",
        "/ops/calendar",
        "/account",
        "/verify",
    ]
    .map(str::to_owned)
    .to_vec();
    pages.push(format!("/ops/applications/{}", issued.id));
    pages.push(format!("/ops/applications/{}", stalled.id));
    pages.push("/ops/audit?from=2026-01-01T00:00&to=2099-01-01T00:00".to_owned());
    for page in &pages {
        results.push(measure(page, rounds, async || admin.get(page).await).await);
    }
    let number = identity_number(0);
    for (sort, text) in [("an id", issued.id.as_str()), ("a document number", &number), ("a reference", "X-none")] {
        let find = [("query", text)];
        let call = format!("/ops/find ({sort})");
        results.push(measure(&call, rounds, async || admin.post("/ops/find", &find).await).await);
    }
    let mut reviewer: Browser = site.signed_in("li", "supervisor").await;
    let task = review.review.clone().unwrap_or_default();
    let tasks = ["/review", "/review/tasks", "/review/tasks?state=decided"].map(str::to_owned);
    for page in tasks.into_iter().chain([format!("/review/tasks/{task}")]) {
        results.push(measure(&page, rounds, async || reviewer.get(&page).await).await);
    }
    let lists = [
        "/v1/ops/overview".to_owned(),
        "/v1/ops/queues".to_owned(),
        "/v1/ops/stalled".to_owned(),
        "/v1/ops/stalled?stage=eligibility&limit=200".to_owned(),
        "/v1/ops/stalled/groups".to_owned(),
        "/v1/ops/workers".to_owned(),
        "/v1/ops/schedules".to_owned(),
        "/v1/ops/licences?problem=card_refused".to_owned(),
        "/v1/ops/licences/changes".to_owned(),
        "/v1/ops/users".to_owned(),
        "/v1/ops/keys".to_owned(),
        "/v1/ops/webhooks?state=dead&limit=200".to_owned(),
        "/v1/ops/webhooks?state=delivered&limit=200".to_owned(),
        "/v1/ops/forecast".to_owned(),
        "/v1/ops/figures?series=reviews.open&span=14d".to_owned(),
        "/v1/applications?limit=200".to_owned(),
        "/v1/applications?status=in_review".to_owned(),
        "/v1/applications?status=issued&kind=first_issue".to_owned(),
        "/v1/applications?stage=photo_review".to_owned(),
        "/v1/applications?kind=reissue".to_owned(),
        "/v1/applications?status=cancelled".to_owned(),
        "/v1/applications?status=rejected&kind=photo_change".to_owned(),
        "/v1/applications?stage=generation".to_owned(),
        "/v1/applications?stage=done".to_owned(),
        "/v1/applications?upstream_ref=none".to_owned(),
        format!("/v1/applications/{}", issued.id),
        format!("/v1/applications/{}/events", issued.id),
        "/v1/reviews?state=open&limit=200".to_owned(),
        "/v1/reviews?state=decided".to_owned(),
        "/v1/reviews?authority=nobody".to_owned(),
        format!("/v1/reviews/{task}"),
        "/v1/reviews/pace".to_owned(),
        "/v1/audit?type=issued".to_owned(),
        "/v1/audit?actor=nobody".to_owned(),
        format!("/v1/audit?actor=nobody&{span}"),
        "/v1/audit?actor=nobody&from=2026-11-27T00:00:00Z&to=2026-11-28T00:00:00Z".to_owned(),
    ];
    let api = site.api.reviewer("li");
    for path in &lists {
        results.push(measure(path, rounds, async || api.get(path).await).await);
    }
    let claim = json!({});
    results.push(
        measure("claiming the next review", rounds.min(3), async || {
            api.reviewer(&fresh_key()).post("/v1/reviews/claim-next", &claim).await
        })
        .await,
    );
    let preview = json!({ "filter": { "stage": "eligibility" }, "dry_run": true });
    let retry = "/v1/ops/stalled/retry";
    results.push(measure("dry run of a bulk retry", rounds, async || api.post(retry, &preview).await).await);
    report(&results);
}

async fn measure(call: &str, rounds: usize, mut ask: impl AsyncFnMut() -> Answer) -> Timed {
    let mut times = Vec::new();
    // The first one warms what is remembered.
    for round in 0..=rounds {
        let started = Instant::now();
        let answer = ask().await;
        assert!(answer.status < 400, "{call}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        if round > 0 {
            times.push(started.elapsed());
        }
        // What is remembered for a second is looked at anew.
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    times.sort_unstable();
    Timed { call: call.to_owned(), times }
}

fn report(results: &[Timed]) {
    println!("{:>9} {:>9}  page or list", "p50 ms", "max ms");
    for Timed { call, times } in results {
        let (p50, most) = (times[times.len() / 2], times[times.len() - 1]);
        let mark = if most > LIMIT { "  *" } else { "" };
        println!("{:>9.1} {:>9.1}  {call}{mark}", p50.as_secs_f64() * 1000.0, most.as_secs_f64() * 1000.0);
    }
    let slow = results.iter().filter(|timed| timed.times.iter().any(|time| *time > LIMIT)).count();
    println!("{slow} of {} took longer than {LIMIT:?} at least once (*)", results.len());
}

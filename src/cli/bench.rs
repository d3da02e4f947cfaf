//! `greenlane bench`: throughput and latency on the configured database, with providers that answer at once in process
//! and nothing else simplified, beside the ceiling that the same database allows for the minimal rows.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use secrecy::ExposeSecret;
use serde::Serialize;
use tokio::sync::{Semaphore, broadcast::error::TryRecvError};

use crate::{
    administration::Administrator,
    config::{Bind, Config},
    domain::{
        applicant::{AppUser, FaceToken, FieldError, Mobile, PersonName},
        application::{Kind, Photo, PhotoSource},
        identity::{DocumentNumber, DocumentType, check_digit},
        ids::ApplicationId,
        personal::{Applicant, Consent},
    },
    engine::admit::{Admittance, NewApplication},
    http::auth::Scope,
    providers::noop,
    store::{Store, types::Ceiling},
};

use super::{
    card_cost::{self, CardCost},
    output,
    presentation_load::{self, PresentationLoad},
    serve::{Role, Server},
};

/// Submissions in flight during the throughput run: enough to fill group commits, far below what memory holds.
const IN_FLIGHT: usize = 800;
/// How often the throughput run looks which of them are completed.
const DRAIN: Duration = Duration::from_millis(2);
/// Applications per commit of the ceiling's program.
const CEILING_BATCH: usize = 200;
/// Applications of the ceiling's latency, one after another.
const ALONE: usize = 50;
/// Single submissions of the latency run, and those before it that do not count: the first ones open connections and make
/// plans.
const SINGLE: usize = 300;
const WARM_UP: usize = 20;
/// Clients of the HTTP run, and requests of each.
const CLIENTS: usize = 32;
const REQUESTS: usize = 60;

/// How much, and how to print it.
#[derive(Debug, Args)]
pub struct Bench {
    /// Applications of the throughput run
    #[arg(long, default_value_t = 10_000)]
    applications: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was measured. Rates are per second, latencies in milliseconds.
#[derive(Debug, Serialize)]
struct Report {
    database: &'static str,
    cores: usize,
    applications: usize,
    applications_per_second: f64,
    ceiling_per_second: f64,
    share_of_ceiling: f64,
    cpu_ms_per_application: f64,
    machine_cpu_ms_per_application: f64,
    wal_bytes_per_application: Option<f64>,
    commits_per_application: Option<f64>,
    http_enqueue_per_second: f64,
    http_enqueue_ms: Latency,
    idle_submitted_to_notified_ms: Latency,
    /// The minimal rows of one application after another, each commit waited for: what the disk alone takes.
    idle_ceiling_ms: f64,
    presentations: PresentationLoad,
    card: CardCost,
}

/// How long something took, in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Latency {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Latency {
    pub(super) fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = ((samples.len() as f64 * share) as usize).min(samples.len().saturating_sub(1));
            samples.get(index).map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

impl Bench {
    /// Measures on the configured database, which keeps what the measurement wrote.
    ///
    /// # Errors
    /// The database cannot be opened, or an application did not end.
    pub async fn run(self, mut config: Config) -> anyhow::Result<ExitCode> {
        config.server.bind = Bind::local(0);
        let server = Server::start(&config, &Role::ALL, Some(noop::providers())).await?;
        let store = Arc::clone(&server.engine.shared.store);
        eprintln!("latency …");
        let (idle, example) = idle_latency(&server, SINGLE.min(self.applications)).await?;
        eprintln!("ceiling …");
        let rows = self.applications.max(CEILING_BATCH);
        let sizes = row_sizes(store.as_ref(), example, rows).await?;
        let ceiling = store.measure_ceiling(&sizes).await?;
        let alone = store.measure_ceiling(&Ceiling { applications: ALONE, batch: 1, writers: 1, ..sizes }).await?;
        eprintln!("throughput …");
        let before = Usage::now(store.as_ref()).await?;
        let elapsed = throughput(&server, self.applications).await?;
        let used = Usage::now(store.as_ref()).await?.since(&before);
        eprintln!("presentations …");
        let presentations = presentation_load::measure(&server.engine, &server.licences, self.applications).await?;
        eprintln!("http …");
        let (http_rate, http) = http_enqueue(&server, REQUESTS.min(self.applications.div_ceil(CLIENTS))).await?;
        let count = self.applications as f64;
        let rate = count / elapsed.as_secs_f64();
        let ceiling_rate = rows as f64 / ceiling.as_secs_f64();
        let report = Report {
            database: if config.database.url.sqlite_path().is_some() { "sqlite" } else { "postgres" },
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            applications: self.applications,
            applications_per_second: rate,
            ceiling_per_second: ceiling_rate,
            share_of_ceiling: rate / ceiling_rate,
            cpu_ms_per_application: used.process_ms / count,
            machine_cpu_ms_per_application: used.machine_ms / count,
            wal_bytes_per_application: used.written.map(|(wal, _)| wal as f64 / count),
            commits_per_application: used.written.map(|(_, commits)| commits as f64 / count),
            http_enqueue_per_second: http_rate,
            http_enqueue_ms: http,
            idle_submitted_to_notified_ms: idle,
            idle_ceiling_ms: alone.as_secs_f64() * 1000.0 / ALONE as f64,
            presentations,
            card: card_cost::measure().await?,
        };
        server.stop().await;
        print(&report, self.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let value = serde_json::to_value(report)?;
    if json {
        output::line(serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for (name, value) in value.as_object().into_iter().flatten() {
        table.add_row([name.clone(), value.to_string()]);
    }
    output::line(table)?;
    Ok(())
}

/// The whole way of many applications: submitted as fast as they are taken, until the last one is completed.
async fn throughput(server: &Server, count: usize) -> anyhow::Result<Duration> {
    let mut changes = server.engine.shared.changes.subscribe();
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let started = Instant::now();
    let admitter = server.engine.admitter.clone();
    let submitting = tokio::spawn({
        let places = Arc::clone(&places);
        async move {
            for index in 0..count {
                places.acquire().await?.forget();
                let admitter = admitter.clone();
                let new = sample(index)?;
                tokio::spawn(async move {
                    if !matches!(admitter.admit(new).await, Ok(Admittance::Created(_))) {
                        tracing::error!("a submission of the benchmark was refused");
                    }
                });
            }
            anyhow::Ok(())
        }
    });
    let mut completed = 0;
    let mut last = Instant::now();
    while completed < count {
        // Whoever is woken by each change alone takes the time that the applications are to have.
        tokio::time::sleep(DRAIN).await;
        let before = completed;
        loop {
            match changes.try_recv() {
                Ok(change) => completed += usize::from(change.completed),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => {
                    anyhow::bail!("the benchmark fell behind its own events")
                }
            }
        }
        places.add_permits(completed - before);
        if completed > before {
            last = Instant::now();
        }
        anyhow::ensure!(
            last.elapsed() < Duration::from_secs(60),
            "{completed} of {count} applications were completed, then nothing for a minute"
        );
    }
    let elapsed = started.elapsed();
    submitting.await??;
    Ok(elapsed)
}

/// One application at a time, from the submission's first moment until its completion is durable.
async fn idle_latency(server: &Server, count: usize) -> anyhow::Result<(Latency, ApplicationId)> {
    let mut samples = Vec::with_capacity(count);
    let mut last = None;
    for index in 0..WARM_UP + count {
        let mut changes = server.engine.shared.changes.subscribe();
        let new = sample(20_000_000 + index)?;
        let started = Instant::now();
        let Admittance::Created(application) = server.engine.admitter.admit(new).await? else {
            anyhow::bail!("a submission of the benchmark was refused");
        };
        loop {
            let change = tokio::time::timeout(Duration::from_secs(10), changes.recv()).await??;
            if change.application == application.id && change.completed {
                break;
            }
        }
        if index >= WARM_UP {
            samples.push(started.elapsed());
        }
        last = Some(application.id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let last = last.ok_or_else(|| anyhow::anyhow!("nothing was submitted"))?;
    Ok((Latency::of(samples), last))
}

/// The ceiling's rows are as large as those of a real application.
async fn row_sizes(store: &dyn Store, example: ApplicationId, applications: usize) -> anyhow::Result<Ceiling> {
    let view = store.application(example).await?.ok_or_else(|| anyhow::anyhow!("the example is gone"))?;
    let events = store.events(example).await?;
    let event_bytes =
        events.iter().map(|event| event.data.len() + event.hash.len() + event.prev_hash.len()).sum::<usize>();
    Ok(Ceiling {
        applications,
        batch: CEILING_BATCH,
        writers: 2,
        state_bytes: serde_json::to_string(&view.application)?.len(),
        event_bytes: event_bytes / events.len().max(1),
    })
}

/// Single requests by some clients at once, over real HTTP, each answered after its commit.
async fn http_enqueue(server: &Server, requests: usize) -> anyhow::Result<(f64, Latency)> {
    let address = server.address.ok_or_else(|| anyhow::anyhow!("the benchmark needs the api role"))?;
    // Nobody revokes it: the measured database is a throw-away one.
    let administrator = Administrator::at_shell(server.engine.shared.store.as_ref());
    let (_, key) = administrator.create_key("bench", "bench", &[Scope::ApplicationsWrite]).await?;
    let key = key.expose_secret().to_owned();
    let client = reqwest::Client::new();
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|number| {
        let (client, key) = (client.clone(), key.clone());
        tokio::spawn(async move {
            let mut samples = Vec::with_capacity(requests);
            for request in 0..requests {
                let body = body(30_000_000 + number * REQUESTS + request)?;
                let begun = Instant::now();
                let answer = client
                    .post(format!("http://{address}/v1/applications"))
                    .bearer_auth(&key)
                    .header("Idempotency-Key", format!("bench-{}", uuid::Uuid::now_v7()))
                    .json(&body)
                    .send()
                    .await?;
                anyhow::ensure!(answer.status() == 201, "the server answered {}", answer.status());
                samples.push(begun.elapsed());
            }
            anyhow::Ok(samples)
        })
    });
    let mut samples = Vec::new();
    for client in futures::future::join_all(clients).await {
        samples.extend(client??);
    }
    let rate = samples.len() as f64 / started.elapsed().as_secs_f64();
    Ok((rate, Latency::of(samples)))
}

/// The identity number of the `index`th applicant of this run: 40 years of birth dates, 999 people a day.
fn identity_number(index: usize) -> anyhow::Result<String> {
    // Runs on one database must not meet each other's holders: open applications are unique per holder.
    let (day, person) = (index / 799 % 14_000, index % 799);
    let born = chrono::NaiveDate::from_ymd_opt(1965, 1, 1)
        .and_then(|first| first.checked_add_days(chrono::Days::new(day as u64)))
        .ok_or_else(|| anyhow::anyhow!("no such day"))?;
    let body = format!("{:06}{}{person:03}", 110_101 + index / (799 * 14_000), born.format("%Y%m%d"));
    let check = check_digit(body.as_bytes()).ok_or_else(|| anyhow::anyhow!("no check digit"))?;
    Ok(format!("{body}{check}"))
}

fn sample(index: usize) -> anyhow::Result<NewApplication> {
    let field = |error: FieldError| anyhow::anyhow!("{error}");
    let now = chrono::Utc::now();
    let document = DocumentNumber::parse(DocumentType::IdentityCard, &identity_number(index)?, now.date_naive())?;
    let applicant = Applicant {
        document,
        name: PersonName::parse("张三").map_err(field)?,
        mobile: Mobile::parse("13800138000").map_err(field)?,
        app_user: AppUser::parse("u-bench").map_err(field)?,
        file_number: None,
        face_token: FaceToken::parse("ft-ok").map_err(field)?,
        consent: Consent { version: "2026-01".to_owned(), given_at: now },
    };
    Ok(NewApplication {
        owner: "bench".to_owned(),
        key_name: "bench".to_owned(),
        idempotency_key: format!("bench-{}", uuid::Uuid::now_v7()),
        request_hash: format!("{index:064x}"),
        kind: Kind::FirstIssue,
        applicant,
        photo: Photo { source: PhotoSource::Retained, photo_id: None },
        callback_url: None,
        upstream_ref: None,
    })
}

fn body(index: usize) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::json!({
        "kind": "first_issue",
        "applicant": {
            "document_type": "A", "document_number": identity_number(index)?, "name": "张三",
            "mobile": "13800138000", "app_user": "u-bench",
        },
        "licence": { "file_number": "150300123456" },
        "photo": { "source": "retained" },
        "face_token": "ft-ok",
        "consent": { "version": "2026-01", "given_at": "2026-11-20T10:00:00+08:00" },
    }))
}

/// What the run cost.
struct Usage {
    process_ms: f64,
    machine_ms: f64,
    written: Option<(u64, u64)>,
}

impl Usage {
    async fn now(store: &dyn Store) -> anyhow::Result<Self> {
        Ok(Self { process_ms: process_ms(), machine_ms: machine_ms(), written: store.write_figures().await? })
    }

    fn since(&self, before: &Self) -> Self {
        let written = self
            .written
            .zip(before.written)
            .map(|(now, then)| (now.0.saturating_sub(then.0), now.1.saturating_sub(then.1)));
        Self {
            process_ms: self.process_ms - before.process_ms,
            machine_ms: self.machine_ms - before.machine_ms,
            written,
        }
    }
}

/// Linux counts time in hundredths of a second for programs, whatever the kernel's own clock.
const MS_PER_TICK: f64 = 10.0;

/// CPU time of this process: fields 14 and 15 of `/proc/self/stat`, after the name in brackets. 0 where there is none.
fn process_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        * MS_PER_TICK
}

/// Busy time of the whole machine, where the database may run too: everything but idle and waiting.
fn machine_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    (fields.iter().take(8).sum::<f64>() - idle) * MS_PER_TICK
}

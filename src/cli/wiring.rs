//! The only composition root: configuration in, running parts out.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::{
    administration,
    config::{Config, DatabaseKind, ProviderConfig},
    domain::{
        calendar::{self, Calendar},
        retention::PhotoRules,
        stage::Stage,
        transition::Timing,
        workflow::{Workflow, WorkflowSet},
    },
    engine::{
        Engine,
        clock::DbClock,
        lease::Identity,
        places::Places,
        shared::{Settings, Shared},
        sweep::{
            Sweep,
            alerts::{self, Alerts},
            licences,
            outbox::{self, Outbox},
            retention::{self, Retention},
        },
    },
    hints::{Local, RateLimit, Redis, SharedHints},
    licences::{
        card::CardPress,
        desk::{self, Desk},
    },
    photos::PhotoVault,
    providers::{
        Absent, Providers, Registry,
        alarm::{Alarm, DigestAlarm},
        blob::BlobStore,
        breaker::{BreakerSettings, Breakers},
        egress::WebhookClient,
        http::{self, Calls, Settings as ProviderSettings},
        operations_mail::OperationsMailer,
    },
    secrets::{KeyFileError, KeyMaterial},
    stages::{LatestLicences, Tools},
    store::{
        self, Options, Store,
        postgres::{PostgresHints, PostgresStore},
        types::PinnedWorkflow,
    },
};

use super::{exit::Refused, prepare, serve::Role};

/// Webhooks delivered at once.
const WEBHOOK_TRIES: usize = 64;
/// Commits side by side: one collects while the other writes.
const COMMITTERS: usize = 2;

/// Key material: named, or beside the SQLite file where it is made on the first start.
///
/// # Errors
/// It is required and not named, or cannot be read.
pub fn secrets(config: &Config) -> anyhow::Result<Arc<KeyMaterial>> {
    config.secret_file_required().map_err(|problem| Refused(vec![problem]).lines())?;
    let material = match config.secret_file() {
        None => KeyMaterial::ephemeral()?,
        Some(file) if config.database.url.kind() == DatabaseKind::Postgres => {
            KeyMaterial::load(&file).map_err(refused)?
        }
        Some(file) => KeyMaterial::load_or_create(&file).map_err(refused)?,
    };
    Ok(Arc::new(material))
}

/// A key file that is missing, open to others or malformed is a refused configuration; one that cannot be read or
/// written is a failure.
fn refused(error: KeyFileError) -> anyhow::Error {
    match error {
        KeyFileError::Io { .. } => error.into(),
        _ => Refused(vec![error]).lines().into(),
    }
}

fn options(config: &Config, exclusive: bool) -> Options {
    let database = &config.database;
    Options {
        exclusive,
        connections: database.max_connections,
        acquire_timeout: database.connect_timeout_seconds.duration(),
        statement_timeout: database.statement_timeout_seconds.duration(),
    }
}

/// The database for a short command, which works beside a server.
///
/// # Errors
/// It cannot be opened; the error says what to do.
pub async fn store(config: &Config) -> store::Result<Arc<dyn Store>> {
    store::open(config.database.url.expose(), &options(config, false)).await
}

/// The database of a server (only one may have an SQLite file), and how processes wake each other: by Redis where it is
/// configured, else by the database server, else not at all, as there is one process only.
///
/// # Errors
/// It cannot be opened; the error says what to do. (A Redis that is away is no error.)
pub async fn store_and_hints(config: &Config) -> anyhow::Result<(Arc<dyn Store>, SharedHints)> {
    let (url, options) = (config.database.url.expose(), options(config, true));
    let redis: Option<SharedHints> = match &config.redis.url {
        Some(redis) => Some(Arc::new(Redis::new(redis.expose().as_str())?)),
        None => None,
    };
    if config.database.url.kind() == DatabaseKind::Sqlite {
        return Ok((store::open(url, &options).await?, redis.unwrap_or_else(|| Arc::new(Local::new()))));
    }
    let store = PostgresStore::connect(url, &options).await?;
    let hints = match redis {
        Some(redis) => redis,
        None => Arc::new(PostgresHints::new(store.clone(), url)?),
    };
    Ok((Arc::new(store), hints))
}

/// The workflow files, and every released version that the database knows.
///
/// # Errors
/// A file is wrong, or a released version was edited.
pub async fn workflows(config: &Config, store: &dyn Store) -> anyhow::Result<WorkflowSet> {
    released(prepare::workflows(config)?, store).await
}

/// Adds every released version that the database knows to those of the files: applications in flight keep theirs.
///
/// # Errors
/// A released version was edited.
async fn released(mut set: WorkflowSet, store: &dyn Store) -> anyhow::Result<WorkflowSet> {
    let released: Vec<PinnedWorkflow> = set.iter().map(|workflow| pinned(workflow)).collect();
    store.pin_workflows(&released).await?;
    for known in store.pinned_workflows().await? {
        let workflow = Workflow::parse(&known.source).map_err(|problems| {
            Refused(
                problems
                    .into_iter()
                    .map(|problem| format!("released workflow `{}`: {}", known.id, problem.reason))
                    .collect(),
            )
        })?;
        set.add_pinned(workflow).map_err(|edited| Refused(vec![edited]).lines())?;
    }
    Ok(set)
}

fn pinned(workflow: &Workflow) -> PinnedWorkflow {
    PinnedWorkflow { id: workflow.id().to_string(), hash: workflow.hash.clone(), source: workflow.source.clone() }
}

/// The newest imported calendar, else the file's, else the one that ships with the program.
///
/// # Errors
/// It does not parse.
pub async fn calendar(config: &Config, store: &dyn Store) -> anyhow::Result<Calendar> {
    match administration::calendar::imported(store).await? {
        Some(imported) => Ok(imported),
        None => calendar_file(config),
    }
}

/// The calendar of the configured folder, else the one that ships with the program.
///
/// # Errors
/// It cannot be read or does not parse.
pub fn calendar_file(config: &Config) -> anyhow::Result<Calendar> {
    let folder = config.calendar.folder.clone().unwrap_or_else(|| config.workflow.folder.join("calendar"));
    let path = folder.join("cn.toml");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && config.calendar.folder.is_none() => {
            calendar::BUILT_IN.to_owned()
        }
        Err(error) => return Err(Refused(vec![format!("{}: {error}", path.display())]).into()),
    };
    Calendar::parse(&text).map_err(|error| {
        Refused(vec![format!("{}:{}: {}", path.display(), error.line.unwrap_or(1), error.reason)]).into()
    })
}

/// Every provider has an address: nothing stands in for one outside `demo`.
///
/// # Errors
/// One line for each that has none.
pub fn require_providers(config: &Config) -> Result<(), Refused<String>> {
    let missing = config.providers.missing();
    if missing.is_empty() { Ok(()) } else { Err(Refused(missing).lines()) }
}

/// The providers over HTTP.
///
/// # Errors
/// One has no address.
pub fn providers(config: &Config, store: &Arc<dyn Store>, hints: &SharedHints) -> anyhow::Result<Providers> {
    let settings = &config.providers;
    require_providers(config)?;
    let url = |provider: &ProviderConfig| provider.url.as_ref().map(|url| url.expose().clone());
    let [registry, face, sms, push] = [&settings.registry, &settings.face, &settings.sms, &settings.push];
    let (Some(registry_url), Some(face_url), Some(sms_url), Some(push_url)) =
        (url(registry), url(face), url(sms), url(push))
    else {
        anyhow::bail!("a provider has no address");
    };
    let settings = ProviderSettings {
        registry_url,
        face_url,
        sms_url,
        push_url,
        calls: calls(config)?,
        registry_limit: rate(registry.rate_per_second, registry.rate_burst)?,
        face_limit: rate(face.rate_per_second, face.rate_burst)?,
        sms_limit: rate(sms.rate_per_second, sms.rate_burst)?,
        push_limit: rate(push.rate_per_second, push.rate_burst)?,
    };
    Ok(http::providers(&settings, hints, &alarm(store))?)
}

/// The registry of a process that runs no stages. One that is not configured cannot be asked, and nothing is vouched for.
///
/// # Errors
/// The HTTP client cannot be made.
pub fn registry(config: &Config, store: &Arc<dyn Store>, hints: &SharedHints) -> anyhow::Result<Arc<dyn Registry>> {
    let registry = &config.providers.registry;
    let Some(url) = &registry.url else {
        tracing::warn!("no registry is configured: this process cannot show or verify licences");
        return Ok(Arc::new(Absent));
    };
    let limit = rate(registry.rate_per_second, registry.rate_burst)?;
    Ok(http::registry(url.expose().clone(), limit, &calls(config)?, hints, alarm(store))?)
}

fn alarm(store: &Arc<dyn Store>) -> Arc<dyn Alarm> {
    Arc::new(DigestAlarm(Arc::clone(store)))
}

fn calls(config: &Config) -> anyhow::Result<Calls> {
    let (settings, breaker) = (&config.providers, &config.providers.breaker);
    Ok(Calls {
        timeout: settings.timeout_seconds.duration(),
        connect_timeout: settings.connect_timeout_seconds.duration(),
        breaker: BreakerSettings {
            window: breaker.window_seconds.duration(),
            min_calls: usize::try_from(breaker.min_calls)?,
            failure_ratio: breaker.failure_ratio,
            open_for: breaker.open_seconds.duration(),
            max_open_for: breaker.max_open_seconds.duration(),
        },
    })
}

/// A limit, or none where the configured rate is 0.
///
/// # Errors
/// The numbers make no limit.
pub fn rate(per_second: f64, burst: u32) -> anyhow::Result<Option<RateLimit>> {
    if per_second <= 0.0 {
        return Ok(None);
    }
    Ok(Some(RateLimit::new(per_second, burst)?))
}

/// The delivery of webhooks.
///
/// # Errors
/// The HTTP client cannot be made.
pub fn outbox(config: &Config, engine: &Engine) -> anyhow::Result<Arc<dyn Sweep>> {
    let webhooks = &config.webhooks;
    let timeout = webhooks.timeout_seconds.duration();
    let client = WebhookClient::new(webhooks.allow_private_callbacks, timeout)?;
    let settings = outbox::Settings { timeout, retry_scale: webhooks.retry_scale, concurrency: WEBHOOK_TRIES };
    Ok(Arc::new(Outbox::new(engine.clone(), Arc::new(client), settings)))
}

/// What forgets; `blobs` has the photo files.
pub fn retention(config: &Config, engine: &Engine, blobs: BlobStore) -> Arc<dyn Sweep> {
    let kept = &config.retention;
    let days = |days: u32| TimeDelta::days(days.into());
    let settings = retention::Settings {
        photos: PhotoRules {
            unused: TimeDelta::hours(kept.unused_photo_hours.into()),
            rejected: days(kept.rejected_photo_days),
        },
        alerts: days(kept.alert_days),
        batches: days(kept.batch_days),
        deliveries: days(kept.webhook_days),
        dead_webhooks: days(kept.dead_webhook_days),
        verifications: days(kept.verification_days),
    };
    Arc::new(Retention::new(engine.clone(), Box::new(blobs), settings))
}

/// The operators' digest.
pub fn alerts(config: &Config, engine: &Engine, mailer: OperationsMailer) -> Arc<dyn Sweep> {
    let settings = alerts::Settings { calendar_warn_days: config.calendar.warn_days, ..alerts::Settings::default() };
    Arc::new(Alerts::new(engine.clone(), Box::new(mailer), settings))
}

/// The engine of this process, its lease taken; `workflows` are those of the files.
///
/// # Errors
/// The database does not answer, or a released workflow was edited.
pub async fn engine(
    config: &Config,
    roles: &[Role],
    breakers: Option<Arc<Breakers>>,
    store: Arc<dyn Store>,
    secrets: Arc<KeyMaterial>,
    hints: SharedHints,
    workflows: WorkflowSet,
) -> anyhow::Result<Engine> {
    let workflows = released(workflows, store.as_ref()).await?;
    let calendar = calendar(config, store.as_ref()).await?;
    let clock = DbClock::start(store.as_ref()).await?;
    let places =
        if roles.contains(&Role::Worker) { Places::new(concurrency(config, &workflows)) } else { Places::default() };
    let settings = Settings {
        lease: config.engine.lease_seconds.duration(),
        poll: config.engine.poll(),
        commit_batch: config.engine.commit_batch,
        committers: COMMITTERS,
        linger: config.engine.commit_linger(),
        drain: config.engine.drain_seconds.duration(),
        timing: Timing {
            retry_scale: config.workflow.retry_scale,
            review_lease: config.review.lease_seconds.duration(),
            second_look_share: config.review.second_look_share,
            claim_limit: u64::from(config.review.claim_limit),
        },
    };
    let engine = Engine::new(Shared::new(store, clock, secrets, hints, places, settings, workflows, calendar));
    let identity = Identity {
        roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
        host: hostname(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        breakers: Arc::new(move || breakers.as_ref().map(|breakers| breakers.report()).unwrap_or_default()),
    };
    engine.start(identity).await?;
    Ok(engine)
}

fn concurrency(config: &Config, workflows: &WorkflowSet) -> Vec<(Stage, usize)> {
    let limits = Shared::stage_limits(workflows);
    limits
        .into_iter()
        .map(|(stage, (concurrency, _))| (stage, config.engine.concurrency.get(&stage).copied().unwrap_or(concurrency)))
        .collect()
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

/// The portraits of licences.
pub fn photo_vault(engine: &Engine, blobs: BlobStore) -> PhotoVault {
    let shared = &engine.shared;
    PhotoVault::new(Arc::clone(&shared.store), Arc::clone(&shared.secrets), blobs)
}

/// What is asked about issued licences.
pub fn desk(config: &Config, engine: &Engine, photos: PhotoVault, registry: Arc<dyn Registry>) -> Desk {
    let licence = &config.licence;
    let settings = desk::Settings {
        status_cache: licence.status_cache_seconds.duration(),
        presentation: licence.presentation_seconds.duration(),
    };
    Desk::new(engine.clone(), photos, registry, settings)
}

/// The status sweep; none when it is turned off.
///
/// # Errors
/// The rate makes no limit.
pub fn licence_sweep(config: &Config, engine: &Engine, desk: Desk) -> anyhow::Result<Option<Arc<dyn Sweep>>> {
    let licence = &config.licence;
    let Some(rate) = rate(licence.sweep_per_second, 1)? else {
        return Ok(None);
    };
    let settings = licences::Settings { every: licence.sweep_every_seconds.duration(), rate };
    Ok(Some(Arc::new(licences::Licences::new(engine.clone(), Arc::new(desk), settings))))
}

/// What the stages may use.
pub fn tools(config: &Config, engine: &Engine, providers: Providers, photos: PhotoVault, cards: CardPress) -> Tools {
    Tools {
        providers,
        store: Arc::clone(&engine.shared.store),
        latest: LatestLicences::start(Arc::clone(&engine.shared.store)),
        secrets: Arc::clone(&engine.shared.secrets),
        photos,
        cards,
        face_poll: config.face.pending_poll_seconds.duration(),
    }
}

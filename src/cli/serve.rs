//! `greenlane serve`: the named roles in one process.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Bind, Config},
    engine::{
        Engine,
        sweep::{
            Sweep, batches::Batches, calendar::Calendars, checkpoints::Checkpoints, deadlines::Deadlines,
            figures::Figures, forecasts::Forecasts, gauges::Gauges, rescue::Rescue, reviews::Reviews,
            sessions::Sessions, verdicts::Verdicts,
        },
    },
    http::{self, AppState},
    licences::desk::Desk,
    providers::Providers,
    stages, telemetry,
};

use super::{prepare::Prepared, wiring};

/// How long open requests may go on once the process is told to stop.
const HTTP_GRACE: Duration = Duration::from_secs(5);

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers HTTP.
    Api,
    /// Runs stages and delivers webhooks.
    Worker,
    /// Runs the reconcilers.
    Scheduler,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Api, Self::Worker, Self::Scheduler];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
        }
    }
}

/// Which roles, and where.
#[derive(Debug, Args)]
pub struct Serve {
    /// The roles of this process [default: all]
    #[arg(long, value_delimiter = ',', value_enum)]
    roles: Vec<Role>,
    /// Address and port; port 0 takes a free one [default: from the configuration]
    #[arg(long)]
    bind: Option<Bind>,
}

impl Serve {
    /// Serves until SIGTERM or SIGINT, then drains.
    ///
    /// # Errors
    /// Something that is needed cannot be opened.
    pub async fn run(self, mut config: Config) -> anyhow::Result<ExitCode> {
        let roles = if self.roles.is_empty() { Role::ALL.to_vec() } else { self.roles };
        if let Some(bind) = self.bind {
            config.server.bind = bind;
        }
        telemetry::init(&config.telemetry.log, config.telemetry.json)?;
        telemetry::metrics::install()?;
        let server = Server::start(&config, &roles, None).await?;
        stop_signal().await;
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A running process with its roles.
pub struct Server {
    /// Its engine.
    pub engine: Engine,
    /// Where the licences that it issued are shown.
    pub licences: Desk,
    /// Where it answers HTTP, when it does.
    pub address: Option<std::net::SocketAddr>,
    /// Of the role `scheduler`.
    checkpoints: Option<Arc<Checkpoints>>,
    stop_http: CancellationToken,
    http: Option<tokio::task::JoinHandle<()>>,
}

impl Server {
    /// Starts the roles. `providers` replaces the configured ones (the benchmark's answer in process).
    ///
    /// # Errors
    /// Something that is needed cannot be opened; nothing is left running.
    pub async fn start(config: &Config, roles: &[Role], providers: Option<Providers>) -> anyhow::Result<Self> {
        let calls_providers = providers.is_none() && roles.contains(&Role::Worker);
        let prepared = Prepared::of(config, roles, calls_providers)?;
        let secrets = wiring::secrets(config)?;
        let (store, hints) = wiring::store_and_hints(config).await?;
        let providers = match providers {
            None if calls_providers => Some(wiring::providers(config, &store, &hints)?),
            other => other,
        };
        let registry = match &providers {
            Some(providers) => Arc::clone(&providers.registry),
            None => wiring::registry(config, &store, &hints)?,
        };
        let breakers = providers.as_ref().map(|providers| Arc::clone(&providers.breakers));
        let engine = wiring::engine(config, roles, breakers, store, secrets, hints, prepared.workflows).await?;
        let photos = wiring::photo_vault(&engine, prepared.blobs.clone());
        let desk = wiring::desk(config, &engine, photos.clone(), registry);
        if let Some(providers) = providers {
            engine.work(stages::all(&wiring::tools(config, &engine, providers, photos, prepared.cards.clone())));
            engine.sweep(vec![wiring::outbox(config, &engine)?]);
        }
        let mut checkpoints = None;
        if let Some(mailer) = prepared.mailer {
            let taken = Arc::new(Checkpoints {
                engine: engine.clone(),
                period: config.audit.checkpoint_seconds.duration(),
                folder: config.audit.checkpoint_folder.clone(),
            });
            engine.sweep(vec![
                taken.clone(),
                wiring::alerts(config, &engine, mailer),
                wiring::retention(config, &engine, prepared.blobs.clone()),
            ]);
            engine.sweep(scheduled(&engine));
            engine.sweep(wiring::licence_sweep(config, &engine, desk.clone())?.into_iter().collect());
            checkpoints = Some(taken);
        }
        let stop_http = CancellationToken::new();
        let (mut address, mut http) = (None, None);
        if let Some(inspector) = prepared.inspector {
            let settings = settings(config)?;
            let (blobs, cards) = (prepared.blobs, prepared.cards);
            let state = AppState::new(engine.clone(), inspector, blobs, desk.clone(), cards, settings);
            // Where `/metrics` is answered.
            engine.sweep(vec![Arc::new(Gauges(engine.clone()))]);
            let bind = config.server.bind.to_string();
            let listener = TcpListener::bind(&bind).await.with_context(|| format!("cannot listen on `{bind}`"))?;
            let local = listener.local_addr()?;
            eprintln!("listening on http://{local}");
            address = Some(local);
            http = Some(tokio::spawn(answer(listener, http::router(state), stop_http.clone())));
        }
        tracing::info!(roles = ?roles, lease = %engine.shared.lease, "greenlane is running");
        Ok(Self { engine, licences: desk, address, checkpoints, stop_http, http })
    }

    /// Claims nothing new, lets what runs end, gives back the rest, stops answering; a scheduler takes a last checkpoint.
    pub async fn stop(mut self) {
        tracing::info!("stopping");
        self.stop_http.cancel();
        let drain = self.engine.drain();
        let http = async {
            if let Some(http) = self.http.take() {
                let _timed_out = tokio::time::timeout(HTTP_GRACE, http).await;
            }
        };
        tokio::join!(drain, http);
        if let Some(checkpoints) = &self.checkpoints
            && let Err(error) = checkpoints.close().await
        {
            tracing::warn!(error = format!("{error:#}"), "the last events are in no checkpoint yet");
        }
        tracing::info!("stopped");
    }
}

fn settings(config: &Config) -> anyhow::Result<http::Settings> {
    let limits = &config.limits;
    Ok(http::Settings {
        allow_private_callbacks: config.webhooks.allow_private_callbacks,
        request_limit: wiring::rate(limits.requests_per_second, limits.requests_burst)?,
        undo: config.review.undo_seconds.duration(),
        session: http::SessionSettings {
            idle: config.session.idle_seconds.duration(),
            absolute: config.session.absolute_seconds.duration(),
            secure: config.session.is_secure(&config.server.bind),
        },
        sign_in: http::SignInLimit {
            tries: limits.login_attempts,
            window: limits.login_window_seconds.duration(),
            address_header: config.server.client_address_header.clone(),
        },
        ..http::Settings::default()
    })
}

async fn answer(listener: TcpListener, router: axum::Router, stop: CancellationToken) {
    let router = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await }).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP server ended");
    }
}

/// The reconcilers of the scheduler role that need nothing but the engine.
fn scheduled(engine: &Engine) -> Vec<Arc<dyn Sweep>> {
    vec![
        Arc::new(Rescue(engine.clone())),
        Arc::new(Deadlines(engine.clone())),
        Arc::new(Reviews(engine.clone())),
        Arc::new(Calendars(engine.clone())),
        Arc::new(Batches(engine.clone())),
        Arc::new(Verdicts::new(engine.clone())),
        Arc::new(Sessions(engine.clone())),
        Arc::new(Figures(engine.clone())),
        Arc::new(Forecasts(engine.clone())),
    ]
}

/// SIGTERM or SIGINT.
pub async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

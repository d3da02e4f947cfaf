//! Everything that the demonstration consists of, in this process: database, providers, server, webhook receiver, keys.

use std::net::SocketAddr;

use anyhow::Context;
use secrecy::ExposeSecret;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    administration::Administrator,
    cli::{
        exit::Refused,
        serve::{Role, Server},
    },
    config::{Bind, Config},
    domain::user::Role as UserRole,
    http::auth::Scope,
    providers::simulator,
    secrets::password,
    store::{Store, users::User},
};

use super::{client::Caller, scratch::Scratch, sink::Sink};

/// Hours become seconds. The breaker is told to look away: a demonstration has more trouble in ten seconds than an
/// installation in a month, and an open breaker would hide the retries that are to be seen.
const SETTINGS: &str = r#"
[workflow]
retry_scale = 0.001

[engine]
poll_ms = 50

[webhooks]
retry_scale = 0.02
allow_private_callbacks = true

[face]
pending_poll_seconds = 0.3

[providers]
timeout_seconds = 1

[providers.breaker]
min_calls = 1000000

[audit]
checkpoint_seconds = 5
"#;

/// The sample keys: name and scopes.
const KEYS: [(&str, &[Scope]); 4] = [
    ("upstream", &[Scope::ApplicationsWrite, Scope::ApplicationsRead, Scope::LicencesPresent, Scope::LicencesVerify]),
    ("reviewer", &[Scope::Reviews]),
    ("operator", &[Scope::OpsRead, Scope::OpsWrite, Scope::ApplicationsRead]),
    ("auditor", &[Scope::AuditRead]),
];

/// The sample users: name and role. They share one password, which is drawn at every start.
const USERS: [(&str, UserRole); 7] = [
    ("reviewer", UserRole::Reviewer),
    ("reviewer-2", UserRole::Reviewer),
    ("supervisor", UserRole::Supervisor),
    ("verifier", UserRole::Verifier),
    ("operator", UserRole::Operator),
    ("auditor", UserRole::Auditor),
    ("admin", UserRole::Admin),
];

/// A whole installation.
pub(super) struct Site {
    /// The running server.
    pub(super) server: Server,
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// An upstream system.
    pub(super) upstream: Caller,
    /// A reviewer.
    pub(super) reviewer: Caller,
    /// An operator.
    pub(super) operator: Caller,
    /// The simulated providers.
    pub(super) simulator: Caller,
    /// Where webhooks arrive.
    pub(super) sink: Sink,
    /// Names and keys, to be shown.
    pub(super) keys: Vec<(&'static str, String)>,
    /// Names of the users, and their password, to be shown.
    pub(super) users: (Vec<&'static str>, String),
    simulating: JoinHandle<()>,
    // Last: what is above still uses the folder.
    _scratch: Scratch,
}

impl Site {
    /// Builds it, with an empty database.
    ///
    /// # Errors
    /// The temporary folder or the address cannot be used.
    pub(super) async fn start(bind: Bind) -> anyhow::Result<Self> {
        let scratch = Scratch::new().context("the temporary folder cannot be made")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let providers = format!("http://{}", listener.local_addr()?);
        let simulating = tokio::spawn(async move {
            if let Err(error) = simulator::serve(listener).await {
                tracing::error!(%error, "the simulator ended");
            }
        });
        let mut config = config(&scratch, &providers)?;
        config.server.bind = bind;
        let server = Server::start(&config, &Role::ALL, None).await?;
        let address = server.address.context("the server has no address")?;
        let mut keys = Vec::new();
        for (name, scopes) in KEYS {
            keys.push((name, create_key(server.engine.shared.store.as_ref(), name, scopes).await?));
        }
        let users = create_users(&server).await?;
        let base = format!("http://{}", reachable(address));
        let caller = |name: &str| {
            let key = keys.iter().find(|(known, _)| *known == name).map(|(_, key)| key.clone());
            Caller::new(&base, key)
        };
        let (upstream, reviewer, operator) =
            (caller("upstream")?, caller("reviewer")?.named("robot"), caller("operator")?);
        let secret = upstream.get("/v1/webhook-secret").await?.expect(200)?;
        let sink = Sink::start(secret["secret"].as_str().unwrap_or_default()).await?;
        let simulator = Caller::new(&providers, None)?;
        Ok(Self {
            server,
            address,
            upstream,
            reviewer,
            operator,
            simulator,
            sink,
            keys,
            users,
            simulating,
            _scratch: scratch,
        })
    }

    /// Stops everything and removes what was stored.
    pub(super) async fn stop(self) {
        self.server.stop().await;
        self.simulating.abort();
    }
}

fn config(scratch: &Scratch, providers: &str) -> anyhow::Result<Config> {
    let path = |name: &str| scratch.path(name).display().to_string();
    let mut variables = vec![
        ("DATABASE_URL".to_owned(), format!("sqlite://{}", path("greenlane.db"))),
        ("GREENLANE_SECRET_FILE".to_owned(), path("keys.toml")),
        ("GREENLANE_BLOB_URL".to_owned(), format!("file://{}", path("photos"))),
        ("GREENLANE_WORKFLOWS".to_owned(), path("workflows")),
        ("GREENLANE__MAIL__FILE_DIR".to_owned(), path("mail")),
    ];
    for provider in ["registry", "face", "sms", "push"] {
        variables.push((format!("GREENLANE_{}_URL", provider.to_uppercase()), format!("{providers}/{provider}")));
    }
    Config::from_parts(Some(SETTINGS), variables).map_err(|problems| Refused(problems).lines().into())
}

/// An address that can be called: a server that listens everywhere is called here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

async fn create_key(store: &dyn Store, name: &str, scopes: &[Scope]) -> anyhow::Result<String> {
    let (_, key) = Administrator::at_shell(store).create_key(&format!("demo-{name}"), name, scopes).await?;
    Ok(key.expose_secret().to_owned())
}

async fn create_users(server: &Server) -> anyhow::Result<(Vec<&'static str>, String)> {
    let password = password::generate();
    let shown = password.expose_secret().to_owned();
    let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
    let store = &server.engine.shared.store;
    for (name, role) in USERS {
        let user = User {
            name: name.to_owned(),
            password: hashed.clone(),
            role,
            authority: None,
            other_authorities: false,
            document: None,
            epoch: 0,
            created_at: store.now().await?,
            disabled_at: None,
        };
        store.create_user(&user).await?;
    }
    Ok((USERS.iter().map(|(name, _)| *name).collect(), shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_accepted() {
        let scratch = Scratch::new().unwrap();
        let config = config(&scratch, "http://127.0.0.1:1").unwrap();
        assert!(config.webhooks.allow_private_callbacks);
        assert!(config.providers.missing().is_empty());
        assert!(config.database.url.sqlite_path().is_some_and(std::path::Path::is_absolute));
    }

    #[test]
    fn a_server_that_listens_everywhere_is_called_here() {
        for (bound, called) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reachable(bound.parse().unwrap()).to_string(), called);
        }
    }
}

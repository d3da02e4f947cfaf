//! A whole installation of one test's own: database, simulator, server and keys.

use super::api::Api;
use super::browser::{Browser, PASSWORD};
use super::database::Database;
use super::program::{Finished, Program, Settings};
use super::scratch::Scratch;
use super::simulator::Simulator;

pub const ALL_SCOPES: &str = "applications:write,applications:read,reviews,licences:present,licences:verify,ops:read,ops:write,audit:read,reviews:supervise,admin";

/// What a test can choose before the installation starts.
pub struct Plan {
    database: Database,
    settings: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    roles: String,
}

impl Plan {
    /// Sets a key of the configuration, such as `workflow.retry_scale`.
    pub fn setting(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    pub fn variable(mut self, name: &str, value: impl ToString) -> Self {
        self.variables.push((name.to_owned(), value.to_string()));
        self
    }

    /// The roles of the first process; all without this.
    pub fn roles(mut self, roles: &str) -> Self {
        roles.clone_into(&mut self.roles);
        self
    }

    pub async fn start(self) -> Site {
        let scratch = Scratch::new();
        let simulator = Simulator::start().await;
        let mut settings = installation(&scratch, &self.database, &simulator);
        for (key, value) in &self.settings {
            settings = settings.setting(key, value);
        }
        for (name, value) in &self.variables {
            settings = settings.variable(name, value);
        }
        if self.database.is_postgres() {
            settings.run(&["secret", "create", &scratch.file("secret").display().to_string()]).await.expect(0);
            settings.run(&["migrate"]).await.expect(0);
        }
        let mut server = serve(&settings, &self.roles);
        let base = server.listening().await;
        let mut site = Site {
            api: Api::new(base),
            settings,
            roles: self.roles,
            server,
            simulator,
            database: self.database,
            scratch,
        };
        site.api.get("/readyz").await.expect(200);
        site.api = site.key_of("upstream", ALL_SCOPES).await;
        site
    }
}

/// A running installation. Fields are dropped in this order: the server goes before its database.
pub struct Site {
    /// A caller with every scope, owner `upstream`.
    pub api: Api,
    pub settings: Settings,
    roles: String,
    pub server: Program,
    pub simulator: Simulator,
    pub database: Database,
    pub scratch: Scratch,
}

impl Site {
    pub fn on(database: Database) -> Plan {
        Plan { database, settings: Vec::new(), variables: Vec::new(), roles: "api,worker,scheduler".to_owned() }
    }

    /// The usual installation on SQLite.
    pub async fn start() -> Self {
        Self::on(Database::sqlite()).start().await
    }

    /// A caller with a new key of the owner `upstream`.
    pub async fn key(&self, scopes: &str) -> Api {
        self.key_of("upstream", scopes).await
    }

    /// A caller with a new key of any owner.
    pub async fn key_of(&self, owner: &str, scopes: &str) -> Api {
        let name = format!("{owner}-{}", uuid::Uuid::new_v4().simple());
        let created =
            self.greenlane(&["key", "create", "--name", &name, "--scope", scopes, "--owner", owner]).await.expect(0);
        let key = created.stdout.trim_end();
        assert!(!key.is_empty() && !key.contains(char::is_whitespace), "the key stands alone on stdout: {created:?}");
        self.api.with_key(key)
    }

    /// Creates a user, whose password is [`PASSWORD`].
    pub async fn user(&self, name: &str, role: &str, more: &[&str]) {
        let create = [&["user", "create", "--name", name, "--role", role][..], more].concat();
        self.settings.run_with_input(&create, &format!("{PASSWORD}\n")).await.expect(0);
    }

    /// A browser that nobody has signed in from.
    pub fn browser(&self) -> Browser {
        Browser::new(self.api.without_key())
    }

    /// A browser whose user, made by this, is signed in.
    pub async fn signed_in(&self, name: &str, role: &str) -> Browser {
        self.user(name, role, &[]).await;
        let mut browser = self.browser();
        browser.sign_in(name, PASSWORD).await.expect(303);
        browser
    }

    /// Runs a command of the program with the installation's configuration.
    pub async fn greenlane(&self, arguments: &[&str]) -> Finished {
        self.settings.run(arguments).await
    }

    /// Starts one more process of the installation; [`Program::listening`] tells its address.
    pub fn spawn(&self, roles: &str) -> Program {
        serve(&self.settings, roles)
    }

    /// Starts the server again after it was killed or ended; `api` then points at it.
    pub async fn restart(&mut self) {
        self.server.kill();
        self.server = serve(&self.settings, &self.roles);
        let base = self.server.listening().await;
        self.api = self.api.at(&base);
    }
}

fn serve(settings: &Settings, roles: &str) -> Program {
    settings.spawn(&["serve", "--roles", roles, "--bind", "127.0.0.1:0"])
}

/// The configuration of an installation: short waits, so that a test sees in seconds what takes hours.
fn installation(scratch: &Scratch, database: &Database, simulator: &Simulator) -> Settings {
    let mut settings = Settings::new(scratch.path())
        .variable("DATABASE_URL", database.url())
        .variable("GREENLANE_SECRET_FILE", scratch.file("secret").display())
        .variable("GREENLANE_BLOB_URL", format!("file://{}", scratch.file("blobs").display()))
        .variable("GREENLANE_WORKFLOWS", concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/"))
        .variable("RUST_LOG", "info")
        .setting("workflow.retry_scale", "0.002")
        .setting("review.second_look_share", "0.0")
        .setting("webhooks.retry_scale", "0.002")
        .setting("webhooks.allow_private_callbacks", "true")
        .setting("face.pending_poll_seconds", "1")
        .setting("engine.lease_seconds", "10")
        .setting("providers.timeout_seconds", "5");
    for provider in ["registry", "face", "sms", "push"] {
        settings = settings.variable(&format!("GREENLANE_{}_URL", provider.to_uppercase()), simulator.url(provider));
    }
    settings
}

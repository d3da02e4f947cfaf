//! `serve`, `migrate`, `simulate`, `doctor` and what they refuse.

use crate::support::program::Settings;
use crate::support::scratch::Scratch;
use crate::support::{Database, Site, sample};

const COMMANDS: &[&[&str]] = &[
    &["demo"],
    &["serve"],
    &["simulate"],
    &["migrate"],
    &["workflow"],
    &["workflow", "list"],
    &["workflow", "check"],
    &["workflow", "show"],
    &["workflow", "graph"],
    &["key"],
    &["key", "create"],
    &["key", "list"],
    &["key", "revoke"],
    &["secret", "create"],
    &["user", "create"],
    &["user", "list"],
    &["user", "disable"],
    &["user", "password"],
    &["audit", "verify"],
    &["audit", "export"],
    &["calendar", "check"],
    &["calendar", "import"],
    &["doctor"],
    &["bench"],
];

fn settings(scratch: &Scratch) -> Settings {
    Settings::complete(scratch.path())
}

#[tokio::test]
async fn every_command_has_help() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let overview = settings.run(&["--help"]).await.expect(0);
    for command in COMMANDS {
        assert!(overview.stdout.contains(command[0]), "`{}` in {}", command[0], overview.stdout);
        let call: Vec<&str> = command.iter().copied().chain(["--help"]).collect();
        let help = settings.run(&call).await.expect(0);
        assert!(help.stdout.contains("Usage:") && help.stderr.is_empty(), "{help:?}");
    }
    assert!(settings.run(&["--version"]).await.expect(0).stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn wrong_usage_ends_with_two() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    for call in [
        &["nonsense"][..],
        &["serve", "--roles", "api,king"],
        &["serve", "--roles", ""],
        &["serve", "--nonsense"],
        &["key", "create"],
        &["key", "create", "--name", "x", "--scope", "everything"],
        &["workflow", "show"],
        &["demo", "--applications", "many"],
        &["serve", "--bind", "nowhere"],
    ] {
        let ended = settings.run(call).await.expect(2);
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
}

#[tokio::test]
async fn bad_configuration_is_refused_before_anything_starts() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let variable = |name: &str, value: &str| settings.clone().variable(name, value);
    let setting = |key: &str, value: &str| settings.clone().setting(key, value);
    // What is wrong, and what the message must name.
    let cases = [
        (variable("GREENLANE_CONFIG", "missing.toml"), "missing.toml"),
        (variable("GREENLANE_WORKFLOWS", "missing/"), "missing"),
        (variable("DATABASE_URL", "mysql://x/y"), "database"),
        (variable("DATABASE_URL", "nonsense"), "database"),
        (variable("GREENLANE_SMS_URL", "nonsense"), "SMS"),
        (variable("GREENLANE_SMS_URL", ""), "SMS"),
        (variable("PORT", "99999999"), "PORT"),
        (setting("engine.lease_seconds", "soon"), "lease_seconds"),
        (setting("engine.lease_seconds", "0"), "lease_seconds"),
        (setting("providers.timeout_seconds", "-1"), "timeout_seconds"),
        (setting("engine.no_such_key", "1"), "no_such_key"),
        (setting("photos.thresholds", "/nope"), "photos.thresholds"),
        (setting("licence.font", "/nope"), "licence.font"),
        (setting("mail.from", "a b@c@d"), "mail.from"),
        (variable("RUST_LOG", "nonsense=loud"), "telemetry.log"),
        (variable("GREENLANE_BLOB_URL", "ftp://x"), "blob"),
        (setting("nowhere.key", "1"), "nowhere"),
    ];
    for (settings, named) in cases {
        let ended = settings.run(&["serve", "--bind", "127.0.0.1:0"]).await;
        assert_eq!(ended.code, Some(78), "`{named}`: {ended:?}");
        assert!(ended.stdout.is_empty(), "`{named}`: {ended:?}");
        let told = ended.stderr.to_lowercase().contains(&named.to_lowercase());
        assert!(told, "`{named}`: {ended:?}");
        for wrong in ["listening on", "panicked"] {
            assert!(!ended.stderr.contains(wrong), "`{named}`: {ended:?}");
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "`{named}` leaves nothing behind");
    }
    let three = variable("GREENLANE_WORKFLOWS", "missing/")
        .setting("licence.font", "/nope")
        .setting("photos.thresholds", "/nope");
    let ended = three.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    for named in ["missing", "licence.font", "photos.thresholds"] {
        assert!(ended.stderr.lines().any(|line| line.contains(named)), "`{named}`: {ended:?}");
    }
    let two = settings.setting("engine.lease_seconds", "0").setting("providers.timeout_seconds", "0");
    let ended = two.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    assert!(
        ended.stderr.contains("lease_seconds") && ended.stderr.contains("timeout_seconds"),
        "one line for each problem: {ended:?}"
    );
}

#[tokio::test]
async fn the_file_is_read_and_the_environment_wins() {
    let scratch = Scratch::new();
    std::fs::write(scratch.file("greenlane.toml"), "[engine]\nlease_seconds = 0\n").unwrap();
    let settings = settings(&scratch).variable("GREENLANE_CONFIG", "greenlane.toml");
    settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    let mut server = settings.clone().setting("engine.lease_seconds", "5").spawn(&["serve", "--bind", "127.0.0.1:0"]);
    server.listening().await;
    server.terminate().await;

    std::fs::write(scratch.file("greenlane.toml"), "[engine\n").unwrap();
    settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
}

#[tokio::test]
async fn an_unmigrated_postgres_is_refused() {
    let scratch = Scratch::new();
    let database = Database::postgres().await;
    let settings =
        settings(&scratch).variable("DATABASE_URL", database.url()).variable("GREENLANE_SECRET_FILE", "secret");
    settings.run(&["secret", "create", "secret"]).await.expect(0);
    let refused = settings.run(&["serve", "--bind", "127.0.0.1:0"]).await;
    assert!(matches!(refused.code, Some(1 | 78)), "{refused:?}");
    assert!(refused.stderr.contains("greenlane migrate"), "it names the remedy: {refused:?}");
    settings.run(&["migrate"]).await.expect(0);
    settings.run(&["migrate"]).await.expect(0);
    let mut server = settings.spawn(&["serve", "--bind", "127.0.0.1:0"]);
    server.listening().await;
}

#[tokio::test]
async fn postgres_needs_a_secret_file() {
    let scratch = Scratch::new();
    let database = Database::postgres().await;
    let settings = settings(&scratch).variable("DATABASE_URL", database.url());
    let ended = settings
        .clone()
        .variable("GREENLANE_SECRET_FILE", "missing")
        .run(&["serve", "--bind", "127.0.0.1:0"])
        .await
        .expect(78);
    assert!(ended.stderr.contains("secret create"), "it names the remedy: {ended:?}");
    settings.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
}

#[tokio::test]
async fn roles_can_run_in_processes_of_their_own() {
    let site = Site::on(Database::postgres().await).roles("api").start().await;
    let id = site.api.admit(&sample(0)).await;
    let (_worker, _scheduler) = (site.spawn("worker"), site.spawn("scheduler"));
    site.api.wait_until_done(&id, "issued").await;
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let address = site.api.base.trim_start_matches("http://").to_owned();
    // A database of its own: two processes on one file are refused for that alone.
    let other = Database::sqlite();
    let settings = site.settings.clone().variable("DATABASE_URL", other.url());
    let ended = settings.run(&["serve", "--bind", &address]).await.expect(1);
    assert!(ended.stderr.contains(&address), "{ended:?}");
}

#[tokio::test]
async fn doctor_tells_what_is_wrong() {
    let site = Site::start().await;
    site.greenlane(&["doctor"]).await.expect(0);
    let ill = site.settings.clone().variable("GREENLANE_SMS_URL", "http://127.0.0.1:1/sms");
    let ended = ill.run(&["doctor"]).await.expect(1);
    assert!(ended.stdout.lines().any(|line| line.contains("sms")), "one line for each: {ended:?}");
}

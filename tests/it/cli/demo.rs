//! `demo` and `bench`: the whole program in one command.

use crate::support::program::Settings;
use crate::support::scratch::Scratch;
use crate::support::{Database, Site};

#[tokio::test]
async fn the_demonstration_ends_as_expected() {
    let scratch = Scratch::new();
    let ended = Settings::new(scratch.path()).run(&["demo", "--exit", "--bind", "127.0.0.1:0"]).await.expect(0);
    assert!(ended.stdout.contains("issued") && ended.stdout.contains("rejected"), "a summary: {ended:?}");
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "nothing is left where it was called: {left:?}");
}

#[tokio::test]
async fn the_demonstration_keeps_serving() {
    let scratch = Scratch::new();
    let mut demo = Settings::new(scratch.path()).spawn(&["demo", "--applications", "5", "--bind", "127.0.0.1:0"]);
    let base = demo.listening().await;
    crate::support::Api::new(base).get("/readyz").await.expect(200);
    assert!(demo.terminate().await.success(), "{}", demo.output());
}

#[tokio::test]
async fn the_bench_measures() {
    let site = Site::on(Database::sqlite()).roles("api").start().await;
    let scratch = Scratch::new();
    let database = Database::sqlite();
    let settings = site
        .settings
        .clone()
        .variable("DATABASE_URL", database.url())
        .variable("GREENLANE_SECRET_FILE", scratch.file("secret").display());
    let measured = settings.run(&["bench", "--applications", "20", "--json"]).await.expect(0).json();
    assert!(measured.is_object(), "{measured}");
}

//! Schemathesis reads the OpenAPI document and tries to make the server fail.

use crate::support::{Database, Site};

const TOOL: &str = "GREENLANE_TEST_SCHEMATHESIS";

#[tokio::test]
async fn no_request_makes_the_server_fail() {
    let tool = std::env::var(TOOL).unwrap_or_else(|_| {
        panic!("no schemathesis for the tests: run `tests/run`, or set {TOOL} to the path of the program")
    });
    let site = Site::on(Database::sqlite()).start().await;
    let document = format!("{}/openapi.json", site.api.base);
    let key = site.api.key.clone().unwrap();
    let folder = site.scratch.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new(tool)
            .args(["run", &document, "--header", &format!("Authorization: Bearer {key}")])
            .args([
                "--phases",
                "examples,coverage,fuzzing",
                "--max-examples",
                "12",
                "--seed",
                "20261122",
                // One thread: CPython 3.11 miscounts the depth of its parser when two parse at once.
                "--workers",
                "1",
            ])
            .args(["--checks", "not_a_server_error", "--continue-on-failure", "--no-shrink", "--request-timeout", "20"])
            .args([
                "--generation-database",
                "none",
                "--suppress-health-check",
                "all",
                "--warnings",
                "off",
                "--no-color",
            ])
            // The stream of events never ends; the batch's lines and the calendar's file are no JSON documents, and have
            // tests of their own.
            .args(["--exclude-path", "/v1/ops/stream", "--exclude-path", "/v1/applications:batch"])
            .args(["--exclude-operation-id", "import_calendar"])
            .current_dir(folder)
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!site.server.output().contains("panicked"), "a handler panicked\n{text}");
    site.api.get("/readyz").await.expect(200);
}

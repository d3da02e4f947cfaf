//! `workflow list|check|show|graph`.

use std::path::Path;

use crate::support::program::Settings;
use crate::support::scratch::Scratch;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows/");

fn settings(scratch: &Scratch) -> Settings {
    Settings::new(scratch.path()).variable("GREENLANE_WORKFLOWS", FOLDER)
}

/// A copy of the shipped workflows that a test may spoil.
fn copy(scratch: &Scratch) -> std::path::PathBuf {
    fn copy_into(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy_into(&entry.path(), &target);
            } else {
                std::fs::copy(entry.path(), target).unwrap();
            }
        }
    }
    let copied = scratch.file("workflows");
    copy_into(Path::new(FOLDER), &copied);
    copied
}

#[tokio::test]
async fn the_shipped_workflows_are_right_and_can_be_seen() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    settings.run(&["workflow", "check"]).await.expect(0);
    settings.run(&["workflow", "check", FOLDER]).await.expect(0);
    let listed = settings.run(&["workflow", "list"]).await.expect(0);
    for name in ["first_issue", "reissue", "photo_change"] {
        assert!(listed.stdout.contains(name), "{listed:?}");
        let shown = settings.run(&["workflow", "show", name]).await.expect(0);
        assert!(shown.stdout.contains("eligibility"), "{shown:?}");
        let graph = settings.run(&["workflow", "graph", name]).await.expect(0);
        assert!(
            graph.stdout.starts_with("flowchart")
                || graph.stdout.starts_with("graph")
                || graph.stdout.starts_with("stateDiagram"),
            "{graph:?}"
        );
    }
    settings.run(&["workflow", "show", "nothing"]).await.expect(1);
    settings.run(&["workflow", "graph", "nothing"]).await.expect(1);
}

#[tokio::test]
async fn every_mistake_is_told_with_its_place() {
    let original = std::fs::read_to_string(Path::new(FOLDER).join("first_issue.toml")).unwrap();
    let spoiled = [
        ("no TOML", format!("{original}\nnonsense = [\n")),
        ("an unknown member", format!("no_such_key = 1\n{original}")),
        ("an unknown stage", original.replacen("\"eligibility\"", "\"nowhere\"", 1)),
        ("an empty file", String::new()),
    ];
    for (what, text) in spoiled {
        let scratch = Scratch::new();
        let folder = copy(&scratch);
        std::fs::write(folder.join("first_issue.toml"), text).unwrap();
        let checked = settings(&scratch).run(&["workflow", "check", &folder.display().to_string()]).await;
        assert_eq!(checked.code, Some(1), "{what}: {checked:?}");
        let output = format!("{}{}", checked.stdout, checked.stderr);
        let placed = output.lines().any(|line| {
            line.split_once("first_issue.toml:").is_some_and(|(_, rest)| {
                rest.split_once(": ")
                    .is_some_and(|(number, reason)| number.parse::<u32>().is_ok() && !reason.is_empty())
            })
        });
        assert!(placed, "{what}: `file:line: reason` expected in {output}");

        // What does not pass the check does not start either.
        let server = Settings::complete(scratch.path()).variable("GREENLANE_WORKFLOWS", folder.display());
        server.run(&["serve", "--bind", "127.0.0.1:0"]).await.expect(78);
    }
    let scratch = Scratch::new();
    settings(&scratch).run(&["workflow", "check", "/no/such/folder"]).await.expect(1);
}

//! Who may use whom, where SQL may stand, and how long a file may be: read from the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The layers of `src`, upper ones first. A module may use what stands in a lower layer, its own
/// layer only where it names itself, and the two at the bottom of the list may be used by all.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["http", "providers", "stages", "licences", "photos", "administration"],
    &["engine"],
    &["store"],
    &["secrets", "hints"],
    &["domain"],
];

/// Modules that carry settings and signals for every layer, and use none but `domain`; besides, `config` takes
/// its defaults for logs from `telemetry`, never the other way round.
const COMMON: &[&str] = &["config", "telemetry"];

/// Arrows inside of a layer that are meant.
const BESIDE: &[(&str, &str)] = &[
    ("http", "administration"),
    ("http", "photos"),
    ("http", "licences"),
    ("http", "providers"),
    ("http", "stages"),
    ("stages", "providers"),
    ("stages", "licences"),
    ("stages", "photos"),
    ("licences", "providers"),
    ("licences", "photos"),
    ("photos", "providers"),
];

#[test]
fn modules_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(from) = module_of(&path) else {
            continue;
        };
        for (number, line) in shipped_lines(&text) {
            for to in uses(line) {
                if !may_use(&from, &to) {
                    wrong.push(format!("{}:{number}: `{from}` must not use `{to}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "forbidden arrows:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let known: Vec<&str> = LAYERS.iter().flat_map(|layer| layer.iter()).chain(COMMON).copied().collect();
    for (path, _) in sources() {
        if let Some(module) = module_of(&path) {
            assert!(
                known.contains(&module.as_str()),
                "give `{module}` a layer in tests/it/architecture.rs ({})",
                path.display()
            );
        }
    }
}

#[test]
fn sql_stands_in_the_store_only() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if module_of(&path).as_deref() == Some("store") {
            continue;
        }
        for (number, line) in shipped_lines(&text) {
            let code = line.trim_start();
            let statement =
                ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM ", "\"WITH ", "\"CREATE TABLE "];
            if code.contains("sqlx::")
                || code.contains("use sqlx")
                || statement.iter().any(|start| code.contains(start))
            {
                wrong.push(format!("{}:{number}: {code}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "SQL outside of src/store:\n{}", wrong.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    let banned = [
        "tokio::",
        "reqwest::",
        "axum::",
        "Utc::now",
        "Local::now",
        "SystemTime::now",
        "Instant::now",
        "std::fs",
        "std::env",
        "rand::",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if module_of(&path).as_deref() != Some("domain") {
            continue;
        }
        for (number, line) in shipped_lines(&text) {
            if banned.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "the domain reads a clock, a file, the network or chance:\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    let long: BTreeMap<PathBuf, usize> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines >= 600)
        .collect();
    assert!(long.is_empty(), "files of 600 lines or more: {long:#?}");
}

#[test]
fn the_rules_themselves_can_fail() {
    assert!(may_use("http", "engine") && may_use("engine", "domain") && may_use("store", "config"));
    assert!(!may_use("domain", "store") && !may_use("store", "engine") && !may_use("engine", "http"));
    assert!(may_use("config", "telemetry") && !may_use("telemetry", "config"));
    assert!(!may_use("config", "store") && !may_use("photos", "http"));
    assert_eq!(uses("use crate::{store::Store, domain::stage};"), ["store", "domain"]);
    assert_eq!(uses("    let x = crate::engine::run();"), ["engine"]);
    assert!(uses("// crate::engine is above").is_empty());
}

fn may_use(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    if COMMON.contains(&from) {
        return to == "domain" || (from == "config" && to == "telemetry");
    }
    if COMMON.contains(&to) {
        return from != "domain";
    }
    let layer = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    match (layer(from), layer(to)) {
        (Some(from_layer), Some(to_layer)) => from_layer < to_layer || BESIDE.contains(&(from, to)),
        _ => false,
    }
}

/// The top modules that a line names by `crate::`.
fn uses(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code = line.split("//").next().unwrap_or_default();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group.split([',', '}']).collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !name.is_empty() && !matches!(name.as_str(), "self" | "wire_enum") {
                found.push(name);
            }
        }
    }
    found
}

/// The lines before the unit tests of a file, numbered from 1; tests may reach wherever they need.
fn shipped_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
}

/// The top module under `src` that a file belongs to; none for `main.rs` and `lib.rs`.
fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(source_folder()).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "main" | "lib")).then(|| module.to_owned())
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files that are shipped: a `tests.rs` holds unit tests, which may reach wherever they need.
fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source_folder()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "there are sources");
    found.sort();
    found
}

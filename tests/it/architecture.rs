//! Who may use whom, where SQL may stand, and how long a file may be: read from the source.

use std::collections::{BTreeMap, BTreeSet};
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
        let code: Vec<&str> = shipped_lines(&text).map(|(_, line)| line).collect();
        for to in uses(&module_path(&path), &code.join("\n")) {
            if !may_use(&from, &to) {
                wrong.push(format!("{}: `{from}` must not use `{to}`", path.display()));
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
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let seen =
        |code: &str| uses(&["engine", "sweep", "alerts"].map(str::to_owned), code).into_iter().collect::<Vec<_>>();
    assert_eq!(seen("use crate::{store::Store, domain::stage};"), ["domain", "store"]);
    assert_eq!(
        seen("use crate::{\n    domain::{\n        ids::A, // of\n        plan::{B, C},\n    },\n    http,\n};"),
        ["domain", "http"]
    );
    assert_eq!(seen("use {crate::cli, super::super::super::{store::types, hints as h}};"), ["cli", "hints", "store"]);
    assert_eq!(
        seen("pub(super) use super::{Sweep, super::commit};\nuse self::digest::Mail;\nuse std::fmt;"),
        ["engine"]
    );
    assert_eq!(seen("    let x = crate::engine::run(crate::licences::card);"), ["engine", "licences"]);
    assert_eq!(seen("    super::super::super::photos::look();"), ["photos"]);
    assert_eq!(seen("// crate::engine is above\n/// [`crate::cli`]\nmod tests { }\ncrate::wire_enum! {}"), [""; 0]);
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

/// The top modules that code in the module `of` names: in `use` statements, however they are grouped, and by paths.
fn uses(of: &[String], code: &str) -> BTreeSet<String> {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join(" ");
    let mut paths = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = ["use ", "crate::", "super::"].iter().filter_map(|start| rest.find(start)).min() {
        let (before, found) = rest.split_at(at);
        let statement = before.trim_end().trim_end_matches("pub").trim_end();
        let end = match found.strip_prefix("use ") {
            Some(tree) if statement.is_empty() || statement.ends_with([';', '{', '}', ')', ']']) => {
                let tree = &tree[..tree.find(';').unwrap_or(tree.len())];
                paths.extend(leaves(tree));
                "use ".len() + tree.len()
            }
            Some(_) => "use ".len(),
            None => {
                let end = found.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').unwrap_or(found.len());
                let begins = !before.ends_with(|last: char| last.is_alphanumeric() || "_:$".contains(last));
                paths.extend(begins.then(|| found[..end].to_owned()));
                end
            }
        };
        rest = &found[end..];
    }
    paths.iter().filter_map(|path| top_module(of, path)).collect()
}

/// The paths of a use tree: `a::{b, c::d}` has `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((start, group)) = tree.split_once('{') else {
        return vec![tree.to_owned()];
    };
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let mut depth = 0;
    let branches = group.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth == 0 && c == ','
    });
    branches.flat_map(leaves).map(|leaf| format!("{}{leaf}", start.trim())).collect()
}

/// The top module that a path leads to from the module `of`; none when it leads out of the crate or to its root.
fn top_module(of: &[String], path: &str) -> Option<String> {
    let mut names = path.split("::").map(str::trim).peekable();
    let mut place: &[String] = match names.peek() {
        Some(&"crate") => &[],
        Some(&("super" | "self")) => of,
        _ => return None,
    };
    while let Some(up) = names.next_if(|name| matches!(*name, "crate" | "super" | "self")) {
        if up == "super" {
            place = &place[..place.len().saturating_sub(1)];
        }
    }
    let name = place.first().map_or_else(|| names.next().unwrap_or_default(), String::as_str);
    let name = name.split(' ').next().unwrap_or_default();
    let is_module = name.starts_with(|first: char| first.is_ascii_lowercase()) && name != "wire_enum";
    is_module.then(|| name.to_owned())
}

/// The lines before the unit tests of a file, numbered from 1; tests may reach wherever they need.
fn shipped_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
}

/// The path of the module that a file holds, from the top.
fn module_path(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix(source_folder()).unwrap().with_extension("");
    let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name != "mod").collect()
}

/// The top module under `src` that a file belongs to; none for `main.rs` and `lib.rs`.
fn module_of(path: &Path) -> Option<String> {
    module_path(path).into_iter().next().filter(|module| !matches!(module.as_str(), "main" | "lib"))
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

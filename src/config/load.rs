//! Reads the sources and merges them.

use super::{
    Config,
    problem::{Problem, Problems},
    schema,
    values::Bind,
};
use ::config::{Environment, File, FileFormat, Map as Variables, Value as Given, ValueKind};
use serde_json::{Map, Value};
use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// How the `config` crate names values of the environment.
pub(super) const ENVIRONMENT: &str = "the environment";

const FILE: &str = "greenlane.toml";

/// Variables with a name of their own, and the keys they set.
const NAMED: [(&str, &str); 12] = [
    ("DATABASE_URL", "database.url"),
    ("REDIS_URL", "redis.url"),
    ("GREENLANE_BIND", "server.bind"),
    ("GREENLANE_REGISTRY_URL", "providers.registry.url"),
    ("GREENLANE_FACE_URL", "providers.face.url"),
    ("GREENLANE_SMS_URL", "providers.sms.url"),
    ("GREENLANE_PUSH_URL", "providers.push.url"),
    ("SMTP_URL", "mail.url"),
    ("GREENLANE_BLOB_URL", "blob.url"),
    ("GREENLANE_SECRET_FILE", "secrets.file"),
    ("GREENLANE_WORKFLOWS", "workflow.folder"),
    ("RUST_LOG", "telemetry.log"),
];

impl Config {
    /// Reads the file and the environment of this process. On failure every problem is listed and
    /// nothing must be started (exit code 78).
    pub fn load() -> Result<Self, Vec<Problem>> {
        let (variables, mut problems) = readable(std::env::vars_os());
        let found = find_file(&variables).and_then(|file| file.map(|path| read_file(&path)).transpose());
        let file = found.unwrap_or_else(|problem| {
            problems.0.push(problem);
            None
        });
        Self::from_sources(file.as_deref(), &variables, problems)
    }

    /// The configuration that a file's text and variables give. Touches neither the file system
    /// nor the environment.
    pub fn from_parts<K: Into<String>, V: Into<String>>(
        file: Option<&str>,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Vec<Problem>> {
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self::from_sources(file, &variables.collect(), Problems::default())
    }

    fn from_sources(
        file: Option<&str>,
        variables: &Variables<String, String>,
        mut problems: Problems,
    ) -> Result<Self, Vec<Problem>> {
        let given = match merge(file, variables, &mut problems) {
            Ok(given) => given,
            Err(problem) => {
                problems.0.push(problem);
                return Err(problems.0);
            }
        };
        let mut tree = schema::typed(&given, &defaults(), &mut problems);
        apply_port(&mut tree, variables, &mut problems);
        let config = deserialize(tree, &mut problems);
        if let Err(more) = config.validate() {
            problems.0.extend(more);
        }
        problems.into_result().map(|()| config)
    }
}

/// Every key with its default; optional keys are null.
pub(super) fn defaults() -> Map<String, Value> {
    match serde_json::to_value(Config::default()) {
        Ok(Value::Object(map)) => map,
        // A struct serialises to an object; with no known key every given one would be reported.
        _ => Map::new(),
    }
}

/// The variables that are text and not empty; an empty one counts as unset.
fn readable(all: impl Iterator<Item = (OsString, OsString)>) -> (Variables<String, String>, Problems) {
    let mut problems = Problems::default();
    let mut variables = Variables::new();
    for (key, value) in all {
        let Ok(key) = key.into_string() else { continue };
        let ours = key.starts_with("GREENLANE") || key == "PORT" || NAMED.iter().any(|(name, _)| *name == key);
        match value.into_string() {
            Ok(value) if ours && !value.is_empty() => drop(variables.insert(key, value)),
            Err(_) if ours => problems.add(key, "must be UTF-8 text"),
            _ => {}
        }
    }
    (variables, problems)
}

fn find_file(variables: &Variables<String, String>) -> Result<Option<PathBuf>, Problem> {
    match variables.get("GREENLANE_CONFIG") {
        Some(path) if Path::new(path).is_file() => Ok(Some(path.into())),
        Some(path) => {
            let reason = format!("there is no file `{path}`; correct the variable or leave it out");
            Err(Problem::new("GREENLANE_CONFIG", reason))
        }
        None => Ok(Some(PathBuf::from(FILE)).filter(|path| path.is_file())),
    }
}

fn read_file(path: &Path) -> Result<String, Problem> {
    let unreadable = |error: io::Error| Problem::new(path.display().to_string(), format!("cannot be read: {error}"));
    fs::read_to_string(path).map_err(unreadable)
}

fn merge(file: Option<&str>, variables: &Variables<String, String>, problems: &mut Problems) -> Result<Given, Problem> {
    let mut builder = ::config::Config::builder();
    if let Some(text) = file {
        // Parsed here first: the crate's own error quotes the line, which may hold a password.
        match toml::from_str::<toml::Table>(text) {
            Ok(_) => builder = builder.add_source(File::from_str(text, FileFormat::Toml)),
            Err(error) => {
                let line = error.span().and_then(|span| text.get(..span.start));
                let line = line.map_or(1, |before| before.matches('\n').count() + 1);
                problems.add(format!("file, line {line}"), format!("is not TOML: {}", error.message()));
            }
        }
    }
    let origin = ENVIRONMENT.to_owned();
    let mut named = ::config::Config::builder();
    for (variable, key) in NAMED {
        if let Some(text) = variables.get(variable).filter(|text| !text.is_empty()) {
            let value = Given::new(Some(&origin), ValueKind::String(text.clone()));
            named = named.set_override(key, value).map_err(refused)?;
        }
    }
    let prefixed = Environment::with_prefix("GREENLANE")
        .prefix_separator("__")
        .separator("__")
        .ignore_empty(true)
        .source(Some(variables.clone()));
    let built = builder.add_source(named.build().map_err(refused)?).add_source(prefixed).build();
    Ok(built.map_err(refused)?.cache)
}

/// An error of the `config` crate itself: a variable whose name is no path of keys.
fn refused(_: ::config::ConfigError) -> Problem {
    Problem::new("environment", "a GREENLANE__SECTION__KEY variable has a name that is not a key")
}

/// `PORT` replaces the port of `server.bind`, unless a variable names the whole address.
fn apply_port(tree: &mut Map<String, Value>, variables: &Variables<String, String>, problems: &mut Problems) {
    let Some(port) = variables.get("PORT").filter(|text| !text.is_empty()) else {
        return;
    };
    let Ok(port) = port.parse::<u16>() else {
        return problems.add("PORT", "must be a port number, 0 to 65535");
    };
    let named = |name: &&String| {
        name.eq_ignore_ascii_case("GREENLANE_BIND") || name.eq_ignore_ascii_case("GREENLANE__SERVER__BIND")
    };
    if variables.keys().any(|name| named(&name)) {
        return;
    }
    let bind = tree.get("server").and_then(|server| server.get("bind")).and_then(Value::as_str);
    let bind = match bind.map(str::parse::<Bind>) {
        None => Bind::local(port),
        Some(Ok(bind)) => bind.with_port(port),
        // Reported when the tree is deserialised.
        Some(Err(_)) => return,
    };
    let server = tree.entry("server").or_insert_with(|| Map::new().into());
    if let Value::Object(server) = server {
        server.insert("bind".to_owned(), bind.to_string().into());
    }
}

/// Deserialises the tree; a value that is refused is reported and left to its default, so that one
/// run reports them all.
fn deserialize(mut tree: Map<String, Value>, problems: &mut Problems) -> Config {
    loop {
        let error = match serde_path_to_error::deserialize(Value::Object(tree.clone())) {
            Ok(config) => return config,
            Err(error) => error,
        };
        let path = error.path().to_string();
        problems.add(path.clone(), error.inner().to_string());
        if !remove(&mut tree, &path) {
            return Config::default();
        }
    }
}

/// Removes the value at a dotted path, or the nearest section around it that is there.
fn remove(tree: &mut Map<String, Value>, path: &str) -> bool {
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    if let Some(Value::Object(section)) = tree.get_mut(key)
        && !rest.is_empty()
        && remove(section, rest)
    {
        return true;
    }
    tree.remove(key).is_some()
}

#[cfg(test)]
mod tests;

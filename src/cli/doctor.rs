//! `greenlane doctor`: one line for each thing that Greenlane needs, and whether it is well.

use std::{process::ExitCode, sync::Arc, time::Duration};

use chrono::{TimeDelta, Utc};

use super::{output::line, wiring};
use crate::{
    config::{Config, DatabaseKind, ProviderConfig, workflow_files},
    domain::calendar::local_date,
    hints::Redis,
    providers::http::reachable,
    secrets::KeyMaterial,
    store::Store,
};

/// Further apart from the database's clock a machine's own certificates and logs become doubtful.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(5);

/// What a check found: a remark when all is well, otherwise what to do.
type Finding = Result<String, String>;

/// Runs every check and prints a line for each: 0 when all are well, else 1. Writes nothing but an empty SQLite
/// database where there is none.
///
/// # Errors
/// Standard output cannot be written.
pub async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut well = true;
    let mut tell = |name: &str, finding: Finding| {
        let (word, text) = match &finding {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        well &= finding.is_ok();
        line(format_args!("{name:<13}  {word:<6}  {text}"))
    };
    // It was read and checked before any command runs.
    tell("configuration", Ok("valid".to_owned()))?;
    tell("workflows", workflows(config))?;
    tell("key material", key_material(config))?;
    let opened = wiring::store(config).await;
    let (store, database) = match opened {
        Ok(store) => (Some(store), Ok(kind(config).to_owned())),
        Err(error) => (None, Err(chain(&error))),
    };
    tell("database", database)?;
    tell("redis", redis(config).await)?;
    for (name, variable, provider) in config.providers.each() {
        tell(name, reach(config, variable, provider).await)?;
    }
    tell("calendar", calendar(config, store.as_ref()).await)?;
    tell("clock", clock(store.as_ref()).await)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn workflows(config: &Config) -> Finding {
    let folder = &config.workflow.folder;
    match workflow_files::load(folder) {
        Ok(set) => Ok(format!("{} versions in `{}`", set.iter().count(), folder.display())),
        Err(problems) => {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            Err(format!("{} problems, the first: {first}; see `greenlane workflow check`", problems.len()))
        }
    }
}

fn key_material(config: &Config) -> Finding {
    config.secret_file_required().map_err(|problem| problem.to_string())?;
    match config.secret_file() {
        None => Ok("in memory, with the database".to_owned()),
        Some(file) if !file.exists() && config.database.url.kind() == DatabaseKind::Sqlite => {
            Ok(format!("made at the first start: `{}`", file.display()))
        }
        Some(file) => {
            let material = KeyMaterial::load(&file).map_err(|error| chain(&error))?;
            // After a change of keys, this is how one sees that a machine has the new file.
            let signs =
                material.signing_keys().active_key().map(|key| format!(", signs with `{}` ({})", key.kid, key.alg));
            Ok(format!("`{}`{}", file.display(), signs.unwrap_or_default()))
        }
    }
}

fn kind(config: &Config) -> &'static str {
    match config.database.url.kind() {
        DatabaseKind::Sqlite => "SQLite, schema up to date",
        DatabaseKind::Postgres => "PostgreSQL, schema up to date",
    }
}

async fn redis(config: &Config) -> Finding {
    let Some(url) = &config.redis.url else { return Ok("not configured, and not needed".to_owned()) };
    let redis = Redis::new(url.expose().as_str()).map_err(|error| error.to_string())?;
    if redis.ping().await { Ok(url.to_string()) } else { Err(format!("`{url}` does not answer")) }
}

async fn reach(config: &Config, variable: &str, provider: &ProviderConfig) -> Finding {
    let Some(url) = &provider.url else { return Err(format!("has no address; set {variable}")) };
    if reachable(url.expose(), config.providers.connect_timeout_seconds.duration()).await {
        Ok(url.to_string())
    } else {
        Err(format!("`{url}` cannot be reached"))
    }
}

/// Data that ended breaks the promise's due times; data that ends soon is for `greenlane calendar check`.
async fn calendar(config: &Config, store: Option<&Arc<dyn Store>>) -> Finding {
    let calendar = match store {
        Some(store) => wiring::calendar(config, store.as_ref()).await,
        None => wiring::calendar_file(config),
    };
    let calendar = calendar.map_err(|error| format!("{error:#}"))?;
    let left = (calendar.data_ends() - local_date(Utc::now())).num_days();
    if left < 0 {
        return Err(format!("`{}` ended on {}; import one with this year", calendar.version(), calendar.data_ends()));
    }
    Ok(format!("`{}` until {}, days left: {left}", calendar.version(), calendar.data_ends()))
}

async fn clock(store: Option<&Arc<dyn Store>>) -> Finding {
    let store = store.ok_or_else(|| "cannot be compared without the database".to_owned())?;
    let before = Utc::now();
    let theirs = store.now().await.map_err(|error| chain(&error))?;
    let took = Utc::now() - before;
    let apart = (theirs - (before + took / 2)).abs() - took / 2;
    let apart = apart.max(TimeDelta::zero());
    let shown = Duration::from_millis(u64::try_from(apart.num_milliseconds()).unwrap_or_default());
    if apart > CLOCK_TOLERANCE {
        return Err(format!("{shown:?} from the database's clock; synchronise this machine's"));
    }
    Ok(format!("{shown:?} from the database's clock"))
}

/// An error with its causes on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::Site;

    fn config(site: &Site) -> Config {
        let mut config = Config::default();
        config.database.url = site.url().parse().unwrap();
        config.workflow.folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workflows").into();
        config
    }

    #[tokio::test]
    async fn the_key_that_signs_is_named() {
        let file = std::env::temp_dir().join(format!("greenlane-{}", uuid::Uuid::now_v7()));
        let material = KeyMaterial::create(&file).unwrap();
        let mut config = config(&Site::start().await);
        config.secrets.file = Some(file.clone());
        let said = key_material(&config);
        std::fs::remove_file(&file).unwrap();
        let key = material.signing_keys().active_key().unwrap();
        assert!(said.unwrap().ends_with(&format!("signs with `{}` (ES256)", key.kid)));
    }

    #[tokio::test]
    async fn each_check_tells_its_own_trouble() {
        let site = Site::start().await;
        let mut config = config(&site);
        assert!(workflows(&config).is_ok() && key_material(&config).is_ok());
        assert!(redis(&config).await.is_ok(), "optional");
        let store = wiring::store(&config).await.unwrap();
        assert!(clock(Some(&store)).await.is_ok() && clock(None).await.is_err());
        assert!(calendar(&config, None).await.is_ok() && calendar(&config, Some(&store)).await.is_ok());

        assert!(
            reach(&config, "GREENLANE_SMS_URL", &config.providers.sms).await.unwrap_err().contains("GREENLANE_SMS_URL")
        );
        config.providers.sms.url = Some("http://user:secret@127.0.0.1:1/sms".parse().unwrap());
        let ill = reach(&config, "GREENLANE_SMS_URL", &config.providers.sms).await.unwrap_err();
        assert!(ill.contains("127.0.0.1:1") && !ill.contains("secret"), "{ill}");
        config.redis.url = Some("redis://:secret@127.0.0.1:1/".parse().unwrap());
        let ill = redis(&config).await.unwrap_err();
        assert!(ill.contains("127.0.0.1:1") && !ill.contains("secret"), "{ill}");
        config.workflow.folder = "no-such-folder".into();
        assert!(workflows(&config).unwrap_err().contains("workflow check"));
        config.secrets.file = Some("no-such-folder/file".into());
        config.database.url = "postgres://127.0.0.1:1/database".parse().unwrap();
        assert!(key_material(&config).is_err());
        assert_eq!(run(&config).await.unwrap(), ExitCode::FAILURE);
    }
}

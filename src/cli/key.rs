//! `greenlane key`: the keys of upstream systems, partners and operators.

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{Subcommand, builder::NonEmptyStringValueParser};
use comfy_table::{Table, presets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{action::record, output::line};
use crate::{
    http::auth::Scope,
    secrets::ApiKey,
    store::{Store, types::ApiKeyRecord},
};

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key; it is printed once, alone on standard output
    Create {
        /// Name for people and the audit log
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// What it may do, with commas between several
        #[arg(long = "scope", required = true, value_delimiter = ',', value_name = "SCOPE[,SCOPE]")]
        scopes: Vec<Scope>,
        /// Who owns what it creates [default: the name]
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        owner: Option<String>,
    },
    /// List every key, never the keys themselves
    List,
    /// Revoke a key for good
    Revoke {
        /// The id that `list` shows
        id: String,
    },
}

impl KeyCommand {
    /// Runs the command: 0 done, 1 when there is no such key.
    ///
    /// # Errors
    /// The database does not answer, or standard output cannot be written.
    pub async fn run(self, store: &dyn Store) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create { name, scopes, owner } => create(store, name, &scopes, owner).await,
            Self::List => {
                line(table(&store.keys().await?))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Revoke { id } => {
                if !store.revoke_key(&id).await? {
                    eprintln!("there is no working key with the id `{id}`");
                    return Ok(ExitCode::FAILURE);
                }
                record(store, "key_revoked", json!({ "id": id })).await?;
                eprintln!("revoked: `{id}`");
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

async fn create(store: &dyn Store, name: String, scopes: &[Scope], owner: Option<String>) -> anyhow::Result<ExitCode> {
    let owner = owner.unwrap_or_else(|| name.clone());
    let (stored, key) = issue(store, &name, &owner, scopes).await?;
    let ApiKeyRecord { id, name, owner, scopes, .. } = &stored;
    record(store, "key_created", json!({ "id": id, "name": name, "owner": owner, "scopes": scopes })).await?;
    eprintln!("the key `{id}` of `{owner}`; it is not shown again:");
    line(key.expose_secret())?;
    Ok(ExitCode::SUCCESS)
}

/// A new key: what is stored of it, and the key itself.
pub(super) async fn issue(
    store: &dyn Store,
    name: &str,
    owner: &str,
    scopes: &[Scope],
) -> anyhow::Result<(ApiKeyRecord, SecretString)> {
    let key = ApiKey::generate();
    let mut scopes: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    scopes.sort_unstable();
    scopes.dedup();
    let stored = ApiKeyRecord {
        id: key.id,
        digest: hex::encode(key.digest),
        name: name.to_owned(),
        owner: owner.to_owned(),
        scopes,
        created_at: store.now().await?,
        revoked_at: None,
    };
    store.create_key(&stored).await?;
    Ok((stored, key.plain))
}

fn table(keys: &[ApiKeyRecord]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["ID", "NAME", "OWNER", "SCOPES", "CREATED", "REVOKED"]);
    let stamp = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    for key in keys {
        table.add_row([
            key.id.clone(),
            key.name.clone(),
            key.owner.clone(),
            key.scopes.join(","),
            stamp(key.created_at),
            key.revoked_at.map_or_else(|| "-".to_owned(), stamp),
        ]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::Site;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(subcommand)]
        command: KeyCommand,
    }

    fn parse(arguments: &[&str]) -> Result<KeyCommand, clap::Error> {
        Cli::try_parse_from([&["key"], arguments].concat()).map(|cli| cli.command)
    }

    #[test]
    fn wrong_usage_is_refused_with_two() {
        for arguments in [
            &["create"][..],
            &["create", "--name", "x"],
            &["create", "--name", "x", "--scope", "everything"],
            &["create", "--name", "x", "--scope", "reviews,"],
            &["create", "--name", "", "--scope", "reviews"],
            &["revoke"],
        ] {
            assert_eq!(parse(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
    }

    #[tokio::test]
    async fn a_key_is_created_listed_and_revoked_once() {
        let site = Site::start().await;
        let arguments =
            ["create", "--name", "app", "--scope", "reviews,ops:read", "--scope", "reviews", "--owner", "12123"];
        assert_eq!(parse(&arguments).unwrap().run(site.store()).await.unwrap(), ExitCode::SUCCESS);
        let keys = site.store().keys().await.unwrap();
        assert_eq!((keys[0].owner.as_str(), keys[0].scopes.join(" ")), ("12123", "ops:read reviews".to_owned()));
        let listed = table(&keys);
        assert!(listed.contains("ops:read,reviews") && !listed.contains(&keys[0].digest), "{listed}");
        for code in [ExitCode::SUCCESS, ExitCode::FAILURE] {
            assert_eq!(parse(&["revoke", &keys[0].id]).unwrap().run(site.store()).await.unwrap(), code);
        }
        assert!(site.store().keys().await.unwrap()[0].revoked_at.is_some());
    }
}

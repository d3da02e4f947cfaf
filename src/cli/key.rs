//! `greenlane key`: the keys of upstream systems, partners and operators.

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{Subcommand, builder::NonEmptyStringValueParser};
use comfy_table::{Table, presets};
use secrecy::ExposeSecret;

use super::{output::line, told};
use crate::{
    administration::Administrator,
    domain::scope::Scope,
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
    /// Runs the command: 0 done, 1 when a name cannot be one, or there is no such key.
    ///
    /// # Errors
    /// The database does not answer, or standard output cannot be written.
    pub async fn run(self, store: &dyn Store) -> anyhow::Result<ExitCode> {
        let administrator = Administrator::at_shell(store);
        match self {
            Self::Create { name, scopes, owner } => {
                let created = administrator.create_key(&name, owner.as_deref().unwrap_or(&name), &scopes).await;
                let key = match created {
                    Ok((stored, key)) => {
                        eprintln!("the key `{}` of `{}`; it is not shown again:", stored.id, stored.owner);
                        key
                    }
                    Err(refused) => return told(Err(refused)),
                };
                line(key.expose_secret())?;
                Ok(ExitCode::SUCCESS)
            }
            Self::List => {
                line(table(&store.keys().await?))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Revoke { id } => told(administrator.revoke_key(&id).await.map(|()| format!("revoked: `{id}`"))),
        }
    }
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

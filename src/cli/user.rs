//! `greenlane user`: the people who sign in at the consoles.

use std::{io::Read as _, process::ExitCode};

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{action::record, output::line};
use crate::{
    domain::{
        applicant::FieldError,
        authority::IssuingAuthority,
        identity::{DocumentNumber, DocumentType},
        personal::{HOLDER_INDEX, holder_key},
        user::{Role, check_name, check_password},
    },
    secrets::{KeyMaterial, password},
    store::{Store, users::User},
};

/// The most that is read from standard input.
const INPUT: u64 = 4096;

/// What to do with users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user; the password is the first line of standard input
    Create(Create),
    /// List every user, never the passwords
    List,
    /// Let a user sign in no more, and end the user's sessions
    Disable {
        /// The name
        name: String,
    },
    /// Give a user another password, the first line of standard input, and end the user's sessions
    Password {
        /// The name
        name: String,
    },
}

/// A new user.
#[derive(Debug, Args)]
pub struct Create {
    /// The name to sign in with, which the audit log shows
    #[arg(long, value_parser = named)]
    pub name: String,
    /// reviewer, supervisor, operator, auditor or admin
    #[arg(long)]
    pub role: Role,
    /// 发证机关 whose tasks the user reviews, e.g. 蒙C
    #[arg(long, value_parser = authority)]
    pub authority: Option<IssuingAuthority>,
    /// The tasks of other authorities too, after those of the own one
    #[arg(long, requires = "authority")]
    pub other_authorities: bool,
    /// 证件类型 of the user's own document, e.g. A; its number is the second line of standard input. Nobody reviews
    /// their own photo
    #[arg(long)]
    pub document_type: Option<DocumentType>,
}

fn named(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.detail)
}

fn authority(text: &str) -> Result<IssuingAuthority, String> {
    IssuingAuthority::parse(text).map_err(|error| error.detail)
}

impl UserCommand {
    /// Runs the command: 0 done, 1 when the name is taken or nobody's, or the password is refused.
    ///
    /// # Errors
    /// The database does not answer, or standard input or output cannot be used.
    pub async fn run(self, store: &dyn Store, secrets: &KeyMaterial) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create(new) => {
                let input = Input::read()?;
                Ok(told(new.run(store, secrets, &input).await?))
            }
            Self::List => {
                line(table(&store.users().await?))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Disable { name } => {
                if !store.disable_user(&name).await? {
                    return Ok(told(Err(format!("there is no user `{name}` that may sign in"))));
                }
                record(store, "user_disabled", json!({ "name": name })).await?;
                Ok(told(Ok(format!("disabled: `{name}`"))))
            }
            Self::Password { name } => {
                let password = Input::read()?.password;
                if let Err(error) = check_password(password.expose_secret(), &name) {
                    return Ok(told(Err(refused("password", &error))));
                }
                let hashed = tokio::task::spawn_blocking(move || password::hash(&password)).await??;
                if store.set_password(&name, &hashed).await?.is_none() {
                    return Ok(told(Err(format!("there is no user `{name}`"))));
                }
                record(store, "user_password_set", json!({ "name": name })).await?;
                Ok(told(Ok(format!("changed: `{name}`"))))
            }
        }
    }
}

/// Says how it ended.
fn told(result: Result<String, String>) -> ExitCode {
    let (text, code) = match result {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(text) => (text, ExitCode::FAILURE),
    };
    eprintln!("{text}");
    code
}

fn refused(what: &str, error: &FieldError) -> String {
    format!("the {what} {}", error.detail)
}

/// What standard input said.
pub(super) struct Input {
    /// The first line.
    pub(super) password: SecretString,
    /// The second line.
    pub(super) document_number: Option<String>,
}

impl Input {
    fn read() -> anyhow::Result<Self> {
        let mut text = String::new();
        std::io::stdin().lock().take(INPUT).read_to_string(&mut text)?;
        let mut lines = text.lines();
        let password = SecretString::from(lines.next().unwrap_or_default());
        Ok(Self { password, document_number: lines.next().map(|text| text.trim().to_owned()) })
    }
}

impl Create {
    /// Creates the user; a refusal says what would be right.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn run(
        self,
        store: &dyn Store,
        secrets: &KeyMaterial,
        input: &Input,
    ) -> anyhow::Result<Result<String, String>> {
        if let Err(error) = check_password(input.password.expose_secret(), &self.name) {
            return Ok(Err(refused("password", &error)));
        }
        let document = match (self.document_type, &input.document_number) {
            (None, _) => None,
            (Some(_), None) => return Ok(Err("the document number is the second line of standard input".to_owned())),
            (Some(kind), Some(number)) => match DocumentNumber::parse(kind, number, store.now().await?.date_naive()) {
                Ok(document) => Some(secrets.blind_index_hex(HOLDER_INDEX, &holder_key(&document))),
                Err(error) => return Ok(Err(refused("document number", &error.into()))),
            },
        };
        let password = input.password.clone();
        let user = User {
            password: tokio::task::spawn_blocking(move || password::hash(&password)).await??,
            name: self.name,
            role: self.role,
            authority: self.authority.map(String::from),
            other_authorities: self.other_authorities,
            document,
            epoch: 0,
            created_at: store.now().await?,
            disabled_at: None,
        };
        if !store.create_user(&user).await? {
            return Ok(Err(format!("the name is taken: `{}`", user.name)));
        }
        let data = json!({ "name": user.name, "role": user.role, "authority": user.authority });
        record(store, "user_created", data).await?;
        Ok(Ok(format!("created: `{}`", user.name)))
    }
}

fn table(users: &[User]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["NAME", "ROLE", "AUTHORITY", "CREATED", "DISABLED"]);
    let stamp = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    for user in users {
        let others = if user.other_authorities { " and others" } else { "" };
        table.add_row([
            user.name.clone(),
            user.role.to_string(),
            user.authority.as_ref().map_or_else(|| "-".to_owned(), |authority| format!("{authority}{others}")),
            stamp(user.created_at),
            user.disabled_at.map_or_else(|| "-".to_owned(), stamp),
        ]);
    }
    table.trim_fmt()
}

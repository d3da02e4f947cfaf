//! `greenlane user`: the people who sign in at the consoles.

use std::{io::Read as _, process::ExitCode};

use chrono::SecondsFormat;
use clap::{ArgGroup, Args, Subcommand};
use comfy_table::{Table, presets};
use secrecy::SecretString;

use super::{output::line, told};
use crate::{
    administration::{
        Administrator, Refused,
        users::{Changes, DOCUMENT_NUMBER, NewUser, OwnDocument},
    },
    domain::{
        applicant::FieldError,
        authority::IssuingAuthority,
        identity::DocumentType,
        user::{Role, check_name},
    },
    secrets::KeyMaterial,
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
    /// Give a user another role, authority or document; what is not named stays
    Change(Change),
    /// Let a user sign in no more, and end the user's sessions
    Disable {
        /// The name
        name: String,
    },
    /// Let a disabled user sign in again
    Enable {
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
    name: String,
    /// reviewer, supervisor, verifier, operator, auditor or admin
    #[arg(long)]
    role: Role,
    /// 发证机关 whose tasks the user reviews, e.g. 蒙C
    #[arg(long, value_parser = authority)]
    authority: Option<IssuingAuthority>,
    /// The tasks of other authorities too, after those of the own one
    #[arg(long, requires = "authority")]
    other_authorities: bool,
    /// 证件类型 of the user's own document, e.g. A; its number is the second line of standard input. Nobody reviews
    /// their own photo
    #[arg(long)]
    document_type: Option<DocumentType>,
}

/// What is to be another.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args([
    "role", "authority", "no_authority", "other_authorities", "document_type", "no_document",
])))]
pub struct Change {
    /// The name
    name: String,
    /// reviewer, supervisor, verifier, operator, auditor or admin
    #[arg(long)]
    role: Option<Role>,
    /// 发证机关 whose tasks the user reviews, e.g. 蒙C
    #[arg(long, value_parser = authority)]
    authority: Option<IssuingAuthority>,
    /// The tasks of every authority alike
    #[arg(long, conflicts_with = "authority")]
    no_authority: bool,
    /// Whether the tasks of other authorities come after those of the own one
    #[arg(long, value_name = "true|false")]
    other_authorities: Option<bool>,
    /// 证件类型 of the user's own document, e.g. A; its number is the first line of standard input
    #[arg(long)]
    document_type: Option<DocumentType>,
    /// Forget the user's own document
    #[arg(long, conflicts_with = "document_type")]
    no_document: bool,
}

fn named(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned()).map_err(|error| error.detail)
}

fn authority(text: &str) -> Result<IssuingAuthority, String> {
    IssuingAuthority::parse(text).map_err(|error| error.detail)
}

impl UserCommand {
    /// Runs the command: 0 done, 1 when the name is taken or nobody's, or something that was given is refused.
    ///
    /// # Errors
    /// The database does not answer, or standard input or output cannot be used.
    pub async fn run(self, store: &dyn Store, secrets: &KeyMaterial) -> anyhow::Result<ExitCode> {
        let administrator = Administrator::at_shell(store);
        match self {
            Self::Create(new) => {
                let mut input = input()?.into_iter();
                let created = new.run(&administrator, secrets, input.next().unwrap_or_default(), input.next()).await;
                told(created.map(|user| format!("created: `{}`", user.name)))
            }
            Self::List => {
                line(table(&store.users().await?))?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Change(change) => {
                let number = if change.document_type.is_some() { input()?.into_iter().next() } else { None };
                told(change.run(&administrator, secrets, number).await.map(|user| format!("changed: `{}`", user.name)))
            }
            Self::Disable { name } => {
                told(administrator.disable_user(&name).await.map(|()| format!("disabled: `{name}`")))
            }
            Self::Enable { name } => {
                told(administrator.enable_user(&name).await.map(|()| format!("enabled: `{name}`")))
            }
            Self::Password { name } => {
                let password = input()?.into_iter().next().unwrap_or_default();
                let set = administrator.set_password(&name, password).await;
                told(set.map(|()| format!("changed: `{name}`")))
            }
        }
    }
}

/// The lines of standard input.
fn input() -> anyhow::Result<Vec<SecretString>> {
    let mut text = String::new();
    std::io::stdin().lock().take(INPUT).read_to_string(&mut text)?;
    Ok(text.lines().map(SecretString::from).collect())
}

/// The document of a type whose number is a line of standard input.
fn document(kind: Option<DocumentType>, number: Option<SecretString>) -> Result<Option<OwnDocument>, Refused> {
    let Some(kind) = kind else { return Ok(None) };
    let missing = || FieldError::new("missing", "is a line of standard input, and there is none");
    let number = number.ok_or_else(|| Refused::wrong(DOCUMENT_NUMBER, missing()))?;
    Ok(Some(OwnDocument { kind, number }))
}

impl Create {
    async fn run(
        self,
        administrator: &Administrator<'_>,
        secrets: &KeyMaterial,
        password: SecretString,
        number: Option<SecretString>,
    ) -> Result<User, Refused> {
        let new = NewUser {
            name: self.name,
            role: self.role,
            authority: self.authority.map(String::from),
            other_authorities: self.other_authorities,
            document: document(self.document_type, number)?,
            password,
        };
        administrator.create_user(secrets, new).await
    }
}

impl Change {
    async fn run(
        self,
        administrator: &Administrator<'_>,
        secrets: &KeyMaterial,
        number: Option<SecretString>,
    ) -> Result<User, Refused> {
        let other = document(self.document_type, number)?;
        let changes = Changes {
            role: self.role,
            authority: self.authority.map(String::from).map(Some).or(self.no_authority.then_some(None)),
            other_authorities: self.other_authorities,
            document: other.map(Some).or(self.no_document.then_some(None)),
        };
        administrator.change_user(secrets, &self.name, changes).await
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

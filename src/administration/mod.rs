//! What administrators do: users, keys, the calendar. The command line, the API and the pages call the same functions,
//! and every act is recorded in the name of whoever does it.

pub mod calendar;
pub mod keys;
pub mod users;

use serde_json::Value;

use crate::{
    domain::{
        applicant::FieldError,
        event::{Actor, ActorKind},
    },
    store::{self, Store, StoreError, types::OperatorAction},
};

/// How the log calls whoever has a shell on the machine.
const COMMAND_LINE: &str = "command-line";

/// Whoever administers.
pub struct Administrator<'a> {
    store: &'a dyn Store,
    actor: Actor,
    from: Origin<'a>,
}

/// From where somebody administers.
enum Origin<'a> {
    /// The command line.
    Shell,
    /// The API or a page, as a person, or by a key.
    Remote { person: Option<&'a str> },
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// One of the things that were given is wrong.
    #[error("the {} {}", spoken(what), error.detail)]
    Wrong {
        /// Where it stands in the API's request, without the first slash.
        what: &'static str,
        /// What would be right.
        error: FieldError,
    },
    /// There is nothing of this name, or not in the state that the act is for.
    #[error("there is no {0}")]
    Nothing(String),
    /// The name is another user's.
    #[error("the name is taken: `{0}`")]
    NameTaken(String),
    /// It would lock the person who does it out.
    #[error("nobody disables themself, or changes their own role or, here, their own password")]
    Oneself,
    /// Nobody would be left who may administer.
    #[error("the last administrator stays one")]
    LastAdmin,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What should not happen: a password that cannot be hashed, a record that does not parse.
    #[error("it failed inside")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The last part of a place, as people say it.
fn spoken(what: &str) -> String {
    what.rsplit('/').next().unwrap_or(what).replace('_', " ")
}

impl Refused {
    /// Something that was given is wrong.
    pub fn wrong(what: &'static str, error: FieldError) -> Self {
        Self::Wrong { what, error }
    }
}

impl<'a> Administrator<'a> {
    /// Whoever has a shell on the machine. They can make an administrator at any time, so that nothing has to keep one.
    pub fn at_shell(store: &'a dyn Store) -> Self {
        Self { store, actor: Actor::new(ActorKind::Operator, COMMAND_LINE), from: Origin::Shell }
    }

    /// Somebody at a page or with a key; `person` is the user, where it is one.
    pub fn remote(store: &'a dyn Store, actor: Actor, person: Option<&'a str>) -> Self {
        Self { store, actor, from: Origin::Remote { person } }
    }

    fn keeps_an_admin(&self) -> bool {
        matches!(self.from, Origin::Remote { .. })
    }

    fn refuse_oneself(&self, name: &str) -> Result<(), Refused> {
        match self.from {
            Origin::Remote { person: Some(person) } if person == name => Err(Refused::Oneself),
            _ => Ok(()),
        }
    }

    /// Records an act, named `kind`.
    async fn record(&self, kind: &str, data: Value) -> store::Result<()> {
        let at = self.store.now().await?;
        let action = OperatorAction { at, actor: self.actor.clone(), kind: kind.to_owned(), data };
        self.store.record_action(&action).await
    }
}

//! People who sign in, their sessions, and how often they tried in vain.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Result;
use crate::domain::user::Role;

/// A person who may sign in. `Debug` shows no password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The name; what the audit log calls the person.
    pub name: String,
    /// Argon2id, as PHC text.
    pub password: String,
    /// What the person is here for.
    pub role: Role,
    /// 发证机关 whose tasks come first.
    pub authority: Option<String>,
    /// Whether a person of one authority may take the tasks of others too.
    pub other_authorities: bool,
    /// Blind index (hex) of the person's own document, so that nobody reviews their own photo.
    pub document: Option<String>,
    /// Sessions that began under another epoch have ended.
    pub epoch: i64,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// Since when the person may not sign in any more.
    pub disabled_at: Option<DateTime<Utc>>,
}

impl User {
    /// Whether tasks of an issuing authority may be the person's; those of none may be anybody's.
    pub fn takes(&self, authority: Option<&str>) -> bool {
        match (&self.authority, authority) {
            (Some(own), Some(of)) => self.other_authorities || own == of,
            _ => true,
        }
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// What a user is here for, and for whom.
#[derive(Clone, PartialEq, Eq)]
pub struct Assignment {
    /// As in [`User`].
    pub role: Role,
    /// As in [`User`].
    pub authority: Option<String>,
    /// As in [`User`].
    pub other_authorities: bool,
    /// As in [`User`].
    pub document: Option<String>,
}

/// What became of a change of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Done.
    Done,
    /// There is no such user, or none in the state that the change is for.
    Nobody,
    /// Nobody who may sign in would be an administrator any more.
    LastAdmin,
}

/// A session as stored; the id is a digest, so that a copy of the table opens nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// SHA-256 (hex) of what the cookie carries.
    pub id: String,
    /// JSON, opaque to the store.
    pub data: String,
    /// Not answered from then on.
    pub expires_at: DateTime<Utc>,
}

/// People.
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores a new user; false when the name is taken.
    async fn create_user(&self, user: &User) -> Result<bool>;
    /// A user by name, disabled ones too.
    async fn user(&self, name: &str) -> Result<Option<User>>;
    /// Every user, by name.
    async fn users(&self) -> Result<Vec<User>>;
    /// Ends the user's sessions and lets nobody sign in by the name. With `keep_admin` the last administrator stays.
    async fn disable_user(&self, name: &str, keep_admin: bool) -> Result<Changed>;
    /// Lets a disabled user sign in again; false when there is no such user.
    async fn enable_user(&self, name: &str) -> Result<bool>;
    /// Another role, authority and document. With `keep_admin` the last administrator stays one.
    async fn assign_user(&self, name: &str, assignment: &Assignment, keep_admin: bool) -> Result<Changed>;
    /// Another password, which ends the user's sessions; answers the new epoch, none when there is no such user.
    async fn set_password(&self, name: &str, password: &str) -> Result<Option<i64>>;
}

/// Sessions and tries to sign in.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores a new session; false when the id is taken.
    async fn create_session(&self, session: &StoredSession) -> Result<bool>;
    /// Changes a session that is still there: one that was ended meanwhile stays ended.
    async fn save_session(&self, session: &StoredSession) -> Result<()>;
    /// A session that has not expired.
    async fn session(&self, id: &str) -> Result<Option<StoredSession>>;
    /// Ends a session.
    async fn delete_session(&self, id: &str) -> Result<()>;
    /// Counts a try for each subject, in one step. Answers until when to wait where one of them has more than `limit`
    /// within its window; a window begins with the first try and is `window` long.
    async fn count_try(&self, subjects: &[String], limit: u32, window: Duration) -> Result<Option<DateTime<Utc>>>;
    /// Takes back a try that was no failure.
    async fn uncount_try(&self, subjects: &[String]) -> Result<()>;
    /// Removes what has expired.
    async fn tidy_sessions(&self) -> Result<()>;
}

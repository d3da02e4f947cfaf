//! Sessions of people at a browser: kept in the database, named by a cookie that no script can read.
//!
//! A session ends after a time without use, after a longest time in any case, with a sign-out, and with every change
//! of its user (another password, disabled).

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::http::{HeaderName, request::Parts};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tower_sessions::{
    Expiry, Session, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};

use crate::store::{
    Store,
    users::{StoredSession, User},
};

use super::{problem::Problem, state::AppState};

/// The session cookie.
const COOKIE: &str = "greenlane_session";
/// Where a session keeps whose it is.
const WHO: &str = "who";
/// Requests that a page makes by itself carry it: they are no sign that somebody is there.
const BACKGROUND: HeaderName = HeaderName::from_static("x-background");
/// A session is written again at most so often.
const NOTED: Duration = Duration::from_secs(60);

/// How long sessions last, and how their cookie travels.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Without use.
    pub idle: Duration,
    /// In any case.
    pub absolute: Duration,
    /// Whether the cookie travels over TLS only.
    pub secure: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { idle: Duration::from_secs(3600), absolute: Duration::from_secs(12 * 3600), secure: false }
    }
}

/// Whose session it is.
#[derive(Serialize, Deserialize)]
struct Who {
    name: String,
    epoch: i64,
    since: DateTime<Utc>,
    seen: DateTime<Utc>,
}

/// Gives every request its session, lazily: a request without a cookie, or that nobody asks, costs nothing.
pub(super) fn layer(state: &AppState) -> SessionManagerLayer<SessionRows> {
    let settings = &state.settings.session;
    let idle = time::Duration::try_from(settings.idle).unwrap_or(time::Duration::HOUR);
    SessionManagerLayer::new(SessionRows(Arc::clone(&state.engine.shared.store)))
        .with_name(COOKIE)
        .with_same_site(SameSite::Strict)
        .with_http_only(true)
        .with_secure(settings.secure)
        .with_expiry(Expiry::OnInactivity(idle))
}

/// The user of a request's session, where there is one that still counts.
///
/// # Errors
/// The database does not answer.
pub(super) async fn user(parts: &Parts, state: &AppState) -> Result<Option<User>, Problem> {
    let Some(session) = parts.extensions.get::<Session>() else { return Ok(None) };
    let Some(mut who) = session.get::<Who>(WHO).await.map_err(|error| lost(&error))? else { return Ok(None) };
    let now = state.engine.shared.clock.now();
    let is_old = (now - who.since).to_std().is_ok_and(|age| age >= state.settings.session.absolute);
    let user = if is_old { None } else { state.engine.shared.store.user(&who.name).await? };
    let Some(user) = user.filter(|user| user.disabled_at.is_none() && user.epoch == who.epoch) else {
        session.flush().await.map_err(|error| lost(&error))?;
        return Ok(None);
    };
    let noted = NOTED.min(state.settings.session.idle / 10);
    let is_due = (now - who.seen).to_std().is_ok_and(|age| age >= noted);
    if is_due && !parts.headers.contains_key(BACKGROUND) {
        who.seen = now;
        session.insert(WHO, who).await.map_err(|error| lost(&error))?;
    }
    Ok(Some(user))
}

/// Begins the user's session under a fresh id.
///
/// # Errors
/// The database does not answer.
pub(super) async fn begin(session: &Session, user: &User, now: DateTime<Utc>) -> Result<(), Problem> {
    let who = Who { name: user.name.clone(), epoch: user.epoch, since: now, seen: now };
    let begun = async {
        session.clear().await;
        session.cycle_id().await?;
        session.insert(WHO, who).await
    };
    begun.await.map_err(|error| lost(&error))
}

/// Ends a session.
///
/// # Errors
/// The database does not answer.
pub(super) async fn end(session: &Session) -> Result<(), Problem> {
    session.flush().await.map_err(|error| lost(&error))
}

fn lost(error: &tower_sessions::session::Error) -> Problem {
    tracing::warn!(error = error as &dyn std::error::Error, "a session cannot be read or written");
    Problem::unavailable()
}

/// Sessions as rows of the database.
#[derive(Clone)]
pub(super) struct SessionRows(Arc<dyn Store>);

impl fmt::Debug for SessionRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionRows")
    }
}

#[async_trait]
impl SessionStore for SessionRows {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        while !self.0.create_session(&stored(record)?).await.map_err(backend)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.0.save_session(&stored(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let Some(stored) = self.0.session(&digest(id)).await.map_err(backend)? else { return Ok(None) };
        let data: HashMap<String, serde_json::Value> =
            serde_json::from_str(&stored.data).map_err(|error| session_store::Error::Decode(error.to_string()))?;
        let expiry_date = time::OffsetDateTime::from_unix_timestamp(stored.expires_at.timestamp())
            .map_err(|error| session_store::Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.0.delete_session(&digest(id)).await.map_err(backend)
    }
}

fn stored(record: &Record) -> session_store::Result<StoredSession> {
    let data = serde_json::to_string(&record.data).map_err(|error| session_store::Error::Encode(error.to_string()))?;
    let expires_at = DateTime::from_timestamp(record.expiry_date.unix_timestamp(), 0).unwrap_or(DateTime::UNIX_EPOCH);
    Ok(StoredSession { id: digest(&record.id), data, expires_at })
}

/// What a copy of the table shows of an id.
fn digest(id: &Id) -> String {
    hex::encode(Sha256::digest(id.0.to_be_bytes()))
}

#[expect(clippy::needless_pass_by_value, reason = "goes into `map_err`")]
fn backend(error: crate::store::StoreError) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

//! Who calls, and what the key may do.
//!
//! A handler that takes [`Authorised`] cannot run without a working key of one of the scopes that its parameter names;
//! the few open routes take none, and the table in `tests/it/auth.rs` has a row for every route.

use std::{
    collections::HashMap,
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};

pub use crate::domain::scope::Scope;

use crate::{
    domain::event::{Actor, ActorKind},
    secrets::{ApiKey, digests_match},
    store::{self, Store, types::ApiKeyRecord, users::User},
};

use super::{problem::Problem, session, state::AppState};

/// How long a key is believed without asking: a revoked one works no longer than this.
const BELIEVED: Duration = Duration::from_secs(2);
/// Above this many keys, old ones are forgotten.
const TIDY_ABOVE: usize = 10_000;

/// Whoever holds a working key, or has a session.
#[derive(Debug, PartialEq, Eq)]
pub struct Caller {
    /// The public part of the key; empty for a session.
    pub key_id: String,
    /// The key's name, or the person's.
    pub name: String,
    /// The owner of what the key creates.
    pub owner: String,
    /// The person whose session it is.
    pub person: Option<User>,
    scopes: Vec<Scope>,
}

impl Caller {
    /// Whether the key has the scope.
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// The only owner whose objects the caller sees; none who sees those of all.
    pub fn confined_to(&self) -> Option<&str> {
        (!self.has(Scope::OpsRead)).then_some(self.owner.as_str())
    }

    /// Whether the caller may see what the owner has.
    pub fn sees(&self, owner: &str) -> bool {
        self.confined_to().is_none_or(|only| only == owner)
    }

    /// The caller as an actor of the audit log.
    pub fn actor(&self, kind: ActorKind) -> Actor {
        Actor::new(kind, self.name.as_str())
    }
}

impl From<ApiKeyRecord> for Caller {
    fn from(record: ApiKeyRecord) -> Self {
        // A scope that this version does not know allows nothing here.
        let scopes = record.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        Self { key_id: record.id, name: record.name, owner: record.owner, person: None, scopes }
    }
}

impl From<User> for Caller {
    fn from(user: User) -> Self {
        Self {
            key_id: String::new(),
            name: user.name.clone(),
            owner: user.name.clone(),
            scopes: user.role.scopes().to_vec(),
            person: Some(user),
        }
    }
}

/// What a route needs.
pub trait Needs: Send + Sync + 'static {
    /// Scopes that each suffice.
    const ANY_OF: &'static [Scope];
}

/// Declares the needs that routes name.
macro_rules! needs {
    ($($(#[$meta:meta])* $name:ident: $($scope:ident)|+;)+) => {$(
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name;

        impl Needs for $name {
            const ANY_OF: &'static [Scope] = &[$(Scope::$scope),+];
        }
    )+};
}

needs! {
    /// To read applications.
    ReadApplications: ApplicationsRead | OpsRead;
    /// To read what only the owner gets.
    ReadOwn: ApplicationsRead;
    /// To submit, cancel and upload.
    WriteApplications: ApplicationsWrite;
    /// To review.
    Review: Reviews;
    /// To settle what reviewers pass on.
    Supervise: ReviewsSupervise;
    /// To read and present licences.
    PresentLicences: LicencesPresent;
    /// To verify presented licences.
    VerifyLicences: LicencesVerify;
    /// To see operations.
    ReadOperations: OpsRead;
    /// To operate.
    WriteOperations: OpsWrite;
    /// To try a calendar out, or to import it.
    HandleCalendar: OpsRead | OpsWrite;
    /// To search the audit log.
    ReadAudit: AuditRead;
    /// To keep users and keys.
    Administer: Admin;
}

/// A caller whose key suffices for `N`.
pub struct Authorised<N>(pub Arc<Caller>, PhantomData<N>);

impl<N> Deref for Authorised<N> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<N: Needs> FromRequestParts<AppState> for Authorised<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let (caller, bucket) = caller(parts, state).await?;
        if let Some(limit) = state.settings.request_limit {
            state.engine.shared.hints.take(&bucket, limit, 1).await.map_err(too_many)?;
        }
        if !N::ANY_OF.iter().any(|scope| caller.has(*scope)) {
            return Err(forbidden(N::ANY_OF));
        }
        Ok(Self(caller, PhantomData))
    }
}

/// The holder of the key, or, where there is none, the person of the session; and the bucket of their requests.
async fn caller(parts: &Parts, state: &AppState) -> Result<(Arc<Caller>, String), Problem> {
    if !parts.headers.contains_key(header::AUTHORIZATION) {
        let user = session::user(parts, state).await?.ok_or_else(unauthorised)?;
        let bucket = format!("user:{}", user.name);
        return Ok((Arc::new(user.into()), bucket));
    }
    let plain = bearer(&parts.headers).ok_or_else(unauthorised)?;
    let (id, digest) = ApiKey::parse(plain).map_err(|_| unauthorised())?;
    let store = state.engine.shared.store.as_ref();
    let caller = state.keys.find(store, id, &digest).await?.ok_or_else(unauthorised)?;
    Ok((caller, format!("api:{id}")))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn unauthorised() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "a working API key is needed: `Authorization: Bearer KEY`")
}

pub(super) fn forbidden(scopes: &[Scope]) -> Problem {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    let detail = format!("this needs the scope `{}`", names.join("` or `"));
    Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail)
}

fn too_many(wait: Duration) -> Problem {
    let detail = "the key sends requests faster than its limit allows";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).with_retry_after(wait)
}

/// Keys that worked a moment ago. Only digests are kept, as in the database.
#[derive(Default)]
pub struct KeyRing(Mutex<HashMap<String, Known>>);

#[derive(Clone)]
struct Known {
    seen: Instant,
    digest: [u8; 32],
    caller: Arc<Caller>,
}

impl KeyRing {
    /// The caller behind a key; none when the key is unknown, wrong or revoked.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(&self, store: &dyn Store, id: &str, digest: &[u8; 32]) -> store::Result<Option<Arc<Caller>>> {
        let known = self.recall(id);
        let known = match known {
            Some(known) => Some(known),
            None => store.key(id).await?.and_then(|record| self.remember(record)),
        };
        Ok(known.filter(|known| digests_match(&known.digest, digest)).map(|known| known.caller))
    }

    /// After a revocation: this process knows at once.
    pub(super) fn forget(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    fn recall(&self, id: &str) -> Option<Known> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(id).filter(|known| known.seen.elapsed() < BELIEVED).cloned()
    }

    fn remember(&self, record: ApiKeyRecord) -> Option<Known> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if record.revoked_at.is_some() {
            keys.remove(&record.id);
            return None;
        }
        if keys.len() >= TIDY_ABOVE {
            keys.retain(|_, known| known.seen.elapsed() < BELIEVED);
        }
        let mut digest = [0; 32];
        hex::decode_to_slice(&record.digest, &mut digest).ok()?;
        let known = Known { seen: Instant::now(), digest, caller: Arc::new(record.into()) };
        keys.insert(known.caller.key_id.clone(), known.clone());
        Some(known)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn record(scopes: &[&str]) -> ApiKeyRecord {
        ApiKeyRecord {
            id: "0123456789ab".to_owned(),
            digest: "11".repeat(32),
            name: "upstream-1".to_owned(),
            owner: "upstream".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            created_at: DateTime::UNIX_EPOCH,
            revoked_at: None,
        }
    }

    #[test]
    fn operators_see_every_owner_and_others_their_own() {
        let upstream = Caller::from(record(&["applications:read", "of:tomorrow"]));
        assert!(upstream.sees("upstream") && !upstream.sees("other"));
        assert!(upstream.has(Scope::ApplicationsRead) && !upstream.has(Scope::OpsRead));
        assert!(Caller::from(record(&["ops:read"])).sees("other"));
        assert_eq!(upstream.actor(ActorKind::Upstream), Actor::new(ActorKind::Upstream, "upstream-1"));
    }

    #[test]
    fn only_bearer_keys_are_read() {
        let of = |text: &str| {
            let headers: HeaderMap = [(header::AUTHORIZATION, text.parse().unwrap())].into_iter().collect();
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(of("bearer abc").as_deref(), Some("abc"));
        for text in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn a_revoked_or_unreadable_key_is_not_remembered() {
        let ring = KeyRing::default();
        assert!(ring.remember(record(&[])).is_some());
        assert!(ring.recall("0123456789ab").is_some());
        assert!(ring.remember(ApiKeyRecord { revoked_at: Some(DateTime::UNIX_EPOCH), ..record(&[]) }).is_none());
        assert!(ring.recall("0123456789ab").is_none());
        assert!(ring.remember(ApiKeyRecord { digest: "no hex".to_owned(), ..record(&[]) }).is_none());
    }
}

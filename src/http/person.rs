//! The people behind sessions: what a role may do, which is said in the same scopes as of API keys.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{domain::user::Role, store::users::User};

use super::{
    auth::{Needs, Scope, forbidden},
    problem::Problem,
    session,
    state::AppState,
};

impl Role {
    /// What a person of this role may do.
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Reviewer => &[Scope::Reviews],
            Self::Supervisor => &[Scope::Reviews, Scope::ReviewsSupervise, Scope::LicencesVerify],
            Self::Verifier => &[Scope::LicencesVerify],
            Self::Operator => &[Scope::OpsRead, Scope::OpsWrite, Scope::LicencesVerify],
            Self::Auditor => &[Scope::OpsRead, Scope::AuditRead],
            Self::Admin => &[Scope::OpsRead, Scope::OpsWrite, Scope::AuditRead, Scope::LicencesVerify, Scope::Admin],
        }
    }

    /// Whether a person of this role may do something.
    pub fn may(self, scope: Scope) -> bool {
        self.scopes().contains(&scope)
    }

    /// The page that a person of this role begins with.
    pub const fn home(self) -> &'static str {
        match self {
            Self::Reviewer | Self::Supervisor => "/review",
            Self::Verifier => "/verify",
            Self::Operator | Self::Auditor | Self::Admin => "/ops",
        }
    }
}

/// A person with a session: what pages take. An API key opens no page.
#[derive(Debug)]
pub struct SignedIn(pub User);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        session::user(parts, state).await?.map(Self).ok_or_else(Problem::not_signed_in)
    }
}

/// A [`SignedIn`] person whose role suffices for `N`.
#[derive(Debug)]
pub struct Person<N>(pub User, std::marker::PhantomData<N>);

impl<N> std::ops::Deref for Person<N> {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0
    }
}

impl<N: Needs> FromRequestParts<AppState> for Person<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let SignedIn(user) = SignedIn::from_request_parts(parts, state).await?;
        if !N::ANY_OF.iter().any(|scope| user.role.may(*scope)) {
            return Err(forbidden(N::ANY_OF));
        }
        Ok(Self(user, std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_decides_operates() {
        for role in Role::ALL {
            assert!(!(role.may(Scope::Reviews) && role.may(Scope::OpsWrite)), "{role}");
            assert!(!role.may(Scope::ApplicationsWrite), "{role}");
        }
        assert!(Role::Supervisor.may(Scope::ReviewsSupervise) && !Role::Reviewer.may(Scope::ReviewsSupervise));
        assert!(!Role::Auditor.may(Scope::OpsWrite));
        let verify: Vec<_> = Role::ALL.iter().filter(|role| role.may(Scope::LicencesVerify)).collect();
        assert_eq!(verify, [&Role::Supervisor, &Role::Verifier, &Role::Operator, &Role::Admin]);
    }
}

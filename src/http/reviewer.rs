//! The person behind a key with the scope `reviews`.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, request::Parts},
};

use crate::store::users::User;

use super::{
    api::reviews::body::Viewer,
    auth::{Authorised, Caller, Review, Scope},
    problem::Problem,
    state::AppState,
};

/// The header that names the person.
const HEADER: &str = "x-reviewer";
/// The longest name, in characters.
const LONGEST: usize = 64;

/// A reviewer by name: the person of the session, else the one in `X-Reviewer`, else the key's own name.
pub struct AsReviewer {
    /// The name, 1 to 64 characters.
    pub name: String,
    /// Whether that is a supervisor, who may take what was escalated.
    pub supervisor: bool,
    /// The user, where the person has a session or the name is a user's.
    pub user: Option<User>,
}

impl AsReviewer {
    /// Blind index of the person's own document, where the user has one.
    pub fn document(&self) -> Option<String> {
        self.user.as_ref().and_then(|user| user.document.clone())
    }

    /// As whom the person is shown tasks.
    pub fn viewer(&self) -> Viewer {
        Viewer { name: self.name.clone(), supervisor: self.supervisor }
    }

    /// The issuing authorities whose tasks the person gets, in this order; none stands for every one.
    ///
    /// # Errors
    /// 403 when another than the own one is `asked` for by somebody who may not.
    pub fn authorities<'a>(&'a self, asked: Option<&'a str>) -> Result<Vec<Option<&'a str>>, Problem> {
        if self.user.as_ref().is_some_and(|user| !user.takes(asked)) {
            let detail = "the reviewer takes the tasks of another issuing authority only";
            return Err(Problem::new(StatusCode::FORBIDDEN, "authority_not_allowed", detail));
        }
        let own =
            self.user.as_ref().and_then(|user| user.authority.as_deref().map(|own| (own, user.other_authorities)));
        match (asked, own) {
            (Some(asked), _) => Ok(vec![Some(asked)]),
            (None, Some((own, true))) => Ok(vec![Some(own), None]),
            (None, Some((own, false))) => Ok(vec![Some(own)]),
            (None, None) => Ok(vec![None]),
        }
    }
}

impl FromRequestParts<AppState> for AsReviewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authorised::<Review>::from_request_parts(parts, state).await?;
        let supervisor = caller.has(Scope::ReviewsSupervise);
        let name = name_of(&caller, &parts.headers)?;
        if let Some(user) = &caller.person {
            return Ok(Self { name, supervisor, user: Some(user.clone()) });
        }
        // Who is named here is the person whom the console knows by that name, with the same conflicts of interest.
        let user = state.engine.shared.store.user(&name).await?;
        Ok(Self { name, supervisor, user })
    }
}

/// The name of whoever acts: the person of the session, else the one in `X-Reviewer`, else the key's own name.
///
/// # Errors
/// 400 when the header holds no name.
pub(super) fn name_of(caller: &Caller, headers: &HeaderMap) -> Result<String, Problem> {
    if let Some(user) = &caller.person {
        return Ok(user.name.clone());
    }
    Ok(named(headers)?.unwrap_or_else(|| caller.name.clone()))
}

/// The name in the header, where there is one. UTF-8, plain or percent-encoded.
fn named(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = || Problem::bad_request("reviewer_invalid", "`X-Reviewer` must be a name of 1 to 64 characters");
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let name = String::from_utf8(percent_decoded(value.as_bytes())).map_err(|_| wrong())?;
    let name = name.trim();
    let fits = (1..=LONGEST).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits { Ok(Some(name.to_owned())) } else { Err(wrong()) }
}

/// `%E7%8E%8B` becomes 王; a `%` that begins no such triple stays.
fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let byte = match tail {
            [high, low, ..] if first == b'%' => hex::decode([*high, *low]).ok().and_then(|byte| byte.first().copied()),
            _ => None,
        };
        decoded.push(byte.unwrap_or(first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    decoded
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<String>, &'static str> {
        let headers = [(HEADER.parse().unwrap(), HeaderValue::from_bytes(bytes).unwrap())].into_iter().collect();
        named(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn names_are_read() {
        for (sent, name) in [
            (&b"wang"[..], "wang"),
            (b"%E7%8E%8B%E4%BA%94", "王五"),
            ("王五".as_bytes(), "王五"),
            (b"100%", "100%"),
            (b"a%2", "a%2"),
            (b"a%zz", "a%zz"),
            (b" wang ", "wang"),
        ] {
            assert_eq!(read(sent), Ok(Some(name.to_owned())));
        }
        assert_eq!(named(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for sent in [&b""[..], b"  ", b"%00", b"a%0Ab", b"\xff", b"%ff", "王".repeat(65).as_bytes()] {
            assert_eq!(read(sent), Err("reviewer_invalid"), "{sent:?}");
        }
        assert!(read("王".repeat(64).as_bytes()).is_ok());
    }
}

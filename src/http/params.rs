//! Parameters of path and query, read as strictly as bodies.

use std::str::FromStr;

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::form_urlencoded;
use utoipa::ToSchema;

use crate::store::types::{Listed, Page};

use super::{
    problem::{Fault, Problem},
    strict,
};

/// How many items a list has when nothing is said.
const USUAL_LIMIT: usize = 50;
/// The most that can be asked for.
const MOST: usize = 200;

/// The query, each parameter at most once and without control characters.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let mut values = Map::new();
    let mut faults = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let pointer = format!("/{}", name.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>());
        if name.chars().chain(value.chars()).any(char::is_control) {
            faults.push(Fault::new(pointer, "character_not_allowed", "must not contain control characters"));
        } else if values.insert(name.into_owned(), Value::String(value.into_owned())).is_some() {
            faults.push(Fault::new(pointer, "duplicate_field", "must be given once"));
        }
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    strict::typed(Value::Object(values))
}

/// The one parameter of a path. What does not parse names nothing: 404.
pub struct Named<T>(pub T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Problem::not_found())?;
        let (_, text) = params.iter().next().ok_or_else(Problem::not_found)?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

/// `?limit=`: 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = u8, minimum = 1, maximum = 200, default = 50)]
pub struct Limit(pub usize);

impl Default for Limit {
    fn default() -> Self {
        Self(USUAL_LIMIT)
    }
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.map(Self).ok_or_else(|| format!("must be a number from 1 to {MOST}"))
    }
}

/// A moment that somebody names, in a query, a body or a form: of the years 1 to 9999, which RFC 3339 can write. What lies
/// beyond is nobody's date, and not every database keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub DateTime<Utc>);

impl Moment {
    /// The moment, where it can be named.
    pub fn of(at: DateTime<Utc>) -> Option<Self> {
        (1..=9999).contains(&at.year()).then_some(Self(at))
    }
}

impl TryFrom<String> for Moment {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let at = DateTime::parse_from_rfc3339(&text).map_err(|_| "must be a time of RFC 3339, with its offset")?;
        Self::of(at.to_utc()).ok_or("must be of the years 1 to 9999")
    }
}

/// The page that a list call asks for.
pub fn page(limit: Option<Limit>, cursor: Option<String>) -> Page {
    Page { limit: limit.unwrap_or_default().0, after: cursor }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ListBody<T> {
    /// The items.
    pub items: Vec<T>,
    /// The `cursor` of the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl<T> ListBody<T> {
    /// A page, its items turned into what the caller sees.
    pub fn of<U>(listed: Listed<U>, show: impl FnMut(U) -> T) -> Self {
        Self { items: listed.items.into_iter().map(show).collect(), next_cursor: listed.next }
    }

    /// A list that has only one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::application::Status;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        limit: Option<Limit>,
        cursor: Option<String>,
        status: Option<Status>,
        from: Option<Moment>,
    }

    #[test]
    fn queries_are_read() {
        let query: Query = parse("limit=200&cursor=a%20b&status=issued&from=2026-11-20T10:00:00%2B08:00").unwrap();
        assert_eq!((query.limit, query.status), (Some(Limit(200)), Some(Status::Issued)));
        assert_eq!(query.from.unwrap().0.to_rfc3339(), "2026-11-20T02:00:00+00:00");
        assert_eq!(page(query.limit, query.cursor).after.unwrap(), "a b");
        assert_eq!(page(parse::<Query>("").unwrap().limit, None).limit, 50);
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (query, pointer) in [
            ("limit=0", "/limit"),
            ("limit=201", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=", "/limit"),
            ("limit=many", "/limit"),
            ("status=open", "/status"),
            ("status=", "/status"),
            ("from=x", "/from"),
            ("from=2026-11-20T10:00:00", "/from"),
            ("from=-262143-01-01T00:00:00Z", "/from"),
            ("from=0000-12-31T23:59:59Z", "/from"),
            ("from=%2B10000-01-01T00:00:00Z", "/from"),
            ("from=9999-12-31T23:59:59-01:00", "/from"),
            ("cursor=%00", "/cursor"),
            ("cursor=a&cursor=b", "/cursor"),
            ("other=1", "/other"),
        ] {
            let problem = parse::<Query>(query).unwrap_err();
            assert_eq!(problem.status(), 422, "{query}");
            assert_eq!(problem.errors()[0].pointer, pointer, "{query}");
        }
    }
}

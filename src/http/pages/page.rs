//! What every page knows: the person, the language, the theme, and how it becomes an answer.

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::{
    assets,
    messages::{self, Language},
};
use crate::{
    domain::{calendar::CHINA_TIME, user::Role, wire::wire_enum},
    http::{auth::Scope, problem::Problem, session, state::AppState},
    store::users::User,
};

/// The cookie that keeps the language.
pub(super) const LANGUAGE: &str = "greenlane_language";
/// The cookie that keeps the theme.
pub(super) const THEME: &str = "greenlane_theme";
/// Everything comes from here, nothing is inline, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

wire_enum! {
    /// How bright pages are.
    pub enum Theme as "theme" {
        /// As the system wants it.
        Auto = "auto",
        /// 浅色.
        Light = "light",
        /// 深色.
        Dark = "dark",
    }
}

/// An entry of the navigation.
pub struct Entry {
    /// Where it leads.
    pub address: &'static str,
    /// What it is called: a key of the messages.
    pub key: &'static str,
    /// Who may go there.
    scope: Scope,
}

/// The navigation: one list for all pages. An entry is shown to those who may go there.
const ENTRIES: &[Entry] = &[
    Entry { address: "/review", key: "nav.review", scope: Scope::Reviews },
    Entry { address: "/review/tasks", key: "nav.tasks", scope: Scope::ReviewsSupervise },
    Entry { address: "/ops", key: "nav.ops", scope: Scope::OpsRead },
    Entry { address: "/verify", key: "nav.verify", scope: Scope::LicencesVerify },
];

/// What every page knows. A page's template has it as `page`.
pub struct Page {
    /// The language.
    pub language: Language,
    /// The theme.
    pub theme: Theme,
    /// The path of the request, with its query.
    pub path: String,
    /// The person, where somebody is signed in.
    pub user: Option<User>,
}

impl Page {
    /// Of a request whose person is known.
    pub(in crate::http) fn of(headers: &HeaderMap, path: String, user: Option<User>) -> Self {
        Self {
            language: chosen(headers, LANGUAGE, Language::Chinese),
            theme: chosen(headers, THEME, Theme::Auto),
            path,
            user,
        }
    }

    /// The message of a key; the key itself where there is none, which a test forbids.
    pub fn t<'a>(&self, key: &'a str) -> &'a str {
        self.language.message(key).unwrap_or(key)
    }

    /// The message of a key that is put together.
    pub fn t_of(&self, family: &str, name: impl std::fmt::Display) -> String {
        let key = format!("{family}{name}");
        self.language.message(&key).map(str::to_owned).unwrap_or(key)
    }

    /// The message of a key with its arguments.
    pub fn fill(&self, key: &str, arguments: &[&dyn std::fmt::Display]) -> String {
        messages::fill(self.t(key), arguments)
    }

    /// The message of a key with its one argument, for templates.
    pub fn say(&self, key: &str, argument: impl std::fmt::Display) -> String {
        self.fill(key, &[&argument])
    }

    /// The address of a style sheet or script.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The messages of scripts, as JSON.
    pub fn script_messages(&self) -> String {
        self.language.script_messages()
    }

    /// The entries of the navigation that the person may follow.
    pub fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        let role = self.role();
        ENTRIES.iter().filter(move |entry| role.is_some_and(|role| role.may(entry.scope)))
    }

    /// Whether the page is the entry's, or below it and below no other entry.
    pub fn is_at(&self, entry: &Entry) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let below =
            |address: &str| path == address || path.strip_prefix(address).is_some_and(|rest| rest.starts_with('/'));
        // The one that is nearest, of those that the person sees.
        below(entry.address)
            && !self.entries().any(|other| other.address.len() > entry.address.len() && below(other.address))
    }

    /// A moment in China Standard Time: `11-23 17:00`.
    pub fn time(&self, at: &DateTime<Utc>) -> String {
        at.with_timezone(&CHINA_TIME).format("%m-%d %H:%M").to_string()
    }

    /// A date with its weekday: `11-23 周一`.
    pub fn day(&self, date: &NaiveDate) -> String {
        format!("{} {}", date.format("%m-%d"), self.t_of("weekday.", date.weekday().number_from_monday()))
    }

    /// A length of time in hours and minutes, or in minutes below an hour.
    pub fn length(&self, seconds: &i64) -> String {
        let minutes = seconds.unsigned_abs() / 60;
        if minutes < 60 {
            return self.fill("length.minutes", &[&minutes]);
        }
        self.fill("length.hours", &[&(minutes / 60), &(minutes % 60)])
    }

    /// The person's role.
    pub fn role(&self) -> Option<Role> {
        self.user.as_ref().map(|user| user.role)
    }

    /// Whether the person may do something, by the scope's wire name.
    pub fn may(&self, scope: &str) -> bool {
        let scope = scope.parse().ok();
        self.role().zip(scope).is_some_and(|(role, scope)| role.may(scope))
    }
}

impl FromRequestParts<AppState> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let user = session::user(parts, state).await?;
        Ok(Self::of(&parts.headers, path_of(parts), user))
    }
}

pub(super) fn path_of(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

/// The value of a cookie where it is one of the wire names.
fn chosen<T: std::str::FromStr>(headers: &HeaderMap, name: &str, otherwise: T) -> T {
    cookie(headers, name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    cookies.flat_map(|line| line.split(';')).find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

/// A page or a part of one as an answer.
pub fn html(template: &impl Template) -> Response {
    html_with(StatusCode::OK, template)
}

/// [`html`] with another status.
pub fn html_with(status: StatusCode, template: &impl Template) -> Response {
    let text = match template.render() {
        Ok(text) => text,
        Err(error) => return Problem::internal(&error).into_response(),
    };
    let mut response = (status, Html(text)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(), microphone=()"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// A path of this site to go on to, or another one where it is none: never a way out to somebody else's.
pub fn local_path<'a>(path: &'a str, otherwise: &'a str) -> &'a str {
    let is_local = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.bytes().all(|byte| byte.is_ascii_graphic());
    if is_local { path } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_astray() {
        for path in ["/review", "/review/tasks?state=open"] {
            assert_eq!(local_path(path, "/"), path);
        }
        for path in ["", "review", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb", "/ "] {
            assert_eq!(local_path(path, "/x"), "/x", "{path}");
        }
    }

    #[test]
    fn cookies_choose_language_and_theme() {
        let of = |cookies: &str| {
            let headers = [(header::COOKIE, cookies.parse().unwrap())].into_iter().collect();
            let page = Page::of(&headers, "/".to_owned(), None);
            (page.language, page.theme)
        };
        assert_eq!(of("a=b"), (Language::Chinese, Theme::Auto));
        assert_eq!(of("greenlane_language=en; greenlane_theme=dark"), (Language::English, Theme::Dark));
        assert_eq!(of("greenlane_language=xx; greenlane_theme="), (Language::Chinese, Theme::Auto));
    }

    #[test]
    fn one_entry_is_the_present_one() {
        let user = |role| User {
            name: "wang".to_owned(),
            password: String::new(),
            role,
            authority: None,
            other_authorities: false,
            document: None,
            epoch: 0,
            created_at: DateTime::UNIX_EPOCH,
            disabled_at: None,
        };
        let at = |role, path: &str| -> Vec<&str> {
            let page = Page::of(&HeaderMap::new(), path.to_owned(), Some(user(role)));
            page.entries().filter(|entry| page.is_at(entry)).map(|entry| entry.address).collect()
        };
        assert_eq!(at(Role::Supervisor, "/review"), ["/review"]);
        assert_eq!(at(Role::Supervisor, "/review/tasks?state=open"), ["/review/tasks"]);
        assert_eq!(at(Role::Reviewer, "/review/tasks/1"), ["/review"]);
        assert_eq!(at(Role::Supervisor, "/reviews"), [""; 0]);
    }
}

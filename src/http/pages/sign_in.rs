//! Signing in and out (登录), and changing one's password.
//!
//! Tries are counted for the account and for the address, and failures stay counted. Who signed in before from a
//! browser has a cookie that proves it: such a browser is counted for itself, so that nobody locks the owner of an
//! account out by trying its name.

use std::{net::SocketAddr, time::Duration};

use askama::Template;
use axum::{
    Form,
    extract::{ConnectInfo, FromRequestParts, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tower_sessions::Session;

use super::page::{Page, cookie, html, html_with, local_path};
use crate::{
    domain::{
        event::{Actor, ActorKind},
        user::check_password,
    },
    http::{params::Params, person::SignedIn, problem::Problem, session, state::AppState},
    secrets::{KeyMaterial, digests_match, password},
    store::{types::OperatorAction, users::User},
};

/// The cookie of a browser that somebody signed in from.
const DEVICE: &str = "greenlane_device";
/// How long such a browser is known, in seconds.
const KNOWN_FOR: u32 = 180 * 24 * 3600;

/// How many failures are borne.
#[derive(Debug, Clone)]
pub struct SignInLimit {
    /// Tries of one account, one address or one known browser.
    pub tries: u32,
    /// Within so long.
    pub window: Duration,
    /// The header in which a proxy names the client's address; none: the peer's.
    pub address_header: Option<String>,
}

impl Default for SignInLimit {
    fn default() -> Self {
        Self { tries: 10, window: Duration::from_secs(900), address_header: None }
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct SignInPage {
    page: Page,
    name: String,
    next: String,
    problem: String,
}

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The page to sign in.
pub(super) async fn show(page: Page, Params(query): Params<Next>) -> Response {
    if let Some(role) = page.role() {
        return Redirect::to(local_path(&query.next, role.home())).into_response();
    }
    html(&SignInPage { page, name: String::new(), next: query.next, problem: String::new() })
}

/// Name and password.
#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: SecretString,
    #[serde(default)]
    next: String,
}

/// Where a request comes from.
pub(super) struct Address(String);

impl FromRequestParts<AppState> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let header = state.settings.sign_in.address_header.as_deref();
        // The last one is the one that the nearest proxy wrote.
        let told = header.and_then(|name| parts.headers.get_all(name).iter().next_back());
        let told = told.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let ip = told.and_then(|value| value.trim().parse().ok()).or(peer);
        Ok(Self(ip.map_or_else(|| "unknown".to_owned(), subnet)))
    }
}

/// Who has an IPv6 address has 2⁶⁴ of them.
fn subnet(ip: std::net::IpAddr) -> String {
    match ip.to_canonical() {
        std::net::IpAddr::V4(ip) => ip.to_string(),
        std::net::IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Signs in.
pub(super) async fn sign_in(
    State(state): State<AppState>,
    session: Session,
    page: Page,
    address: Address,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Result<Response, Problem> {
    let shared = &state.engine.shared;
    let limit = &state.settings.sign_in;
    let name = given.name.trim().to_owned();
    let device = cookie(&headers, DEVICE).filter(|device| is_known(&shared.secrets, device, &name));
    let subjects = match device {
        Some(device) => vec![subject("device", device)],
        None => vec![subject("name", &name), subject("address", &address.0)],
    };
    let refused = |page: Page, status, problem| {
        let page = SignInPage { page, name: given.name.clone(), next: given.next.clone(), problem };
        html_with(status, &page)
    };
    if let Some(until) = shared.store.count_try(&subjects, limit.tries, limit.window).await? {
        let wait = (until - shared.clock.now()).to_std().unwrap_or_default().as_secs() + 1;
        let problem = page.fill("login.too_many", &[&wait.div_ceil(60)]);
        let mut response = refused(page, StatusCode::TOO_MANY_REQUESTS, problem);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        return Ok(response);
    }
    let user = shared.store.user(&name).await?;
    let hashed = user.as_ref().map(|user| user.password.clone());
    let matches = state.passwords.verify(given.password.clone(), hashed).await?;
    let Some(user) = user.filter(|user| matches && user.disabled_at.is_none()) else {
        record(&state, "sign_in_failed", &name, &subjects).await?;
        let problem = page.t("login.wrong").to_owned();
        return Ok(refused(page, StatusCode::UNPROCESSABLE_ENTITY, problem));
    };
    shared.store.uncount_try(&subjects).await?;
    session::begin(&session, &user, shared.clock.now()).await?;
    record(&state, "signed_in", &user.name, &[]).await?;
    let mut response = Redirect::to(local_path(&given.next, user.role.home())).into_response();
    let secure = if state.settings.session.secure { "; Secure" } else { "" };
    let known = format!(
        "{DEVICE}={}; Path=/login; Max-Age={KNOWN_FOR}; HttpOnly; SameSite=Strict{secure}",
        known_device(&shared.secrets, &user.name)
    );
    if let Ok(known) = HeaderValue::from_str(&known) {
        response.headers_mut().append(header::SET_COOKIE, known);
    }
    Ok(response)
}

/// The name under which tries are counted; what was typed is not stored.
fn subject(kind: &str, text: &str) -> String {
    format!("{kind}:{}", hex::encode(Sha256::digest(text)))
}

/// A cookie that proves that the named user signed in here.
fn known_device(secrets: &KeyMaterial, name: &str) -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    let nonce = URL_SAFE_NO_PAD.encode(bytes);
    let mac = secrets.token_mac("device", format!("{nonce}:{name}").as_bytes());
    format!("{nonce}.{}", URL_SAFE_NO_PAD.encode(mac))
}

fn is_known(secrets: &KeyMaterial, device: &str, name: &str) -> bool {
    let Some((nonce, mac)) = device.split_once('.') else { return false };
    let Ok(Ok(mac)) = URL_SAFE_NO_PAD.decode(mac).map(<[u8; 32]>::try_from) else { return false };
    digests_match(&mac, &secrets.token_mac("device", format!("{nonce}:{name}").as_bytes()))
}

/// Records a sign-in; of a failed one only what was tried, as a fingerprint: people type passwords into the wrong field.
async fn record(state: &AppState, kind: &str, name: &str, subjects: &[String]) -> Result<(), Problem> {
    let shared = &state.engine.shared;
    let (actor, data) = match subjects {
        [] => (name, json!({})),
        subjects => ("unknown", json!({ "subjects": subjects })),
    };
    let actor = Actor::new(ActorKind::Operator, actor);
    let action = OperatorAction { at: shared.clock.now(), actor, kind: kind.to_owned(), data };
    Ok(shared.store.record_action(&action).await?)
}

/// Signs out.
pub(super) async fn sign_out(session: Session) -> Result<Redirect, Problem> {
    session::end(&session).await?;
    Ok(Redirect::to("/login"))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    user: User,
    problem: String,
    done: bool,
}

/// The person's own page.
pub(super) async fn account(page: Page, SignedIn(user): SignedIn) -> Response {
    html(&AccountPage { page, user, problem: String::new(), done: false })
}

/// The present password, and another one twice.
#[derive(Deserialize)]
pub(super) struct NewPassword {
    present: SecretString,
    new: SecretString,
    again: SecretString,
}

/// Changes the password: every other session of the person ends.
pub(super) async fn change_password(
    State(state): State<AppState>,
    session: Session,
    page: Page,
    SignedIn(mut user): SignedIn,
    Form(given): Form<NewPassword>,
) -> Result<Response, Problem> {
    let shared = &state.engine.shared;
    let subjects = [subject("name", &user.name)];
    let limit = &state.settings.sign_in;
    let refused = |page: Page, user, key: &str| {
        let problem = page.t_of("account.problem.", key);
        Ok(html_with(StatusCode::UNPROCESSABLE_ENTITY, &AccountPage { page, user, problem, done: false }))
    };
    if shared.store.count_try(&subjects, limit.tries, limit.window).await?.is_some() {
        return refused(page, user, "too_many");
    }
    if !state.passwords.verify(given.present, Some(user.password.clone())).await? {
        return refused(page, user, "present_wrong");
    }
    shared.store.uncount_try(&subjects).await?;
    if given.new.expose_secret() != given.again.expose_secret() {
        return refused(page, user, "not_alike");
    }
    if let Err(error) = check_password(given.new.expose_secret(), &user.name) {
        return refused(page, user, error.code);
    }
    let hashed = state.passwords.hash(given.new).await?;
    user.epoch = shared.store.set_password(&user.name, &hashed).await?.ok_or_else(Problem::not_signed_in)?;
    session::begin(&session, &user, shared.clock.now()).await?;
    record(&state, "user_password_changed", &user.name, &[]).await?;
    Ok(html(&AccountPage { page, user, problem: String::new(), done: true }))
}

/// Hashes passwords on threads of their own, few at a time: each takes memory and a core.
pub struct Passwords(tokio::sync::Semaphore);

impl Default for Passwords {
    fn default() -> Self {
        Self(tokio::sync::Semaphore::new(2))
    }
}

impl Passwords {
    async fn verify(&self, given: SecretString, hashed: Option<String>) -> Result<bool, Problem> {
        self.run(move || password::verify(&given, hashed.as_deref())).await
    }

    async fn hash(&self, given: SecretString) -> Result<String, Problem> {
        self.run(move || password::hash(&given)).await?.map_err(|error| Problem::internal(&error))
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let _turn = self.0.acquire().await.map_err(|error| Problem::internal(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_browser_is_known_for_its_user_only() {
        let secrets = KeyMaterial::ephemeral().unwrap();
        let device = known_device(&secrets, "wang");
        assert!(is_known(&secrets, &device, "wang"));
        assert!(!is_known(&secrets, &device, "li"));
        assert!(!is_known(&KeyMaterial::ephemeral().unwrap(), &device, "wang"));
        for forged in ["", ".", "a.b", &device[1..]] {
            assert!(!is_known(&secrets, forged, "wang"), "{forged}");
        }
    }

    #[test]
    fn addresses_are_counted_as_somebody_has_them() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ] {
            assert_eq!(subnet(address.parse().unwrap()), counted);
        }
    }
}

//! Problems as pages: who asks with a browser gets the same look, and a way to go on.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::page::{Page, html_with, path_of};
use crate::http::{problem::Told, session, state::AppState};

/// A problem as a page.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    status: u16,
    /// The family of the text: `error.404`.
    title: String,
    text: String,
    code: &'static str,
    request: String,
}

/// Statuses with a text of their own.
const KNOWN: [u16; 5] = [403, 404, 405, 429, 503];

/// Turns the problems of requests for pages into pages, and a missing session into the way to the sign-in.
pub(in crate::http) async fn as_pages(State(state): State<AppState>, request: Request, next: Next) -> Response {
    if !wants_page(request.headers(), request.uri().path()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let mut asked = axum::http::Request::new(()).into_parts().0;
    (asked.headers, asked.uri, asked.extensions) = (parts.headers.clone(), parts.uri.clone(), parts.extensions.clone());
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(told) = response.extensions().get::<Told>().copied() else { return response };
    let is_part = asked.headers.contains_key("hx-request");
    if told.code == "not_signed_in" {
        return to_sign_in(&asked.headers, &path_of(&asked), is_part);
    }
    // A part of a page keeps its problem: the page that asked for it says so in its own place.
    if is_part {
        return response;
    }
    let user = session::user(&asked, &state).await.unwrap_or_default();
    let page = Page::of(&asked.headers, path_of(&asked), user);
    let status = response.status();
    let family = if KNOWN.contains(&status.as_u16()) { status.as_u16() } else { 500 };
    let request = asked.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let error = ErrorPage {
        title: page.t_of("error.title.", family),
        text: page.t_of("error.text.", family),
        page,
        status: status.as_u16(),
        code: told.code,
        request,
    };
    let mut answer = html_with(status, &error);
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        answer.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    answer
}

/// Browsers ask for `text/html`; the API's paths answer problems to everybody.
fn wants_page(headers: &HeaderMap, path: &str) -> bool {
    let accepts = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    !path.starts_with("/v1/")
        && (accepts.is_some_and(|accept| accept.contains("text/html")) || headers.contains_key("hx-request"))
}

fn to_sign_in(headers: &HeaderMap, path: &str, is_part: bool) -> Response {
    // A part is asked for by a page, and it is the page to come back to.
    let back = if is_part {
        let page = headers.get("hx-current-url").and_then(|url| url.to_str().ok());
        page.and_then(|url| url::Url::parse(url).ok()).map_or_else(|| "/".to_owned(), |url| url.path().to_owned())
    } else {
        path.to_owned()
    };
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &back).finish();
    let address = format!("/login?{query}");
    if !is_part {
        return Redirect::to(&address).into_response();
    }
    let mut response = StatusCode::UNAUTHORIZED.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if let Ok(address) = HeaderValue::from_str(&address) {
        response.headers_mut().insert("hx-redirect", address);
    }
    response
}

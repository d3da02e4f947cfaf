//! What surrounds every handler: time limit, one log line, metrics, a problem instead of a crash.

use std::{any::Any, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::{
    csrf::ProtectionError,
    request_id::{MakeRequestId, RequestId},
};
use tracing::Instrument;
use uuid::Uuid;

use crate::telemetry::metrics::{HTTP_DURATION, HTTP_REQUESTS};

use super::{
    problem::{MEDIA_TYPE, Problem},
    state::AppState,
};

/// The header that names a request in logs and answers.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names requests that have no name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FreshId;

impl MakeRequestId for FreshId {
    fn make_request_id<B>(&mut self, _: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::from_str(&Uuid::now_v7().to_string()).ok().map(RequestId::new)
    }
}

/// Keeps the name that a client gives its request only if it is a UUID: the log takes no texts of strangers.
pub(super) async fn trust_uuids(mut request: Request, next: Next) -> Response {
    let named = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
    if named.is_none_or(|id| Uuid::try_parse(id).is_err()) {
        request.headers_mut().remove(REQUEST_ID);
    }
    next.run(request).await
}

/// Ends handlers that take too long. What they committed by then stays; a repeated request finds it.
pub(super) async fn time_limit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(state.settings.time_limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!("a request took too long");
            let detail = "the request took too long, try again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", detail)
                .with_retry_after(std::time::Duration::from_secs(5))
                .into_response()
        }
    }
}

/// One line in the log and one measurement per request, by the route's pattern: paths carry ids.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = tracing::info_span!("request", request.id = id, http.method = %method, http.route = route);
    let response = next.run(request).instrument(span.clone()).await;
    let (elapsed, status) = (started.elapsed(), response.status().as_u16());
    // An unknown method is the client's text; it must not become a label of its own.
    let label = known(method.as_str());
    metrics::counter!(HTTP_REQUESTS, "method" => label, "route" => route.clone(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!(HTTP_DURATION, "method" => label, "route" => route).record(elapsed);
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    let _entered = span.enter();
    if status >= 500 {
        tracing::warn!(http.status = status, duration_ms, "request failed");
    } else {
        tracing::debug!(http.status = status, duration_ms, "request answered");
    }
    response
}

fn known(method: &str) -> &'static str {
    ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}

/// Headers that every answer has; and a problem where a library below answered an error in its own words.
pub(super) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_ours = |kind: &HeaderValue| kind == MEDIA_TYPE || kind.as_bytes().starts_with(b"text/html");
    if is_error && !response.headers().get(header::CONTENT_TYPE).is_some_and(is_ours) {
        response = match status {
            StatusCode::NOT_FOUND => Problem::not_found(),
            _ => Problem::new(status, "request_failed", "the request cannot be answered"),
        }
        .into_response();
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// What a page of another site gets that sends something here in somebody's name.
pub(super) fn cross_site(_error: ProtectionError) -> Response {
    let detail = "the request comes from another site";
    Problem::new(StatusCode::FORBIDDEN, "cross_site", detail).into_response()
}

/// What a client sees of a panic. Its text stays inside, even inside of the log: it may quote what was worked on.
pub(super) fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::crashed().into_response()
}

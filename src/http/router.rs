//! The one list of what is answered, and what surrounds it.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    csrf::CsrfLayer,
    request_id::{PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveRequestHeadersLayer,
};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    api::{applications, audit, health, licences, ops, photos, reviews},
    console,
    layers::{self, FreshId, REQUEST_ID},
    openapi::Head,
    pages,
    problem::Problem,
    session,
    state::AppState,
};

/// Every route of the API. What is not in this list does not exist; what is, stands in the OpenAPI document.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Head::openapi())
        .merge(applications::routes())
        .merge(photos::routes())
        .merge(reviews::routes())
        .merge(licences::routes())
        .merge(ops::routes())
        .merge(audit::routes())
        .merge(health::routes())
}

/// The whole interface.
pub fn router(state: AppState) -> Router {
    let (api, _) = routes().split_for_parts();
    let docs = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    let around = ServiceBuilder::new()
        .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
        .layer(from_fn(layers::trust_uuids))
        .layer(SetRequestIdLayer::new(REQUEST_ID, FreshId))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(from_fn(layers::observe))
        .layer(from_fn(layers::harden))
        .layer(session::layer(&state))
        .layer(from_fn_with_state(state.clone(), pages::errors::as_pages))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(CsrfLayer::new().with_rejection_response(layers::cross_site))
        .layer(from_fn_with_state(state.clone(), layers::time_limit))
        // Every handler that reads a body names its own limit (see `body::read`).
        .layer(DefaultBodyLimit::disable());
    api.merge(docs)
        .merge(pages::routes())
        .merge(console::routes())
        .merge(crate::http::ops::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(around)
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::not_found()
}

async fn method_not_allowed() -> Response {
    let detail = "the resource does not have this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
}

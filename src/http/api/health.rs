//! Whether the process lives, whether it can work, its figures, and the API's description of itself.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        auth::{Authorised, ReadOwn},
        body::Json,
        openapi,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    telemetry,
};

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(openapi_json))
        .routes(routes!(webhook_secret))
}

/// How the process is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
struct HealthBody {
    /// Always `ok`.
    status: &'static str,
}

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, description = "It does", body = HealthBody)))]
async fn healthz() -> Json<HealthBody> {
    Json(HealthBody { status: "ok" })
}

/// Whether the process can work: the database answers, and it is not about to end.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = 200, description = "It can", body = HealthBody),
    (status = 503, description = "It cannot now", body = ProblemBody, content_type = "application/problem+json"),
))]
async fn readyz(State(state): State<AppState>) -> Result<Json<HealthBody>, Problem> {
    let shared = &state.engine.shared;
    if shared.places.is_closed() {
        let detail = "the process is about to end";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "ending", detail));
    }
    shared.store.ping().await?;
    Ok(Json(HealthBody { status: "ok" }))
}

/// The figures of this process, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], telemetry::metrics::render()).into_response()
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "health",
    responses((status = 200, description = "OpenAPI 3.1", body = Object, content_type = "application/json")))]
async fn openapi_json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::text()).into_response()
}

/// A webhook secret.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
struct SecretBody {
    /// The secret of the Standard Webhooks specification.
    #[schema(example = "whsec_…")]
    secret: String,
}

/// The secret with which one's own webhooks are signed.
#[utoipa::path(get, path = "/v1/webhook-secret", tag = "applications", security(("key" = ["applications:read"])),
    responses((status = 200, description = "The same at every call", body = SecretBody)))]
async fn webhook_secret(State(state): State<AppState>, caller: Authorised<ReadOwn>) -> Json<SecretBody> {
    let secret = state.engine.shared.secrets.webhook_secret(&caller.owner).to_text();
    Json(SecretBody { secret: secret.expose_secret().to_owned() })
}

//! What tests and demonstrations tell the simulator.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::faults::Order;
use super::{Reply, Shared, registry};
use crate::domain::provider_error::Provider;

fn refuse(message: &str) -> Response {
    Reply::refused(StatusCode::UNPROCESSABLE_ENTITY, "refused", message).into_response()
}

/// `POST /control/faults`: replaces a provider's faults; fields left out are none.
pub(super) async fn faults(State(simulator): Shared, body: Bytes) -> Response {
    let order: Order = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(error) => return refuse(&error.to_string()),
    };
    match simulator.faults.set(order) {
        Ok(()) => Json(order).into_response(),
        Err(why) => refuse(why),
    }
}

/// `POST /control/registry`: replaces what is different about a document number; answers what the registry now knows.
pub(super) async fn registry(State(simulator): Shared, body: Bytes) -> Response {
    let mut fields: Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(fields) => fields,
        Err(error) => return refuse(&error.to_string()),
    };
    fields.remove("document_type");
    let Some(Value::String(number)) = fields.remove("document_number") else {
        return refuse("missing or no text: `document_number`");
    };
    if fields.get("licence").is_some_and(|licence| !licence.is_object()) {
        return refuse("no object: `licence`");
    }
    simulator.registry.set(&number, fields);
    Json(registry::knows(&simulator, &number)).into_response()
}

#[derive(Deserialize)]
pub(super) struct Filter {
    provider: Option<String>,
}

/// `GET /control/log?provider=`: what was received, oldest first; without a provider, all of it.
pub(super) async fn log(State(simulator): Shared, Query(filter): Query<Filter>) -> Response {
    let provider = filter.provider.as_deref().filter(|name| !name.is_empty()).map(str::parse::<Provider>);
    match provider.transpose() {
        Ok(provider) => Json(json!({ "items": simulator.log.read(provider) })).into_response(),
        Err(error) => refuse(&error.to_string()),
    }
}

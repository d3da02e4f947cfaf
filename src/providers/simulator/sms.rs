//! The SMS gateway: the last four digits of the number decide. Like real ones it ignores the idempotency key:
//! each accepted request is one more message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Reply, Simulator, text};

/// The first message of each reference: its id and how it ended.
#[derive(Default)]
pub(super) struct Outbox(Mutex<Sent>);

#[derive(Default)]
struct Sent {
    count: u64,
    messages: HashMap<String, (String, &'static str)>,
}

impl Outbox {
    fn send(&self, reference: &str, state: &'static str) -> String {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.count += 1;
        let id = format!("sms-{}", sent.count);
        sent.messages.entry(reference.to_owned()).or_insert_with(|| (id.clone(), state));
        id
    }

    fn find(&self, reference: &str) -> Option<(String, &'static str)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).messages.get(reference).cloned()
    }
}

pub(super) fn message(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    let to = text(body, "to")?;
    text(body, "template")?;
    text(body, "text")?;
    let reference = text(body, "reference")?;
    let time = || simulator.tries.count(&["sms", to, reference]);
    let broken = || Reply { status: StatusCode::INTERNAL_SERVER_ERROR, ..Reply::unavailable() };
    let busy = || Reply {
        retry_after: Some(2),
        ..Reply::refused(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "slow down")
    };
    let send = |state| Reply::accepted(&simulator.sms.send(reference, state));
    let ends_with = |digits: &str| to.ends_with(digits);
    Ok(if ends_with("0500") || (ends_with("0501") && time() <= 2) {
        broken()
    } else if ends_with("0429") && time() == 1 {
        busy()
    } else if ends_with("0502") {
        Reply { lost: true, outcome: "reply_lost", ..send("delivered") }
    } else if ends_with("0503") {
        send("failed")
    } else {
        send("delivered")
    })
}

pub(super) fn state(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    let reference = text(body, "reference")?;
    Ok(Reply::answered(match simulator.sms.find(reference) {
        Some((id, state)) => json!({ "found": true, "message_id": id, "state": state }),
        None => json!({ "found": false, "message_id": null, "state": null }),
    }))
}

//! The push service: the prefix of the app user decides. The same `cid` is delivered once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

use super::{Reply, Simulator, text};

/// The message id of each `cid`.
#[derive(Default)]
pub(super) struct Outbox(Mutex<HashMap<String, String>>);

impl Outbox {
    /// The message id, and whether it is a new one.
    fn send(&self, cid: &str) -> (String, bool) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = sent.get(cid) {
            return (id.clone(), false);
        }
        let id = format!("push-{}", sent.len() + 1);
        sent.insert(cid.to_owned(), id.clone());
        (id, true)
    }
}

pub(super) fn notification(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    let cid = text(body, "cid")?;
    let user = text(body, "app_user")?;
    text(body, "title")?;
    text(body, "body")?;
    if user.starts_with("u-gone") {
        return Err(Reply::refused(StatusCode::NOT_FOUND, "token_invalid", "the app user has no device"));
    }
    let (id, new) = simulator.push.send(cid);
    let mut reply = Reply::accepted(&id);
    if !new {
        (reply.accepted, reply.outcome) = (false, "duplicate");
    }
    if user.starts_with("u-slow") {
        reply.after = Duration::from_secs(5);
    }
    Ok(reply)
}

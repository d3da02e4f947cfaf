//! The hash by which a release is pinned.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Notice, StageRule, Workflow};

/// SHA-256 in hex over the canonical JSON (RFC 8785) of what the definition means.
///
/// The fields are named here and not derived: the hash of a released version must outlive changes of the Rust types.
pub(super) fn hash(workflow: &Workflow) -> Result<String, serde_json::Error> {
    let stages: BTreeMap<&str, Value> =
        workflow.stages.iter().map(|(stage, rule)| (stage.as_str(), stage_meaning(rule))).collect();
    let deadline = &workflow.deadline;
    let meaning = json!({
        "name": workflow.name,
        "version": workflow.version,
        "applies_to": workflow.kind,
        "start": workflow.start,
        "deadline": {
            "working_days": deadline.working_days,
            "starts_at": deadline.starts_at,
            "opens": deadline.opens.to_string(),
            "close": deadline.close.to_string(),
            "warn_at": deadline.warn_at,
            "on_breach": deadline.on_breach,
        },
        "stages": stages,
        "notices": {
            "stage": workflow.notices.stage,
            "issued": notice_meaning(&workflow.notices.issued),
            "rejected": notice_meaning(&workflow.notices.rejected),
        },
    });
    serde_json_canonicalizer::to_vec(&meaning).map(|bytes| hex::encode(Sha256::digest(bytes)))
}

fn stage_meaning(rule: &StageRule) -> Value {
    let on: BTreeMap<&str, String> =
        rule.on.iter().map(|(outcome, target)| (outcome.as_str(), target.to_string())).collect();
    json!({
        "timeout_ms": rule.timeout.as_secs_f64() * 1_000.0,
        "attempts": rule.attempts,
        "retry": rule.retry,
        "concurrency": rule.concurrency,
        "rate": rule.rate,
        "on": on,
    })
}

fn notice_meaning(notice: &Notice) -> Value {
    json!({ "channels": notice.channels, "template": notice.template })
}

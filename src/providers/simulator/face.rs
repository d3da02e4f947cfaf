//! Face verification: the prefix of the token decides.

use serde_json::{Value, json};

use super::{Reply, Simulator, text};

pub(super) fn verification(simulator: &Simulator, body: &Value) -> Result<Reply, Reply> {
    let token = text(body, "face_token")?;
    text(body, "document_type")?;
    let number = text(body, "document_number")?;
    text(body, "name")?;
    let again = |times: u32| simulator.tries.count(&["face", token, number]) <= times;
    if let Some(times) = repeats(token, "ft-pending-") {
        return Ok(if again(times) { answer("pending", None, None) } else { passed() });
    }
    if let Some(times) = repeats(token, "ft-flaky-") {
        return Ok(if again(times) { Reply::unavailable() } else { passed() });
    }
    Ok(if token.starts_with("ft-fail") {
        answer("failed", Some("204"), Some(41.5))
    } else if token.starts_with("ft-manual") {
        answer("manual", Some("202"), None)
    } else if token.starts_with("ft-blocked") {
        answer("blocked_today", None, None)
    } else if token.starts_with("ft-503") {
        Reply::unavailable()
    } else {
        passed()
    })
}

fn passed() -> Reply {
    answer("passed", Some("200"), Some(98.5))
}

fn answer(state: &str, sub_code: Option<&str>, score: Option<f64>) -> Reply {
    Reply::answered(json!({ "state": state, "sub_code": sub_code, "score": score }))
}

/// The number after a prefix; more text may follow it.
fn repeats(token: &str, prefix: &str) -> Option<u32> {
    let rest = token.strip_prefix(prefix)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

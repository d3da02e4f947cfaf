//! `/v1/applications:batch`: many submissions in one request, each for itself.

use std::{collections::HashSet, convert::Infallible};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream::FuturesOrdered};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::{
    domain::ids::ApplicationId,
    http::{
        auth::{Authorised, Caller, WriteApplications},
        body::{JSON_LIMIT, media_type, read, unsupported},
        problem::{Problem, ProblemBody},
        state::AppState,
        strict,
    },
};

use super::{
    intake::{self, Accepted, IdempotencyKey},
    submission::Submission,
};

/// The most lines of a batch.
const MOST_LINES: usize = 5000;
/// The largest batch, in bytes.
const LIMIT: usize = 32 * 1024 * 1024;
/// Lines that are admitted side by side, so that they share commits.
const SIDE_BY_SIDE: usize = 256;
/// The field of a line that a single submission has as a header.
const KEY: &str = "idempotency_key";

/// What became of one line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchResult)]
pub struct LineBody {
    /// Counted from 1.
    pub line: usize,
    /// What the line would have been answered alone.
    #[schema(example = 201)]
    pub status: u16,
    /// The application, for 200 and 201.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<ApplicationId>,
    /// Why not, for the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemBody>,
}

/// Submit up to 5000 applications, one JSON object per line, each with its `idempotency_key`.
#[utoipa::path(post, path = "/v1/applications:batch", tag = "applications", security(("key" = ["applications:write"])),
    request_body(content = String, content_type = "application/x-ndjson", description = "One application per line, as for a single submission, plus `idempotency_key`"),
    responses((status = 200, description = "One result per line, in order", body = LineBody, content_type = "application/x-ndjson")))]
pub(super) async fn submit_batch(
    State(state): State<AppState>,
    caller: Authorised<WriteApplications>,
    request: Request,
) -> Result<Response, Problem> {
    if !matches!(
        media_type(request.headers()).as_str(),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl"
    ) {
        return Err(unsupported("application/x-ndjson"));
    }
    let body = read(request.into_body(), LIMIT).await?;
    let lines = lines(&body).ok_or_else(|| {
        let detail = format!("a batch has 1 to {MOST_LINES} lines");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "batch_too_large", detail)
    })?;
    let (results, receiver) = mpsc::channel(SIDE_BY_SIDE);
    // On its own, so that a client that reads slowly does not hold up the lines that are under way.
    tokio::spawn(admit_all(state, Arc::clone(&caller.0), lines, results));
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        let line: Bytes = receiver.recv().await?;
        Some((Ok::<_, Infallible>(line), receiver))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response())
}

/// The lines, if a batch may have as many. What follows the last line break is a line only if there is something.
fn lines(body: &Bytes) -> Option<Vec<Bytes>> {
    let text = body.strip_suffix(b"\n").unwrap_or(body);
    if body.is_empty() || text.iter().filter(|&&byte| byte == b'\n').count() >= MOST_LINES {
        return None;
    }
    Some(text.split(|&byte| byte == b'\n').map(|line| body.slice_ref(line)).collect())
}

/// Admits lines side by side and tells the results in order. Ends early when nobody listens: what was not admitted can
/// be sent again.
async fn admit_all(state: AppState, caller: Arc<Caller>, lines: Vec<Bytes>, results: mpsc::Sender<Bytes>) {
    let mut running = FuturesOrdered::new();
    let mut marks = HashSet::new();
    for (index, bytes) in lines.into_iter().enumerate() {
        let line = Line::read(&bytes);
        // Lines that could answer for each other are admitted one after another: the first one wins.
        let alone = line.as_ref().is_ok_and(|line| line.marks.iter().any(|mark| marks.contains(mark)));
        while (alone && !running.is_empty()) || running.len() >= SIDE_BY_SIDE {
            if !tell(&results, running.next().await).await {
                return;
            }
        }
        if running.is_empty() {
            marks.clear();
        }
        marks.extend(line.iter().flat_map(|line| line.marks.clone()));
        let (state, caller) = (state.clone(), Arc::clone(&caller));
        running.push_back(async move {
            let accepted = match line {
                Ok(line) => intake::admit(&state, &caller, line.submission, line.key).await,
                Err(problem) => Err(problem),
            };
            LineBody::of(index + 1, accepted)
        });
    }
    while !running.is_empty() {
        if !tell(&results, running.next().await).await {
            return;
        }
    }
}

/// Sends a result; false when nobody listens.
async fn tell(results: &mpsc::Sender<Bytes>, line: Option<LineBody>) -> bool {
    let Some(line) = line else { return true };
    let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
    bytes.push(b'\n');
    results.send(bytes.into()).await.is_ok()
}

/// A line that can be read.
struct Line {
    submission: Submission,
    key: IdempotencyKey,
    /// What it has in common with lines that could be its repetition or its rival: the key and the document number.
    marks: Vec<String>,
}

impl Line {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > JSON_LIMIT {
            let detail = format!("the line has more than {JSON_LIMIT} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        let mut object: Map<String, Value> = strict::decode(bytes)?;
        let key = object.remove(KEY).filter(|key| !key.is_null());
        let key = match &key {
            Some(Value::String(key)) => IdempotencyKey::parse(Some(key.as_bytes()))?,
            Some(_) => return Err(Problem::field(format!("/{KEY}"), "wrong_type", "must be a string")),
            None => IdempotencyKey::parse(None)?,
        };
        let number =
            object.get("applicant").and_then(|applicant| applicant.get("document_number")).and_then(Value::as_str);
        let number = number.map(|number| format!("number {}", number.to_ascii_uppercase()));
        let marks = [format!("key {}", key.as_str())].into_iter().chain(number).collect();
        Ok(Self { submission: strict::typed(Value::Object(object))?, key, marks })
    }
}

impl LineBody {
    fn of(line: usize, accepted: Result<Accepted, Problem>) -> Self {
        match accepted {
            Ok(Accepted::Created(application, _)) => {
                Self { line, status: 201, id: Some(application.id), problem: None }
            }
            Ok(Accepted::Replayed(id)) => Self { line, status: 200, id: Some(id), problem: None },
            Err(problem) => {
                Self { line, status: problem.status().as_u16(), id: None, problem: Some(problem.into_body()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: String) -> Option<usize> {
        lines(&Bytes::from(text)).map(|lines| lines.len())
    }

    #[test]
    fn lines_end_with_a_break() {
        for (text, number) in [("{}", 1), ("{}\n", 1), ("{}\r\n{}", 2), ("\n", 1), ("{}\n\n{}\n", 3)] {
            assert_eq!(count(text.to_owned()), Some(number), "{text:?}");
        }
    }

    #[test]
    fn lines_are_counted_before_they_are_collected() {
        assert_eq!(count(String::new()), None);
        assert_eq!(count("{}\n".repeat(MOST_LINES)), Some(MOST_LINES));
        assert_eq!(count("{}\n".repeat(MOST_LINES) + "{}"), None);
        assert_eq!(count("\n".repeat(LIMIT)), None);
    }

    #[test]
    fn a_line_needs_its_key() {
        let code =
            |text: &str| Line::read(text.as_bytes()).err().map(|problem| (problem.status().as_u16(), problem.code()));
        assert_eq!(code("{}"), Some((400, "idempotency_key_missing")));
        assert_eq!(code(r#"{"idempotency_key": null}"#), Some((400, "idempotency_key_missing")));
        assert_eq!(code(r#"{"idempotency_key": ""}"#), Some((400, "idempotency_key_invalid")));
        assert_eq!(code(r#"{"idempotency_key": 1}"#), Some((422, "validation_failed")));
        assert_eq!(code(r#"{"idempotency_key": "k"}"#), Some((422, "validation_failed")));
        assert_eq!(code(""), Some((400, "malformed_json")));
        assert_eq!(code(&format!("{}{{}}", " ".repeat(JSON_LIMIT))), Some((413, "too_large")));
    }

    #[test]
    fn lines_that_could_meet_have_a_mark_in_common() {
        let text = |key: &str, number: &str| {
            serde_json::json!({
                "idempotency_key": key, "kind": "first_issue", "photo": { "source": "retained" }, "face_token": "t",
                "applicant": { "document_type": "A", "document_number": number, "name": "张三", "mobile": "1", "app_user": "u" },
                "consent": { "version": "1", "given_at": "x" },
            })
            .to_string()
        };
        let marks = |key, number| Line::read(text(key, number).as_bytes()).ok().unwrap().marks;
        assert!(marks("a", "1x").iter().any(|mark| marks("b", "1X").contains(mark)));
        assert!(marks("a", "1").iter().any(|mark| marks("a", "2").contains(mark)));
        assert!(!marks("a", "1").iter().any(|mark| marks("b", "a").contains(mark)));
    }
}

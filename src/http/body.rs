//! Reading bodies within limits of size and time.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, OptionalFromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde::{Serialize, de::DeserializeOwned};

use super::{problem::Problem, strict};

/// The largest JSON body, in bytes.
pub const JSON_LIMIT: usize = 256 * 1024;
/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is read and thrown away beyond a limit, so that a client that sends first and reads later gets its answer.
const DRAIN: usize = 16 * 1024 * 1024;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 `too_large`, 408 `body_too_slow`, 400 `body_incomplete`.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "the body did not arrive in time");
    tokio::time::timeout(PATIENCE, collect(body, limit)).await.map_err(too_slow)?
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut collected = Vec::new();
    let mut size = 0_usize;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("body_incomplete", "the body broke off"))?;
        size = size.saturating_add(chunk.len());
        if size <= limit {
            collected.extend_from_slice(&chunk);
        } else if size > limit.saturating_add(DRAIN) {
            break;
        } else {
            collected = Vec::new();
        }
    }
    if size > limit {
        let detail = format!("the body has more than {limit} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    Ok(collected.into())
}

/// The media type of a body without its parameters, in lower case; empty when there is none.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// 415, naming what is taken.
pub fn unsupported(taken: &str) -> Problem {
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", format!("the body must be {taken}"))
}

/// A JSON object, read strictly; or an answer in JSON.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if media_type(request.headers()) != "application/json" {
            return Err(unsupported("application/json"));
        }
        let bytes = read(request.into_body(), JSON_LIMIT).await?;
        strict::decode(&bytes).map(Self)
    }
}

/// None only where there is neither a content type nor a body.
impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, Problem> {
        use axum::body::HttpBody;
        if request.headers().get(header::CONTENT_TYPE).is_none() && request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            // Answers carry the state of this moment and masked personal data: no cache keeps them.
            Ok(body) => ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
                .into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn bodies_have_a_limit() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap(), "12345");
        assert_eq!(read(Body::from("123456"), 5).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        let endless = Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 1024 * 1024])));
        assert_eq!(read(endless, 5).await.unwrap_err().code(), "too_large");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told() {
        let broken = Body::from_stream(stream::iter([Ok(vec![1_u8]), Err(std::io::Error::other("reset"))]));
        assert_eq!(read(broken, 5).await.unwrap_err().code(), "body_incomplete");
    }

    #[test]
    fn media_types_lose_their_parameters() {
        let of =
            |text: &'static str| media_type(&[(header::CONTENT_TYPE, text.parse().unwrap())].into_iter().collect());
        assert_eq!(of("application/JSON; charset=utf-8"), "application/json");
        assert_eq!(of("nonsense"), "nonsense");
        assert_eq!(media_type(&HeaderMap::new()), "");
    }
}

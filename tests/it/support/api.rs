//! A client of the HTTP API whose answers say everything when an expectation fails.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::sample::Sample;

/// One caller: a base URL and perhaps a key.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub key: Option<String>,
    reviewer: Option<String>,
    client: reqwest::Client,
}

/// An answer, read to its end.
pub struct Answer {
    pub call: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Api {
    pub fn new(base: String) -> Self {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { base, key: None, reviewer: None, client }
    }

    pub fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    pub fn without_key(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// The same caller at another address, after a restart.
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same key with another person behind it (`X-Reviewer`).
    pub fn reviewer(&self, name: &str) -> Self {
        Self { reviewer: Some(name.to_owned()), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(reviewer) = &self.reviewer {
            request = request.header("x-reviewer", reviewer);
        }
        request
    }

    /// Sends a request; an answer that does not come is an error for the caller to judge.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let (client, request) = request.build_split();
        let request = request?;
        let call = format!("{} {}", request.method(), request.url());
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { call, status, headers, body: response.bytes().await?.to_vec() })
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.try_send(request).await.unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts bytes as they are, for bodies that a JSON library would not write.
    pub async fn post_raw(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(self.request(Method::POST, path).header("content-type", content_type).body(body.into())).await
    }

    /// `POST /v1/applications` with a chosen key.
    pub async fn submit_with_key(&self, body: &Value, idempotency_key: &str) -> Answer {
        self.send(self.submission(body, idempotency_key)).await
    }

    /// The request of [`Self::submit_with_key`], not sent.
    pub fn submission(&self, body: &Value, idempotency_key: &str) -> reqwest::RequestBuilder {
        self.request(Method::POST, "/v1/applications").header("idempotency-key", idempotency_key).json(body)
    }

    /// `POST /v1/applications` with a fresh idempotency key.
    pub async fn submit(&self, sample: &Sample) -> Answer {
        self.submit_with_key(&sample.body, &fresh_key()).await
    }

    /// Submits an application that must be accepted, and gives its id.
    pub async fn admit(&self, sample: &Sample) -> String {
        self.submit(sample).await.expect(201).text("id")
    }

    pub async fn application(&self, id: &str) -> Value {
        self.get(&format!("/v1/applications/{id}")).await.expect(200).json()
    }

    pub async fn events(&self, id: &str) -> Vec<Value> {
        self.get(&format!("/v1/applications/{id}/events?limit=200")).await.expect(200).items()
    }

    /// Asks for the application until the condition holds, and gives it. Fails after the bound.
    pub async fn wait_until(&self, id: &str, bound: Duration, condition: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + bound;
        let mut pause = Duration::from_millis(10);
        loop {
            let application = self.application(id).await;
            if condition(&application) {
                return application;
            }
            assert!(Instant::now() < deadline, "not reached within {bound:?}: {application:#}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    pub async fn wait_for_status(&self, id: &str, status: &str) -> Value {
        self.wait_until(id, BOUND, |application| {
            let now = application["status"].as_str().unwrap_or_default();
            assert!(now == status || !is_final(now), "`{now}` instead of `{status}`: {application:#}");
            now == status
        })
        .await
    }

    /// Waits until the application is decided with the status and both notifications are settled.
    pub async fn wait_until_done(&self, id: &str, status: &str) -> Value {
        self.wait_for_status(id, status).await;
        self.wait_until(id, BOUND, |application| application["completed_at"].is_string()).await
    }

    /// Uploads a photo that the checks accept, and gives its id.
    pub async fn upload_photo(&self, source: &str) -> String {
        let answer =
            self.post_raw(&format!("/v1/photos?source={source}"), "image/png", super::photo::white_png(520, 756)).await;
        answer.expect(201).text("photo_id")
    }

    /// Claims the task of an application, waiting until it is there.
    pub async fn claim_review_of(&self, application_id: &str) -> Value {
        let task = self.review_of(application_id).await;
        let id = task["id"].as_str().unwrap();
        self.post(&format!("/v1/reviews/{id}/claim"), &json!({})).await.expect(200).json()
    }

    /// The review task of an application, waiting until it is there.
    pub async fn review_of(&self, application_id: &str) -> Value {
        self.wait_for_status(application_id, "in_review").await;
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/v1/reviews?limit=200{cursor}")).await.expect(200).json();
            for task in page["items"].as_array().unwrap() {
                if task["application_id"] == application_id {
                    return task.clone();
                }
            }
            let next = page["next_cursor"].as_str().unwrap_or_else(|| panic!("no task for {application_id}: {page:#}"));
            cursor = format!("&cursor={next}");
        }
    }

    /// Sends a decision for a claimed task.
    pub async fn decide(&self, task: &Value, decision: &str, reasons: &[&str]) -> Answer {
        let body = json!({ "lease_token": task["lease_token"], "decision": decision, "reasons": reasons });
        self.post(&format!("/v1/reviews/{}/decision", task["id"].as_str().unwrap()), &body).await
    }

    pub async fn review_approve(&self, application_id: &str) {
        let task = self.claim_review_of(application_id).await;
        self.decide(&task, "approve", &[]).await.expect(200);
    }

    pub async fn review_reject(&self, application_id: &str, reasons: &[&str]) {
        let task = self.claim_review_of(application_id).await;
        self.decide(&task, "reject", reasons).await.expect(200);
    }
}

/// How long an application may take to reach a state in a test, on a loaded machine.
pub const BOUND: Duration = Duration::from_secs(45);

pub fn is_final(status: &str) -> bool {
    matches!(status, "issued" | "rejected" | "cancelled")
}

pub fn fresh_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl Answer {
    /// Fails the test unless the status is the given one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "status of {self:?}");
        self
    }

    /// Fails unless the answer is a problem document with status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        let problem = self.any_problem(status);
        assert_eq!(problem["code"], code, "code of {problem:#}");
        problem
    }

    /// Fails unless the answer is a problem document with the status, whatever its code.
    #[track_caller]
    pub fn any_problem(self, status: u16) -> Value {
        let answer = self.expect(status);
        let content_type = answer.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with("application/problem+json"), "content type of {answer:?}");
        let problem = answer.json();
        assert_eq!(problem["status"], status, "status inside of {answer:?}");
        for field in ["type", "title", "code", "detail"] {
            assert!(problem[field].is_string(), "`{field}` of {answer:?}");
        }
        let code = problem["code"].as_str().unwrap();
        assert!(code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "code of {answer:?}");
        problem
    }

    /// Fails unless the answer is a 422 whose `errors` name the pointer.
    #[track_caller]
    pub fn field_error(self, pointer: &str) -> Value {
        let problem = self.any_problem(422);
        let found =
            problem["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["pointer"] == pointer));
        assert!(found, "no error at `{pointer}` in {problem:#}");
        problem
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// A text member of the JSON body.
    #[track_caller]
    pub fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {self:?}")).to_owned()
    }

    /// The items of a list.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap_or_else(|| panic!("no list: {self:?}")).clone()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(3000).collect();
        write!(f, "{} -> {} {:?}\n{body}", self.call, self.status, self.headers)
    }
}

//! A browser as far as the server can tell: cookies, forms, and the headers that say where a request comes from.

use std::collections::BTreeMap;

use reqwest::Method;

use super::api::{Answer, Api};

/// The password of every user that a test makes.
pub const PASSWORD: &str = "correct horse battery staple";

pub struct Browser {
    pub api: Api,
    pub cookies: BTreeMap<String, String>,
    headers: Vec<(&'static str, String)>,
}

impl Browser {
    pub fn new(api: Api) -> Self {
        let headers = vec![("accept", "text/html".to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
        Self { api, cookies: BTreeMap::new(), headers }
    }

    /// Another header on every request from now on, instead of one of the same name.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.to_owned()));
    }

    pub async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Answer {
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = self.api.send(request).await;
        for line in answer.headers.get_all("set-cookie") {
            let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.to_lowercase().contains("max-age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(self.api.request(Method::GET, path)).await
    }

    /// Sends a form.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.api.request(Method::POST, path);
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(body)).await
    }

    /// Calls the API with the session.
    pub async fn call(&mut self, path: &str, body: &serde_json::Value) -> Answer {
        self.send(self.api.request(Method::POST, path).json(body)).await
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/login", &[("name", name), ("password", password)]).await
    }
}

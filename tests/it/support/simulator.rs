//! The provider simulator in a process of its own, so that it survives when a test kills the server.

use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::program::{Program, Settings};
use super::scratch::Scratch;

pub struct Simulator {
    pub api: Api,
    _program: Program,
    _folder: Scratch,
}

impl Simulator {
    pub async fn start() -> Self {
        let folder = Scratch::new();
        let mut program =
            Settings::new(folder.path()).spawn(&["simulate", "--bind", "127.0.0.1:0"]);
        let base = program.listening().await;
        Self {
            api: Api::new(base),
            _program: program,
            _folder: folder,
        }
    }

    /// The base URL of a provider: `registry`, `face`, `sms` or `push`.
    pub fn url(&self, provider: &str) -> String {
        format!("{}/{provider}", self.api.base)
    }

    /// Calls a provider as the server would.
    pub async fn call(&self, path: &str, body: &Value) -> Answer {
        self.api.post(path, body).await
    }

    /// Injects faults: `latency_ms`, `error_rate`, `timeout_rate`, `lost_reply_rate`, `seed`.
    pub async fn fault(&self, provider: &str, faults: Value) {
        let mut body = json!({ "provider": provider });
        body.as_object_mut()
            .unwrap()
            .extend(faults.as_object().unwrap().clone());
        let answer = self.api.post("/control/faults", &body).await;
        assert!(
            answer.status < 300,
            "the simulator takes faults: {answer:?}"
        );
    }

    /// Overrides fields of the registry's answer for one document number.
    pub async fn override_registry(&self, document_number: &str, fields: Value) {
        let mut body = json!({ "document_number": document_number });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = self.api.post("/control/registry", &body).await;
        assert!(
            answer.status < 300,
            "the simulator takes overrides: {answer:?}"
        );
    }

    /// What a provider received, oldest first.
    pub async fn log(&self, provider: &str) -> Vec<Value> {
        let body = self
            .api
            .get(&format!("/control/log?provider={provider}"))
            .await
            .expect(200)
            .json();
        let items = body.get("items").unwrap_or(&body);
        items
            .as_array()
            .unwrap_or_else(|| panic!("the log is a list: {body}"))
            .clone()
    }

    /// How many messages a provider accepted, by SMS `reference` or push `cid`.
    pub async fn accepted(&self, provider: &str) -> std::collections::BTreeMap<String, usize> {
        let field = if provider == "sms" {
            "reference"
        } else {
            "cid"
        };
        let mut counts = std::collections::BTreeMap::new();
        for entry in self.log(provider).await {
            let query = entry["path"]
                .as_str()
                .is_some_and(|path| path.ends_with("/query"));
            if query
                || entry["accepted"] == json!(false)
                || entry["status"].as_u64().is_some_and(|status| status >= 300)
            {
                continue;
            }
            let request = entry
                .get("body")
                .or_else(|| entry.get("request"))
                .unwrap_or(&entry);
            if let Some(reference) = request[field].as_str() {
                *counts.entry(reference.to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }
}

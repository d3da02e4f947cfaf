//! The provider simulator in a process of its own, so that it survives when a test kills the server.

use std::collections::BTreeMap;

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
        let mut program = Settings::new(folder.path()).spawn(&["simulate", "--bind", "127.0.0.1:0"]);
        let base = program.listening().await;
        Self { api: Api::new(base), _program: program, _folder: folder }
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
        body.as_object_mut().unwrap().extend(faults.as_object().unwrap().clone());
        let answer = self.api.post("/control/faults", &body).await;
        assert!(answer.status < 300, "the simulator takes faults: {answer:?}");
    }

    /// Overrides fields of the registry's answer for one document number.
    pub async fn override_registry(&self, document_number: &str, fields: Value) {
        let mut body = json!({ "document_number": document_number });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = self.api.post("/control/registry", &body).await;
        assert!(answer.status < 300, "the simulator takes overrides: {answer:?}");
    }

    /// What a provider received, oldest first.
    pub async fn log(&self, provider: &str) -> Vec<Value> {
        let path = format!("/control/log?provider={provider}");
        self.api.get(&path).await.expect(200).items()
    }

    /// How many messages came into being, by SMS `reference` or push `cid`.
    pub async fn accepted(&self, provider: &str) -> BTreeMap<String, usize> {
        let field = if provider == "sms" { "reference" } else { "cid" };
        let mut counts = BTreeMap::new();
        for entry in self.log(provider).await {
            if entry["accepted"] == true {
                let reference = entry["body"][field].as_str().unwrap();
                *counts.entry(reference.to_owned()).or_default() += 1;
            }
        }
        counts
    }
}

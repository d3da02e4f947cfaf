//! A whole interface in memory: the real router, engine and store, and no workers.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::Utc;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{
    config::workflow_files,
    domain::{
        calendar::{BUILT_IN, Calendar},
        cause::Cause,
        decision::{Decision, Finding, LicenceFacts},
        ids::{ApplicationId, PhotoId},
        review::Evidence,
        stage::{Stage, outcome},
        transition::Timing,
    },
    engine::{
        Engine,
        clock::DbClock,
        lease::Identity,
        places::Places,
        planner::{Answer, Item},
        shared::{Settings as EngineSettings, Shared},
    },
    hints::Local,
    http::{AppState, Settings, router},
    licences::{
        card::CardPress,
        desk::{self, Desk},
    },
    photos::{Inspector, PhotoVault, Thresholds},
    providers::{blob::BlobStore, noop},
    secrets::{ApiKey, KeyMaterial},
    store::{
        self, Options,
        types::{ApiKeyRecord, Claimed, Held, PinnedWorkflow, Want},
    },
};

/// Every scope.
pub(super) const ALL: &[&str] = &[
    "applications:write",
    "applications:read",
    "reviews",
    "licences:present",
    "licences:verify",
    "ops:read",
    "ops:write",
    "audit:read",
];

pub(super) struct Site {
    pub(super) engine: Engine,
    router: Router,
    /// A key of the owner `upstream` with every scope.
    pub(super) key: String,
    folder: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Site {
    pub(super) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(super) async fn with(settings: Settings) -> Self {
        let folder = std::env::temp_dir().join(format!("greenlane-http-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite://{}", folder.join("test.db").display());
        let store = store::open(&url, &Options { exclusive: true, ..Options::default() }).await.unwrap();
        let workflows = workflow_files::load(concat!(env!("CARGO_MANIFEST_DIR"), "/workflows").as_ref()).unwrap();
        let pinned: Vec<PinnedWorkflow> = workflows
            .iter()
            .map(|flow| PinnedWorkflow {
                id: flow.id().to_string(),
                hash: flow.hash.clone(),
                source: flow.source.clone(),
            })
            .collect();
        store.pin_workflows(&pinned).await.unwrap();
        let clock = DbClock::start(store.as_ref()).await.unwrap();
        let engine = Engine::new(Shared::new(
            store,
            clock,
            Arc::new(KeyMaterial::ephemeral().unwrap()),
            Arc::new(Local::new()),
            Places::default(),
            EngineSettings {
                lease: Duration::from_secs(60),
                poll: Duration::from_secs(60),
                commit_batch: 200,
                committers: 2,
                linger: Duration::from_millis(2),
                drain: Duration::ZERO,
                timing: Timing {
                    retry_scale: 1.0,
                    review_lease: Duration::from_secs(300),
                    second_look_share: 0.0,
                    claim_limit: 3,
                },
            },
            workflows,
            Calendar::parse(BUILT_IN).unwrap(),
        ));
        let identity = Identity {
            roles: vec!["api".to_owned()],
            host: "test".to_owned(),
            version: "1".to_owned(),
            breakers: Arc::new(Vec::new),
        };
        engine.start(identity).await.unwrap();
        let blobs = BlobStore::open(&url::Url::from_file_path(folder.join("blobs")).unwrap()).unwrap();
        let inspector = Inspector::new(Thresholds::default(), 2).unwrap();
        let shared = &engine.shared;
        let vault = PhotoVault::new(Arc::clone(&shared.store), Arc::clone(&shared.secrets), blobs.clone());
        let desk_settings = desk::Settings { status_cache: Duration::ZERO, presentation: Duration::from_secs(60) };
        let desk = Desk::new(engine.clone(), vault, noop::providers().registry, desk_settings);
        let cards = CardPress::load(None).unwrap();
        let state = AppState::new(engine.clone(), inspector, blobs, desk, cards, settings);
        let mut site = Self { engine, router: router(state), key: String::new(), folder };
        site.key = site.key_of("upstream", ALL).await;
        site
    }

    pub(super) async fn key_of(&self, owner: &str, scopes: &[&str]) -> String {
        let key = ApiKey::generate();
        let record = ApiKeyRecord {
            id: key.id,
            digest: hex::encode(key.digest),
            name: format!("{owner}-key"),
            owner: owner.to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            created_at: Utc::now(),
            revoked_at: None,
        };
        self.engine.shared.store.create_key(&record).await.unwrap();
        key.plain.expose_secret().to_owned()
    }

    /// An answer whose body is not read yet.
    pub(super) async fn open(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// A call with the key of every scope.
    pub(super) fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {}", self.key))
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_as("", path, body).await
    }

    /// A call in the name of a reviewer.
    pub(super) async fn post_as(&self, reviewer: &str, path: &str, body: &Value) -> Reply {
        let mut request = self.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json");
        if !reviewer.is_empty() {
            request = request.header("x-reviewer", reviewer);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(super) async fn submit(&self, body: &Value, idempotency_key: &str) -> Reply {
        let request = self
            .request(Method::POST, "/v1/applications")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", idempotency_key);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(super) async fn upload(&self, picture: &[u8]) -> Reply {
        let request = self.request(Method::POST, "/v1/photos").header(header::CONTENT_TYPE, "image/png");
        self.send(request.body(Body::from(picture.to_vec())).unwrap()).await
    }

    /// Plays the worker: claims the application's job and decides.
    pub(super) async fn run(&self, id: &str, stage: Stage, decision: Decision) {
        let shared = &self.engine.shared;
        let id: ApplicationId = id.parse().unwrap();
        let batch = shared.store.claim(shared.lease, &[Want { stage, limit: 1000 }]).await.unwrap();
        let mut claimed = batch.claimed;
        let own = claimed.iter().position(|claimed| claimed.application.id == id).unwrap();
        let job = claimed.swap_remove(own).job;
        let held = |other: &Claimed| Held {
            application_id: other.application.id,
            slot: other.job.slot,
            fence: other.job.fence,
        };
        // What is not run now waits for its own turn.
        shared.store.release(shared.lease, &claimed.iter().map(held).collect::<Vec<_>>()).await.unwrap();
        let cause = Cause::Ran { slot: job.slot, fence: job.fence, decision };
        let answer = self
            .engine
            .committer
            .answer(Item { application: id, cause, note: None, applicant: None, began: None })
            .await;
        assert!(matches!(answer.unwrap(), Answer::Done(_)));
    }

    /// An application that waits for a reviewer.
    pub(super) async fn in_review(&self, number: &str) -> String {
        let photo = self.upload(&white_png()).await.expect(201).json()["photo_id"].clone();
        let mut body = sample(number);
        body["photo"] = json!({ "source": "camera", "photo_id": photo });
        let id = self.submit(&body, number).await.expect(201).text("id");
        let facts =
            LicenceFacts {
                classes: "C1".to_owned(), valid_from: None, valid_until: None, authority: "蒙C".to_owned()
            };
        let finding = Finding::Eligible { status: "A".to_owned(), licence: facts };
        self.run(&id, Stage::Eligibility, Decision::Advance { outcome: outcome::ELIGIBLE, finding }).await;
        let passed = Decision::Advance { outcome: outcome::PASSED, finding: Finding::Nothing };
        self.run(&id, Stage::FaceVerification, passed).await;
        let photo_id: PhotoId = serde_json::from_value(photo).unwrap();
        let evidence = Evidence { photo_id, checks: json!([]), hash: "ab".repeat(32) };
        self.run(&id, Stage::PhotoReview, Decision::Await(evidence)).await;
        id
    }
}

pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    #[track_caller]
    pub(super) fn problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem = reply.json();
        assert_eq!(
            (problem["code"].as_str(), problem["status"].as_u64()),
            (Some(code), Some(status.into())),
            "{problem:#}"
        );
        problem
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(super) fn text(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap().to_owned()
    }
}

/// A submission that is right, of the holder of an officer's card.
pub(super) fn sample(number: &str) -> Value {
    json!({
        "kind": "first_issue",
        "applicant": {
            "document_type": "D", "document_number": number, "name": "张三", "mobile": "13800138000", "app_user": "u-123",
        },
        "licence": { "file_number": "150300123456" },
        "photo": { "source": "retained" },
        "face_token": "ft-ok",
        "consent": { "version": "2026-01", "given_at": "2026-11-20T10:00:00+08:00" },
    })
}

pub(super) fn white_png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let white = image::RgbImage::from_pixel(520, 756, image::Rgb([255; 3]));
    white.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

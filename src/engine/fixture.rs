//! For unit tests: an engine without workers on an SQLite file of its own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;

use super::{
    Engine,
    admit::{Admittance, NewApplication},
    clock::DbClock,
    places::Places,
    shared::{Settings, Shared},
};
use crate::{
    config::workflow_files,
    domain::{
        application::{Application, Kind, Photo, PhotoSource},
        calendar::{BUILT_IN, Calendar},
        ids::ApplicationId,
        personal::Applicant,
        transition::Timing,
    },
    hints::Local,
    secrets::KeyMaterial,
    store::{
        self, Options, Store,
        types::{Planner, Snapshot, Write},
    },
};

/// An engine and the folder of its database, which goes away with the value.
pub(crate) struct Site {
    pub(crate) engine: Engine,
    folder: PathBuf,
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(Places::default()).await
    }

    /// In a process that may hold so many jobs.
    pub(crate) async fn with(places: Places) -> Self {
        let folder = std::env::temp_dir().join(format!("greenlane-engine-{}", uuid::Uuid::now_v7()));
        let url = format!("sqlite://{}", folder.join("greenlane.db").display());
        let store = store::open(&url, &Options::default()).await.unwrap();
        let clock = DbClock::start(store.as_ref()).await.unwrap();
        let second = Duration::from_secs(1);
        let settings = Settings {
            lease: 10 * second,
            poll: second,
            commit_batch: 200,
            committers: 1,
            linger: Duration::from_millis(2),
            drain: second,
            timing: Timing { retry_scale: 1.0, review_lease: 300 * second, second_look_share: 0.0, claim_limit: 3 },
        };
        let workflows = workflow_files::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows")).unwrap();
        let shared = Shared::new(
            store,
            clock,
            Arc::new(KeyMaterial::ephemeral().unwrap()),
            Arc::new(Local::new()),
            places,
            settings,
            workflows,
            Calendar::parse(BUILT_IN).unwrap(),
        );
        Self { engine: Engine::new(shared), folder }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.engine.shared.store.as_ref()
    }

    /// The address of the database, for another connection to it.
    pub(crate) fn url(&self) -> String {
        format!("sqlite://{}", self.folder.join("greenlane.db").display())
    }

    /// The application of holder `number`.
    pub(crate) async fn admit(&self, number: u32) -> Application {
        let new = NewApplication {
            owner: "upstream".to_owned(),
            key_name: "key".to_owned(),
            idempotency_key: number.to_string(),
            request_hash: String::new(),
            kind: Kind::FirstIssue,
            applicant: applicant(number),
            photo: Photo { source: PhotoSource::Retained, photo_id: None },
            callback_url: None,
            upstream_ref: None,
        };
        match self.engine.admitter.admit(new).await.unwrap() {
            Admittance::Created(application) => *application,
            other => unreachable!("{other:?}"),
        }
    }

    /// Commits an arbitrary change of an application.
    pub(crate) async fn change(&self, id: ApplicationId, change: impl FnMut(&mut Write) + Send) {
        self.store().commit(&[id], &mut Change(change)).await.unwrap();
    }
}

/// Holder `number`.
pub(crate) fn applicant(number: u32) -> Applicant {
    let applicant = json!({
        "document": { "document_type": "C", "document_number": format!("军字第{number:07}号") },
        "name": "张三", "mobile": "13800138000", "app_user": "u-123", "file_number": "150300123456", "face_token": "ft-ok",
        "consent": { "version": "2026-01", "given_at": "2026-11-20T02:00:00Z" },
    });
    serde_json::from_value(applicant).unwrap()
}

struct Change<F>(F);

impl<F: FnMut(&mut Write) + Send> Planner for Change<F> {
    fn plan(&mut self, snapshots: Vec<Snapshot>) -> Vec<Write> {
        let write = |before: Snapshot| {
            let mut write = Write::of(Arc::new(before));
            (self.0)(&mut write);
            write
        };
        snapshots.into_iter().map(write).collect()
    }
}

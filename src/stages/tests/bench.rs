//! One application on a bench, with the outside and a database around it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{
    super::{LatestLicences, Tools},
    outside::Outside,
};
use crate::{
    domain::{
        application::{Application, Kind, Notice, NoticeState, Outcome, OutcomeCode, Photo, PhotoSource, Status},
        decision::{Decision, LicenceFacts, NewLicence},
        ids::{LicenceId, PhotoId},
        job::{Job, Slot},
        licence_watch::LicenceWatch,
        personal::Applicant,
        plan::Snapshot,
        stage::Stage,
    },
    engine::{
        fixture::Site,
        places::Places,
        run::{Ledger, Run},
    },
    licences::{
        card::CardPress,
        record::{Record, facts},
    },
    photos::PhotoVault,
    providers::{Providers, blob::BlobStore},
    store::types::PhotoRecord,
};

/// How often a pending face is asked for.
pub(super) const FACE_POLL: Duration = Duration::from_secs(15);

/// A folder that the tests share: pictures are named by their contents and their installation's key.
fn blobs() -> BlobStore {
    let folder = std::env::temp_dir().join(format!("greenlane-stages-{}", std::process::id()));
    BlobStore::open(&url::Url::from_file_path(folder).unwrap()).unwrap()
}

pub(super) struct Bench {
    pub(super) site: Site,
    pub(super) outside: Arc<Outside>,
    pub(super) tools: Tools,
    pub(super) application: Application,
    pub(super) applicant: Applicant,
    /// The job of the next run.
    pub(super) job: Job,
}

impl Bench {
    /// A first issue with the retained photo, of the holder that the registry knows.
    pub(super) async fn new() -> Self {
        let site = Site::start().await;
        let application = site.admit(1).await;
        let outside = Arc::new(Outside::new());
        let providers = Providers {
            registry: outside.clone(),
            face: outside.clone(),
            sms: outside.clone(),
            push: outside.clone(),
            breakers: Arc::default(),
        };
        let shared = &site.engine.shared;
        let (store, secrets) = (Arc::clone(&shared.store), Arc::clone(&shared.secrets));
        let photos = PhotoVault::new(Arc::clone(&store), Arc::clone(&secrets), blobs());
        let cards = CardPress::load(None).unwrap();
        let latest = LatestLicences::start(Arc::clone(&store));
        let tools = Tools { providers, store, latest, secrets, photos, cards, face_poll: FACE_POLL };
        let applicant = serde_json::from_value(json!({
            "document": { "document_type": "A", "document_number": "11010519491231002X" },
            "name": "张三", "mobile": "13800138000", "app_user": "u-123", "file_number": "150300123456", "face_token": "ft-ok",
            "consent": { "version": "2026-01", "given_at": "2026-11-20T02:00:00Z" },
        }));
        let job = Job { fence: 1, ..Job::due(Slot::Main, Stage::Eligibility, application.submitted_at, 0, 0) };
        Self { site, outside, tools, application, applicant: applicant.unwrap(), job }
    }

    /// Another kind of application.
    pub(super) fn of(mut self, kind: Kind, source: PhotoSource) -> Self {
        self.application.kind = kind;
        self.application.photo = Photo { source, photo_id: source.is_upload().then(PhotoId::new) };
        if kind == Kind::PhotoChange {
            self.applicant.file_number = None;
        }
        self
    }

    /// What the stage decides now.
    pub(super) async fn run(&self, stage: Stage) -> Decision {
        let place = Places::new([(stage, 1)]).take(stage).unwrap();
        let job = Job { stage, ..self.job.clone() };
        let (application, applicant) = (self.application.clone(), Arc::new(self.applicant.clone()));
        let state = Arc::new(Snapshot { application, jobs: vec![job.clone()], review: None });
        let run = Run::new(state, job, applicant, place, Arc::<Ledger>::default());
        let stages = super::super::all(&self.tools);
        stages.iter().find(|runner| runner.stage() == stage).unwrap().run(&run).await
    }

    /// How a stage rejects, none if it does not.
    pub(super) async fn rejection(&self, stage: Stage) -> Option<OutcomeCode> {
        match self.run(stage).await {
            Decision::Reject(rejection) => Some(rejection.code),
            _ => None,
        }
    }

    /// Decided, with the notices as the plan makes them; the job is the first run of one.
    pub(super) fn decided(mut self, code: OutcomeCode, slot: Slot) -> Self {
        let app = &mut self.application;
        app.status = if code == OutcomeCode::Issued { Status::Issued } else { Status::Rejected };
        app.outcome = Some(Outcome { code, message_zh: None, reasons: Vec::new() });
        app.notices.iter_mut().for_each(|notice| *notice = Notice { planned_at_fence: 4, ..notice.clone() });
        self.job = Job { slot, stage: Stage::Notification, fence: 5, ..self.job };
        self
    }

    /// The store hands the job out again: after a failed attempt, a wait or a crash.
    pub(super) fn again(&mut self, attempts: u32) {
        self.job.fence += 1;
        self.job.attempts = attempts;
    }

    /// How the job's notice stands, as an operator sends it again.
    pub(super) fn sent_again(&mut self) {
        self.application.notices.iter_mut().for_each(|notice| {
            notice.planned_at_fence = crate::domain::transition::SENT_AGAIN;
            notice.state = NoticeState::Pending;
        });
        self.again(0);
    }

    /// The holder already has a licence, issued for an application of this kind.
    pub(super) async fn has_licence(&self, kind: Kind, at: &str, facts: LicenceFacts, photo: Photo) {
        let registered = super::outside::licence();
        let application = Application { kind, ..self.application.clone() };
        let record = Record::new(&application, &self.applicant, &registered, photo);
        let sealed = record.seal(&self.tools.secrets).unwrap();
        let former = self.tools.store.current_licence(&application.holder).await.unwrap();
        let licence = NewLicence { facts, supersedes: former.map(|former| former.id), ..sealed };
        let issued_at: DateTime<Utc> = at.parse().unwrap();
        self.site
            .change(self.application.id, |write| {
                write.after_mut().application.kind = kind;
                // Each of them its own, as if of an application of its own.
                write.after_mut().application.decided_at = Some(issued_at);
                write.licence = Some(licence.clone());
            })
            .await;
    }

    /// As [`Bench::has_licence`], with the data that the registry has now and the retained photo.
    pub(super) async fn has_this_licence(&self, kind: Kind, at: &str) -> LicenceId {
        let photo = Photo { source: PhotoSource::Retained, photo_id: None };
        self.has_licence(kind, at, facts(&super::outside::licence()), photo).await;
        self.tools.store.current_licence(&self.application.holder).await.unwrap().unwrap().id
    }

    /// An operator ends the service of the holder's licence now.
    pub(super) async fn ends_the_service(&self) {
        let current = self.tools.store.current_licence(&self.application.holder).await.unwrap().unwrap();
        self.site
            .change(self.application.id, |write| {
                write.after_mut().application.licence_id = Some(current.id);
                write.after_mut().application.watch =
                    Some(LicenceWatch { terminated: true, ..LicenceWatch::default() });
            })
            .await;
    }

    /// When the service of the holder's last licence was ended.
    pub(super) async fn terminated_at(&self) -> DateTime<Utc> {
        let latest = self.tools.store.latest_licence(&self.application.holder, None).await.unwrap().unwrap();
        latest.terminated_at.unwrap()
    }

    /// The upload that the application names.
    pub(super) async fn upload(&self, checks: serde_json::Value, thresholds: &str) -> PhotoRecord {
        let photo = PhotoRecord {
            id: self.application.photo.photo_id.unwrap(),
            owner: self.application.owner.clone(),
            source: self.application.photo.source,
            width: 520,
            height: 756,
            sha256: "ab".repeat(32),
            checks,
            face: None,
            thresholds: thresholds.to_owned(),
            blob: "photo".to_owned(),
            condemned: false,
            created_at: self.application.submitted_at,
        };
        self.tools.store.put_photo(&photo).await.unwrap();
        photo
    }
}

//! Admission: `POST /v1/applications` → one durable commit of application, first job and first event.
//! Concurrent requests share a commit; nobody is answered before it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::{
    domain::{
        application::{Application, Channel, Kind, Notice, NoticeState, Photo, Status},
        event::{Actor, ActorKind, EventType, NewEvent},
        ids::ApplicationId,
        job::{Job, Slot},
        personal::{Applicant, HOLDER_INDEX, holder_key},
        plan::Snapshot,
    },
    store::types::{Admission, Admitted},
    telemetry::metrics::APPLICATIONS,
};

use super::{
    backoff::Backoff,
    chain::{append, empty_chain},
    places::Place,
    run::Run,
    shared::Shared,
};

/// How long a request waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A checked request for a new application.
#[derive(Debug, Clone)]
pub struct NewApplication {
    /// Who will own it.
    pub owner: String,
    /// Name of the API key, for the audit log.
    pub key_name: String,
    /// Unique per owner.
    pub idempotency_key: String,
    /// SHA-256 (hex) of the request's canonical form.
    pub request_hash: String,
    /// What is applied for.
    pub kind: Kind,
    /// The applicant.
    pub applicant: Applicant,
    /// The photo.
    pub photo: Photo,
    /// Where changes of status are posted.
    pub callback_url: Option<String>,
    /// The upstream system's own reference.
    pub upstream_ref: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Admittance {
    /// A new application.
    Created(Box<Application>),
    /// The same key and body came before.
    Replayed(ApplicationId),
    /// The same key came before with another body.
    KeyReused,
    /// The holder has another open application.
    InProgress,
}

/// Why nothing could be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The database is away: try again with the same key.
    #[error("the database is unavailable")]
    Unavailable,
    /// The database refused the write: a defect.
    #[error("the application could not be stored")]
    Failed,
}

struct Request {
    admission: Admission,
    applicant: Arc<Applicant>,
    place: Option<Place>,
    since: Instant,
    reply: oneshot::Sender<Result<Admittance, AdmitError>>,
}

/// Takes new applications and commits them together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Admitter {
    queue: mpsc::Sender<Request>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Admitter {
    /// Starts the admission loops.
    pub fn start(shared: &Arc<Shared>) -> Self {
        let limit = shared.settings.commit_batch.max(1);
        let (queue, receiver) = mpsc::channel(limit * 8);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..shared.settings.committers.max(1) {
            tokio::spawn(admit_loop(Arc::clone(shared), Arc::clone(&receiver)));
        }
        Self { queue, shared: Arc::clone(shared) }
    }

    /// Stores a new application, or says why not. Answers after the commit is durable.
    ///
    /// # Errors
    /// When nothing could be stored.
    pub async fn admit(&self, new: NewApplication) -> Result<Admittance, AdmitError> {
        let (reply, answer) = oneshot::channel();
        let request = self.prepare(new, reply)?;
        self.queue.send(request).await.map_err(|_| AdmitError::Unavailable)?;
        answer.await.map_err(|_| AdmitError::Unavailable)?
    }

    fn prepare(
        &self,
        new: NewApplication,
        reply: oneshot::Sender<Result<Admittance, AdmitError>>,
    ) -> Result<Request, AdmitError> {
        let shared = &self.shared;
        let id = ApplicationId::new();
        let now = shared.clock.now();
        let workflow = Arc::clone(shared.workflows().newest(new.kind));
        let sealed = shared.seal_applicant(id, &new.applicant).map_err(|_| AdmitError::Failed)?;
        let mut application = Application {
            id,
            owner: new.owner,
            kind: new.kind,
            workflow: workflow.id(),
            status: Status::InProgress,
            stage: Some(workflow.start),
            outcome: None,
            photo: new.photo,
            licence_id: None,
            holder: shared.secrets.blind_index_hex(HOLDER_INDEX, &holder_key(&new.applicant.document)),
            licence: None,
            submitted_at: now,
            deadline: None,
            decided_at: None,
            notified_at: None,
            completed_at: None,
            notices: Channel::ALL.iter().map(|&channel| pending(channel)).collect(),
            waiting: None,
            last_error: None,
            priority: 0,
            review_rounds: 0,
            review_id: None,
            reviewed_by: Vec::new(),
            callback_url: new.callback_url,
            upstream_ref: new.upstream_ref,
            last_fence: 0,
            watch: None,
            revision: 0,
            chain: empty_chain(),
        };
        let event = NewEvent {
            kind: EventType::Submitted,
            actor: Actor::new(ActorKind::Upstream, new.key_name),
            stage: application.stage,
            data: json!({
                "kind": new.kind, "workflow": application.workflow, "photo": application.photo,
                "consent": new.applicant.consent.version, "owner": application.owner,
            }),
        };
        let events = vec![append(&mut application.chain, id, now, event)];
        let mut job = Job::due(Slot::Main, workflow.start, now, 0, 0);
        let place = shared.places.take(job.stage);
        if place.is_some() {
            job.lease = Some(shared.lease);
            job.fence += 1;
        }
        let (idempotency_key, request_hash) = (new.idempotency_key, new.request_hash);
        let admission = Admission { application, idempotency_key, request_hash, applicant: sealed, job, events };
        Ok(Request { admission, applicant: Arc::new(new.applicant), place, since: Instant::now(), reply })
    }
}

fn pending(channel: Channel) -> Notice {
    Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 0 }
}

async fn admit_loop(shared: Arc<Shared>, queue: Arc<Mutex<mpsc::Receiver<Request>>>) {
    let limit = shared.settings.commit_batch.max(1);
    loop {
        let mut batch = Vec::with_capacity(limit);
        if queue.lock().await.recv_many(&mut batch, limit).await == 0 {
            return;
        }
        admit_batch(&shared, batch).await;
    }
}

async fn admit_batch(shared: &Shared, mut batch: Vec<Request>) {
    let mut backoff = Backoff::new();
    loop {
        let admissions: Vec<Admission> = batch.iter().map(|request| request.admission.clone()).collect();
        match shared.store.admit(&admissions).await {
            Ok(results) => {
                let mut left = false;
                for (request, result) in batch.into_iter().zip(results) {
                    left |= settle(shared, request, result);
                }
                if left {
                    shared.wake_jobs();
                }
                return;
            }
            // Offering it again is safe: if the lost commit got through, the answer is `Replayed` with our own id.
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    batch.size = batch.len(),
                    "admission will be tried again"
                );
                let (stay, leave): (Vec<_>, Vec<_>) =
                    batch.into_iter().partition(|request| request.since.elapsed() < PATIENCE);
                for request in leave {
                    let _gone = request.reply.send(Err(AdmitError::Unavailable));
                }
                if stay.is_empty() {
                    return;
                }
                batch = stay;
                backoff.wait().await;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    batch.size = batch.len(),
                    "admission was refused"
                );
                if batch.len() == 1 {
                    for request in batch {
                        let _gone = request.reply.send(Err(AdmitError::Failed));
                    }
                } else {
                    for request in batch {
                        Box::pin(admit_batch(shared, vec![request])).await;
                    }
                }
                return;
            }
        }
    }
}

/// Answers a request and starts its first stage if it is leased already; true when a job waits to be claimed.
fn settle(shared: &Shared, request: Request, result: Admitted) -> bool {
    let Request { admission, applicant, place, reply, .. } = request;
    let id = admission.application.id;
    let answer = match result {
        Admitted::Replayed(other) if other != id => Admittance::Replayed(other),
        Admitted::KeyReused => Admittance::KeyReused,
        Admitted::InProgress => Admittance::InProgress,
        Admitted::Created | Admitted::Replayed(_) => {
            let application = admission.application;
            let waits = place.is_none();
            if let Some(place) = place {
                let jobs = vec![admission.job.clone()];
                let state = Arc::new(Snapshot { application: application.clone(), jobs, review: None });
                shared.known.keep(shared.lease, &state);
                let ledger = Arc::clone(&shared.ledger);
                shared.dispatcher.send(Run::new(state, admission.job, applicant, place, ledger));
            }
            metrics::counter!(APPLICATIONS, "kind" => application.kind.as_str()).increment(1);
            let _gone = reply.send(Ok(Admittance::Created(Box::new(application))));
            return waits;
        }
    };
    let _gone = reply.send(Ok(answer));
    false
}

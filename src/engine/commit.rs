//! The one place where an application changes: causes are collected for a moment and committed together. While one
//! transaction is under way, the next one is planned already, so that several steps of an application can share it.
//!
//! Invariants 2 and 5 of the design live here: state, audit and next job change together or not at all, and a
//! result that the database could not take yet is kept and offered again, for as long as it takes.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        cause::{Cause, Refusal},
        decision::SealedRecord,
        ids::ApplicationId,
        plan::Snapshot,
    },
    store::StoreError,
    telemetry::metrics::{COMMIT_BATCH_SIZE, COMMIT_DURATION},
};

use super::{
    backoff::Backoff,
    batch::{Batch, Caller, Submission},
    planner::{Answer, BatchPlanner, Item, UnknownWorkflow},
    run::Run,
    shared::Shared,
};

/// How long a caller from outside waits for a database that is away, before it is told so.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a cause was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApplyError {
    /// The state does not allow it.
    #[error(transparent)]
    Refused(Refusal),
    /// No such application.
    #[error("no such application")]
    NotFound,
    /// The database is away, or only another process can decide; nothing is known to have changed.
    #[error("the change cannot be decided now")]
    Unavailable,
    /// The database refused the write: a defect.
    #[error("the change could not be stored")]
    Failed,
}

/// Takes causes and commits them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Committer {
    /// One per loop. All causes of an application go to the same loop: what it committed last is then known here.
    queues: Arc<[mpsc::Sender<Submission>]>,
}

impl Committer {
    /// Starts the commit loops; they end when the last clone is gone and the queue is empty.
    pub fn start(shared: &Arc<Shared>) -> Self {
        let settings = &shared.settings;
        let start_loop = |_| {
            let (queue, receiver) = mpsc::channel(settings.commit_batch.max(1) * 8);
            tokio::spawn(commit_loop(Arc::clone(shared), receiver));
            queue
        };
        Self { queues: (0..settings.committers.max(1)).map(start_loop).collect() }
    }

    /// Commits a cause from outside (a reviewer, an operator, an upstream system, a reconciler).
    ///
    /// # Errors
    /// [`ApplyError::Refused`] when the state does not allow it; the others when nothing could be decided.
    pub async fn apply(
        &self,
        application: ApplicationId,
        cause: Cause,
        note: Option<SealedRecord>,
    ) -> Result<Snapshot, ApplyError> {
        match self.answer(Item { application, cause, note, applicant: None, began: None }).await? {
            Answer::Done(snapshot) => Ok(Arc::unwrap_or_clone(snapshot)),
            Answer::Refused(refusal, _) => Err(ApplyError::Refused(refusal)),
            Answer::NotFound => Err(ApplyError::NotFound),
        }
    }

    /// Like [`Committer::apply`], with the state also of a refusal.
    ///
    /// # Errors
    /// When nothing could be decided.
    pub async fn answer(&self, item: Item) -> Result<Answer, ApplyError> {
        self.submit(item, Some(PATIENCE), None).await
    }

    /// Commits what a run decided, however long the database is away. A lost fence is no error: somebody else owns the
    /// job by now.
    pub async fn finish(&self, run: &Run, began: DateTime<Utc>, decision: crate::domain::decision::Decision) {
        let job = run.job();
        let item = Item {
            application: run.application().id,
            cause: Cause::Ran { slot: job.slot, fence: job.fence, decision },
            note: None,
            applicant: Some(Arc::clone(run.applicant())),
            began: Some(began),
        };
        match self.submit(item, None, Some(run.clone())).await {
            Ok(Answer::Done(_)) => {}
            Ok(Answer::Refused(refusal, _)) | Err(ApplyError::Refused(refusal @ Refusal::Fenced)) => {
                tracing::debug!(application.id = %run.application().id, %refusal, "the result came too late");
            }
            // The job is nobody's now: it is freed like every orphan, and the next run sees how the licence stands.
            Err(ApplyError::Refused(refusal)) => {
                tracing::info!(application.id = %run.application().id, %refusal, "the result does not hold any more");
            }
            Ok(Answer::NotFound) | Err(_) => {
                tracing::error!(application.id = %run.application().id, stage.name = %job.stage, "the result of a run was not stored");
            }
        }
    }

    async fn submit(&self, item: Item, patience: Option<Duration>, run: Option<Run>) -> Result<Answer, ApplyError> {
        let (reply, answer) = oneshot::channel();
        let submission = Submission { item, caller: Caller { since: Instant::now(), patience, run, reply } };
        let queue = &self.queues[submission.item.application.0.as_u128() as usize % self.queues.len()];
        queue.send(submission).await.map_err(|_| ApplyError::Unavailable)?;
        answer.await.map_err(|_| ApplyError::Unavailable)?
    }
}

async fn commit_loop(shared: Arc<Shared>, mut queue: mpsc::Receiver<Submission>) {
    let limit = shared.settings.commit_batch.max(1);
    let mut next = Batch::new(&shared, Vec::new());
    loop {
        if next.is_empty() && !take_in(&mut queue, &mut next, limit, None).await {
            return;
        }
        // Under load a moment's patience makes few large commits of many small ones; an idle process never waits.
        let mut patience = Duration::ZERO;
        if shared.ledger.len() > 4 * next.len() {
            patience = shared.settings.linger;
            let more = async { while next.len() < limit && take_in(&mut queue, &mut next, limit, None).await {} };
            let _enough = tokio::time::timeout(patience, more).await;
        }
        let batch = next.take_ripe(patience);
        let causes = if write(&batch, &mut queue, &mut next, limit).await {
            batch.committed()
        } else {
            let causes = batch.give_up();
            next = Batch::new(&shared, next.give_up());
            causes
        };
        commit_batch(&shared, causes).await;
    }
}

/// Waits for causes and plans them; false when there will be no more.
async fn take_in<'a>(
    queue: &mut mpsc::Receiver<Submission>,
    next: &mut Batch<'a>,
    limit: usize,
    being_written: Option<&Batch<'a>>,
) -> bool {
    let mut causes = Vec::new();
    let any = queue.recv_many(&mut causes, limit - next.len()).await > 0;
    for cause in causes {
        next.add(cause, being_written);
    }
    any
}

/// Writes a batch as it was planned, and plans what comes meanwhile: batches grow with the load by themselves.
async fn write<'a>(
    batch: &Batch<'a>,
    queue: &mut mpsc::Receiver<Submission>,
    next: &mut Batch<'a>,
    limit: usize,
) -> bool {
    let mut written = pin!(batch.write());
    let mut open = true;
    loop {
        tokio::select! {
            as_planned = &mut written => return as_planned,
            more = take_in(queue, next, limit, Some(batch)), if open && next.len() < limit => open = more,
        }
    }
}

pub(super) fn note_commit(started: Instant, causes: usize) {
    metrics::histogram!(COMMIT_DURATION).record(started.elapsed());
    metrics::histogram!(COMMIT_BATCH_SIZE).record(causes as f64);
}

/// Plans on what the database has, and commits; after an error that is the database's own word, one by one, so that a bad
/// one fails alone.
async fn commit_batch(shared: &Shared, batch: Vec<Submission>) {
    if batch.is_empty() {
        return;
    }
    let Err(refused) = try_commit(shared, batch).await else { return };
    if refused.batch.len() == 1 {
        return refused.answer();
    }
    for submission in refused.batch {
        if let Err(alone) = try_commit(shared, vec![submission]).await {
            alone.answer();
        }
    }
}

/// Submissions that the database refused, and why.
struct Refused {
    batch: Vec<Submission>,
    error: ApplyError,
}

impl Refused {
    fn answer(self) {
        for submission in self.batch {
            submission.caller.answer(Err(self.error.clone()));
        }
    }
}

/// Commits and answers; gives back the submissions that the database refused.
async fn try_commit(shared: &Shared, mut batch: Vec<Submission>) -> Result<(), Refused> {
    let mut backoff = Backoff::new();
    let mut learned = false;
    loop {
        let items = batch.iter().map(|submission| submission.item.clone()).collect();
        let ids: Vec<ApplicationId> = batch.iter().map(|submission| submission.item.application).collect();
        let started = Instant::now();
        let mut planner = BatchPlanner::new(shared, items);
        match shared.store.commit(&ids, &mut planner).await {
            Ok(()) => {
                note_commit(started, batch.len());
                batch = answer_decided(batch, planner.committed());
                if batch.is_empty() {
                    return Ok(());
                }
                if learned || !shared.learn_workflows().await.unwrap_or(false) {
                    turn_away_strange(batch);
                    return Ok(());
                }
                learned = true;
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    batch.size = batch.len(),
                    "commit will be tried again"
                );
                batch = turn_away_impatient(batch);
                if batch.is_empty() {
                    return Ok(());
                }
                backoff.wait().await;
            }
            // Somebody ended or replaced the licence meanwhile: a state like any other that does not allow the cause.
            Err(StoreError::LicenceNotCurrent) => {
                return Err(Refused { batch, error: ApplyError::Refused(Refusal::LicenceNotCurrent) });
            }
            Err(error) => {
                log_refused(&error, &ids);
                return Err(Refused { batch, error: ApplyError::Failed });
            }
        }
    }
}

/// Answers what was decided; gives back the submissions whose workflow version is not known here.
fn answer_decided(batch: Vec<Submission>, answers: Vec<Result<Answer, UnknownWorkflow>>) -> Vec<Submission> {
    let mut strange = Vec::new();
    for (submission, answer) in batch.into_iter().zip(answers) {
        match answer {
            Ok(answer) => {
                submission.caller.answer(Ok(answer));
            }
            Err(UnknownWorkflow) => strange.push(submission),
        }
    }
    strange
}

/// A later program pinned the version, and this one cannot read it: processes of that program can decide.
fn turn_away_strange(batch: Vec<Submission>) {
    for submission in batch {
        tracing::error!(application.id = %submission.item.application, "this program does not know the workflow version");
        submission.caller.answer(Err(ApplyError::Unavailable));
    }
}

fn turn_away_impatient(batch: Vec<Submission>) -> Vec<Submission> {
    let (stay, leave): (Vec<_>, Vec<_>) = batch.into_iter().partition(|Submission { caller, .. }| {
        caller.patience.is_none_or(|patience| caller.since.elapsed() < patience)
    });
    for submission in leave {
        submission.caller.answer(Err(ApplyError::Unavailable));
    }
    stay
}

fn log_refused(error: &StoreError, ids: &[ApplicationId]) {
    let first = ids.first().map(ToString::to_string);
    tracing::error!(
        error = error as &dyn std::error::Error,
        batch.size = ids.len(),
        application.first = first,
        "commit was refused"
    );
}

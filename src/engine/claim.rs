//! Claims due jobs in batches, as many as there are places; wakes by hint, by freed place and by a slow jittered poll.

use std::{sync::Arc, time::Duration};

use rand::RngExt;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{
        cause::Cause,
        decision::{Decision, Failure},
        job::{Job, SUSPECT_CRASHES, Slot},
        plan::Snapshot,
    },
    store::{
        self,
        types::{Claimed, Held},
    },
};

use super::{backoff::Backoff, commit::Committer, places::Place, planner::Item, run::Run, shared::Shared};

/// A suspect that killed its process this often, twice of it running alone, is quarantined. Once alone is not enough:
/// a kill from outside looks the same.
const QUARANTINE_CRASHES: u32 = SUSPECT_CRASHES + 2;

/// How long a job waits for a program that knows its workflow version.
const STRANGE_WAIT: Duration = Duration::from_secs(10);

/// Runs until `stop`.
pub async fn claim_loop(shared: Arc<Shared>, committer: Committer, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let again = match claim_once(&shared, &committer).await {
            Ok(again) => {
                backoff.reset();
                again
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "claim will be tried again");
                backoff.wait().await;
                true
            }
        };
        if !again {
            let poll = shared.settings.poll.mul_f64(rand::rng().random_range(0.8..1.2));
            tokio::select! {
                () = stop.cancelled() => return,
                () = shared.jobs.notified() => {}
                () = tokio::time::sleep(poll) => {}
            }
        }
    }
}

/// Claims what there are places for; true when more may be waiting.
async fn claim_once(shared: &Arc<Shared>, committer: &Committer) -> store::Result<bool> {
    let mut wants = shared.places.wants();
    if wants.is_empty() {
        // Every place is taken: a freed one continues with its own application, so new work can wait a moment.
        tokio::time::sleep(Duration::from_millis(5)).await;
        return Ok(false);
    }
    // The places are taken before the claim, so that a continuation cannot take them meanwhile.
    let mut places = std::collections::HashMap::new();
    for want in &mut wants {
        let taken: Vec<_> = std::iter::from_fn(|| shared.places.take(want.stage)).take(want.limit).collect();
        want.limit = taken.len();
        places.insert(want.stage, taken);
    }
    wants.retain(|want| want.limit > 0);
    let batch = shared.store.claim(shared.lease, &wants).await?;
    let mut full = false;
    for claimed in only_known(shared, batch.claimed).await? {
        let stage = claimed.job.stage;
        let Some(place) = places.get_mut(&stage).and_then(Vec::pop) else { continue };
        full |= places.get(&stage).is_some_and(Vec::is_empty);
        start(shared, committer, claimed, place).await;
    }
    drop(places);
    // A process proves itself for one lease before it takes a suspect: in a storm of kills the lives are shorter than
    // that, and a death would speak against a job that had nothing to do with it.
    if batch.suspects && shared.started.elapsed() >= shared.settings.lease {
        claim_suspect(shared, committer).await?;
    }
    Ok(full)
}

async fn claim_suspect(shared: &Arc<Shared>, committer: &Committer) -> store::Result<()> {
    let stages = shared.places.stages();
    let claimed = shared.store.claim_suspect(shared.lease, &stages).await?;
    let Some(claimed) = only_known(shared, claimed.into_iter().collect()).await?.pop() else { return Ok(()) };
    let job = claimed.job.clone();
    if job.crashes >= QUARANTINE_CRASHES {
        let cause = Cause::Quarantined { slot: job.slot, fence: job.fence };
        let item = Item { application: claimed.application.id, cause, note: None, applicant: None, began: None };
        let _answer = committer.answer(item).await;
        return Ok(());
    }
    let Some(place) = shared.places.take(job.stage) else {
        return shared.store.release(shared.lease, &[held(&claimed)]).await;
    };
    tracing::warn!(application.id = %claimed.application.id, stage.name = %job.stage, crashes = job.crashes, "a suspect runs alone");
    start(shared, committer, claimed, place).await;
    Ok(())
}

/// What this program can run. Jobs of a workflow version that it does not know wait a moment for a process that does:
/// given back as they are, they would be claimed again at once.
async fn only_known(shared: &Shared, claimed: Vec<Claimed>) -> store::Result<Vec<Claimed>> {
    let known = |claimed: &Claimed| shared.knows(&claimed.application.workflow);
    if claimed.iter().all(known) {
        return Ok(claimed);
    }
    shared.learn_workflows().await?;
    let (known, strange): (Vec<_>, Vec<_>) = claimed.into_iter().partition(known);
    if !strange.is_empty() {
        tracing::warn!(jobs = strange.len(), "leaving jobs to a program that knows their workflow version");
        let strange: Vec<Held> = strange.iter().map(held).collect();
        shared.store.put_off(shared.lease, &strange, STRANGE_WAIT).await?;
    }
    Ok(known)
}

fn held(claimed: &Claimed) -> Held {
    let Claimed { application, job, .. } = claimed;
    Held { application_id: application.id, slot: job.slot, fence: job.fence }
}

async fn start(shared: &Arc<Shared>, committer: &Committer, claimed: Claimed, place: Place) {
    let Claimed { application, job, applicant } = claimed;
    match shared.open_applicant(application.id, &applicant) {
        Ok(applicant) => {
            let state = Arc::new(Snapshot { application, jobs: vec![job.clone()], review: None });
            // There is no other job beside one of the main slot, so that this is all of the state.
            if job.slot == Slot::Main && state.application.review_id.is_none() {
                shared.known.keep(shared.lease, &state);
            }
            shared.dispatcher.send(Run::new(state, job, Arc::new(applicant), place, Arc::clone(&shared.ledger)));
        }
        Err(error) => unreadable(committer, application.id, &job, &error).await,
    }
}

/// Without the applicant's data no stage can run; an operator must find out why the record does not open.
async fn unreadable(
    committer: &Committer,
    application: crate::domain::ids::ApplicationId,
    job: &Job,
    error: &crate::secrets::SealError,
) {
    tracing::error!(application.id = %application, error = %error, "the applicant's record does not open");
    let decision = Decision::Stall(Failure::new("applicant_unreadable", error.to_string()));
    let cause = Cause::Ran { slot: job.slot, fence: job.fence, decision };
    let _answer = committer.answer(Item { application, cause, note: None, applicant: None, began: None }).await;
}

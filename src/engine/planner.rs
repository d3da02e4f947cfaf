//! Plans a batch: states become snapshots, causes become writes. Ahead on remembered states, as causes come in, or inside
//! the store's transaction on what it locked.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use crate::{
    domain::{
        cause::{Cause, Refusal},
        decision::SealedRecord,
        ids::{ApplicationId, ReviewId, WebhookId},
        job::Job,
        personal::Applicant,
        plan::{Plan, Snapshot},
        transition::{Context, transition},
    },
    store::types::{NewWebhook, Planner, Write},
    telemetry::metrics::DECISIONS,
};

use super::{
    chain::append,
    places::Place,
    run::Run,
    shared::{Change, Shared},
};

/// One cause of a batch.
#[derive(Debug, Clone)]
pub struct Item {
    /// The application that it changes.
    pub application: ApplicationId,
    /// What happened.
    pub cause: Cause,
    /// A reviewer's encrypted note, stored with the change.
    pub note: Option<SealedRecord>,
    /// The applicant, when the cause comes from a run: what follows at once needs no second look.
    pub applicant: Option<Arc<Applicant>>,
    /// When the run began, when the cause is its decision.
    pub began: Option<DateTime<Utc>>,
}

/// What became of a cause.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Committed; the state after the whole batch.
    Done(Arc<Snapshot>),
    /// The state does not allow it; nothing changed.
    Refused(Refusal, Arc<Snapshot>),
    /// No such application.
    NotFound,
}

/// This process does not know the application's workflow version: nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWorkflow;

/// A job that the commit leases to this process at once.
struct Continuation {
    application: ApplicationId,
    job: Job,
    applicant: Arc<Applicant>,
    place: Place,
}

/// Plans one batch; keeps what the committer needs to know afterwards.
pub struct BatchPlanner<'a> {
    shared: &'a Shared,
    items: Vec<Item>,
    answers: Vec<Option<Result<(), Refusal>>>,
    writes: Vec<Write>,
    /// Where in `writes` an application's is.
    positions: HashMap<ApplicationId, usize>,
    /// What runs here once the commit is durable.
    continuations: Vec<Continuation>,
    /// What runs here already, on the plan alone.
    begun: Vec<Run>,
    /// Applications of a workflow version that this process does not know.
    strange: HashSet<ApplicationId>,
    /// How many tasks each claimant holds, those of this batch among them.
    claims: HashMap<String, u64>,
}

impl<'a> BatchPlanner<'a> {
    /// For these causes, in order.
    pub fn new(shared: &'a Shared, items: Vec<Item>) -> Self {
        Self {
            shared,
            items,
            answers: Vec::new(),
            writes: Vec::new(),
            positions: HashMap::new(),
            continuations: Vec::new(),
            begun: Vec::new(),
            strange: HashSet::new(),
            claims: HashMap::new(),
        }
    }

    /// Plans one more cause on what those before it left of its application, else on a remembered state. What follows and
    /// only asks begins at once: by the time this batch is written, its answer may be part of it.
    ///
    /// # Errors
    /// Gives the cause back when it can only be planned on what the database has.
    pub fn plan_ahead(
        &mut self,
        item: Item,
        remembered: impl FnOnce() -> Option<Arc<Snapshot>>,
    ) -> Result<(), Box<Item>> {
        // Claims are counted in the store's transaction: those of other processes count too.
        if item.cause.claimant().is_some() {
            return Err(Box::new(item));
        }
        let position = match self.positions.get(&item.application) {
            Some(position) => *position,
            None => match remembered().and_then(|state| self.open(state)) {
                Some(position) => position,
                None => return Err(Box::new(item)),
            },
        };
        let (index, later) = (self.items.len(), self.continuations.len());
        let from_outside = !matches!(item.cause, Cause::Ran { .. });
        self.items.push(item);
        self.answers.push(None);
        self.apply(index, position);
        // Who asks from outside is refused by what is durable, not by what is remembered or only planned.
        if from_outside
            && matches!(self.answers[index], Some(Err(_)))
            && let Some(refused) = self.items.pop()
        {
            self.answers.pop();
            return Err(Box::new(refused));
        }
        for next in self.continuations.split_off(later) {
            if self.may_begin(&next, position) {
                self.begun.extend(self.start(next));
            } else {
                self.continuations.push(next);
            }
        }
        Ok(())
    }

    /// A job that once killed its process begins only after its stage is in the table, so that another death speaks against
    /// that stage.
    fn may_begin(&self, next: &Continuation, position: usize) -> bool {
        let former = self.writes[position].before.job(next.job.slot);
        next.job.stage.only_asks() && former.is_some_and(|job| job.crashes == 0)
    }

    /// The applications of which a run goes on that began on the plan: its answer could join them.
    pub fn unripe(&self) -> HashSet<ApplicationId> {
        let goes_on = |run: &&Run| {
            let id = run.application().id;
            self.planned(id).is_some_and(|after| after.job(run.job().slot) == Some(run.job()))
        };
        self.begun.iter().filter(goes_on).map(|run| run.application().id).collect()
    }

    /// Takes out what is planned of these applications.
    pub fn take_out(&mut self, ids: &HashSet<ApplicationId>) -> Self {
        let mut out = Self::new(self.shared, Vec::new());
        if ids.is_empty() {
            return out;
        }
        let mut moves = self.items.iter().map(|item| ids.contains(&item.application)).collect::<Vec<_>>().into_iter();
        let answers = std::mem::take(&mut self.answers).into_iter();
        (out.answers, self.answers) = answers.partition(|_| moves.next().unwrap_or_default());
        let items = std::mem::take(&mut self.items).into_iter();
        (out.items, self.items) = items.partition(|item| ids.contains(&item.application));
        let writes = std::mem::take(&mut self.writes).into_iter();
        (out.writes, self.writes) = writes.partition(|write| ids.contains(&write.after.application.id));
        let continuations = std::mem::take(&mut self.continuations).into_iter();
        (out.continuations, self.continuations) = continuations.partition(|next| ids.contains(&next.application));
        let begun = std::mem::take(&mut self.begun).into_iter();
        (out.begun, self.begun) = begun.partition(|run| ids.contains(&run.application().id));
        for planner in [&mut out, self] {
            let ids = planner.writes.iter().map(|write| write.after.application.id);
            planner.positions = ids.enumerate().map(|(position, id)| (id, position)).collect();
        }
        out
    }

    /// The causes, in order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// What was planned, to be written.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The state that the plans leave of an application.
    pub fn planned(&self, id: ApplicationId) -> Option<&Arc<Snapshot>> {
        self.positions.get(&id).map(|position| &self.writes[*position].after)
    }

    /// The plans do not hold: the causes again, and the runs that began on the plans.
    pub fn give_up(self) -> (Vec<Item>, Vec<Run>) {
        (self.items, self.begun)
    }

    /// Begins an application's write; none if this process does not know the workflow version.
    fn open(&mut self, before: Arc<Snapshot>) -> Option<usize> {
        let id = before.application.id;
        if !self.shared.knows(&before.application.workflow) {
            self.strange.insert(id);
            return None;
        }
        self.positions.insert(id, self.writes.len());
        self.writes.push(Write::of(before));
        Some(self.writes.len() - 1)
    }

    /// Applies a cause to the state that the ones before it left.
    fn apply(&mut self, index: usize, position: usize) {
        let shared = self.shared;
        let (workflows, calendar, now) = (shared.workflows(), shared.calendar(), shared.clock.now());
        let (item, write) = (&self.items[index], &mut self.writes[position]);
        let Some(workflow) = workflows.get(&write.before.application.workflow) else { return };
        let claimant = item.cause.claimant();
        let claims = claimant.and_then(|name| self.claims.get(name)).copied().unwrap_or_default();
        let (timing, fresh_review) = (shared.settings.timing, ReviewId::new());
        let cx = Context { workflow, calendar: &calendar, now, timing, fresh_review, began: item.began, claims };
        let answer = transition(&cx, &write.after, item.cause.clone()).map(|plan| {
            write.note = item.note.clone().or_else(|| write.note.take());
            fold(write, plan, now);
            if let Some(name) = claimant {
                self.claims.insert(name.to_owned(), claims + 1);
            }
        });
        if answer.is_ok()
            && let Some(applicant) = item.applicant.clone()
        {
            self.lease_what_follows(position, &applicant);
        }
        self.answers[index] = Some(answer);
    }

    /// Keeps what is due now, if there is a place for it: no second claim, no poll.
    fn lease_what_follows(&mut self, position: usize, applicant: &Arc<Applicant>) {
        let (shared, now) = (self.shared, self.shared.clock.now());
        let Write { before, after, .. } = &mut self.writes[position];
        let after = Arc::make_mut(after);
        for job in after.jobs.iter_mut().filter(|job| waits(before, job, now)) {
            let Some(place) = shared.places.take(job.stage) else { continue };
            job.lease = Some(shared.lease);
            job.fence += 1;
            let (application, job, applicant) = (after.application.id, job.clone(), Arc::clone(applicant));
            self.continuations.push(Continuation { application, job, applicant, place });
        }
    }

    /// Hands a job to its worker, unless a later cause of the batch took it away.
    fn start(&self, next: Continuation) -> Option<Run> {
        let after = self.planned(next.application).filter(|after| after.job(next.job.slot) == Some(&next.job))?;
        let ledger = Arc::clone(&self.shared.ledger);
        let run = Run::new(Arc::clone(after), next.job, next.applicant, next.place, ledger);
        self.shared.dispatcher.send(run.clone());
        Some(run)
    }

    /// After the commit: what this process holds now runs, what it does not is announced, and every cause has its answer.
    pub fn committed(mut self) -> Vec<Result<Answer, UnknownWorkflow>> {
        let (shared, now) = (self.shared, self.shared.clock.now());
        for next in std::mem::take(&mut self.continuations) {
            self.start(next);
        }
        for change in self.writes.iter().filter_map(change) {
            if let Some(outcome) = change.decided {
                metrics::counter!(DECISIONS, "outcome" => outcome.as_str()).increment(1);
            }
            let _nobody_listens = shared.changes.send(change);
        }
        if self.writes.iter().any(|write| write.after.jobs.iter().any(|job| waits(&write.before, job, now))) {
            shared.wake_jobs();
        }
        if self.writes.iter().any(|write| !write.webhooks.is_empty()) {
            shared.wake_webhooks();
        }
        let states: HashMap<ApplicationId, Arc<Snapshot>> =
            self.writes.into_iter().map(|write| (write.after.application.id, write.after)).collect();
        for state in states.values() {
            shared.known.keep(shared.lease, state);
        }
        let answer = |(item, answer): (Item, Option<Result<(), Refusal>>)| {
            let state = states.get(&item.application).map(Arc::clone);
            match (answer, state) {
                (Some(Ok(())), Some(state)) => Ok(Answer::Done(state)),
                (Some(Err(refusal)), Some(state)) => Ok(Answer::Refused(refusal, state)),
                _ if self.strange.contains(&item.application) => Err(UnknownWorkflow),
                _ => Ok(Answer::NotFound),
            }
        };
        self.items.into_iter().zip(self.answers).map(answer).collect()
    }
}

impl Planner for BatchPlanner<'_> {
    fn claimants(&self) -> BTreeSet<String> {
        self.items.iter().filter_map(|item| item.cause.claimant()).map(str::to_owned).collect()
    }

    fn counted(&mut self, claims: &HashMap<String, u64>) {
        self.claims.clone_from(claims);
    }

    fn plan(&mut self, snapshots: Vec<Snapshot>) -> Vec<Write> {
        self.answers = vec![None; self.items.len()];
        self.writes.clear();
        self.positions.clear();
        self.continuations.clear();
        self.strange.clear();
        for snapshot in snapshots {
            self.open(Arc::new(snapshot));
        }
        for index in 0..self.items.len() {
            if let Some(&position) = self.positions.get(&self.items[index].application) {
                self.apply(index, position);
            }
        }
        self.writes.iter().filter(|write| is_change(write)).cloned().collect()
    }
}

fn is_change(write: &Write) -> bool {
    write.after.application.revision != write.before.application.revision
}

/// Whether a job is due and nobody's, and was not so before.
fn waits(before: &Snapshot, job: &Job, now: DateTime<Utc>) -> bool {
    job.lease.is_none() && job.due_at <= now && before.job(job.slot) != Some(job)
}

/// What a write changes for whoever watches.
fn change(write: &Write) -> Option<Change> {
    let (before, after) = (&write.before.application, &write.after.application);
    let completed = after.completed_at.is_some();
    let told = before.status != after.status || (completed && before.completed_at.is_none());
    let decided = after.outcome.as_ref().filter(|_| before.outcome.is_none()).map(|outcome| outcome.code);
    told.then_some(Change { application: after.id, status: after.status, decided, completed })
}

/// Adds a plan to the application's write: its events are chained, its announcements become webhooks.
fn fold(write: &mut Write, plan: Plan, now: DateTime<Utc>) {
    let Plan { mut after, events, announcements, licence, alerts } = plan;
    let id = after.application.id;
    for event in events {
        write.events.push(append(&mut after.application.chain, id, now, event));
    }
    after.application.revision = write.before.application.revision + 1;
    write.after = Arc::new(after);
    for application in announcements {
        if let Some(url) = application.callback_url.clone() {
            write.webhooks.push(NewWebhook { id: WebhookId::new(), url, application, at: now });
        }
    }
    write.licence = licence.or_else(|| write.licence.take());
    write.alerts.extend(alerts);
}

#[cfg(test)]
mod tests;

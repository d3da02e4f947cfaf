//! Plans a batch: states become snapshots, causes become writes. On remembered states first, inside the store's transaction
//! if these are outdated.

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
    Done(Box<Snapshot>),
    /// The state does not allow it; nothing changed.
    Refused(Refusal, Box<Snapshot>),
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
    items: &'a [Item],
    answers: Vec<Option<Result<(), Refusal>>>,
    after: HashMap<ApplicationId, Snapshot>,
    continuations: Vec<Continuation>,
    changes: Vec<Change>,
    /// Applications of a workflow version that this process does not know.
    strange: HashSet<ApplicationId>,
    /// How many tasks each claimant holds, those of this batch among them.
    claims: HashMap<String, u64>,
    jobs_left: bool,
    webhooks: bool,
}

impl<'a> BatchPlanner<'a> {
    /// For these causes, in order.
    pub fn new(shared: &'a Shared, items: &'a [Item]) -> Self {
        Self {
            shared,
            items,
            answers: Vec::new(),
            after: HashMap::new(),
            continuations: Vec::new(),
            changes: Vec::new(),
            strange: HashSet::new(),
            claims: HashMap::new(),
            jobs_left: false,
            webhooks: false,
        }
    }

    /// Applies the causes of one application one after another, each to the state that the one before left.
    fn plan_one(&mut self, before: Snapshot, indexes: &[usize]) -> Option<Write> {
        let shared = self.shared;
        let id = before.application.id;
        let (workflows, calendar, now) = (shared.workflows(), shared.calendar(), shared.clock.now());
        let Some(workflow) = workflows.get(&before.application.workflow) else {
            self.strange.insert(id);
            return None;
        };
        let mut write = Write {
            after: before.clone(),
            before,
            events: Vec::new(),
            webhooks: Vec::new(),
            licence: None,
            note: None,
            alerts: Vec::new(),
        };
        let mut changed = false;
        let mut applicant = None;
        for &index in indexes {
            let item = &self.items[index];
            let timing = shared.settings.timing;
            let fresh_review = ReviewId::new();
            let claimant = item.cause.claimant();
            let claims = claimant.and_then(|name| self.claims.get(name)).copied().unwrap_or_default();
            let cx = Context { workflow, calendar: &calendar, now, timing, fresh_review, began: item.began, claims };
            let answer = transition(&cx, &write.after, item.cause.clone()).map(|plan| {
                changed = true;
                applicant = item.applicant.clone().or_else(|| applicant.take());
                write.note = item.note.clone().or_else(|| write.note.take());
                fold(&mut write, plan, now);
                if let Some(name) = claimant {
                    self.claims.insert(name.to_owned(), claims + 1);
                }
            });
            self.answers[index] = Some(answer);
        }
        if changed {
            write.after.application.revision += 1;
            self.lease_what_follows(&mut write, applicant.as_ref());
            self.webhooks |= !write.webhooks.is_empty();
            self.note_change(&write);
        }
        self.after.insert(id, write.after.clone());
        changed.then_some(write)
    }

    fn note_change(&mut self, write: &Write) {
        let (before, after) = (&write.before.application, &write.after.application);
        let completed = after.completed_at.is_some();
        if before.status != after.status || (completed && before.completed_at.is_none()) {
            let decided = after.outcome.as_ref().filter(|_| before.outcome.is_none()).map(|outcome| outcome.code);
            self.changes.push(Change { application: after.id, status: after.status, decided, completed });
        }
    }

    /// Keeps what is due now, if there is a place for it: no second claim, no poll.
    fn lease_what_follows(&mut self, write: &mut Write, applicant: Option<&Arc<Applicant>>) {
        let now = self.shared.clock.now();
        let before = &write.before;
        for job in &mut write.after.jobs {
            if job.lease.is_some() || job.due_at > now || before.job(job.slot) == Some(job) {
                continue;
            }
            match applicant.zip(self.shared.places.take(job.stage)) {
                Some((applicant, place)) => {
                    job.lease = Some(self.shared.lease);
                    job.fence += 1;
                    self.continuations.push(Continuation {
                        application: write.after.application.id,
                        job: job.clone(),
                        applicant: Arc::clone(applicant),
                        place,
                    });
                }
                None => self.jobs_left = true,
            }
        }
    }

    /// After the commit: what this process holds now runs, what it does not is announced, and every cause has its answer.
    pub fn committed(mut self) -> Vec<Result<Answer, UnknownWorkflow>> {
        let shared = self.shared;
        for next in self.continuations.drain(..) {
            if let Some(snapshot) = self.after.get(&next.application) {
                let ledger = Arc::clone(&shared.ledger);
                shared.dispatcher.send(Run::new(
                    snapshot.application.clone(),
                    next.job,
                    next.applicant,
                    next.place,
                    ledger,
                ));
            }
        }
        for change in self.changes.drain(..) {
            if let Some(outcome) = change.decided {
                metrics::counter!(DECISIONS, "outcome" => outcome.as_str()).increment(1);
            }
            let _nobody_listens = shared.changes.send(change);
        }
        if self.jobs_left {
            shared.wake_jobs();
        }
        if self.webhooks {
            shared.wake_webhooks();
        }
        let answers = self
            .items
            .iter()
            .zip(self.answers)
            .map(|(item, answer)| match (answer, self.after.get(&item.application)) {
                (Some(Ok(())), Some(after)) => Ok(Answer::Done(Box::new(after.clone()))),
                (Some(Err(refusal)), Some(after)) => Ok(Answer::Refused(refusal, Box::new(after.clone()))),
                _ if self.strange.contains(&item.application) => Err(UnknownWorkflow),
                _ => Ok(Answer::NotFound),
            })
            .collect();
        for after in self.after.into_values() {
            shared.known.keep(shared.lease, after);
        }
        answers
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
        self.after.clear();
        self.continuations.clear();
        self.changes.clear();
        self.strange.clear();
        self.jobs_left = false;
        self.webhooks = false;
        let mut indexes: HashMap<ApplicationId, Vec<usize>> = HashMap::new();
        for (index, item) in self.items.iter().enumerate() {
            indexes.entry(item.application).or_default().push(index);
        }
        snapshots
            .into_iter()
            .filter_map(|snapshot| {
                let indexes = indexes.remove(&snapshot.application.id)?;
                self.plan_one(snapshot, &indexes)
            })
            .collect()
    }
}

/// Adds a plan to the application's write: its events are chained, its announcements become webhooks.
fn fold(write: &mut Write, plan: Plan, now: DateTime<Utc>) {
    let Plan { after, events, announcements, licence, alerts } = plan;
    let mut head = write.after.application.chain.clone();
    write.after = after;
    let id = write.after.application.id;
    for event in events {
        write.events.push(append(&mut head, id, now, event));
    }
    write.after.application.chain = head;
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

//! What one transaction of a commit loop will hold: causes planned ahead, and those that only the database can decide.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::domain::cause::Refusal;

use super::{
    commit::{ApplyError, note_commit},
    planner::{Answer, BatchPlanner, Item},
    run::Run,
    shared::Shared,
};

/// A cause and who waits for its answer.
pub(super) struct Submission {
    pub(super) item: Item,
    pub(super) caller: Caller,
}

/// Who waits for an answer.
pub(super) struct Caller {
    pub(super) since: Instant,
    /// None for the result of a run, which is offered again until the database takes it.
    pub(super) patience: Option<Duration>,
    /// The run that decided, where it was one: what a void one decided is forgotten, wherever it waits.
    pub(super) run: Option<Run>,
    pub(super) reply: oneshot::Sender<Result<Answer, ApplyError>>,
}

impl Caller {
    pub(super) fn answer(self, answer: Result<Answer, ApplyError>) {
        let _gone = self.reply.send(answer);
    }

    fn is_void(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_void)
    }

    fn answer_void(self) {
        self.answer(Err(ApplyError::Refused(Refusal::Fenced)));
    }
}

/// The causes of one transaction.
pub(super) struct Batch<'a> {
    shared: &'a Shared,
    planner: BatchPlanner<'a>,
    /// Who waits for the planner's answers, in its order.
    callers: Vec<Caller>,
    unplanned: Vec<Submission>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(shared: &'a Shared, unplanned: Vec<Submission>) -> Self {
        Self { shared, planner: BatchPlanner::new(shared, Vec::new()), callers: Vec::new(), unplanned }
    }

    pub(super) fn len(&self) -> usize {
        self.callers.len() + self.unplanned.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in a cause: planned on what is planned of its application here or in the batch that is being written, else on
    /// what was committed last, else not yet.
    pub(super) fn add(&mut self, submission: Submission, being_written: Option<&Self>) {
        let Submission { item, caller } = submission;
        if caller.is_void() {
            return caller.answer_void();
        }
        let id = item.application;
        let planned = || being_written.and_then(|batch| batch.planner.planned(id)).cloned();
        match self.planner.plan_ahead(item, || planned().or_else(|| self.shared.known.take(id))) {
            Ok(()) => self.callers.push(caller),
            Err(item) => self.unplanned.push(Submission { item: *item, caller }),
        }
    }

    /// Takes out what is to be written now. An application stays while a run goes on that began on its plan, whose answer can
    /// join it then, unless somebody has waited for longer than that is worth; and not if nothing else is there.
    pub(super) fn take_ripe(&mut self, patience: Duration) -> Self {
        let mut unripe = self.planner.unripe();
        for (item, caller) in self.planner.items().iter().zip(&self.callers) {
            if caller.since.elapsed() >= patience {
                unripe.remove(&item.application);
            }
        }
        if self.unplanned.is_empty() && unripe.len() == self.planner.writes().len() {
            unripe.clear();
        }
        let stays: Vec<bool> = self.planner.items().iter().map(|item| unripe.contains(&item.application)).collect();
        let mut stays = stays.into_iter();
        let callers = std::mem::take(&mut self.callers).into_iter();
        let (later, callers) = callers.partition(|_| stays.next().unwrap_or_default());
        self.callers = later;
        let unripe = self.planner.take_out(&unripe);
        let planner = std::mem::replace(&mut self.planner, unripe);
        Self { shared: self.shared, planner, callers, unplanned: std::mem::take(&mut self.unplanned) }
    }

    /// Writes what was planned; false when that failed, and what the database has must decide.
    pub(super) async fn write(&self) -> bool {
        let writes = self.planner.writes();
        if writes.is_empty() {
            return true;
        }
        let started = Instant::now();
        match self.shared.store.commit_known(writes).await {
            Ok(true) => {
                note_commit(started, self.callers.len());
                true
            }
            Ok(false) => false,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, batch.size = self.callers.len(), "a commit will be planned again");
                false
            }
        }
    }

    /// After the commit: what follows begins, and every caller of what was planned has his answer. Gives back the rest.
    pub(super) fn committed(self) -> Vec<Submission> {
        for (caller, answer) in self.callers.into_iter().zip(self.planner.committed()) {
            caller.answer(answer.map_err(|_| ApplyError::Unavailable));
        }
        self.unplanned
    }

    /// The plans do not hold. Gives back the causes but those that runs decided which began on such plans.
    pub(super) fn give_up(self) -> Vec<Submission> {
        let (items, begun) = self.planner.give_up();
        begun.iter().for_each(Run::make_void);
        let planned = items.into_iter().zip(self.callers).map(|(item, caller)| Submission { item, caller });
        let (void, causes): (Vec<_>, Vec<_>) = planned.chain(self.unplanned).partition(|cause| cause.caller.is_void());
        void.into_iter().for_each(|cause| cause.caller.answer_void());
        causes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{
            application::Application,
            cause::Cause,
            decision::{Decision, Finding},
            event::{Actor, ActorKind},
            job::Slot,
            stage::{Stage, outcome},
        },
        engine::{
            fixture::{Site, applicant},
            places::Places,
        },
    };

    const HOUR: Duration = Duration::from_secs(3600);

    fn submission(application: &Application, cause: Cause) -> Submission {
        let applicant = Some(Arc::new(applicant(1)));
        let item = Item { application: application.id, cause, note: None, applicant, began: None };
        Submission {
            item,
            caller: Caller { since: Instant::now(), patience: None, run: None, reply: oneshot::channel().0 },
        }
    }

    fn ran(application: &Application) -> Submission {
        let decision = Decision::Advance { outcome: outcome::ELIGIBLE, finding: Finding::Nothing };
        submission(application, Cause::Ran { slot: Slot::Main, fence: 1, decision })
    }

    fn cancel(application: &Application) -> Submission {
        let actor = Actor::new(ActorKind::Upstream, "upstream");
        submission(application, Cause::Cancel { actor, reason: "no longer wanted".to_owned() })
    }

    fn ids(batch: &Batch<'_>) -> Vec<crate::domain::ids::ApplicationId> {
        batch.planner.items().iter().map(|item| item.application).collect()
    }

    /// A process that has just admitted two applications and holds their first jobs.
    async fn site() -> (Site, Application, Application) {
        let site = Site::with(Places::new([(Stage::Eligibility, 2), (Stage::FaceVerification, 2)])).await;
        let (first, second) = (site.admit(1).await, site.admit(2).await);
        (site, first, second)
    }

    #[tokio::test]
    async fn who_can_be_joined_by_a_next_answer_stays_for_a_moment() {
        let (site, going_on, ending) = site().await;
        let shared = &site.engine.shared;
        let mut next = Batch::new(shared, Vec::new());
        for cause in [ran(&going_on), cancel(&ending)] {
            next.add(cause, None);
        }
        let now = next.take_ripe(HOUR);
        assert_eq!((ids(&now), now.len()), (vec![ending.id], 1));
        assert_eq!((ids(&next), next.len()), (vec![going_on.id], 1));
        assert!(now.write().await);
        assert!(now.committed().is_empty());

        next.add(cancel(&ending), None);
        assert_eq!(next.unplanned.len(), 1, "nobody holds it any more");
        let now = next.take_ripe(Duration::ZERO);
        assert_eq!((ids(&now), now.len(), next.len()), (vec![going_on.id], 2, 0), "it has waited for long enough");
        let mut next = now;
        next.unplanned.clear();
        let alone = next.take_ripe(HOUR);
        assert_eq!((ids(&alone), next.len()), (vec![going_on.id], 0), "nothing else would be written");
        assert!(alone.write().await);
        assert!(alone.committed().is_empty());
        let stored = site.store().application(going_on.id).await.unwrap().unwrap().application;
        assert_eq!(stored.stage, Some(Stage::FaceVerification));
    }

    #[tokio::test]
    async fn a_plan_follows_the_one_that_is_being_written() {
        let (site, application, _) = site().await;
        let shared = &site.engine.shared;
        let mut first = Batch::new(shared, Vec::new());
        first.add(ran(&application), None);
        let mut second = Batch::new(shared, Vec::new());
        second.add(cancel(&application), Some(&first));
        assert!(first.write().await && second.write().await);
        let stored = site.store().application(application.id).await.unwrap().unwrap().application;
        assert_eq!((stored.revision, stored.chain.seq), (2, 3), "submitted, completed, cancelled");
    }

    #[tokio::test]
    async fn plans_that_do_not_hold_take_those_with_them_that_were_made_on_them() {
        let (site, application, other) = site().await;
        let shared = &site.engine.shared;
        let mut faces = shared.dispatcher.open(Stage::FaceVerification);
        let mut first = Batch::new(shared, Vec::new());
        first.add(ran(&application), None);
        let run = faces.try_recv().unwrap();
        let face = |run: Option<Run>| {
            let decision = Decision::Advance { outcome: outcome::PASSED, finding: Finding::Nothing };
            let Submission { item, caller } =
                submission(&application, Cause::Ran { slot: Slot::Main, fence: 2, decision });
            Submission { item, caller: Caller { run, ..caller } }
        };
        let mut second = Batch::new(shared, Vec::new());
        second.add(face(Some(run.clone())), Some(&first));
        second.add(cancel(&other), None);
        site.change(application.id, |write| write.after_mut().application.revision += 1).await;
        assert!(!first.write().await);

        let again = |batch: Batch<'_>| batch.give_up().iter().map(|cause| cause.item.application).collect::<Vec<_>>();
        assert_eq!(again(first), [application.id]);
        assert_eq!(again(second), [other.id], "the face was asked about on a plan that does not hold");
        assert!(run.is_void());
        let mut third = Batch::new(shared, Vec::new());
        third.add(face(Some(run)), None);
        assert!(third.is_empty(), "its answer was on its way");
    }
}

//! One application, a clock, and what the store does by itself: claiming and rescuing.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::invariants;
use crate::domain::{
    application::{
        Application, ChainHead, Channel, Kind, Notice, NoticeState, OutcomeCode, Photo, PhotoSource, Status, WaitReason,
    },
    calendar::{BUILT_IN, Calendar},
    cause::{Cause, OperatorAct, Refusal, ReviewAct},
    decision::{Decision, Failure, Finding, LicenceFacts, NewLicence, Rejection, SealedRecord, Until},
    event::{Actor, ActorKind, EventType},
    ids::{ApplicationId, LeaseId, LicenceId, PhotoId, ReviewId},
    job::{Job, Slot},
    photo_reason::PhotoReason,
    plan::{Plan, Snapshot},
    review::{Evidence, Review, Verdict},
    stage::{Stage, outcome},
    transition::{Context, FACE_MANUAL, Timing, transition},
    workflow::Workflow,
};

/// The attempts of every stage: few, so that exploring reaches the last one.
pub(super) const ATTEMPTS: u32 = 2;
pub(super) const LEASE: Duration = Duration::from_secs(300);
pub(super) const UNDO: Duration = Duration::from_secs(10);
pub(super) const EVIDENCE: &str = "e1";

static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| Calendar::parse(BUILT_IN).unwrap());
/// The same years under another version.
static REPRINT: LazyLock<Calendar> = LazyLock::new(|| {
    let version = CALENDAR.version();
    Calendar::parse(&BUILT_IN.replacen(version, &format!("{version}-b"), 1)).unwrap()
});
/// Without the year in which the lives below take place.
static OUTDATED: LazyLock<Calendar> = LazyLock::new(|| {
    let text = BUILT_IN.replacen(CALENDAR.version(), "outdated", 1);
    Calendar::parse(text.split_once("[years.2026]").unwrap().0).unwrap()
});

static WORKFLOWS: LazyLock<[Workflow; 3]> = LazyLock::new(|| {
    [
        include_str!("../../../../workflows/first_issue.toml"),
        include_str!("../../../../workflows/reissue.toml"),
        include_str!("../../../../workflows/photo_change.toml"),
    ]
    .map(|text| {
        let mut workflow = Workflow::parse(text).unwrap();
        workflow.stages.values_mut().for_each(|rule| rule.attempts = ATTEMPTS);
        workflow
    })
});

pub(super) fn workflow(kind: Kind) -> &'static Workflow {
    WORKFLOWS.iter().find(|workflow| workflow.kind == kind).unwrap()
}

/// Which calendar is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edition {
    Current,
    Reprint,
    Outdated,
}

impl Edition {
    fn calendar(self) -> &'static Calendar {
        match self {
            Self::Current => &CALENDAR,
            Self::Reprint => &REPRINT,
            Self::Outdated => &OUTDATED,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    pub(super) edition: Edition,
    pub(super) state: Snapshot,
    /// Every event, in order.
    pub(super) log: Vec<EventType>,
    /// Every announced status, and whether the application was completed.
    pub(super) told: Vec<(Status, bool)>,
    /// The highest fence under which each slot was ever claimed.
    fences: BTreeMap<Slot, i64>,
    workflow: &'static Workflow,
    /// Leases of reviewers given so far.
    tokens: u32,
    /// How many tasks a claimant holds elsewhere.
    pub(super) claims: u64,
    pub(super) second_look_share: f64,
}

impl World {
    /// A fresh application, as admission leaves it, on Friday 2026-11-20 at 10:00.
    pub(super) fn new(kind: Kind, source: PhotoSource) -> Self {
        let now = "2026-11-20T10:00:00+08:00".parse().unwrap();
        let workflow = workflow(kind);
        let id = ApplicationId::new();
        let photo_id = source.is_upload().then(PhotoId::new);
        let pending = |&channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 0 };
        let application = Application {
            id,
            owner: "upstream".to_owned(),
            kind,
            workflow: workflow.id(),
            status: Status::InProgress,
            stage: Some(workflow.start),
            outcome: None,
            photo: Photo { source, photo_id },
            licence_id: None,
            holder: "holder".to_owned(),
            licence: None,
            submitted_at: now,
            deadline: None,
            decided_at: None,
            notified_at: None,
            completed_at: None,
            notices: Channel::ALL.iter().map(pending).collect(),
            waiting: None,
            last_error: None,
            priority: 0,
            review_rounds: 0,
            review_id: None,
            reviewed_by: Vec::new(),
            callback_url: Some("https://upstream.example/hooks/1".to_owned()),
            upstream_ref: None,
            last_fence: 0,
            watch: None,
            revision: 0,
            chain: ChainHead { seq: 1, hash: "00".repeat(32) },
        };
        let jobs = vec![Job::due(Slot::Main, workflow.start, now, 0, 0)];
        let state = Snapshot { application, jobs, review: None };
        let (log, told, fences) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            now,
            edition: Edition::Current,
            state,
            log,
            told,
            fences,
            workflow,
            tokens: 0,
            claims: 0,
            second_look_share: 0.0,
        }
    }

    /// A photo that needs nobody.
    pub(super) fn retained() -> Self {
        Self::new(Kind::FirstIssue, PhotoSource::Retained)
    }

    /// A photo that meets a person.
    pub(super) fn camera() -> Self {
        Self::new(Kind::FirstIssue, PhotoSource::Camera)
    }

    pub(super) fn app(&self) -> &Application {
        &self.state.application
    }

    pub(super) fn status(&self) -> Status {
        self.app().status
    }

    pub(super) fn review(&self) -> &Review {
        self.state.review.as_ref().unwrap()
    }

    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
    }

    /// Plans a cause, checks the plan, and takes it over.
    #[expect(clippy::needless_pass_by_value, reason = "a cause happens once")]
    pub(super) fn apply(&mut self, cause: Cause) -> Result<Plan, Refusal> {
        let cx = Context {
            workflow: self.workflow,
            calendar: self.edition.calendar(),
            now: self.now,
            timing: Timing {
                retry_scale: 1.0,
                review_lease: LEASE,
                second_look_share: self.second_look_share,
                claim_limit: 3,
            },
            fresh_review: ReviewId::new(),
            began: None,
            claims: self.claims,
        };
        let plan = transition(&cx, &self.state, cause.clone());
        assert_eq!(plan, transition(&cx, &self.state, cause.clone()), "the table is a function");
        let plan = plan?;
        invariants::of_step(&self.state, &cause, &plan);
        invariants::of_state(&plan.after);
        self.log.extend(plan.events.iter().map(|event| event.kind));
        self.told.extend(plan.announcements.iter().map(|told| (told.status, told.completed_at.is_some())));
        self.state = plan.after.clone();
        Ok(plan)
    }

    pub(super) fn must(&mut self, cause: Cause) -> Plan {
        self.apply(cause).unwrap()
    }

    /// The store leases the slot's job; answers its fence, none if there is no free job.
    pub(super) fn claim(&mut self, slot: Slot) -> Option<i64> {
        let job = self.state.job_mut(slot).filter(|job| job.lease.is_none())?;
        self.now = self.now.max(job.due_at);
        job.lease = Some(LeaseId::new());
        job.fence += 1;
        let fence = job.fence;
        let before = self.fences.insert(slot, fence).unwrap_or(0);
        assert!(fence > before, "fence {fence} of {slot} came before");
        Some(fence)
    }

    /// The store frees the job of a process that died.
    pub(super) fn rescue(&mut self, slot: Slot) {
        if let Some(job) = self.state.job_mut(slot).filter(|job| job.lease.is_some()) {
            job.lease = None;
            job.crashes += 1;
        }
    }

    /// The fence of the slot's job, claimed if it was free.
    pub(super) fn held(&mut self, slot: Slot) -> Option<i64> {
        self.claim(slot);
        self.state.job(slot).map(|job| job.fence)
    }

    /// The slot's job runs and decides.
    pub(super) fn run(&mut self, slot: Slot, decision: Decision) -> Plan {
        let fence = self.held(slot).unwrap();
        self.must(Cause::Ran { slot, fence, decision })
    }

    /// The main job runs as if all were well, until `stage` is next.
    pub(super) fn run_to(&mut self, stage: Stage) {
        while self.app().stage != Some(stage) {
            self.run(Slot::Main, self.good());
        }
    }

    /// As [`World::run_to`] the photo review, which then waits for a person.
    pub(super) fn in_review(mut self) -> Self {
        self.run_to(Stage::PhotoReview);
        self.run(Slot::Main, self.good());
        self
    }

    /// Stalled at its present stage.
    pub(super) fn stalled(mut self, code: &str) -> Self {
        self.run(Slot::Main, Decision::Stall(failure(code)));
        self
    }

    /// Decided and not yet told.
    pub(super) fn issued(mut self) -> Self {
        while self.status() == Status::InProgress {
            self.run(Slot::Main, self.good());
        }
        self
    }

    /// What the present stage answers when all is well.
    pub(super) fn good(&self) -> Decision {
        let advance = |outcome, finding| Decision::Advance { outcome, finding };
        match self.app().stage {
            Some(Stage::Eligibility) => {
                advance(outcome::ELIGIBLE, Finding::Eligible { status: "A".to_owned(), licence: facts() })
            }
            Some(Stage::FaceVerification) => {
                advance(outcome::PASSED, Finding::Face { sub_code: None, score: Some(0.9) })
            }
            Some(Stage::PhotoReview) => match self.app().photo.photo_id {
                Some(photo) => Decision::Await(evidence(photo)),
                None => advance(outcome::NOT_NEEDED, Finding::Nothing),
            },
            Some(Stage::Generation) => Decision::Issue(Box::new(licence())),
            Some(Stage::Notification) | None => sent(),
        }
    }

    pub(super) fn cancel(&mut self) -> Result<Plan, Refusal> {
        let actor = Actor::new(ActorKind::Upstream, "upstream");
        self.apply(Cause::Cancel { actor, reason: "no longer wanted".to_owned() })
    }

    pub(super) fn operate(&mut self, act: OperatorAct) -> Result<Plan, Refusal> {
        self.apply(Cause::Operator { actor: Actor::new(ActorKind::Operator, "op"), act, batch: None })
    }

    pub(super) fn act(&mut self, act: ReviewAct) -> Result<Plan, Refusal> {
        let review = self.app().review_id.unwrap();
        self.apply(Cause::Review { review, act })
    }

    /// A reviewer claims the review; answers the hash of the token.
    pub(super) fn take(&mut self, reviewer: &str) -> Result<String, Refusal> {
        self.tokens += 1;
        let token_hash = format!("t{}", self.tokens);
        self.act(ReviewAct::Claim {
            reviewer: reviewer.to_owned(),
            supervisor: true,
            document: None,
            token_hash: token_hash.clone(),
        })?;
        Ok(token_hash)
    }

    /// The holder of the token decides.
    pub(super) fn decide(&mut self, token: &str, verdict: Verdict, undo: Duration) -> Result<Plan, Refusal> {
        self.act(decide(token, verdict, undo))
    }

    /// A reviewer claims and decides at once.
    pub(super) fn reviewed(self, verdict: Verdict) -> Self {
        self.reviewed_by("r-1", verdict)
    }

    /// As [`World::reviewed`], by somebody.
    pub(super) fn reviewed_by(mut self, name: &str, verdict: Verdict) -> Self {
        let token = self.take(name).unwrap();
        self.decide(&token, verdict, Duration::ZERO).unwrap();
        self
    }
}

pub(super) fn decide(token: &str, verdict: Verdict, undo: Duration) -> ReviewAct {
    let reasons = if verdict == Verdict::Reject { vec![PhotoReason::HatWorn] } else { Vec::new() };
    ReviewAct::Decide {
        token_hash: token.to_owned(),
        verdict,
        reasons,
        evidence_hash: Some(EVIDENCE.to_owned()),
        undo,
        signed_in: false,
    }
}

pub(super) fn reopen() -> ReviewAct {
    ReviewAct::Reopen { supervisor: "boss".to_owned(), reason: "the wrong photo".to_owned() }
}

pub(super) fn reject(reason: &str) -> OperatorAct {
    OperatorAct::Reject { reason: reason.to_owned() }
}

pub(super) fn accept() -> OperatorAct {
    OperatorAct::Accept { reason: "seen at the counter".to_owned() }
}

pub(super) fn failure(code: &str) -> Failure {
    Failure::new(code, "it did not work")
}

pub(super) fn retry() -> Decision {
    Decision::Retry { after: None, error: failure("http_503") }
}

pub(super) fn wait(seconds: u64, reason: WaitReason) -> Decision {
    Decision::Wait { until: Until::After(Duration::from_secs(seconds)), reason, detail: "not yet".to_owned() }
}

pub(super) fn sent() -> Decision {
    Decision::Sent { message_id: "m1".to_owned() }
}

pub(super) fn refused() -> Decision {
    Decision::Reject(Rejection::new(OutcomeCode::StatusNotEligible, "licence status `B`"))
}

pub(super) fn manual() -> Decision {
    Decision::Stall(failure(FACE_MANUAL))
}

pub(super) fn facts() -> LicenceFacts {
    let valid_from = NaiveDate::from_ymd_opt(2021, 6, 1);
    LicenceFacts { classes: "C1".to_owned(), valid_from, valid_until: None, authority: "蒙C".to_owned() }
}

pub(super) fn evidence(photo_id: PhotoId) -> Evidence {
    Evidence { photo_id, checks: serde_json::json!([]), hash: EVIDENCE.to_owned() }
}

pub(super) fn licence() -> NewLicence {
    let sealed = SealedRecord { key_id: "k1".to_owned(), wrapped_key: vec![1], ciphertext: vec![2] };
    NewLicence {
        id: LicenceId::new(),
        status: "A".to_owned(),
        facts: facts(),
        sealed,
        supersedes: None,
        card_problem: None,
    }
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn due_at(world: &World) -> Option<DateTime<Utc>> {
    world.app().deadline.as_ref().and_then(|deadline| deadline.due_at)
}

pub(super) fn notice(world: &World, slot: Slot) -> (NoticeState, u32) {
    let found = world.app().notices.iter().find(|notice| Slot::of(notice.channel) == slot);
    found.map(|notice| (notice.state, notice.attempts)).unwrap()
}

pub(super) fn code(world: &World) -> OutcomeCode {
    world.app().outcome.as_ref().unwrap().code
}

/// Claimed by `r-1`.
pub(super) fn claimed() -> (World, String) {
    let mut world = World::camera().in_review();
    let token = world.take("r-1").unwrap();
    (world, token)
}

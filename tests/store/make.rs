//! Records to store.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use chrono::{DateTime, Duration, Utc};
use greenlane::{
    domain::{
        application::{
            Application, ChainHead, Channel, Deadline, Kind, Notice, NoticeState, Photo, PhotoSource, Status,
        },
        decision::{LicenceFacts, NewLicence, SealedRecord},
        event::{Actor, ActorKind},
        ids::{ApplicationId, LeaseId, LicenceId, PhotoId, ReviewId, WebhookId},
        job::{Job, Slot},
        review::{Evidence, Review, ReviewDecision, ReviewLease, ReviewState, Verdict},
        stage::Stage,
        workflow::WorkflowId,
    },
    store::types::{Admission, NewWebhook, OperatorAction, Process, Snapshot, StoredEvent, Write},
};

/// A time that is not now, so that no case depends on the day it runs.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn application(now: DateTime<Utc>) -> Application {
    let id = ApplicationId::new();
    Application {
        id,
        owner: "upstream".to_owned(),
        kind: Kind::FirstIssue,
        workflow: WorkflowId::new("first_issue", 1),
        status: Status::InProgress,
        stage: Some(Stage::Eligibility),
        outcome: None,
        photo: Photo { source: PhotoSource::Retained, photo_id: None },
        licence_id: None,
        holder: format!("holder-of-{id}"),
        licence: None,
        submitted_at: now,
        deadline: None,
        decided_at: None,
        notified_at: None,
        completed_at: None,
        notices: [Channel::Sms, Channel::App]
            .map(|channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 0 })
            .to_vec(),
        waiting: None,
        last_error: None,
        priority: 0,
        review_rounds: 0,
        review_id: None,
        reviewed_by: Vec::new(),
        callback_url: None,
        upstream_ref: None,
        last_fence: 0,
        watch: None,
        revision: 0,
        chain: ChainHead { seq: 1, hash: hash(1) },
    }
}

/// An application that is due now, under a key of its own.
pub fn admission(now: DateTime<Utc>) -> Admission {
    admission_of(application(now), now)
}

pub fn admission_of(application: Application, now: DateTime<Utc>) -> Admission {
    let job = Job::due(Slot::Main, Stage::Eligibility, now, 0, application.priority);
    Admission {
        idempotency_key: format!("key-{}", application.id),
        request_hash: "1".repeat(64),
        applicant: sealed("applicant"),
        job,
        events: vec![event(application.id, 1, "submitted", now)],
        application,
    }
}

pub fn sealed(text: &str) -> SealedRecord {
    SealedRecord { key_id: "key-1".to_owned(), wrapped_key: vec![0, 1, 254, 255], ciphertext: text.as_bytes().to_vec() }
}

pub fn hash(seq: i64) -> String {
    format!("{seq:064x}")
}

pub fn event(application_id: ApplicationId, seq: i64, kind: &str, at: DateTime<Utc>) -> StoredEvent {
    StoredEvent {
        application_id,
        seq,
        at,
        kind: kind.to_owned(),
        actor: Actor::new(ActorKind::Upstream, "upstream key"),
        stage: Some("eligibility".to_owned()),
        data: r#"{"text":"it's “quoted”\n"}"#.to_owned(),
        hash: hash(seq),
        prev_hash: hash(seq - 1),
    }
}

/// An operator's act that belongs to no application.
pub fn action(kind: &str, at: DateTime<Utc>) -> OperatorAction {
    let data = serde_json::json!({"queue": "generation"});
    OperatorAction { at, actor: Actor::new(ActorKind::Operator, "op"), kind: kind.to_owned(), data }
}

/// A plan that changes nothing yet.
pub fn unchanged(before: impl Into<Arc<Snapshot>>) -> Write {
    Write::of(before.into())
}

/// Adds the next event of the chain to a plan.
pub fn append(write: &mut Write, kind: &str, at: DateTime<Utc>) {
    let chain = &mut write.after_mut().application.chain;
    *chain = ChainHead { seq: chain.seq + 1, hash: hash(chain.seq + 1) };
    let seq = chain.seq;
    write.events.push(event(write.after.application.id, seq, kind, at));
}

/// A job in a slot, due at a time, leased to nobody.
pub fn job(slot: Slot, stage: Stage, due_at: DateTime<Utc>) -> Job {
    Job::due(slot, stage, due_at, 0, 0)
}

pub fn review(application_id: ApplicationId, due_at: Option<DateTime<Utc>>) -> Review {
    Review {
        id: ReviewId::new(),
        application_id,
        round: 1,
        state: ReviewState::Open,
        due_at,
        priority: 0,
        authority: Some("蒙C".to_owned()),
        evidence: Evidence { photo_id: PhotoId::new(), checks: serde_json::json!([{"code": "sharp"}]), hash: hash(7) },
        lease: None,
        supervisor_only: false,
        lapsed_leases: 0,
        decision: None,
        opened_at: at("2026-11-20T02:00:00Z"),
        earlier: Vec::new(),
        former: Vec::new(),
        second_demanded: false,
        assigned_to: None,
        postponed_until: None,
    }
}

pub fn lease(review: &mut Review, reviewer: &str, expires_at: DateTime<Utc>) {
    review.state = ReviewState::Claimed;
    review.lease = Some(ReviewLease { reviewer: reviewer.to_owned(), token_hash: hash(9), expires_at });
}

pub fn decide(review: &mut Review, takes_effect_at: DateTime<Utc>, effective: bool) {
    review.state = ReviewState::Decided;
    review.decision = Some(ReviewDecision {
        verdict: Verdict::Approve,
        reasons: Vec::new(),
        reviewer: "li".to_owned(),
        token_hash: hash(9),
        decided_at: takes_effect_at,
        takes_effect_at,
        effective,
        sampled: false,
    });
}

pub fn licence(classes: &str) -> NewLicence {
    NewLicence {
        id: LicenceId::new(),
        status: "A".to_owned(),
        facts: LicenceFacts {
            classes: classes.to_owned(),
            valid_from: "2020-01-01".parse().ok(),
            valid_until: None,
            authority: "蒙C".to_owned(),
        },
        sealed: sealed("licence"),
        supersedes: None,
        card_problem: None,
    }
}

/// A licence that takes another's place.
pub fn successor(classes: &str, former: LicenceId) -> NewLicence {
    NewLicence { supersedes: Some(former), ..licence(classes) }
}

pub fn webhook(application: &Application, at: DateTime<Utc>) -> NewWebhook {
    NewWebhook {
        id: WebhookId::new(),
        url: "https://upstream.example/hooks/1".to_owned(),
        application: application.clone(),
        at,
    }
}

pub fn deadline(due_at: DateTime<Utc>, passed: usize, calendar: &str) -> Deadline {
    Deadline {
        started_at: due_at - Duration::days(1),
        due_at: Some(due_at),
        checks: vec![due_at - Duration::hours(2), due_at],
        passed,
        calendar: calendar.to_owned(),
    }
}

pub fn process(now: DateTime<Utc>) -> Process {
    static PID: AtomicU32 = AtomicU32::new(1);
    Process {
        lease: LeaseId::new(),
        roles: vec!["worker".to_owned()],
        host: "node-1".to_owned(),
        pid: PID.fetch_add(1, Ordering::Relaxed),
        version: "0.1.0".to_owned(),
        started_at: now,
        seen_at: now,
        stats: serde_json::json!({"in_flight": 3}),
    }
}

use chrono::TimeDelta;
use serde_json::json;

use super::*;
use crate::domain::{
    application::{ChainHead, Deadline, Notice},
    ids::LeaseId,
    job::Slot,
    stage::Stage,
};

fn now() -> DateTime<Utc> {
    "2026-11-20T02:00:00Z".parse().unwrap()
}

fn application(status: Status) -> Application {
    Application {
        id: ApplicationId::new(),
        owner: "upstream".to_owned(),
        kind: Kind::FirstIssue,
        workflow: "first_issue@1".parse().unwrap(),
        status,
        stage: Some(Stage::FaceVerification),
        outcome: None,
        photo: Photo { source: PhotoSource::Retained, photo_id: None },
        licence_id: None,
        holder: "holder".to_owned(),
        licence: None,
        submitted_at: now(),
        deadline: None,
        decided_at: None,
        notified_at: None,
        completed_at: None,
        notices: Channel::ALL
            .iter()
            .map(|&channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 0 })
            .collect(),
        waiting: None,
        last_error: None,
        priority: 0,
        review_rounds: 0,
        review_id: None,
        reviewed_by: Vec::new(),
        callback_url: None,
        upstream_ref: Some("X-1".to_owned()),
        last_fence: 0,
        watch: None,
        revision: 0,
        chain: ChainHead { seq: 1, hash: "00".repeat(32) },
    }
}

fn waiting(reason: WaitReason) -> Option<Waiting> {
    Some(Waiting {
        reason,
        until: Some(now() + TimeDelta::seconds(9)),
        detail: "face verification answered 503".to_owned(),
    })
}

fn job(stage: Stage, seconds: i64, leased: bool) -> Job {
    let lease = leased.then(LeaseId::new);
    Job { lease, ..Job::due(Slot::Main, stage, now() + TimeDelta::seconds(seconds), 1, 0) }
}

fn pause(stage: Stage) -> Pause {
    Pause {
        stage,
        reason: "the provider's lawyer called".to_owned(),
        actor: "ops".to_owned(),
        since: now(),
        until: None,
    }
}

fn reason(application: &Application, jobs: &[Job], pauses: &[Pause]) -> Option<WaitReason> {
    waiting_for(application, jobs, pauses, now()).map(|waiting| waiting.reason)
}

#[test]
fn an_application_looks_as_the_contract_says() {
    let body = serde_json::to_value(ApplicationBody::of(&application(Status::InProgress), None, None)).unwrap();
    let mut expected = json!({
        "kind": "first_issue", "workflow": "first_issue@1", "status": "in_progress", "stage": "face_verification",
        "outcome": null, "photo": { "source": "retained", "photo_id": null }, "licence_id": null,
        "submitted_at": "2026-11-20T02:00:00Z", "due_at": null, "decided_at": null, "completed_at": null,
        "notifications": [
            { "channel": "sms", "state": "pending", "attempts": 0 }, { "channel": "app", "state": "pending", "attempts": 0 },
        ],
        "waiting_for": null, "upstream_ref": "X-1", "applicant": null,
    });
    expected["id"] = body["id"].clone();
    assert_eq!(body, expected);
}

#[test]
fn a_promise_without_a_calendar_says_so() {
    let mut app = application(Status::InProgress);
    app.deadline =
        Some(Deadline { started_at: now(), due_at: None, checks: Vec::new(), passed: 0, calendar: "2026".to_owned() });
    let body = ApplicationBody::of(&app, None, None);
    assert_eq!((body.due_at, body.due_problem), (None, Some("calendar_missing")));
    app.deadline.as_mut().unwrap().due_at = Some(now());
    let body = ApplicationBody::of(&app, None, None);
    assert_eq!((body.due_at, body.due_problem), (Some(now()), None));
}

#[test]
fn outcomes_have_their_texts() {
    let reasons = vec![PhotoReason::HatWorn];
    let outcome = Outcome { code: OutcomeCode::PhotoRejected, message_zh: None, reasons };
    let body = OutcomeBody::of(&outcome);
    assert_eq!(body.message_zh, message::message_zh(OutcomeCode::PhotoRejected));
    assert_eq!(body.reasons[0].message_zh, "请摘下帽子，提交免冠照片");
    let exact = Outcome { message_zh: Some("锁定".to_owned()), ..outcome };
    assert_eq!(OutcomeBody::of(&exact).message_zh, "锁定");
}

#[test]
fn nothing_is_waited_for_while_something_runs() {
    let mut app = application(Status::InProgress);
    app.waiting = waiting(WaitReason::Retry);
    let stage = Stage::FaceVerification;
    assert_eq!(reason(&app, &[job(stage, 0, true)], &[pause(stage)]), None);
    assert_eq!(reason(&app, &[job(stage, 0, false)], &[]), None, "it is about to run");
    assert_eq!(reason(&app, &[job(stage, 9, false)], &[]), Some(WaitReason::Retry));
    assert_eq!(reason(&app, &[job(stage, 9, false)], &[pause(stage)]), Some(WaitReason::Retry), "the wait comes first");
    assert_eq!(reason(&app, &[job(stage, -1, false)], &[pause(stage)]), Some(WaitReason::Paused));
    assert_eq!(reason(&app, &[job(stage, -1, false)], &[pause(Stage::Generation)]), None);
    app.waiting = waiting(WaitReason::FacePending);
    assert_eq!(reason(&app, &[job(stage, 9, false)], &[]), Some(WaitReason::FacePending));
    assert_eq!(reason(&application(Status::InProgress), &[], &[]), None);
}

#[test]
fn a_pause_does_not_tell_its_reason_to_upstream_systems() {
    let paused = waiting_for(
        &application(Status::InProgress),
        &[job(Stage::FaceVerification, 0, false)],
        &[pause(Stage::FaceVerification)],
        now(),
    );
    assert!(!paused.unwrap().detail.contains("lawyer"));
}

#[test]
fn people_are_waited_for_by_status() {
    let mut stalled = application(Status::Stalled);
    assert_eq!(reason(&stalled, &[], &[]), Some(WaitReason::Operator));
    stalled.waiting = waiting(WaitReason::Operator);
    assert_eq!(waiting_for(&stalled, &[], &[], now()).unwrap().detail, "face verification answered 503");
    assert_eq!(reason(&application(Status::InReview), &[], &[]), Some(WaitReason::Review));
    assert_eq!(reason(&application(Status::Cancelled), &[], &[]), None);
    let mut issued = application(Status::Issued);
    assert_eq!(reason(&issued, &[], &[]), None);
    issued.notices[0].state = NoticeState::Failed;
    assert_eq!(reason(&issued, &[], &[]), Some(WaitReason::Operator));
    assert_eq!(reason(&issued, &[job(Stage::Notification, 0, true)], &[]), None);
}

//! What holds in every state, and for every step.

use crate::domain::{
    application::{Application, NoticeState, OutcomeCode, Status, WaitReason},
    cause::{Cause, OperatorAct, ReviewAct},
    decision::Decision,
    event::EventType,
    job::{Job, Purpose, Slot},
    plan::{AlertKind, Plan, Snapshot},
    review::{Review, ReviewState},
    stage::Stage,
};

/// Status, stage, jobs, review and the rest tell one story.
pub(super) fn of_state(state: &Snapshot) {
    let app = &state.application;
    let main = state.job(Slot::Main);
    let waits_for = app.waiting.as_ref().map(|waiting| waiting.reason);
    let undecided = || {
        assert!(app.outcome.is_none() && app.decided_at.is_none() && app.licence_id.is_none(), "{app:?}");
        assert!(app.completed_at.is_none() && app.notified_at.is_none(), "{app:?}");
        assert!(app.notices.iter().all(|notice| notice.state == NoticeState::Pending), "{app:?}");
        assert!(state.jobs.iter().all(|job| job.slot == Slot::Main), "{app:?}");
        assert!(app.stage.is_some_and(|stage| stage != Stage::Notification), "{app:?}");
    };
    match app.status {
        Status::InProgress => {
            undecided();
            assert_eq!(main.map(|job| job.stage), app.stage, "one main job, of the present stage");
            assert_eq!(app.last_error, None);
            assert!(!matches!(waits_for, Some(WaitReason::Review | WaitReason::Operator)), "{waits_for:?}");
            assert!(app.waiting.as_ref().is_none_or(|waiting| waiting.until.is_some()));
        }
        Status::InReview => {
            undecided();
            assert_eq!(state.jobs, [], "a person works, no process");
            assert_eq!((app.stage, waits_for), (Some(Stage::PhotoReview), Some(WaitReason::Review)));
            let review = state.review.as_ref().unwrap();
            assert_ne!(review.state, ReviewState::Withdrawn);
            assert!(review.decision.as_ref().is_none_or(|decision| !decision.effective));
        }
        Status::Stalled => {
            undecided();
            assert_eq!(state.jobs, []);
            assert_eq!(waits_for, Some(WaitReason::Operator));
            assert_eq!(app.last_error.as_ref().map(|error| error.stage), app.stage);
        }
        Status::Issued | Status::Rejected => decided(state),
        Status::Cancelled => {
            assert_eq!(state.jobs, []);
            assert!(app.completed_at.is_some() && app.completed_at == app.decided_at);
            assert_eq!((app.stage, waits_for, app.licence_id), (None, None, None));
            assert_eq!(app.outcome.as_ref().map(|outcome| outcome.code), Some(OutcomeCode::CancelledByUpstream));
            assert!(app.notices.iter().all(|notice| notice.state == NoticeState::NotNeeded));
            assert_eq!(app.next_deadline_check(), None);
        }
    }
    review(state);
}

fn decided(state: &Snapshot) {
    let app = &state.application;
    let code = app.outcome.as_ref().unwrap().code;
    let issued = app.status == Status::Issued;
    assert_eq!((code == OutcomeCode::Issued, app.licence_id.is_some()), (issued, issued));
    assert!(app.decided_at.is_some() && state.job(Slot::Main).is_none());
    for notice in &app.notices {
        let job = state.job(Slot::of(notice.channel));
        assert_eq!(job.is_some(), notice.state == NoticeState::Pending, "one job per pending notice: {notice:?}");
        assert!(job.is_none_or(|job| job.stage == Stage::Notification));
        assert_ne!(notice.state, NoticeState::NotNeeded);
    }
    let sent = app.notices.iter().any(|notice| notice.state == NoticeState::Sent);
    assert_eq!(app.notified_at.is_some(), sent, "the clock stops when the first channel has it");
    assert!(!app.has_failed_notice() || app.last_error.is_some());
    // What is told later, of a licence that is issued long since, holds up nothing.
    let (result, later): (Vec<_>, Vec<_>) = state.jobs.iter().partition(|job| job.slot.purpose() == Purpose::Result);
    let completed = result.is_empty();
    assert_eq!(app.completed_at.is_some(), completed, "{app:?}");
    assert_eq!(app.stage, (!completed).then_some(Stage::Notification));
    assert!(!completed || app.waiting.is_none() || !later.is_empty());
    let told = app.watch.iter().flat_map(|watch| {
        let reapply = watch.notices.iter().map(|notice| (notice, Slot::reapply(notice.channel)));
        reapply.chain(watch.status_notices.iter().map(|notice| (notice, Slot::status(notice.channel))))
    });
    for (notice, slot) in told {
        let pending = notice.state == NoticeState::Pending;
        assert_eq!(state.job(slot).is_some(), pending, "one job per pending notice: {slot} {notice:?}");
    }
}

fn review(state: &Snapshot) {
    let app = &state.application;
    assert_eq!(state.review.as_ref().map(|review| review.id), app.review_id);
    let Some(review) = &state.review else { return };
    assert_eq!((review.application_id, review.round), (app.id, app.review_rounds));
    assert_eq!(review.lease.is_some(), review.state == ReviewState::Claimed, "{review:?}");
    match review.state {
        ReviewState::Open | ReviewState::Claimed => assert_eq!(review.decision, None),
        ReviewState::Decided => assert!(review.decision.is_some()),
        ReviewState::Withdrawn => assert_eq!(app.status, Status::Cancelled),
    }
    let undecided = review.decision.as_ref().is_none_or(|decision| !decision.effective);
    let live = undecided && review.state != ReviewState::Withdrawn;
    assert_eq!(live, app.status == Status::InReview, "a review that can still decide waits: {review:?}");
    if live {
        assert_eq!(review.due_at, app.deadline.as_ref().and_then(|deadline| deadline.due_at));
        assert!(review.priority >= app.priority);
    }
}

/// What a step may do to the state before it.
pub(super) fn of_step(before: &Snapshot, cause: &Cause, plan: &Plan) {
    let (old, new) = (&before.application, &plan.after.application);
    let happened = |kind| plan.events.iter().filter(|event| event.kind == kind).count();

    // A decision is made once and never changes, but for a rejection that nobody has begun to tell.
    let reopened = matches!(cause, Cause::Review { act: ReviewAct::Reopen { .. }, .. });
    if reopened {
        assert!(old.notified_at.is_none() && old.licence_id.is_none() && old.status != Status::Issued);
        assert_eq!((new.status, new.review_rounds), (Status::InReview, old.review_rounds + 1));
        assert!(
            plan.after.review.iter().flat_map(Review::decisions).all(|made| new.reviewed_by.contains(&made.reviewer))
        );
    }
    if let Some(decided_at) = old.decided_at.filter(|_| !reopened) {
        assert_eq!(new.decided_at, Some(decided_at));
        assert_eq!((new.status, &new.outcome, new.licence_id), (old.status, &old.outcome, old.licence_id));
        assert_eq!(plan.licence, None);
    }
    assert_eq!(plan.licence.is_some(), new.status == Status::Issued && old.status != Status::Issued);
    assert_eq!(happened(EventType::Issued), usize::from(plan.licence.is_some()));

    // Only what goes on as before leaves no event: a lease, a wait, a promise under another calendar.
    let quiet = match cause {
        Cause::Review { act: ReviewAct::Heartbeat { .. }, .. } | Cause::CalendarChanged => true,
        Cause::Ran { decision: Decision::Wait { reason, .. }, .. } => {
            old.waiting.as_ref().is_some_and(|waiting| waiting.reason == *reason)
        }
        _ => false,
    };
    assert!(quiet || !plan.events.is_empty(), "{cause:?} left no trace");
    if plan.events.is_empty() {
        let due_at = |application: &Application| application.deadline.as_ref().and_then(|deadline| deadline.due_at);
        assert_eq!((old.status, old.stage, due_at(old)), (new.status, new.stage, due_at(new)));
    }
    assert_eq!(new.chain, old.chain, "the chain is the engine's");

    // Upstream hears of each change of status and of the completion, once each, with the state as it then is.
    let changed = old.status != new.status;
    let completed = old.completed_at.is_none() && new.completed_at.is_some();
    let news = usize::from(changed) + usize::from(completed && !changed);
    assert_eq!(plan.announcements.len(), if new.callback_url.is_some() { news } else { 0 });
    assert!(plan.announcements.last().is_none_or(|told| told == new));
    let resent = matches!(cause, Cause::Operator { act: OperatorAct::Retry, .. });
    assert!(new.completed_at == old.completed_at || completed || resent);

    // Operators hear of it too.
    let alerted = |kind| plan.alerts.iter().any(|alert| *alert == kind);
    assert_eq!(alerted(AlertKind::Stalled), changed && new.status == Status::Stalled);
    assert_eq!(alerted(AlertKind::NotificationFailed), happened(EventType::NotificationFailed) == 1);

    // A plan never leases, never lowers a fence, and never gives an ended job's fence to a new one.
    assert!(new.last_fence >= old.last_fence);
    for job in &plan.after.jobs {
        match before.job(job.slot) {
            Some(was) if job.lease.is_some() => assert_eq!(job, &Job { priority: job.priority, ..was.clone() }),
            Some(was) => assert_eq!(job.fence, was.fence),
            None => assert_eq!((job.fence, &job.lease), (new.last_fence, &None)),
        }
    }
    let ended = before.jobs.iter().filter(|job| plan.after.job(job.slot).is_none());
    assert!(ended.map(|job| job.fence).all(|fence| new.last_fence >= fence));
    assert!(new.priority >= old.priority && new.review_rounds >= old.review_rounds);
}

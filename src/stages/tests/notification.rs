//! Each applicant is told once by each channel, whatever is lost on the way.

use super::{
    bench::Bench,
    outside::{Fault, failed},
};
use crate::{
    domain::{
        application::{Channel, Notice, NoticeState, OutcomeCode, WaitReason},
        decision::Decision,
        job::Slot,
        licence_watch::LicenceWatch,
        provider_error::{ErrorClass, code},
        stage::Stage,
    },
    providers::{CallError, SmsState},
};

const STAGE: Stage = Stage::Notification;

async fn sms() -> Bench {
    Bench::new().await.decided(OutcomeCode::Issued, Slot::Sms)
}

fn message_id(decision: Decision) -> String {
    match decision {
        Decision::Sent { message_id } => message_id,
        other => unreachable!("{other:?}"),
    }
}

fn undeliverable(decision: &Decision) -> Option<&str> {
    match decision {
        Decision::Undeliverable(failure) => Some(&failure.code),
        _ => None,
    }
}

#[tokio::test]
async fn the_first_run_sends_without_asking() {
    let bench = sms().await;
    assert_eq!(message_id(bench.run(STAGE).await), "m1");
    assert_eq!(bench.outside.called(), ["send"]);
    let messages = bench.outside.messages.lock().unwrap().clone();
    let [template, text, reference] = messages.first().unwrap();
    assert_eq!((template.as_str(), reference), ("issued", &format!("{}:result", bench.application.id)));
    assert!(text.contains("已生成"));
}

#[tokio::test]
async fn a_rejection_has_its_own_template_and_the_same_reference() {
    let bench = Bench::new().await.decided(OutcomeCode::PhotoRejected, Slot::Sms);
    message_id(bench.run(STAGE).await);
    let messages = bench.outside.messages.lock().unwrap().clone();
    let [template, _, reference] = messages.first().unwrap();
    assert_eq!((template.as_str(), reference), ("rejected", &format!("{}:result", bench.application.id)));
}

#[tokio::test]
async fn after_an_unclear_answer_it_asks_before_it_sends() {
    // The gateway took it, or did not: one message either way.
    for (fault, then) in [
        (Fault::ReplyLost, &["query"][..]),
        (Fault::Fails(failed(ErrorClass::ReconcileFirst, code::TIMEOUT)), &["query", "send"]),
        (Fault::Fails(failed(ErrorClass::Retry, code::UNREACHABLE)), &["query", "send"]),
    ] {
        let mut bench = sms().await;
        bench.outside.meets(fault);
        assert!(matches!(bench.run(STAGE).await, Decision::Retry { .. }));
        bench.outside.called();
        bench.again(1);
        assert_eq!(message_id(bench.run(STAGE).await), "m1");
        assert_eq!(bench.outside.called(), then);
        assert_eq!(bench.outside.messages.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_crash_between_sending_and_committing_sends_no_second_message() {
    let mut bench = sms().await;
    message_id(bench.run(STAGE).await);
    // Nothing was committed: the same attempt under the next fence, as often as it takes.
    for _ in 0..3 {
        bench.again(0);
        assert_eq!(message_id(bench.run(STAGE).await), "m1");
    }
    assert_eq!(bench.outside.called(), ["send", "query", "query", "query"]);
    assert_eq!(bench.outside.messages.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_wait_is_followed_by_a_question_too() {
    let mut bench = sms().await;
    let blocked = CallError::Blocked { reason: WaitReason::CircuitOpen, wait: std::time::Duration::from_secs(30) };
    bench.outside.meets(Fault::Fails(blocked));
    assert!(matches!(bench.run(STAGE).await, Decision::Wait { reason: WaitReason::CircuitOpen, .. }));
    bench.again(0);
    message_id(bench.run(STAGE).await);
    assert_eq!(bench.outside.called(), ["send", "query", "send"]);
}

#[tokio::test]
async fn while_it_cannot_ask_it_does_not_send() {
    let mut bench = sms().await;
    bench.outside.meets(Fault::ReplyLost);
    bench.run(STAGE).await;
    for attempts in 1..4 {
        bench.again(attempts);
        bench.outside.meets(Fault::Fails(failed(ErrorClass::Retry, "http_503")));
        assert!(matches!(bench.run(STAGE).await, Decision::Retry { .. }));
    }
    assert_eq!(bench.outside.messages.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_failed_for_good_is_sent_again_only_for_an_operator() {
    let mut bench = sms().await;
    bench.outside.meets(Fault::ReplyLost);
    bench.run(STAGE).await;
    *bench.outside.sms_state.lock().unwrap() = SmsState::Failed;
    bench.again(1);
    assert_eq!(undeliverable(&bench.run(STAGE).await), Some("sms_failed"));
    assert_eq!(bench.outside.messages.lock().unwrap().len(), 1);

    bench.sent_again();
    assert_eq!(message_id(bench.run(STAGE).await), "m2");
    // That one is on its way: repeated, it is found.
    *bench.outside.sms_state.lock().unwrap() = SmsState::Delivered;
    bench.again(0);
    assert_eq!(message_id(bench.run(STAGE).await), "m2");
    assert_eq!(bench.outside.messages.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn sending_again_asks_first() {
    let mut bench = sms().await;
    bench.outside.meets(Fault::ReplyLost);
    bench.run(STAGE).await;
    bench.sent_again();
    assert_eq!(message_id(bench.run(STAGE).await), "m1", "it had got through");
}

#[tokio::test]
async fn a_number_that_cannot_be_reached_is_given_up() {
    let bench = sms().await;
    bench.outside.meets(Fault::Fails(failed(ErrorClass::UserAction, "isv.MOBILE_NUMBER_ILLEGAL")));
    assert_eq!(undeliverable(&bench.run(STAGE).await), Some("isv.MOBILE_NUMBER_ILLEGAL"));
}

#[tokio::test]
async fn every_push_of_a_result_has_the_same_cid() {
    let mut bench = Bench::new().await.decided(OutcomeCode::Issued, Slot::App);
    let cid = format!("{}:result", bench.application.id);
    bench.outside.meets(Fault::ReplyLost);
    assert!(matches!(bench.run(STAGE).await, Decision::Retry { .. }));
    for attempts in [1, 1, 2] {
        bench.again(attempts);
        assert_eq!(message_id(bench.run(STAGE).await), format!("p-{cid}"));
    }
    bench.sent_again();
    message_id(bench.run(STAGE).await);
    assert_eq!(bench.outside.called(), ["push"; 5]);
    assert_eq!(bench.outside.pushes.lock().unwrap().iter().collect::<Vec<_>>(), [&cid]);
    bench.outside.meets(Fault::Fails(failed(ErrorClass::UserAction, "token_invalid")));
    assert_eq!(undeliverable(&bench.run(STAGE).await), Some("token_invalid"));
}

#[tokio::test]
async fn what_cannot_be_told_is_said() {
    let mut bench = sms().await;
    bench.job.slot = Slot::Main;
    assert_eq!(undeliverable(&bench.run(STAGE).await), Some("channel_missing"));
    bench.application.outcome = None;
    assert_eq!(undeliverable(&bench.run(STAGE).await), Some("outcome_missing"));
    assert_eq!(bench.outside.called(), Vec::<&str>::new());
}

#[tokio::test]
async fn a_holder_is_told_under_a_key_of_its_own_that_a_reissue_is_needed() {
    let mut bench = Bench::new().await.decided(OutcomeCode::Issued, Slot::ReapplySms);
    let notice = |channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 4 };
    let notices = vec![notice(Channel::Sms), notice(Channel::App)];
    bench.application.watch = Some(LicenceWatch { reissue_needed: true, notices, ..LicenceWatch::default() });
    assert!(matches!(bench.run(STAGE).await, Decision::Sent { .. }));
    bench.again(0);
    assert!(matches!(bench.run(STAGE).await, Decision::Sent { .. }));
    let messages = bench.outside.messages.lock().unwrap().clone();
    let [[template, text, reference]] = messages.as_slice() else {
        unreachable!("asked before it was sent again: {messages:?}")
    };
    assert_eq!((template.as_str(), text.contains("重新申领")), ("reapply", true));
    assert_eq!(*reference, format!("{}:reapply", bench.application.id));
    bench.job.slot = Slot::ReapplyApp;
    assert!(matches!(bench.run(STAGE).await, Decision::Sent { .. }));
    assert!(bench.outside.pushes.lock().unwrap().contains(&format!("{}:reapply", bench.application.id)));
}

#[tokio::test]
async fn each_change_of_what_is_shown_has_its_own_key_and_says_no_more() {
    let mut bench = Bench::new().await.decided(OutcomeCode::Issued, Slot::StatusSms);
    let notice = |channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: 4 };
    let status_notices = vec![notice(Channel::Sms), notice(Channel::App)];
    bench.application.watch = Some(LicenceWatch { status_notices, status_round: 3, ..LicenceWatch::default() });
    assert!(matches!(bench.run(STAGE).await, Decision::Sent { .. }));
    let key = format!("{}:status-3", bench.application.id);
    let sent = bench.outside.messages.lock().unwrap().clone();
    let text = "您的驾驶证状态发生变化，请登录“交管12123”APP查看驾驶证电子版。".to_owned();
    assert_eq!(sent, [["status_changed".to_owned(), text, key.clone()]]);
    bench.job.slot = Slot::StatusApp;
    assert!(matches!(bench.run(STAGE).await, Decision::Sent { .. }));
    assert!(bench.outside.pushes.lock().unwrap().contains(&key));
}

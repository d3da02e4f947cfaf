//! 通知: tells the applicant the result, by SMS and by app, each with its own attempts (R37).

use async_trait::async_trait;
use serde_json::json;

use crate::{
    domain::{
        application::{Application, Channel, OutcomeCode},
        decision::{Decision, Failure},
        message::{app_body, app_title, sms_text, template},
        stage::Stage,
        transition::SENT_AGAIN,
    },
    engine::run::{Run, StageRunner},
    providers::{CallError, PushNotification, SmsMessage, SmsState},
};

use super::{Tools, failure, unanswered};

/// The purpose in `{application_id}:{purpose}`: there is one result per application.
const PURPOSE: &str = "result";

pub(super) struct Notification(pub(super) Tools);

#[async_trait]
impl StageRunner for Notification {
    fn stage(&self) -> Stage {
        Stage::Notification
    }

    async fn run(&self, run: &Run) -> Decision {
        let application = run.application();
        let Some(outcome) = application.outcome.as_ref().map(|outcome| outcome.code) else {
            return Decision::Undeliverable(Failure::new("outcome_missing", "there is no result to tell"));
        };
        let key = format!("{}:{PURPOSE}", application.id);
        let sent = match run.job().slot.channel() {
            Some(Channel::Sms) => self.sms(run, outcome, &key).await,
            Some(Channel::App) => self.push(run, outcome, &key).await,
            None => return Decision::Undeliverable(Failure::new("channel_missing", "the job names no channel")),
        };
        match sent {
            Ok(message_id) => Decision::Sent { message_id },
            Err(NotSent::Refused(failure)) => Decision::Undeliverable(failure),
            Err(NotSent::Call(error)) => unanswered(error, |error| Decision::Undeliverable(failure(error))),
        }
    }
}

enum NotSent {
    Call(CallError),
    Refused(Failure),
}

impl From<CallError> for NotSent {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Notification {
    /// A gateway sends what it is given, as often as it is given: whenever an earlier run may have reached it, it is
    /// asked first (invariant 7).
    async fn sms(&self, run: &Run, outcome: OutcomeCode, reference: &str) -> Result<String, NotSent> {
        let gateway = &self.0.providers.sms;
        let planned_at = planned_at(run.application(), Channel::Sms);
        if !run.is_first_of(planned_at) {
            let report = gateway.query(reference, reference).await?;
            let failed = report.state == Some(SmsState::Failed);
            if report.found && !failed {
                return Ok(report.message_id.unwrap_or_default());
            }
            // What failed for good is sent once more only when an operator asked for it.
            if report.found && planned_at != SENT_AGAIN {
                return Err(NotSent::Refused(Failure::new("sms_failed", "the SMS was not delivered")));
            }
        }
        let message = SmsMessage {
            to: run.applicant().mobile.as_str(),
            template: template(outcome).as_str(),
            text: sms_text(outcome),
            reference,
        };
        Ok(gateway.send(message, reference).await?)
    }

    /// The push service delivers one `cid` once, so sending again is harmless.
    async fn push(&self, run: &Run, outcome: OutcomeCode, cid: &str) -> Result<String, NotSent> {
        let notification = PushNotification {
            cid,
            app_user: run.applicant().app_user.as_str(),
            title: app_title(outcome),
            body: app_body(outcome),
            data: &json!({ "application_id": run.application().id, "outcome": outcome }),
        };
        Ok(self.0.providers.push.send(notification, cid).await?)
    }
}

fn planned_at(application: &Application, channel: Channel) -> i64 {
    let notice = application.notices.iter().find(|notice| notice.channel == channel);
    notice.map_or(-1, |notice| notice.planned_at_fence)
}

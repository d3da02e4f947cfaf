//! 通知: tells the applicant the result (R37), and later the holder that a reissue is needed (R16) or that the licence is
//! shown otherwise, by SMS and by app, each with its own attempts.

use async_trait::async_trait;
use serde_json::json;

use crate::{
    domain::{
        application::{Channel, OutcomeCode},
        decision::{Decision, Failure},
        job::Purpose,
        message::{
            NoticeTemplate, REAPPLY_NEEDED_ZH, REAPPLY_TITLE_ZH, STATUS_CHANGED_TITLE_ZH, STATUS_CHANGED_ZH, app_body,
            app_title, sms_text, template,
        },
        provider_text,
        stage::Stage,
        transition::SENT_AGAIN,
    },
    engine::run::{Run, StageRunner},
    providers::{CallError, PushNotification, SmsMessage, SmsState},
};

use super::{Tools, failure, unanswered};

pub(super) struct Notification(pub(super) Tools);

#[async_trait]
impl StageRunner for Notification {
    fn stage(&self) -> Stage {
        Stage::Notification
    }

    async fn run(&self, run: &Run) -> Decision {
        let (application, slot) = (run.application(), run.job().slot);
        let outcome = application.outcome.as_ref().map(|outcome| outcome.code);
        let news = match (slot.purpose(), outcome) {
            (Purpose::Reapply, _) => News::REAPPLY,
            (Purpose::Status, _) => News::STATUS,
            (Purpose::Result, Some(outcome)) => News::of(outcome),
            (Purpose::Result, None) => {
                return Decision::Undeliverable(Failure::new("outcome_missing", "there is no result to tell"));
            }
        };
        let key = application.notice_key(slot);
        let sent = match slot.channel() {
            Some(Channel::Sms) => self.sms(run, &news, &key).await,
            Some(Channel::App) => self.push(run, &news, &key).await,
            None => return Decision::Undeliverable(Failure::new("channel_missing", "the job names no channel")),
        };
        match sent {
            Ok(message_id) => Decision::Sent { message_id: self.kept(message_id) },
            Err(NotSent::Refused(failure)) => Decision::Undeliverable(failure),
            Err(NotSent::Call(error)) => unanswered(error, |error| Decision::Undeliverable(failure(error))),
        }
    }
}

/// What there is to tell.
struct News {
    outcome: Option<OutcomeCode>,
    template: NoticeTemplate,
    sms: &'static str,
    title: &'static str,
    body: &'static str,
}

impl News {
    const REAPPLY: Self = Self {
        outcome: None,
        template: NoticeTemplate::Reapply,
        sms: REAPPLY_NEEDED_ZH,
        title: REAPPLY_TITLE_ZH,
        body: REAPPLY_NEEDED_ZH,
    };

    const STATUS: Self = Self {
        outcome: None,
        template: NoticeTemplate::StatusChanged,
        sms: STATUS_CHANGED_ZH,
        title: STATUS_CHANGED_TITLE_ZH,
        body: STATUS_CHANGED_ZH,
    };

    const fn of(outcome: OutcomeCode) -> Self {
        Self {
            outcome: Some(outcome),
            template: template(outcome),
            sms: sms_text(outcome),
            title: app_title(outcome),
            body: app_body(outcome),
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

/// The name of the blind index that stands for a message id.
const MESSAGE_INDEX: &str = "message id";

impl Notification {
    /// A message id as the audit log may have it. What could be somebody's name or number is recognised by its blind index.
    fn kept(&self, message_id: String) -> String {
        match provider_text::reference(&message_id) {
            Some(_) => message_id,
            None if message_id.is_empty() => message_id,
            None => self.0.secrets.blind_index_hex(MESSAGE_INDEX, &message_id),
        }
    }

    /// A gateway sends what it is given, as often as it is given: whenever an earlier run may have reached it, it is
    /// asked first (invariant 7).
    async fn sms(&self, run: &Run, news: &News, reference: &str) -> Result<String, NotSent> {
        let gateway = &self.0.providers.sms;
        let planned_at = run.application().notice(run.job().slot).map_or(-1, |notice| notice.planned_at_fence);
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
            template: news.template.as_str(),
            text: news.sms,
            reference,
        };
        Ok(gateway.send(message, reference).await?)
    }

    /// The push service delivers one `cid` once, so sending again is harmless.
    async fn push(&self, run: &Run, news: &News, cid: &str) -> Result<String, NotSent> {
        let notification = PushNotification {
            cid,
            app_user: run.applicant().app_user.as_str(),
            title: news.title,
            body: news.body,
            data: &json!({ "application_id": run.application().id, "outcome": news.outcome }),
        };
        Ok(self.0.providers.push.send(notification, cid).await?)
    }
}

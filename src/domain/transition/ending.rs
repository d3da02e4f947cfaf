//! How an application is decided, and how it is completed after that.

use serde_json::json;

use crate::domain::{
    application::{Channel, Notice, NoticeState, Outcome, OutcomeCode, Status},
    decision::Rejection,
    event::{Actor, EventType},
    job::{Job, Slot},
};

use super::Draft;

impl Draft<'_> {
    pub(super) fn end_issued(&mut self) {
        let licence_id = self.app().licence_id;
        self.system_event(EventType::Issued, json!({ "licence_id": licence_id }));
        self.decide(Status::Issued, Outcome { code: OutcomeCode::Issued, message_zh: None, reasons: Vec::new() });
    }

    pub(super) fn end_rejected(&mut self, actor: Actor, rejection: Rejection) {
        let data = json!({ "outcome": rejection.code, "reasons": rejection.reasons, "detail": rejection.detail });
        self.event(EventType::Rejected, actor, data);
        if let Some(letters) = rejection.unknown_status {
            self.alert_of_status(letters);
        }
        self.decide(
            Status::Rejected,
            Outcome { code: rejection.code, message_zh: rejection.message_zh, reasons: rejection.reasons },
        );
    }

    pub(super) fn end_cancelled(&mut self) {
        let now = self.cx.now;
        for slot in Slot::ALL {
            self.plan.after.drop_job(*slot);
        }
        let app = self.app();
        app.status = Status::Cancelled;
        app.stage = None;
        app.waiting = None;
        app.outcome = Some(Outcome { code: OutcomeCode::CancelledByUpstream, message_zh: None, reasons: Vec::new() });
        app.decided_at = Some(now);
        app.completed_at = Some(now);
        for notice in &mut app.notices {
            notice.state = NoticeState::NotNeeded;
        }
    }

    /// Both outcomes notify, by every channel that the workflow names, side by side.
    fn decide(&mut self, status: Status, outcome: Outcome) {
        let (now, notices) = (self.cx.now, &self.cx.workflow.notices);
        let channels: &[Channel] = notices.after(status).map_or(&[], |notice| &notice.channels);
        let stage = notices.stage;
        self.plan.after.drop_job(Slot::Main);
        let app = self.app();
        let fence = app.last_fence;
        app.status = status;
        app.stage = Some(stage);
        app.outcome = Some(outcome);
        app.decided_at = Some(now);
        app.waiting = None;
        app.notices = channels
            .iter()
            .map(|&channel| Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: fence })
            .collect();
        let priority = app.priority;
        for &channel in channels {
            self.plan.after.put_job(Job::due(Slot::of(channel), stage, now, fence, priority));
        }
        self.announce();
        self.complete_if_settled();
    }

    /// Completed when every channel is settled, well or badly.
    pub(super) fn complete_if_settled(&mut self) {
        let now = self.cx.now;
        let app = self.app();
        if app.completed_at.is_some() || app.notices.iter().any(|notice| notice.state == NoticeState::Pending) {
            return;
        }
        app.completed_at = Some(now);
        app.waiting = None;
        app.stage = None;
        let notices = json!(app.notices);
        self.system_event(EventType::Completed, json!({ "notifications": notices }));
        self.announce();
    }
}

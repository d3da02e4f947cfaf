//! What an operator does with a stalled application.

use serde_json::json;

use crate::domain::{
    application::{Application, NoticeState, OutcomeCode, Status},
    cause::{OperatorAct, Refusal},
    decision::Rejection,
    event::{Actor, EventType},
    ids::BatchId,
    job::{Job, Slot},
    stage::{Stage, outcome},
};

use super::Draft;

/// The error code of a face verification that must be done by a person at the counter.
pub const FACE_MANUAL: &str = "face_manual";

/// [`Notice::planned_at_fence`](crate::domain::application::Notice::planned_at_fence) of a notification that an operator
/// sends again: none of its runs counts as its first, because an earlier try may have got through.
pub const SENT_AGAIN: i64 = -1;

impl Draft<'_> {
    pub(super) fn operator(&mut self, actor: Actor, act: OperatorAct, batch: Option<BatchId>) -> Result<(), Refusal> {
        self.act(actor, act)?;
        // The act's own event comes first. A batch finds it again by its name, whatever happened since.
        if let Some((batch, event)) = batch.zip(self.plan.events.first_mut()) {
            event.data["batch_id"] = json!(batch);
        }
        Ok(())
    }

    fn act(&mut self, actor: Actor, act: OperatorAct) -> Result<(), Refusal> {
        let stalled = self.app().status == Status::Stalled;
        match act {
            OperatorAct::Retry if self.app().has_failed_notice() => self.resend(actor),
            _ if !stalled => Err(Refusal::NotStalled),
            OperatorAct::Retry => self.resume(actor),
            OperatorAct::Reject { reason } => {
                let code = if is_manual_face(self.app()) {
                    OutcomeCode::FaceNotVerified
                } else {
                    OutcomeCode::RejectedByOperator
                };
                self.end_rejected(actor, Rejection::new(code, reason));
                Ok(())
            }
            OperatorAct::Accept { reason } if is_manual_face(self.app()) => {
                let data = json!({ "outcome": outcome::PASSED, "accepted": true, "reason": reason });
                self.event(EventType::StageCompleted, actor, data);
                self.clear_failure();
                self.follow(Stage::FaceVerification, outcome::PASSED);
                Ok(())
            }
            OperatorAct::Accept { .. } => Err(Refusal::NotAcceptable),
        }
    }

    fn resume(&mut self, actor: Actor) -> Result<(), Refusal> {
        let stage = self.app().stage.ok_or(Refusal::NotStalled)?;
        self.event(EventType::Resumed, actor, json!({ "stage": stage }));
        self.clear_failure();
        self.app().status = Status::InProgress;
        self.put_main_job(stage);
        Ok(())
    }

    /// A decided application whose notification was given up gets another round of it.
    fn resend(&mut self, actor: Actor) -> Result<(), Refusal> {
        let (now, stage) = (self.cx.now, self.cx.workflow.notices.stage);
        let app = self.app();
        let mut failed = Vec::new();
        for notice in app.notices.iter_mut().filter(|notice| notice.state == NoticeState::Failed) {
            notice.state = NoticeState::Pending;
            notice.planned_at_fence = SENT_AGAIN;
            failed.push(notice.channel);
        }
        app.stage = Some(stage);
        app.completed_at = None;
        app.last_error = None;
        let (fence, priority) = (app.last_fence, app.priority);
        for &channel in &failed {
            self.plan.after.put_job(Job::due(Slot::of(channel), stage, now, fence, priority));
        }
        self.event(EventType::Resumed, actor, json!({ "stage": stage, "channels": failed }));
        Ok(())
    }

    fn clear_failure(&mut self) {
        let app = self.app();
        app.last_error = None;
        app.waiting = None;
    }
}

fn is_manual_face(app: &Application) -> bool {
    app.stage == Some(Stage::FaceVerification)
        && app.last_error.as_ref().is_some_and(|error| error.failure.code == FACE_MANUAL)
}

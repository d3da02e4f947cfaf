//! Acts on many applications that wait for an operator (批量处理), and what became of each.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{application::Channel, event::EventType, ids::BatchId, job::Slot, wire::wire_enum};

wire_enum! {
    /// What is done to each application.
    pub enum BatchAct as "bulk act" {
        /// Tried again from the stage that stalled.
        Retry = "retry",
        /// Rejected.
        Reject = "reject",
    }
}

wire_enum! {
    /// What became of an application of a batch.
    pub enum ItemVerdict as "verdict" {
        /// The act was not tried yet.
        Queued = "queued",
        /// The act was refused.
        Refused = "refused",
        /// The stage that had stalled is done, the failed notification is sent, or the application is decided.
        Succeeded = "succeeded",
        /// It stalled again.
        Failed = "failed",
        /// It is being tried, or waits for its turn.
        Waiting = "waiting",
    }
}

/// What an event says of a retry.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// When.
    pub at: DateTime<Utc>,
    /// Wire name of the event's type.
    pub kind: String,
    /// Wire name of the stage that the event happened in.
    pub stage: Option<String>,
    /// The details.
    pub data: Value,
}

impl Step {
    fn is(&self, kind: EventType) -> bool {
        self.kind == kind.as_str()
    }

    /// Whether it is the act of the batch.
    pub fn is_of(&self, batch: BatchId) -> bool {
        self.data["batch_id"] == batch.to_string()
    }
}

/// What became of an application that a batch, started at `started_at`, has retried: read off the application's events,
/// oldest first. [`ItemVerdict::Waiting`] may still change, the others are final.
pub fn verdict_of_retry(steps: &[Step], batch: BatchId, started_at: DateTime<Utc>) -> ItemVerdict {
    let resumed = |step: &Step| step.is(EventType::Resumed);
    let own = steps.iter().position(|step| resumed(step) && step.is_of(batch));
    // Batches of earlier versions left no name in the log.
    let unnamed = |step: &Step| resumed(step) && step.at >= started_at && step.data["batch_id"].is_null();
    let Some(retry) = own.or_else(|| steps.iter().position(unnamed)) else { return ItemVerdict::Waiting };
    let mut retried = Retried::of(&steps[retry]);
    steps[retry + 1..].iter().find_map(|step| retried.verdict(step)).unwrap_or(ItemVerdict::Waiting)
}

/// What was tried again.
struct Retried<'a> {
    stage: Option<&'a str>,
    /// The notifications that are not sent yet; none where a stage was tried again.
    slots: Vec<&'static str>,
}

impl<'a> Retried<'a> {
    fn of(resumed: &'a Step) -> Self {
        let channels = resumed.data["channels"].as_array().into_iter().flatten();
        let slots = channels
            .filter_map(|channel| channel.as_str()?.parse::<Channel>().ok())
            .map(|channel| Slot::of(channel).as_str());
        Self { stage: resumed.data["stage"].as_str(), slots: slots.collect() }
    }

    /// What a later event means, if it ends the retry.
    fn verdict(&mut self, step: &Step) -> Option<ItemVerdict> {
        if self.slots.is_empty() { self.of_stage(step) } else { self.of_notification(step) }
    }

    fn of_stage(&self, step: &Step) -> Option<ItemVerdict> {
        let decided = [EventType::Issued, EventType::Rejected, EventType::Cancelled].iter().any(|&kind| step.is(kind));
        let completed = step.is(EventType::StageCompleted) && step.stage.as_deref() == self.stage;
        if decided || completed {
            return Some(ItemVerdict::Succeeded);
        }
        step.is(EventType::Stalled).then_some(ItemVerdict::Failed)
    }

    fn of_notification(&mut self, step: &Step) -> Option<ItemVerdict> {
        let slot = step.data["slot"].as_str()?;
        let place = self.slots.iter().position(|pending| *pending == slot)?;
        if step.is(EventType::NotificationFailed) {
            return Some(ItemVerdict::Failed);
        }
        if step.is(EventType::NotificationSent) {
            self.slots.swap_remove(place);
        }
        self.slots.is_empty().then_some(ItemVerdict::Succeeded)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(kind: EventType, stage: &str, data: Value) -> Step {
        Step { at: DateTime::UNIX_EPOCH, kind: kind.as_str().to_owned(), stage: Some(stage.to_owned()), data }
    }

    fn verdict(later: &[(EventType, &str, Value)], resumed: Value) -> ItemVerdict {
        let batch = BatchId::new();
        let mut data = resumed;
        data["batch_id"] = json!(batch);
        let mut steps = vec![
            step(EventType::Stalled, "eligibility", json!({})),
            step(EventType::Resumed, "eligibility", json!({ "stage": "eligibility", "batch_id": BatchId::new() })),
            step(EventType::Stalled, "eligibility", json!({})),
            step(EventType::Resumed, "eligibility", data),
        ];
        steps.extend(later.iter().map(|(kind, stage, data)| step(*kind, stage, data.clone())));
        verdict_of_retry(&steps, batch, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_stage_succeeds_once_it_is_done() {
        use EventType::{AttemptFailed, Cancelled, Issued, Rejected, StageCompleted, StageWaiting, Stalled};
        let of = |kinds: &[(EventType, &str)]| {
            let later: Vec<_> = kinds.iter().map(|(kind, stage)| (*kind, *stage, json!({}))).collect();
            verdict(&later, json!({ "stage": "eligibility" }))
        };
        let here = "eligibility";
        assert_eq!(of(&[]), ItemVerdict::Waiting);
        assert_eq!(of(&[(AttemptFailed, here), (StageWaiting, here)]), ItemVerdict::Waiting);
        assert_eq!(of(&[(AttemptFailed, here), (StageCompleted, here)]), ItemVerdict::Succeeded);
        assert_eq!(of(&[(StageCompleted, here), (Stalled, "generation")]), ItemVerdict::Succeeded, "a later stage");
        assert_eq!(
            of(&[(Stalled, here), (StageCompleted, here)]),
            ItemVerdict::Failed,
            "somebody else retried it later"
        );
        for decided in [Issued, Rejected, Cancelled] {
            assert_eq!(of(&[(decided, here)]), ItemVerdict::Succeeded);
        }
    }

    #[test]
    fn notifications_succeed_once_all_are_sent() {
        use EventType::{Completed, NotificationFailed, NotificationSent};
        let of = |kinds: &[(EventType, &str)]| {
            let later: Vec<_> =
                kinds.iter().map(|(kind, slot)| (*kind, "notification", json!({ "slot": slot }))).collect();
            verdict(&later, json!({ "stage": "notification", "channels": ["sms", "app"] }))
        };
        assert_eq!(of(&[(NotificationSent, "sms")]), ItemVerdict::Waiting);
        assert_eq!(of(&[(NotificationSent, "reapply_sms"), (NotificationSent, "app")]), ItemVerdict::Waiting);
        assert_eq!(
            of(&[(NotificationSent, "sms"), (NotificationSent, "app"), (Completed, "")]),
            ItemVerdict::Succeeded
        );
        assert_eq!(of(&[(NotificationSent, "sms"), (NotificationFailed, "app")]), ItemVerdict::Failed);
    }

    #[test]
    fn a_retry_without_a_name_is_the_first_since_the_batch() {
        let at = DateTime::UNIX_EPOCH;
        let steps = [
            step(EventType::Resumed, "eligibility", json!({ "stage": "eligibility" })),
            step(EventType::StageCompleted, "eligibility", json!({})),
        ];
        assert_eq!(verdict_of_retry(&steps, BatchId::new(), at), ItemVerdict::Succeeded);
        assert_eq!(verdict_of_retry(&steps, BatchId::new(), at + chrono::TimeDelta::seconds(1)), ItemVerdict::Waiting);
    }
}

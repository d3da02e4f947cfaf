//! Audit events (审计事件): what happened to an application, who did it and why. No personal data.

use serde::{Deserialize, Serialize};

use super::{stage::Stage, wire::wire_enum};

wire_enum! {
    /// Who acts.
    pub enum ActorKind as "actor kind" {
        /// Greenlane itself.
        System = "system",
        /// The upstream system that owns the application.
        Upstream = "upstream",
        /// A reviewer.
        Reviewer = "reviewer",
        /// An operator.
        Operator = "operator",
    }
}

/// Who acts: a kind and the name of the key, reviewer or operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// Which group.
    pub kind: ActorKind,
    /// Name of the key or person; `greenlane` for the system.
    pub id: String,
}

impl Actor {
    /// Greenlane itself.
    pub fn system() -> Self {
        Self { kind: ActorKind::System, id: "greenlane".to_owned() }
    }

    /// An actor of the kind.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

wire_enum! {
    /// What happened.
    pub enum EventType as "event type" {
        /// The application was accepted.
        Submitted = "submitted",
        /// A stage ended with an outcome and the next one began.
        StageCompleted = "stage_completed",
        /// A stage waits; no attempt was used.
        StageWaiting = "stage_waiting",
        /// An attempt failed and will be repeated.
        AttemptFailed = "attempt_failed",
        /// Retries are exhausted or the answer needs an operator.
        Stalled = "stalled",
        /// An operator resumed a stalled application from its stage.
        Resumed = "resumed",
        /// The one-working-day clock started, or its due time was set or changed.
        DeadlineSet = "deadline_set",
        /// A share of the working time is used.
        DeadlineWarned = "deadline_warned",
        /// The due time passed.
        DeadlineBreached = "deadline_breached",
        /// A review task was opened.
        ReviewOpened = "review_opened",
        /// A reviewer claimed the task.
        ReviewClaimed = "review_claimed",
        /// A reviewer gave the task back.
        ReviewReleased = "review_released",
        /// A lease lapsed and the task is open again.
        ReviewLeaseLapsed = "review_lease_lapsed",
        /// A reviewer passed the task to a supervisor.
        ReviewEscalated = "review_escalated",
        /// A reviewer decided.
        ReviewDecided = "review_decided",
        /// The decision was taken back within its window.
        ReviewUndone = "review_undone",
        /// A reviewer put the task off.
        ReviewPostponed = "review_postponed",
        /// Somebody took the task from its holder, or their own again.
        ReviewTakenOver = "review_taken_over",
        /// A supervisor gave the task to somebody.
        ReviewReassigned = "review_reassigned",
        /// A supervisor opened a decided task again.
        ReviewReopened = "review_reopened",
        /// A supervisor wants a second person to look.
        ReviewSecondDemanded = "review_second_demanded",
        /// A second person has to look.
        ReviewSecondLook = "review_second_look",
        /// Two people disagree; a supervisor settles it.
        ReviewDisputed = "review_disputed",
        /// What somebody decided did not stand.
        ReviewOverturned = "review_overturned",
        /// A reviewer looked at a fact that is masked.
        FactRevealed = "fact_revealed",
        /// The task ended because the application did.
        ReviewWithdrawn = "review_withdrawn",
        /// Somebody looked at the photo.
        PhotoViewed = "photo_viewed",
        /// Decided: issued.
        Issued = "issued",
        /// Decided: refused.
        Rejected = "rejected",
        /// Withdrawn by the upstream system.
        Cancelled = "cancelled",
        /// A channel accepted the notification.
        NotificationSent = "notification_sent",
        /// A channel refused the notification, or its retries are exhausted.
        NotificationFailed = "notification_failed",
        /// Everything is settled.
        Completed = "completed",
        /// The licence's card could not be drawn.
        CardRefused = "card_refused",
        /// The licence's card can be drawn again.
        CardDrawn = "card_drawn",
        /// The registry has another status of the issued licence, or other data, than was noted last.
        LicenceStatusChanged = "licence_status_changed",
        /// An operator ended the service of the issued licence.
        LicenceTerminated = "licence_terminated",
        /// Somebody checked a presentation of the issued licence.
        LicenceVerified = "licence_verified",
    }
}

/// An event to be appended to an application's chain.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventType,
    /// Who did it.
    pub actor: Actor,
    /// At which stage; none once everything is done.
    pub stage: Option<Stage>,
    /// Details, without personal data.
    pub data: serde_json::Value,
}

//! An application as callers and webhooks see it: masked, with the reason why nothing runs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::{
            Application, Channel, Kind, NoticeState, Outcome, OutcomeCode, Photo, PhotoSource, Status, WaitReason,
            Waiting,
        },
        ids::{ApplicationId, LicenceId, PhotoId},
        job::Job,
        message,
        personal::Applicant,
        photo_reason::PhotoReason,
    },
    store::types::{DONE, Pause},
};

/// Why a running promise has no due time.
pub const CALENDAR_MISSING: &str = "calendar_missing";

/// An application.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Application)]
pub struct ApplicationBody {
    /// The application's id.
    pub id: ApplicationId,
    /// What is applied for.
    pub kind: Kind,
    /// The workflow version that it keeps.
    #[schema(example = "first_issue@1")]
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// The present stage; `done` when everything is.
    #[schema(example = "eligibility")]
    pub stage: &'static str,
    /// How it ended; null before the decision.
    pub outcome: Option<OutcomeBody>,
    /// The photo that it is made with.
    pub photo: PhotoBody,
    /// The licence that was issued.
    pub licence_id: Option<LicenceId>,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// The one-working-day promise; null until face verification passes.
    pub due_at: Option<DateTime<Utc>>,
    /// Why there is no due time although the promise runs: `calendar_missing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_problem: Option<&'static str>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// When both notifications were settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// One per channel.
    pub notifications: Vec<NotificationBody>,
    /// Why nothing runs now; null while something does.
    pub waiting_for: Option<WaitingBody>,
    /// The upstream system's own reference.
    pub upstream_ref: Option<String>,
    /// The applicant, masked; null once the personal data is erased.
    pub applicant: Option<MaskedApplicant>,
}

/// How an application ended.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub struct OutcomeBody {
    /// The stable code.
    pub code: OutcomeCode,
    /// For upstream systems.
    pub message: &'static str,
    /// For the applicant.
    pub message_zh: String,
    /// Why a photo was rejected.
    pub reasons: Vec<ReasonBody>,
}

/// A reason against a photo.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonBody {
    /// The stable code.
    pub code: PhotoReason,
    /// For upstream systems.
    pub message: &'static str,
    /// For the applicant.
    pub message_zh: &'static str,
}

/// The photo of an application.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ApplicationPhoto)]
pub struct PhotoBody {
    /// Where it comes from.
    pub source: PhotoSource,
    /// The upload, for camera and album.
    pub photo_id: Option<PhotoId>,
}

/// A notification of the result.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationBody {
    /// By which way.
    pub channel: Channel,
    /// How it stands.
    pub state: NoticeState,
    /// Tries so far.
    pub attempts: u32,
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WaitingFor)]
pub struct WaitingBody {
    /// The reason.
    pub reason: WaitReason,
    /// Until when, if a moment is known.
    pub until: Option<DateTime<Utc>>,
    /// One sentence.
    pub detail: String,
}

/// An applicant, as far as may be shown.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct MaskedApplicant {
    /// E.g. `张*`.
    pub name: String,
    /// E.g. `1101**********002X`.
    pub document_number: String,
    /// E.g. `138****8000`.
    pub mobile: String,
}

impl ApplicationBody {
    /// From the application, its applicant if the record opens, and the reason from [`waiting_for`].
    pub fn of(application: &Application, applicant: Option<&Applicant>, waiting_for: Option<WaitingBody>) -> Self {
        let due_at = application.deadline.as_ref().and_then(|deadline| deadline.due_at);
        Self {
            id: application.id,
            kind: application.kind,
            workflow: application.workflow.to_string(),
            status: application.status,
            stage: application.stage.map_or(DONE, |stage| stage.as_str()),
            outcome: application.outcome.as_ref().map(OutcomeBody::of),
            photo: PhotoBody::of(&application.photo),
            licence_id: application.licence_id,
            submitted_at: application.submitted_at,
            due_at,
            due_problem: (application.deadline.is_some() && due_at.is_none()).then_some(CALENDAR_MISSING),
            decided_at: application.decided_at,
            completed_at: application.completed_at,
            notifications: application
                .notices
                .iter()
                .map(|notice| NotificationBody {
                    channel: notice.channel,
                    state: notice.state,
                    attempts: notice.attempts,
                })
                .collect(),
            waiting_for,
            upstream_ref: application.upstream_ref.clone(),
            applicant: applicant.map(MaskedApplicant::of),
        }
    }
}

impl OutcomeBody {
    fn of(outcome: &Outcome) -> Self {
        Self {
            code: outcome.code,
            message: message::message(outcome.code),
            message_zh: outcome.message_zh.clone().unwrap_or_else(|| message::message_zh(outcome.code).to_owned()),
            reasons: outcome.reasons.iter().map(|&reason| ReasonBody::of(reason)).collect(),
        }
    }
}

impl ReasonBody {
    fn of(reason: PhotoReason) -> Self {
        Self { code: reason, message: reason.en(), message_zh: reason.applicant_zh() }
    }
}

impl PhotoBody {
    fn of(photo: &Photo) -> Self {
        Self { source: photo.source, photo_id: photo.photo_id }
    }
}

impl MaskedApplicant {
    fn of(applicant: &Applicant) -> Self {
        Self {
            name: applicant.name.masked(),
            document_number: applicant.document.masked(),
            mobile: applicant.mobile.masked(),
        }
    }
}

/// Why nothing runs for an application at `now`. Null while a job runs or is about to.
pub fn waiting_for(
    application: &Application,
    jobs: &[Job],
    pauses: &[Pause],
    now: DateTime<Utc>,
) -> Option<WaitingBody> {
    match application.status {
        Status::InReview => Some(told(application, WaitReason::Review, "a reviewer must decide on the photo")),
        Status::Stalled => Some(told(application, WaitReason::Operator, "an operator must act")),
        Status::Cancelled => None,
        _ if jobs.is_empty() && application.has_failed_notice() => {
            let detail = "a notification could not be delivered; an operator can send it again".to_owned();
            Some(WaitingBody { reason: WaitReason::Operator, until: None, detail })
        }
        _ => unstarted(application, jobs, pauses, now),
    }
}

fn unstarted(application: &Application, jobs: &[Job], pauses: &[Pause], now: DateTime<Utc>) -> Option<WaitingBody> {
    if jobs.is_empty() || jobs.iter().any(|job| job.lease.is_some()) {
        return None;
    }
    let mut due = jobs.iter().filter(|job| job.due_at <= now).peekable();
    if due.peek().is_some() {
        let pause = due.map(|job| pauses.iter().find(|pause| pause.stage == job.stage)).collect::<Option<Vec<_>>>()?;
        return pause.first().map(|pause| WaitingBody {
            reason: WaitReason::Paused,
            until: pause.until,
            detail: format!("operations paused the stage `{}`", pause.stage),
        });
    }
    application.waiting.as_ref().map(WaitingBody::of)
}

/// The stored reason where it is the one that the status implies, else a general one.
fn told(application: &Application, reason: WaitReason, detail: &str) -> WaitingBody {
    let stored = application.waiting.as_ref().filter(|waiting| waiting.reason == reason);
    stored.map_or_else(|| WaitingBody { reason, until: None, detail: detail.to_owned() }, WaitingBody::of)
}

impl WaitingBody {
    fn of(waiting: &Waiting) -> Self {
        Self { reason: waiting.reason, until: waiting.until, detail: waiting.detail.clone() }
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;

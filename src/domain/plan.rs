//! A plan: what a cause changes, all of which is committed together or not at all.

use super::{
    application::Application,
    decision::NewLicence,
    event::NewEvent,
    job::{Job, Slot},
    review::Review,
    wire::wire_enum,
};

/// An application with everything that a plan needs, locked while the plan is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The application.
    pub application: Application,
    /// Its jobs, one per slot at most.
    pub jobs: Vec<Job>,
    /// Its current review task ([`Application::review_id`]).
    pub review: Option<Review>,
}

impl Snapshot {
    /// The job in a slot.
    pub fn job(&self, slot: Slot) -> Option<&Job> {
        self.jobs.iter().find(|job| job.slot == slot)
    }

    /// The job in a slot, to be changed.
    pub fn job_mut(&mut self, slot: Slot) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.slot == slot)
    }

    /// Puts a job into its slot.
    pub fn put_job(&mut self, job: Job) {
        self.jobs.retain(|other| other.slot != job.slot);
        self.jobs.push(job);
    }

    /// Takes a job away: there is nothing to do in its slot.
    pub fn drop_job(&mut self, slot: Slot) {
        if let Some(job) = self.job(slot) {
            self.application.last_fence = self.application.last_fence.max(job.fence);
            self.jobs.retain(|job| job.slot != slot);
        }
    }
}

wire_enum! {
    /// Something that operators are mailed about.
    pub enum AlertKind as "alert" {
        /// Retries are exhausted, or an answer needs an operator.
        Stalled = "stalled",
        /// A share of the promise's working time is used.
        DeadlineWarned = "deadline_warned",
        /// The promise is broken.
        DeadlineBreached = "deadline_breached",
        /// A notification could not be delivered.
        NotificationFailed = "notification_failed",
        /// The calendar has no data for the due time.
        CalendarMissing = "calendar_missing",
        /// A licence's card cannot be drawn.
        CardRefused = "card_refused",
        /// An issued licence is shown otherwise than before.
        LicenceStatusChanged = "licence_status_changed",
        /// The registry answered a licence status that nobody knows.
        StatusUnknown = "status_unknown",
        /// A provider refuses this installation: credentials, credit or configuration.
        ProviderRefuses = "provider_refuses",
    }
}

/// An alert, before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// What about.
    pub kind: AlertKind,
    /// What the kind does not say. No personal data.
    pub detail: Option<String>,
}

impl From<AlertKind> for NewAlert {
    fn from(kind: AlertKind) -> Self {
        Self { kind, detail: None }
    }
}

impl PartialEq<AlertKind> for NewAlert {
    fn eq(&self, kind: &AlertKind) -> bool {
        self.kind == *kind && self.detail.is_none()
    }
}

/// What a cause changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The state after.
    pub after: Snapshot,
    /// Appended to the audit chain, in order.
    pub events: Vec<NewEvent>,
    /// The application's state after each change of status and on completion, for its webhooks.
    pub announcements: Vec<Application>,
    /// The licence to write.
    pub licence: Option<NewLicence>,
    /// For the operators' digest.
    pub alerts: Vec<NewAlert>,
}

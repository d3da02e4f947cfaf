//! A job: one piece of work that an application waits for or that a process runs under a lease.

use chrono::{DateTime, Utc};

use super::{application::Channel, ids::LeaseId, stage::Stage, wire::wire_enum};

wire_enum! {
    /// Which of an application's jobs: its stages run one after another in `main`, its notifications side by side.
    pub enum Slot as "slot" {
        /// The stages before the decision.
        Main = "main",
        /// Notification by SMS.
        Sms = "sms",
        /// Notification by app.
        App = "app",
        /// That a reissue is needed, by SMS.
        ReapplySms = "reapply_sms",
        /// That a reissue is needed, by app.
        ReapplyApp = "reapply_app",
        /// That the licence is shown otherwise now, by SMS.
        StatusSms = "status_sms",
        /// That the licence is shown otherwise now, by app.
        StatusApp = "status_app",
    }
}

wire_enum! {
    /// What a notification is about; see [`Application::notice_key`](super::application::Application::notice_key).
    pub enum Purpose as "purpose" {
        /// How the application ended.
        Result = "result",
        /// 需要重新申领: the licence data changed since the issue.
        Reapply = "reapply",
        /// 状态变化: the licence is shown otherwise now.
        Status = "status",
    }
}

impl Slot {
    /// The slot that tells the result by a channel.
    pub const fn of(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::Sms,
            Channel::App => Self::App,
        }
    }

    /// The slot that tells by a channel that a reissue is needed.
    pub const fn reapply(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::ReapplySms,
            Channel::App => Self::ReapplyApp,
        }
    }

    /// The slot that tells by a channel that the licence is shown otherwise now.
    pub const fn status(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::StatusSms,
            Channel::App => Self::StatusApp,
        }
    }

    /// What the slot's notification is about.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::Main | Self::Sms | Self::App => Purpose::Result,
            Self::ReapplySms | Self::ReapplyApp => Purpose::Reapply,
            Self::StatusSms | Self::StatusApp => Purpose::Status,
        }
    }

    /// The channel that the slot settles; none for the stages before the decision.
    pub const fn channel(self) -> Option<Channel> {
        match self {
            Self::Main => None,
            Self::Sms | Self::ReapplySms | Self::StatusSms => Some(Channel::Sms),
            Self::App | Self::ReapplyApp | Self::StatusApp => Some(Channel::App),
        }
    }
}

/// A job of an application. Exists only while there is work to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which of the application's jobs.
    pub slot: Slot,
    /// The stage to run; also the queue.
    pub stage: Stage,
    /// Not claimed before this moment, by the database's clock.
    pub due_at: DateTime<Utc>,
    /// The process that may run it; none while it waits in the table.
    pub lease: Option<LeaseId>,
    /// Raised by every claim; a write by an older holder finds another fence and stops.
    pub fence: i64,
    /// Failed attempts in this stage so far.
    pub attempts: u32,
    /// How often a process died while it held this job; see [`Job::is_suspect`].
    pub crashes: u32,
    /// Higher first.
    pub priority: i16,
}

/// From this many crashes on, a job is suspected of killing its process and runs alone.
pub const SUSPECT_CRASHES: u32 = 2;

impl Job {
    /// A fresh job for `stage`, due at once, leased to nobody.
    pub fn due(slot: Slot, stage: Stage, at: DateTime<Utc>, fence: i64, priority: i16) -> Self {
        Self { slot, stage, due_at: at, lease: None, fence, attempts: 0, crashes: 0, priority }
    }

    /// Whether two processes died under the job: it runs alone next, and is quarantined only if that one dies too.
    pub const fn is_suspect(&self) -> bool {
        self.crashes >= SUSPECT_CRASHES
    }
}

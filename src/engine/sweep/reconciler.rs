//! The one list of the reconcilers.

use crate::domain::wire::wire_enum;

wire_enum! {
    /// A reconciler.
    pub enum Reconciler as "reconciler" {
        /// [`super::rescue`].
        Rescue = "rescue",
        /// [`super::deadlines`].
        Deadlines = "deadlines",
        /// [`super::reviews`].
        Reviews = "reviews",
        /// [`super::calendar`].
        Calendar = "calendar",
        /// [`super::batches`].
        Batches = "batches",
        /// [`super::verdicts`].
        Verdicts = "verdicts",
        /// [`super::outbox`].
        Outbox = "outbox",
        /// [`super::licences`].
        Licences = "licences",
        /// [`super::alerts`].
        Alerts = "alerts",
        /// [`super::checkpoints`].
        Checkpoints = "checkpoints",
        /// [`super::figures`].
        Figures = "figures",
        /// [`super::forecasts`].
        Forecasts = "forecasts",
        /// [`super::gauges`].
        Gauges = "gauges",
        /// [`super::sessions`].
        Sessions = "sessions",
        /// [`super::retention`].
        Retention = "retention",
    }
}

impl Reconciler {
    /// What it does.
    pub const fn does(self) -> &'static str {
        match self {
            Self::Rescue => "frees the jobs of processes whose lease lapsed",
            Self::Deadlines => "warns of due times, and escalates those that passed",
            Self::Reviews => "lets decisions take effect, and returns tasks whose lease lapsed",
            Self::Calendar => "follows calendar imports, and computes due times again",
            Self::Batches => "works through bulk acts",
            Self::Verdicts => "finds out what became of bulk retries",
            Self::Outbox => "delivers webhooks",
            Self::Licences => "asks the registry about issued licences in turn",
            Self::Alerts => "mails operators what was escalated, and that the calendar ends",
            Self::Checkpoints => "signs checkpoints of the audit log",
            Self::Figures => "measures the figures of the charts",
            Self::Forecasts => "keeps forecasts of missed due times, and judges those that have come",
            Self::Gauges => "measures what waits, for Prometheus",
            Self::Sessions => "removes sessions that expired",
            Self::Retention => {
                "erases photos that nobody needs, deletes what was kept for its time, and makes room for the coming months' events"
            }
        }
    }

    /// The role of the processes that run it.
    pub const fn role(self) -> &'static str {
        match self {
            Self::Outbox => "worker",
            Self::Gauges => "api",
            _ => "scheduler",
        }
    }
}

//! Rows as one array per column: what `unnest` turns into rows again, however many there are.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::row;
use crate::{
    domain::{application::Application, ids::ApplicationId, job::Job},
    store::{
        Result,
        rows::{self, CounterKey, LicenceRow},
        types::{ApplicationColumns, StoredEvent},
    },
};

/// The columns of applications that a transition can change.
#[derive(Default)]
pub(super) struct Applications {
    pub(super) id: Vec<Uuid>,
    pub(super) status: Vec<&'static str>,
    pub(super) stage: Vec<&'static str>,
    pub(super) needs_operator: Vec<bool>,
    pub(super) error_code: Vec<Option<String>>,
    pub(super) authority: Vec<Option<String>>,
    pub(super) due_at: Vec<Option<DateTime<Utc>>>,
    pub(super) completed_at: Vec<Option<DateTime<Utc>>>,
    pub(super) document: Vec<String>,
    pub(super) revision: Vec<i64>,
}

impl Applications {
    pub(super) fn of<'a>(applications: impl IntoIterator<Item = &'a Application>) -> Result<Self> {
        let mut arrays = Self::default();
        for application in applications {
            arrays.push(application)?;
        }
        Ok(arrays)
    }

    fn push(&mut self, application: &Application) -> Result<()> {
        let columns = ApplicationColumns::of(application);
        self.id.push(application.id.0);
        self.status.push(columns.status.as_str());
        self.stage.push(columns.stage);
        self.needs_operator.push(rows::needs_operator(application));
        self.error_code.push(columns.error_code);
        self.authority.push(application.authority().map(str::to_owned));
        self.due_at.push(columns.due_at);
        self.completed_at.push(columns.completed_at);
        self.document.push(row::text(application)?);
        self.revision.push(application.revision);
        Ok(())
    }
}

/// Whether an unfinished application is its holder's open one; none for a finished one.
pub(super) fn is_open(application: &Application) -> Option<bool> {
    let open = ApplicationColumns::of(application).open;
    (open || application.stage.is_some()).then_some(open)
}

/// Applications that are not finished.
#[derive(Default)]
pub(super) struct Unfinished<'a> {
    pub(super) application_id: Vec<Uuid>,
    pub(super) holder: Vec<&'a str>,
    pub(super) open: Vec<bool>,
}

impl<'a> Unfinished<'a> {
    pub(super) fn push(&mut self, application: &'a Application, open: bool) {
        self.application_id.push(application.id.0);
        self.holder.push(&application.holder);
        self.open.push(open);
    }
}

/// What is stored of an open promise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Promise {
    check_at: Option<DateTime<Utc>>,
    level: i16,
    breached: bool,
    calendar: String,
    due_at: Option<DateTime<Utc>>,
}

impl Promise {
    /// None unless the promise is open.
    pub(super) fn of(application: &Application) -> Option<Self> {
        application.deadline.as_ref()?;
        let columns = ApplicationColumns::of(application);
        columns.calendar.map(|calendar| Self {
            check_at: columns.deadline_check_at,
            level: columns.deadline_level,
            breached: columns.breached,
            calendar,
            due_at: columns.due_at,
        })
    }
}

#[derive(Default)]
pub(super) struct Promises {
    pub(super) application_id: Vec<Uuid>,
    pub(super) check_at: Vec<Option<DateTime<Utc>>>,
    pub(super) level: Vec<i16>,
    pub(super) breached: Vec<bool>,
    pub(super) calendar: Vec<String>,
    pub(super) due_at: Vec<Option<DateTime<Utc>>>,
}

impl Promises {
    pub(super) fn push(&mut self, application_id: ApplicationId, promise: Promise) {
        self.application_id.push(application_id.0);
        self.check_at.push(promise.check_at);
        self.level.push(promise.level);
        self.breached.push(promise.breached);
        self.calendar.push(promise.calendar);
        self.due_at.push(promise.due_at);
    }
}

#[derive(Default)]
pub(super) struct Jobs {
    pub(super) application_id: Vec<Uuid>,
    pub(super) slot: Vec<&'static str>,
    pub(super) stage: Vec<&'static str>,
    pub(super) due_at: Vec<DateTime<Utc>>,
    pub(super) lease: Vec<Option<Uuid>>,
    pub(super) fence: Vec<i64>,
    pub(super) attempts: Vec<i32>,
    pub(super) crashes: Vec<i32>,
    pub(super) priority: Vec<i16>,
}

impl Jobs {
    pub(super) fn push(&mut self, application_id: ApplicationId, job: &Job) {
        self.application_id.push(application_id.0);
        self.slot.push(job.slot.as_str());
        self.stage.push(job.stage.as_str());
        self.due_at.push(job.due_at);
        self.lease.push(job.lease.map(|lease| lease.0));
        self.fence.push(job.fence);
        self.attempts.push(row::signed(job.attempts));
        self.crashes.push(row::signed(job.crashes));
        self.priority.push(job.priority);
    }
}

/// Which jobs, under which lease and fence.
#[derive(Default)]
pub(super) struct Held {
    pub(super) application_id: Vec<Uuid>,
    pub(super) slot: Vec<&'static str>,
    pub(super) lease: Vec<Option<Uuid>>,
    pub(super) fence: Vec<i64>,
}

impl Held {
    pub(super) fn push(&mut self, application_id: ApplicationId, job: &Job) {
        self.application_id.push(application_id.0);
        self.slot.push(job.slot.as_str());
        self.lease.push(job.lease.map(|lease| lease.0));
        self.fence.push(job.fence);
    }
}

#[derive(Default)]
pub(super) struct Events<'a> {
    pub(super) application_id: Vec<Uuid>,
    pub(super) seq: Vec<i64>,
    pub(super) at: Vec<DateTime<Utc>>,
    pub(super) kind: Vec<&'a str>,
    pub(super) actor_kind: Vec<&'static str>,
    pub(super) actor_id: Vec<&'a str>,
    pub(super) stage: Vec<Option<&'a str>>,
    pub(super) data: Vec<&'a str>,
    pub(super) hash: Vec<&'a str>,
    pub(super) prev_hash: Vec<&'a str>,
}

impl<'a> Events<'a> {
    pub(super) fn of(events: impl IntoIterator<Item = &'a StoredEvent>) -> Self {
        let mut arrays = Self::default();
        for event in events {
            arrays.application_id.push(event.application_id.0);
            arrays.seq.push(event.seq);
            arrays.at.push(event.at);
            arrays.kind.push(&event.kind);
            arrays.actor_kind.push(event.actor.kind.as_str());
            arrays.actor_id.push(&event.actor.id);
            arrays.stage.push(event.stage.as_deref());
            arrays.data.push(&event.data);
            arrays.hash.push(&event.hash);
            arrays.prev_hash.push(&event.prev_hash);
        }
        arrays
    }
}

#[derive(Default)]
pub(super) struct Licences<'a> {
    pub(super) id: Vec<Uuid>,
    pub(super) application_id: Vec<Uuid>,
    pub(super) holder: Vec<&'a str>,
    pub(super) kind: Vec<&'static str>,
    pub(super) status: Vec<&'a str>,
    pub(super) facts: Vec<String>,
    pub(super) key_id: Vec<&'a str>,
    pub(super) wrapped_key: Vec<&'a [u8]>,
    pub(super) ciphertext: Vec<&'a [u8]>,
    pub(super) issued_at: Vec<DateTime<Utc>>,
}

impl<'a> Licences<'a> {
    pub(super) fn of(rows: &'a [LicenceRow<'a>]) -> Result<Self> {
        let mut arrays = Self::default();
        for LicenceRow { application, licence, at } in rows {
            arrays.id.push(licence.id.0);
            arrays.application_id.push(application.id.0);
            arrays.holder.push(&application.holder);
            arrays.kind.push(application.kind.as_str());
            arrays.status.push(licence.status.as_str());
            arrays.facts.push(row::text(&licence.facts)?);
            arrays.key_id.push(&licence.sealed.key_id);
            arrays.wrapped_key.push(&licence.sealed.wrapped_key);
            arrays.ciphertext.push(&licence.sealed.ciphertext);
            arrays.issued_at.push(*at);
        }
        Ok(arrays)
    }
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) status: Vec<&'static str>,
    pub(super) stage: Vec<&'static str>,
    pub(super) delta: Vec<i64>,
}

impl Counters {
    /// Expects the keys in one order always: two commits that share a shard then wait for each other only one way.
    pub(super) fn of(deltas: impl IntoIterator<Item = (CounterKey, i64)>) -> Self {
        let mut arrays = Self::default();
        for ((status, stage), delta) in deltas {
            arrays.status.push(status);
            arrays.stage.push(stage);
            arrays.delta.push(delta);
        }
        arrays
    }
}

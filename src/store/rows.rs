//! What both databases derive in the same way before they write: pure, no SQL.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Result, StoreError,
    types::{
        Admission, Admitted, ApplicationColumns, ApplicationFilter, EventFilter, Listed, NewAlert, NewWebhook,
        OperatorAction, Page, Snapshot, StoredEvent, Write,
    },
};
use crate::domain::{
    application::{Application, ChainHead, Status},
    audit::{ChainEvent, FIRST_SEQ, GENESIS, acts_chain, canonical_data, hash},
    decision::{NewLicence, SealedRecord},
    event::Actor,
    ids::{ApplicationId, LicenceId, PhotoId, ReviewId},
    job::Job,
    licence_watch::CardProblem,
    review::{Review, ReviewState},
};

/// Every count behind a page stops here.
pub const COUNT_CAP: u64 = 10_000;

/// Applications that one page of a search reads at most.
pub const SEARCHED: usize = 10_000;

/// Whether no index finds what the filter is after, so that a page could read every application for a few.
pub fn is_search(filter: &ApplicationFilter) -> bool {
    let ApplicationFilter { owner: _, status, stage, done, kind, upstream_ref, holder, error_code, needs_operator } =
        filter;
    let narrow = upstream_ref.is_some() || holder.is_some() || error_code.is_some() || *needs_operator;
    !narrow && (status.is_some() || stage.is_some() || kind.is_some() || *done)
}

/// A page of a search that ended at `edge`, the last application that it read; none when it read all there are. It goes
/// on behind it, however few it found.
pub fn searched<T>(listed: Listed<T>, edge: Option<&str>) -> Listed<T> {
    let next = listed.next.or_else(|| edge.map(|edge| cursor([edge])));
    Listed { next, ..listed }
}

/// The rows that a commit writes. Several writes of one application count as one: from the first state to the last.
#[derive(Debug, Default)]
pub struct Rows<'a> {
    /// Applications that changed: written only while the revision is the former state's.
    pub applications: Vec<Changed<'a, Application>>,
    /// Jobs of slots that had none.
    pub added_jobs: Vec<(ApplicationId, &'a Job)>,
    /// Jobs to replace: only while lease and fence are the former job's.
    pub changed_jobs: Vec<(ApplicationId, Changed<'a, Job>)>,
    /// Jobs to take away: only while lease and fence are these.
    pub gone_jobs: Vec<(ApplicationId, &'a Job)>,
    /// Events to append.
    pub events: Vec<&'a StoredEvent>,
    /// Reviews to insert or to replace.
    pub reviews: Vec<&'a Review>,
    /// Webhooks to append, in order.
    pub webhooks: Vec<&'a NewWebhook>,
    /// Licences to insert as their holder's current one.
    pub licences: Vec<LicenceRow<'a>>,
    /// Licences whose service is ended.
    pub terminated: Vec<LicenceId>,
    /// Licences of which it became known that their card can or cannot be drawn.
    pub card_problems: Vec<(LicenceId, Option<CardProblem>)>,
    /// Notes to append.
    pub notes: Vec<NoteRow<'a>>,
    /// Alerts to append.
    pub alerts: Vec<AlertRow<'a>>,
    /// Changes of the counters by status and stage, without zeros.
    pub counters: BTreeMap<CounterKey, i64>,
}

/// Wire names of a status and a stage (`done` for none).
pub type CounterKey = (&'static str, &'static str);

/// What is written over a state that must still be there.
#[derive(Debug)]
pub struct Changed<'a, T> {
    /// The state that the plan was made from.
    pub before: &'a T,
    /// The state to store.
    pub after: &'a T,
}

/// A licence with what its application says of it.
#[derive(Debug)]
pub struct LicenceRow<'a> {
    /// The application as it is after the commit.
    pub application: &'a Application,
    /// The licence.
    pub licence: &'a NewLicence,
    /// When it is issued.
    pub at: DateTime<Utc>,
}

/// A reviewer's note.
#[derive(Debug)]
pub struct NoteRow<'a> {
    /// The application under review.
    pub application_id: ApplicationId,
    /// The review, if the application has one.
    pub review_id: Option<ReviewId>,
    /// The encrypted text.
    pub note: &'a SealedRecord,
    /// When.
    pub at: DateTime<Utc>,
}

/// Something for the operators' digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertRow<'a> {
    /// Which application.
    pub application_id: ApplicationId,
    /// What about.
    pub alert: &'a NewAlert,
    /// When.
    pub at: DateTime<Utc>,
}

impl<'a> Rows<'a> {
    /// Derives the rows of a planner's writes.
    ///
    /// # Errors
    /// [`StoreError::NotLocked`] when a write is not of one of the locked applications.
    pub fn of(locked: &HashSet<ApplicationId>, writes: &'a [Write]) -> Result<Self> {
        let mut rows = Self::default();
        let mut spans: HashMap<ApplicationId, usize> = HashMap::new();
        let mut states: Vec<(&Snapshot, &Snapshot)> = Vec::with_capacity(writes.len());
        for write in writes {
            let id = write.after.application.id;
            if !locked.contains(&id) || write.before.application.id != id {
                return Err(StoreError::NotLocked(id));
            }
            match spans.entry(id) {
                Entry::Occupied(span) => states[*span.get()].1 = &write.after,
                Entry::Vacant(span) => {
                    span.insert(states.len());
                    states.push((&write.before, &write.after));
                }
            }
            rows.append(write);
        }
        for (before, after) in states {
            rows.change(before, after);
        }
        rows.counters.retain(|_, delta| *delta != 0);
        Ok(rows)
    }

    /// How many rows must be met as they were: fewer, and somebody else has changed one.
    pub fn guarded(&self) -> usize {
        self.applications.len() + self.changed_jobs.len() + self.gone_jobs.len()
    }

    /// Licences that the next ones of their holders replace.
    pub fn former_licences(&self) -> impl Iterator<Item = LicenceId> {
        self.licences.iter().filter_map(|row| row.licence.supersedes)
    }

    /// What is only ever appended.
    fn append(&mut self, write: &'a Write) {
        let application = &write.after.application;
        let at = moment(write);
        self.events.extend(&write.events);
        self.webhooks.extend(&write.webhooks);
        self.licences.extend(write.licence.iter().map(|licence| LicenceRow { application, licence, at }));
        self.alerts.extend(write.alerts.iter().map(|alert| AlertRow { application_id: application.id, alert, at }));
        self.notes.extend(write.note.iter().map(|note| NoteRow {
            application_id: application.id,
            review_id: write.after.review.as_ref().or(write.before.review.as_ref()).map(|review| review.id),
            note,
            at,
        }));
    }

    /// What is written as a difference.
    fn change(&mut self, before: &'a Snapshot, after: &'a Snapshot) {
        let id = after.application.id;
        if before.application != after.application {
            self.applications.push(Changed { before: &before.application, after: &after.application });
            *self.counters.entry(counter_key(&before.application)).or_default() -= 1;
            *self.counters.entry(counter_key(&after.application)).or_default() += 1;
            let is_terminated =
                |state: &Snapshot| state.application.watch.as_ref().is_some_and(|watch| watch.terminated);
            if is_terminated(after) && !is_terminated(before) {
                self.terminated.extend(after.application.licence_id);
            }
            let card_problem = |state: &Snapshot| state.application.watch.as_ref().and_then(|watch| watch.card_problem);
            if card_problem(after) != card_problem(before) {
                self.card_problems.extend(after.application.licence_id.map(|id| (id, card_problem(after))));
            }
        }
        for job in &after.jobs {
            match before.job(job.slot) {
                None => self.added_jobs.push((id, job)),
                Some(former) if former != job => {
                    self.changed_jobs.push((id, Changed { before: former, after: job }));
                }
                Some(_) => {}
            }
        }
        self.gone_jobs.extend(before.jobs.iter().filter(|job| after.job(job.slot).is_none()).map(|job| (id, job)));
        self.reviews.extend(after.review.iter().filter(|review| before.review.as_ref() != Some(review)));
    }
}

/// Under which counter an application is counted.
pub fn counter_key(application: &Application) -> CounterKey {
    (application.status.as_str(), ApplicationColumns::of(application).stage)
}

/// Whether every licence that the plans end or replace was current, as they count on.
///
/// # Errors
/// [`StoreError::LicenceNotCurrent`] when the statement met fewer.
pub fn all_current(met: u64, wanted: usize) -> Result<()> {
    if usize::try_from(met) == Ok(wanted) { Ok(()) } else { Err(StoreError::LicenceNotCurrent) }
}

/// Whether an operator must act: stalled, or a notification that was given up.
pub fn needs_operator(application: &Application) -> bool {
    application.status == Status::Stalled || application.has_failed_notice()
}

/// When a write happens: the time of its last event, by the clock that the planner was given.
fn moment(write: &Write) -> DateTime<Utc> {
    let application = &write.after.application;
    let decided = application.decided_at.unwrap_or(application.submitted_at);
    write.events.last().map_or(decided, |event| event.at)
}

/// The types that every application has in its usual life.
const USUAL_KINDS: [&str; 6] =
    ["submitted", "stage_completed", "deadline_set", "issued", "notification_sent", "completed"];

/// Says that events are somebody's own acts, in the words of a partial index.
const OF_PEOPLE: &str = " AND actor_kind <> 'system'";
/// Says that a type is none of [`USUAL_KINDS`], in the words of a partial index.
macro_rules! of_rare_kind {
    () => {
        " AND kind NOT IN ('submitted', 'stage_completed', 'deadline_set', 'issued', 'notification_sent', 'completed')"
    };
}
pub(crate) use of_rare_kind;

/// What a search of the audit log says beside its conditions, and what follows from them, so that an index is used.
pub fn index_words(filter: &EventFilter) -> impl Iterator<Item = &'static str> {
    let of_people = filter.actor.as_ref().is_some_and(|actor| *actor != Actor::system().id);
    let of_rare_kind = filter.kind.as_ref().is_some_and(|kind| !USUAL_KINDS.contains(&kind.as_str()));
    of_people.then_some(OF_PEOPLE).into_iter().chain(of_rare_kind.then_some(of_rare_kind!()))
}

/// The event that follows the head of a chain.
pub fn chained(
    head: &ChainHead,
    chain: ApplicationId,
    at: DateTime<Utc>,
    kind: &str,
    actor: Actor,
    stage: Option<&str>,
    data: &Value,
) -> StoredEvent {
    // Data is built from strings and small numbers; should an event ever hold another one, the log says so rather than
    // losing the event.
    let data = canonical_data(data).unwrap_or_else(|error| format!(r#"{{"problem":"{error}"}}"#));
    let seq = head.seq + 1;
    let event = ChainEvent { application_id: chain, seq, at, kind, actor: &actor, stage, data: &data };
    let hash = hash(&event, &head.hash);
    StoredEvent {
        application_id: chain,
        seq,
        at,
        kind: kind.to_owned(),
        stage: stage.map(str::to_owned),
        actor,
        data,
        hash,
        prev_hash: head.hash.clone(),
    }
}

/// An act that belongs to no application, as the event that follows the head of its actor's chain.
pub fn act_event(action: &OperatorAction, head: Option<ChainHead>) -> StoredEvent {
    let head = head.unwrap_or_else(|| ChainHead { seq: FIRST_SEQ - 1, hash: GENESIS.to_owned() });
    let OperatorAction { at, actor, kind, data } = action;
    chained(&head, acts_chain(actor), *at, kind, actor.clone(), None, data)
}

/// What the columns beside a review's document say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewColumns<'a> {
    /// Who holds the lease; none unless claimed.
    pub reviewer: Option<&'a str>,
    /// When the lease lapses; none unless claimed.
    pub lease_expires_at: Option<DateTime<Utc>>,
    /// When the decision takes effect; none when there is nothing left to take effect.
    pub takes_effect_at: Option<DateTime<Utc>>,
    /// The photo under review.
    pub photo_id: PhotoId,
}

impl<'a> ReviewColumns<'a> {
    /// Derives the columns.
    pub fn of(review: &'a Review) -> Self {
        let lease = review.lease.as_ref().filter(|_| review.state == ReviewState::Claimed);
        let decision = review.decision.as_ref().filter(|_| review.state == ReviewState::Decided);
        Self {
            reviewer: lease.map(|lease| lease.reviewer.as_str()),
            lease_expires_at: lease.map(|lease| lease.expires_at),
            takes_effect_at: decision.filter(|decision| !decision.effective).map(|decision| decision.takes_effect_at),
            photo_id: review.evidence.photo_id,
        }
    }
}

/// What the database knows of the keys and holders of a batch of admissions.
#[derive(Debug, Default)]
pub struct Known {
    /// Application and request hash under owner and key.
    pub keys: HashMap<(String, String), (ApplicationId, String)>,
    /// Holders with an open application.
    pub open_holders: HashSet<String>,
}

impl Known {
    /// Judges a batch in order, each admission in sight of those before it; `Created` ones are to be stored.
    /// The key is judged before the holder: a repeated request meets its own open application.
    pub fn judge(&mut self, batch: &[Admission]) -> Vec<Admitted> {
        batch.iter().map(|admission| self.judge_one(admission)).collect()
    }

    /// Those of a judged batch that are to be stored.
    pub fn created<'b>(batch: &'b [Admission], judged: &[Admitted]) -> Vec<&'b Admission> {
        let judged = batch.iter().zip(judged).filter(|(_, judged)| **judged == Admitted::Created);
        judged.map(|(admission, _)| admission).collect()
    }

    fn judge_one(&mut self, admission: &Admission) -> Admitted {
        let application = &admission.application;
        let key = (application.owner.clone(), admission.idempotency_key.clone());
        match self.keys.entry(key) {
            Entry::Occupied(known) if known.get().1 == admission.request_hash => Admitted::Replayed(known.get().0),
            Entry::Occupied(_) => Admitted::KeyReused,
            Entry::Vacant(_) if self.open_holders.contains(&application.holder) => Admitted::InProgress,
            Entry::Vacant(free) => {
                free.insert((application.id, admission.request_hash.clone()));
                self.open_holders.insert(application.holder.clone());
                Admitted::Created
            }
        }
    }
}

/// A cursor over the keys of a list's last item.
pub fn cursor<const N: usize>(keys: [&str; N]) -> String {
    URL_SAFE_NO_PAD.encode(keys.join("\n"))
}

/// The keys of a page's cursor; none for the first page.
///
/// # Errors
/// [`StoreError::BadCursor`] when it is not one that [`cursor`] made of so many keys.
pub fn after<const N: usize>(page: &Page) -> Result<Option<[String; N]>> {
    let Some(text) = &page.after else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| StoreError::BadCursor)?;
    let text = String::from_utf8(bytes).map_err(|_| StoreError::BadCursor)?;
    let keys: Vec<String> = text.split('\n').map(str::to_owned).collect();
    keys.try_into().map(Some).map_err(|_| StoreError::BadCursor)
}

/// One key of a cursor.
///
/// # Errors
/// [`StoreError::BadCursor`] when it does not parse.
pub fn cursor_key<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| StoreError::BadCursor)
}

/// Makes a page of items that were fetched with one more than the limit, so that the end is known.
pub fn listed<T>(mut items: Vec<T>, page: &Page, cursor_of: impl FnOnce(&T) -> String) -> Listed<T> {
    let more = items.len() > page.limit;
    items.truncate(page.limit);
    let next = items.last().filter(|_| more).map(cursor_of);
    Listed { items, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_say_what_follows_from_their_conditions() {
        let words = |actor: Option<&str>, kind: Option<&str>| {
            let filter = EventFilter {
                actor: actor.map(str::to_owned),
                kind: kind.map(str::to_owned),
                ..EventFilter::default()
            };
            index_words(&filter).collect::<Vec<_>>()
        };
        assert_eq!(words(Some("qian"), Some("stalled")), [OF_PEOPLE, of_rare_kind!()]);
        for kind in USUAL_KINDS {
            assert!(of_rare_kind!().contains(&format!("'{kind}'")), "{kind}");
            assert_eq!(words(Some("greenlane"), Some(kind)), [""; 0]);
        }
        assert_eq!(words(None, None), [""; 0]);
    }
}

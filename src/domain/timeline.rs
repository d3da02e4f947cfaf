//! How an application spent its time, read off its events: at work, waiting for a worker, backing off after a failure,
//! waiting for somebody.

use chrono::{DateTime, TimeDelta, Utc};

use super::wire::wire_enum;

wire_enum! {
    /// How time was spent.
    pub enum Spent as "use of time" {
        /// Running.
        Working = "working",
        /// Due, and waiting for a worker: none is free, or the queue is paused.
        Queued = "queued",
        /// Between a failed attempt and the next one.
        BackingOff = "backing_off",
        /// For a provider's answer, a rate limit, a circuit breaker.
        Waiting = "waiting",
        /// For a reviewer.
        Reviewing = "reviewing",
        /// For an operator.
        Stalled = "stalled",
    }
}

/// What an event says about time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: DateTime<Utc>,
    /// Wire name of the event's type.
    pub kind: String,
    /// Wire name of the stage that the event happened in.
    pub stage: Option<String>,
    /// Until when the event postponed the work.
    pub until: Option<DateTime<Utc>>,
    /// How long the run took that the event tells of, where it says so.
    pub ran: Option<TimeDelta>,
}

/// The time of an application in one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Wire name of the stage.
    pub stage: String,
    /// When the stage began.
    pub from: DateTime<Utc>,
    /// When it ended; the present moment for one that goes on.
    pub until: DateTime<Utc>,
    /// How the time was spent, in the order of [`Spent`].
    pub spent: [TimeDelta; Spent::ALL.len()],
    /// Failed attempts.
    pub failures: u32,
}

impl Passage {
    /// The whole time.
    pub fn total(&self) -> TimeDelta {
        self.until - self.from
    }
}

/// The present moment of an application that is not completed.
#[derive(Debug, Clone, Copy)]
pub struct Present {
    /// When.
    pub at: DateTime<Utc>,
    /// Whether a worker has a job of it.
    pub runs: bool,
}

/// The stages that an application passed, in order, from its events (oldest first). What is not over lasts until now, if
/// a present moment is given. Where no event says when a run began, waiting for a worker counts as work.
pub fn passages(events: &[Moment], present: Option<Present>) -> Vec<Passage> {
    let now = present.map(|present| present.at);
    let begun = begun(events, present);
    let mut passages: Vec<Passage> = Vec::new();
    let mut state = (Spent::Working, None);
    for (place, event) in events.iter().enumerate() {
        let end = events.get(place + 1).map(|next| (next.at, &next.stage)).or(now.map(|now| (now, &event.stage)));
        state = after(event).unwrap_or(state);
        if matches!(event.kind.as_str(), "attempt_failed" | "stalled" | "notification_failed")
            && let Some(last) = passages.last_mut()
        {
            last.failures += 1;
        }
        let Some((until, stage)) = end else { break };
        // The stage of the time between two events is the one that the later one happened in.
        let Some(stage) = stage.as_ref().or(event.stage.as_ref()) else { continue };
        if passages.last().is_none_or(|last| last.stage != *stage) {
            let spent = [TimeDelta::zero(); Spent::ALL.len()];
            passages.push(Passage { stage: stage.clone(), from: event.at, until: event.at, spent, failures: 0 });
        }
        let Some(passage) = passages.last_mut() else { continue };
        let until = until.max(event.at);
        passage.until = until;
        let (how, postponed) = state;
        // What is postponed becomes due in the end.
        let due = match how {
            Spent::Working => event.at,
            _ => postponed.map_or(until, |postponed: DateTime<Utc>| postponed.clamp(event.at, until)),
        };
        let taken = begun.get(place).copied().flatten().map_or(due, |began| began.clamp(due, until));
        add(passage, how, due - event.at);
        add(passage, Spent::Queued, taken - due);
        add(passage, Spent::Working, until - taken);
    }
    passages
}

/// When the run began that the time after each event leads to, where that is known: it is told by the event at its end.
/// What no worker has now begins later than now.
fn begun(events: &[Moment], present: Option<Present>) -> Vec<Option<DateTime<Utc>>> {
    let mut next = present.filter(|present| !present.runs).map(|present| present.at);
    let mut begun = Vec::with_capacity(events.len());
    for event in events.iter().rev() {
        begun.push(next);
        next = match event.ran {
            Some(ran) => Some(event.at - ran),
            None if after(event).is_some() => None,
            None => next,
        };
    }
    begun.reverse();
    begun
}

fn add(passage: &mut Passage, how: Spent, time: TimeDelta) {
    let place = Spent::ALL.iter().position(|other| *other == how);
    if let Some(sum) = place.and_then(|place| passage.spent.get_mut(place)) {
        *sum += time;
    }
}

/// How the time after an event is spent, and until when if that is known; none where the event changes nothing.
fn after(event: &Moment) -> Option<(Spent, Option<DateTime<Utc>>)> {
    match event.kind.as_str() {
        "attempt_failed" => Some((Spent::BackingOff, event.until)),
        "stage_waiting" => Some((Spent::Waiting, event.until)),
        "stalled" => Some((Spent::Stalled, None)),
        "review_opened" => Some((Spent::Reviewing, None)),
        "submitted"
        | "stage_completed"
        | "resumed"
        | "issued"
        | "rejected"
        | "cancelled"
        | "notification_sent"
        | "notification_failed"
        | "completed" => Some((Spent::Working, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn event(second: i64, kind: &str, stage: &str, until: Option<i64>) -> Moment {
        let stage = (!stage.is_empty()).then(|| stage.to_owned());
        Moment { at: at(second), kind: kind.to_owned(), stage, until: until.map(at), ran: None }
    }

    fn now(second: i64) -> Option<Present> {
        Some(Present { at: at(second), runs: true })
    }

    fn seconds(passage: &Passage) -> (&str, i64, [i64; 6], u32) {
        (&passage.stage, passage.total().num_seconds(), passage.spent.map(|time| time.num_seconds()), passage.failures)
    }

    #[test]
    fn every_second_is_spent_once() {
        let events = [
            event(0, "submitted", "eligibility", None),
            event(2, "attempt_failed", "eligibility", Some(12)),
            event(15, "stage_completed", "eligibility", None),
            event(16, "deadline_set", "face_verification", None),
            event(20, "stage_waiting", "face_verification", Some(80)),
            event(70, "stage_completed", "face_verification", None),
            event(71, "review_opened", "photo_review", None),
            event(100, "photo_viewed", "photo_review", None),
            event(131, "review_decided", "photo_review", None),
            event(131, "stage_completed", "photo_review", None),
            event(140, "stalled", "generation", None),
        ];
        let passages = passages(&events, now(200));
        let found: Vec<_> = passages.iter().map(seconds).collect();
        let expected = [
            ("eligibility", 15, [5, 0, 10, 0, 0, 0], 1),
            ("face_verification", 55, [5, 0, 0, 50, 0, 0], 0),
            ("photo_review", 61, [1, 0, 0, 0, 60, 0], 0),
            ("generation", 69, [9, 0, 0, 0, 0, 60], 1),
        ];
        assert_eq!(found, expected);
        for passage in &passages {
            assert_eq!(passage.spent.iter().sum::<TimeDelta>(), passage.total());
        }
    }

    #[test]
    fn waiting_for_a_worker_is_not_work() {
        let ran = |seconds, event: Moment| Moment { ran: Some(TimeDelta::seconds(seconds)), ..event };
        let events = vec![
            event(0, "submitted", "eligibility", None),
            ran(2, event(5, "attempt_failed", "eligibility", Some(15))),
            event(18, "deadline_warned", "eligibility", None),
            ran(1, event(20, "stage_completed", "eligibility", None)),
        ];
        let found = |runs, events: &[Moment]| {
            let passages = passages(events, Some(Present { at: at(30), runs }));
            passages.iter().map(|passage| seconds(passage).2).collect::<Vec<_>>()
        };
        // Three in the queue and two at work, ten off, four in the queue and one at work, and ten that go on.
        assert_eq!(found(true, &events), [[13, 7, 10, 0, 0, 0]]);
        assert_eq!(found(false, &events), [[3, 17, 10, 0, 0, 0]]);
        let issued = ran(3, event(24, "issued", "generation", None));
        let goes_on: Vec<_> = events.into_iter().chain([issued]).collect();
        assert_eq!(found(true, &goes_on), [[3, 7, 10, 0, 0, 0], [9, 1, 0, 0, 0, 0]]);
    }

    #[test]
    fn what_is_completed_lasts_no_longer() {
        let events = [event(0, "submitted", "eligibility", None), event(5, "completed", "", None)];
        assert_eq!(
            passages(&events, None).iter().map(seconds).collect::<Vec<_>>(),
            [("eligibility", 5, [5, 0, 0, 0, 0, 0], 0)]
        );
        assert!(passages(&[], now(1)).is_empty());
    }
}

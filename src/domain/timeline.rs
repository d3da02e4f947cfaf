//! How an application spent its time, read off its events: at work, backing off after a failure, waiting for somebody.
//!
//! The log has no event for the moment a worker takes a job, so that waiting for a worker counts as work.

use chrono::{DateTime, TimeDelta, Utc};

use super::wire::wire_enum;

wire_enum! {
    /// How time was spent.
    pub enum Spent as "use of time" {
        /// Running, or due and waiting for a worker.
        Working = "working",
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

/// The stages that an application passed, in order, from its events (oldest first). What is not over lasts until `now`,
/// if one is given.
pub fn passages(events: &[Moment], now: Option<DateTime<Utc>>) -> Vec<Passage> {
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
        let turns = postponed.map_or(until, |postponed: DateTime<Utc>| postponed.clamp(event.at, until));
        add(passage, how, turns - event.at);
        add(passage, Spent::Working, until - turns);
    }
    passages
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
        Moment { at: at(second), kind: kind.to_owned(), stage, until: until.map(at) }
    }

    fn seconds(passage: &Passage) -> (&str, i64, [i64; 5], u32) {
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
        let passages = passages(&events, Some(at(200)));
        let found: Vec<_> = passages.iter().map(seconds).collect();
        let expected = [
            ("eligibility", 15, [5, 10, 0, 0, 0], 1),
            ("face_verification", 55, [5, 0, 50, 0, 0], 0),
            ("photo_review", 61, [1, 0, 0, 60, 0], 0),
            ("generation", 69, [9, 0, 0, 0, 60], 1),
        ];
        assert_eq!(found, expected);
        for passage in &passages {
            assert_eq!(passage.spent.iter().sum::<TimeDelta>(), passage.total());
        }
    }

    #[test]
    fn what_is_completed_lasts_no_longer() {
        let events = [event(0, "submitted", "eligibility", None), event(5, "completed", "", None)];
        assert_eq!(
            passages(&events, None).iter().map(seconds).collect::<Vec<_>>(),
            [("eligibility", 5, [5, 0, 0, 0, 0], 0)]
        );
        assert!(passages(&[], Some(at(1))).is_empty());
    }
}

//! What the demonstration plays: every path and every family of rejections, with the ending that each must have.

use std::fmt;

use crate::domain::{
    application::{Channel, Kind, OutcomeCode, PhotoSource, Status},
    identity::DocumentType,
    photo_reason::PhotoReason,
};

mod table;

pub(super) use table::STORIES;

/// The applications of one person, one after the other; in a batch, of one person each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    /// The document of the person.
    pub(super) document: DocumentType,
    /// Digits 15 to 17 of the identity number, by which the simulated registry decides: one for each round.
    pub(super) sequences: &'static [u16],
    /// Whether the cases are sent together (`POST /v1/applications:batch`), with a line that is wrong.
    pub(super) batch: bool,
    /// The applications.
    pub(super) cases: &'static [Case],
}

/// One application and what happens to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// The row of the table.
    pub(super) family: &'static str,
    /// What is applied for.
    pub(super) kind: Kind,
    /// Where the photo comes from.
    pub(super) photo: PhotoSource,
    /// Decides what face verification answers.
    pub(super) face_token: &'static str,
    /// Decides what the SMS gateway answers.
    pub(super) mobile: &'static str,
    /// Decides what the push service answers.
    pub(super) app_user: &'static str,
    /// What changes in the registry beforehand, as JSON.
    pub(super) registry: Option<&'static str>,
    /// Who else acts.
    pub(super) act: Act,
    /// How it must end.
    pub(super) ends: Ends,
    /// The channel that the result cannot be told by.
    pub(super) unsent: Option<Channel>,
}

/// What people do with an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing: it takes its way.
    Nothing,
    /// The reviewer approves.
    Approve,
    /// The reviewer rejects.
    Reject(&'static [PhotoReason]),
    /// The reviewer rejects, takes it back in time, and approves.
    Reconsider,
    /// While the reviewer looks, the licence is suspended; then the reviewer approves.
    Suspend,
    /// The holder applies again meanwhile and is told to wait; then the reviewer approves.
    ApplyTwice,
    /// The review is left to the visitor.
    Leave,
    /// The upstream system withdraws it.
    Cancel,
    /// The upstream system sends the same request again.
    Replay,
    /// Face verification is unclear; the operator has seen the identity card.
    Accept,
    /// It stalls; the operator rejects.
    OperatorReject,
    /// It stalls on wrong registry data; they are corrected and the operator resumes.
    Correct,
}

/// How an application ends, as far as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// With a licence.
    Issued,
    /// Without one.
    Rejected(OutcomeCode),
    /// Withdrawn.
    Cancelled,
    /// With an operator.
    Stalled,
    /// With a reviewer.
    InReview,
}

impl Ends {
    const fn status(self) -> Status {
        match self {
            Self::Issued => Status::Issued,
            Self::Rejected(_) => Status::Rejected,
            Self::Cancelled => Status::Cancelled,
            Self::Stalled => Status::Stalled,
            Self::InReview => Status::InReview,
        }
    }
}

impl Case {
    /// The ending in words, as [`ending`] says what really happened.
    pub(super) fn expected(&self) -> String {
        let code = match self.ends {
            Ends::Rejected(code) => Some(code.as_str()),
            _ => None,
        };
        ending(self.ends.status().as_str(), code, self.unsent.as_slice().iter().map(|channel| channel.as_str()))
    }

    /// Whether the result goes out by a channel.
    pub(super) fn tells_by(&self, channel: Channel) -> bool {
        matches!(self.ends, Ends::Issued | Ends::Rejected(_)) && self.unsent != Some(channel)
    }
}

/// An ending in words: status, code of a rejection, and the channels that failed.
pub(super) fn ending<C: fmt::Display>(status: &str, code: Option<&str>, failed: impl Iterator<Item = C>) -> String {
    let mut text = status.to_owned();
    if let Some(code) = code {
        text = format!("{text}: {code}");
    }
    failed.fold(text, |text, channel| format!("{text}, {channel} failed"))
}

/// One person's part of the plan.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// The number of applications planned before: makes the person unique.
    pub(super) serial: usize,
    /// Digits 15 to 17.
    pub(super) sequence: u16,
    /// The person's document.
    pub(super) document: DocumentType,
    /// Whether they are sent together.
    pub(super) batch: bool,
    /// The applications, in order.
    pub(super) cases: Vec<Case>,
}

/// So many applications: the stories in order of importance, then the same again with other people. The last story may
/// lack its end.
pub(super) fn plan(applications: usize) -> Vec<Planned> {
    let mut planned: Vec<Planned> = Vec::new();
    let mut serial = 0;
    for round in 0.. {
        for story in STORIES {
            let cases: Vec<Case> = story.cases.iter().take(applications - serial).copied().collect();
            if cases.is_empty() {
                return planned;
            }
            let sequence = story.sequences.get(round % story.sequences.len().max(1)).copied().unwrap_or_default();
            let (document, batch, count) = (story.document, story.batch, cases.len());
            planned.push(Planned { serial, sequence, document, batch, cases });
            serial += count;
        }
    }
    planned
}

/// Leaves so many of the last plain reviews, those that nothing waits for, to the visitor.
pub(super) fn leave_reviews(planned: &mut [Planned], count: usize) {
    let last = planned.iter_mut().rev().filter_map(|planned| planned.cases.last_mut());
    for case in last.filter(|case| matches!(case.act, Act::Approve | Act::Reject(_))).take(count) {
        *case = Case {
            family: "a photo to review, left for you",
            act: Act::Leave,
            ends: Ends::InReview,
            unsent: None,
            ..*case
        };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_of_applications_is_kept() {
        for applications in [1, 2, 5, 59, 60, 61, 200, 1000] {
            let planned = plan(applications);
            assert_eq!(planned.iter().map(|one| one.cases.len()).sum::<usize>(), applications);
            assert!(planned.iter().all(|one| !one.cases.is_empty()));
            assert_eq!(planned.iter().map(|one| one.serial).collect::<HashSet<_>>().len(), planned.len());
        }
    }

    #[test]
    fn sixty_show_every_family_and_every_rejection() {
        let shown: Vec<Case> = plan(60).into_iter().flat_map(|one| one.cases).collect();
        let families: HashSet<&str> = shown.iter().map(|case| case.family).collect();
        for case in STORIES.iter().flat_map(|story| story.cases) {
            assert!(families.contains(case.family), "{}", case.family);
        }
        for &code in OutcomeCode::ALL {
            let end = match code {
                OutcomeCode::Issued => Ends::Issued,
                OutcomeCode::CancelledByUpstream => Ends::Cancelled,
                other => Ends::Rejected(other),
            };
            assert!(shown.iter().any(|case| case.ends == end), "{code}");
        }
    }

    #[test]
    fn some_rounds_meet_every_licence_status() {
        let sequences: HashSet<u16> = plan(600).iter().map(|one| one.sequence).collect();
        assert!((801..=822).all(|sequence| sequences.contains(&sequence)));
    }

    #[test]
    fn reviews_are_left_only_where_nothing_follows() {
        let mut planned = plan(60);
        leave_reviews(&mut planned, 3);
        let left = planned.iter().flat_map(|one| &one.cases).filter(|case| case.act == Act::Leave).count();
        assert_eq!(left, 3);
        for one in &planned {
            assert!(one.cases.iter().rev().skip(1).all(|case| case.act != Act::Leave));
        }
        let mut none = plan(1);
        leave_reviews(&mut none, 3);
        assert_eq!(none[0].cases[0].act, Act::Nothing);
    }

    #[test]
    fn endings_read_alike() {
        let case = Case { ends: Ends::Rejected(OutcomeCode::NotFiled), unsent: Some(Channel::Sms), ..table::PLAIN };
        assert_eq!(case.expected(), "rejected: not_filed, sms failed");
        assert!(case.tells_by(Channel::App) && !case.tells_by(Channel::Sms));
        assert_eq!(table::PLAIN.expected(), "issued");
    }
}

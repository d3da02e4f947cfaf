//! What a second person and a supervisor do with a review.

use std::time::Duration;

use serde_json::json;

use crate::domain::{
    cause::Refusal,
    event::EventType,
    review::{Review, ReviewDecision, ReviewState},
};

use super::{
    Draft,
    review::{Claimant, ESCALATION, holder, pending},
    reviewer,
};

impl Draft<'_> {
    /// A decision that does not stand alone: the task is open again, for somebody else.
    pub(super) fn ask_another(
        &mut self,
        mut review: Review,
        decision: ReviewDecision,
        disputed: bool,
    ) -> Result<(), Refusal> {
        let kind = if disputed { EventType::ReviewDisputed } else { EventType::ReviewSecondLook };
        self.system_event(kind, json!({ "review_id": review.id, "round": review.round }));
        review.earlier.push(decision);
        let priority = if disputed { review.priority.saturating_add(ESCALATION) } else { review.priority };
        let supervisor_only = review.supervisor_only || disputed;
        self.put(Review {
            state: ReviewState::Open,
            lease: None,
            decision: None,
            assigned_to: None,
            supervisor_only,
            priority,
            ..review
        })
    }

    /// Tells the log whose decision did not stand.
    pub(super) fn note_overturned(&mut self, review: &Review, decision: &ReviewDecision) {
        for earlier in review.earlier.iter().filter(|earlier| earlier.verdict != decision.verdict) {
            let data = json!({ "review_id": review.id, "reviewer": earlier.reviewer, "decision": earlier.verdict });
            self.event(EventType::ReviewOverturned, reviewer(&decision.reviewer), data);
        }
    }

    /// Another lease on a claimed task: of its holder, in another tab, or of a supervisor.
    pub(super) fn take_over(&mut self, review: Review, by: Claimant, token_hash: String) -> Result<(), Refusal> {
        if review.state != ReviewState::Claimed {
            return Err(if review.decision.is_some() { Refusal::ReviewDecided } else { Refusal::LeaseLost });
        }
        let from = holder(&review);
        if from != by.name && !by.supervisor {
            return Err(Refusal::AlreadyClaimed);
        }
        self.admit_reviewer(&review, &by)?;
        let data = json!({ "review_id": review.id, "from": from });
        self.event(EventType::ReviewTakenOver, reviewer(&by.name), data);
        self.lease(review, by.name, token_hash)
    }

    pub(super) fn reassign(&mut self, review: Review, by: &str, to: String, reason: &str) -> Result<(), Refusal> {
        match review.state {
            ReviewState::Open | ReviewState::Claimed => {}
            ReviewState::Decided | ReviewState::Withdrawn => return Err(Refusal::ReviewDecided),
        }
        if self.app_ref().reviewed_by.contains(&to) || review.was_decided_by(&to) {
            return Err(Refusal::ConflictOfInterest);
        }
        let data = json!({ "review_id": review.id, "from": review.lease.as_ref().map(|lease| &lease.reviewer), "to": to, "reason": reason });
        self.event(EventType::ReviewReassigned, reviewer(by), data);
        // Given to somebody by a supervisor, an escalated task is that person's.
        let (assigned_to, supervisor_only) = (Some(to), review.is_disputed());
        self.put(Review {
            state: ReviewState::Open,
            lease: None,
            postponed_until: None,
            assigned_to,
            supervisor_only,
            ..review
        })
    }

    /// Only a decision that has not taken effect: what was told to the applicant is answered by another application.
    pub(super) fn reopen(&mut self, review: Review, by: &str, reason: &str) -> Result<(), Refusal> {
        let Some(decision) = pending(&review) else {
            return Err(if review.decision.is_some() { Refusal::AlreadyDecided } else { Refusal::NotDecided });
        };
        let data = json!({
            "review_id": review.id, "reviewer": decision.reviewer, "decision": decision.verdict, "reason": reason,
        });
        self.event(EventType::ReviewReopened, reviewer(by), data);
        self.put(Review { state: ReviewState::Open, lease: None, decision: None, ..review })
    }

    /// Before the first decision takes effect; from then on there is a second look, or it is too late for one.
    pub(super) fn demand_second(&mut self, review: Review, by: &str, reason: &str) -> Result<(), Refusal> {
        let is_settled = review.state == ReviewState::Withdrawn
            || review.decision.as_ref().is_some_and(|decision| decision.effective);
        if is_settled {
            return Err(Refusal::ReviewDecided);
        }
        if review.second_demanded || !review.earlier.is_empty() {
            return Err(Refusal::Nothing);
        }
        let data = json!({ "review_id": review.id, "reason": reason });
        self.event(EventType::ReviewSecondDemanded, reviewer(by), data);
        self.put(Review { second_demanded: true, ..review })
    }

    /// Never beyond the due time: by then it is offered again.
    pub(super) fn postpone_review(&mut self, review: Review, wait: Duration, reason: &str) -> Result<(), Refusal> {
        let by = holder(&review);
        let until = self.later(wait);
        let until = review.due_at.map_or(until, |due_at| until.min(due_at));
        let data = json!({ "review_id": review.id, "until": until, "reason": reason });
        self.event(EventType::ReviewPostponed, reviewer(&by), data);
        self.put(Review { state: ReviewState::Open, lease: None, postponed_until: Some(until), ..review })
    }
}

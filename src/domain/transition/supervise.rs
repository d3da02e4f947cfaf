//! What a second person and a supervisor do with a review.

use std::time::Duration;

use serde_json::json;

use crate::domain::{
    application::{OutcomeCode, Status},
    cause::Refusal,
    event::EventType,
    job::Slot,
    review::{FormerRound, Review, ReviewDecision, ReviewState, Verdict},
};

use super::{
    Draft,
    review::{Claimant, ESCALATION, holder},
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

    pub(super) fn reassign(
        &mut self,
        review: Review,
        by: &str,
        to: Option<String>,
        reason: &str,
    ) -> Result<(), Refusal> {
        match review.state {
            ReviewState::Open if to == review.assigned_to => return Err(Refusal::Nothing),
            ReviewState::Open | ReviewState::Claimed => {}
            ReviewState::Decided | ReviewState::Withdrawn => return Err(Refusal::ReviewDecided),
        }
        if to.as_ref().is_some_and(|to| self.app_ref().reviewed_by.contains(to) || review.was_decided_by(to)) {
            return Err(Refusal::ConflictOfInterest);
        }
        let data = json!({ "review_id": review.id, "from": review.lease.as_ref().map(|lease| &lease.reviewer), "to": to, "reason": reason });
        self.event(EventType::ReviewReassigned, reviewer(by), data);
        // Given to somebody by a supervisor, an escalated task is that person's.
        let supervisor_only = if to.is_some() { review.is_disputed() } else { review.supervisor_only };
        self.put(Review {
            state: ReviewState::Open,
            lease: None,
            postponed_until: None,
            assigned_to: to,
            supervisor_only,
            ..review
        })
    }

    /// Another round, for people who have not decided on it: as long as nothing has reached the applicant. What has is
    /// answered by another application.
    pub(super) fn reopen(&mut self, mut review: Review, by: &str, reason: &str) -> Result<(), Refusal> {
        let Some(decision) = review.decision.take() else { return Err(Refusal::NotDecided) };
        self.can_reopen(&decision)?;
        let data = json!({
            "review_id": review.id, "round": review.round, "reviewer": decision.reviewer, "decision": decision.verdict,
            "reason": reason,
        });
        let decisions: Vec<_> = std::mem::take(&mut review.earlier).into_iter().chain([decision]).collect();
        self.remember_reviewers(&decisions);
        self.event(EventType::ReviewReopened, reviewer(by), data);
        review.former.push(FormerRound {
            round: review.round,
            decisions,
            reopened_by: by.to_owned(),
            reopened_at: self.cx.now,
            reason: reason.to_owned(),
        });
        let round = review.round + 1;
        self.back_to_review(round);
        self.put(Review {
            state: ReviewState::Open,
            round,
            lease: None,
            supervisor_only: false,
            assigned_to: None,
            postponed_until: None,
            ..review
        })
    }

    fn can_reopen(&self, decision: &ReviewDecision) -> Result<(), Refusal> {
        let app = self.app_ref();
        match (app.status, app.outcome.as_ref().map(|outcome| outcome.code)) {
            (Status::InReview, _) => Ok(()),
            // The licence is not made yet; what a run makes of it meanwhile comes too late for its fence.
            (Status::InProgress | Status::Stalled, _) if decision.verdict == Verdict::Approve => Ok(()),
            (Status::Rejected, Some(OutcomeCode::PhotoRejected)) if self.is_untold() => Ok(()),
            (Status::Rejected, Some(OutcomeCode::PhotoRejected)) => Err(Refusal::AlreadyTold),
            (Status::Issued, _) => Err(Refusal::AlreadyIssued),
            _ => Err(Refusal::AlreadyDecided),
        }
    }

    /// Whether no process ever took up a notification: whatever became of a try, it may have got through.
    fn is_untold(&self) -> bool {
        self.app_ref().notices.iter().all(|notice| {
            let job = self.plan.after.job(Slot::of(notice.channel));
            job.is_some_and(|job| job.lease.is_none() && job.fence == notice.planned_at_fence)
        })
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

//! What happens to a photo review.

use serde_json::json;

use crate::domain::{
    application::{OutcomeCode, Status},
    cause::{Refusal, ReviewAct},
    decision::{Finding, Rejection},
    event::EventType,
    ids::ReviewId,
    job::{Job, Slot},
    review::{NextLook, Review, ReviewDecision, ReviewLease, ReviewState, Verdict},
    stage::{Stage, outcome},
};

use super::{Draft, reviewer};

/// What an escalated review gains in priority.
pub(super) const ESCALATION: i16 = 5;

/// Who wants a review.
pub(super) struct Claimant {
    pub(super) name: String,
    pub(super) supervisor: bool,
    /// Blind index of their own document.
    pub(super) document: Option<String>,
}

impl Draft<'_> {
    pub(super) fn review(&mut self, id: ReviewId, act: ReviewAct) -> Result<(), Refusal> {
        let review = self.plan.after.review.clone().filter(|review| review.id == id).ok_or(Refusal::NoSuchReview)?;
        match act {
            ReviewAct::Claim { reviewer, supervisor, document, token_hash } => {
                let by = Claimant { name: reviewer, supervisor, document };
                self.claim(review, by, token_hash)
            }
            ReviewAct::TakeOver { reviewer, supervisor, document, token_hash } => {
                let by = Claimant { name: reviewer, supervisor, document };
                self.take_over(review, by, token_hash)
            }
            ReviewAct::Reassign { supervisor, to, reason } => self.reassign(review, &supervisor, to, &reason),
            ReviewAct::Reopen { supervisor, reason } => self.reopen(review, &supervisor, &reason),
            ReviewAct::DemandSecond { supervisor, reason } => self.demand_second(review, &supervisor, &reason),
            ReviewAct::Postpone { token_hash, wait, reason } => {
                let review = self.held(review, &token_hash)?;
                self.postpone_review(review, wait, &reason)
            }
            ReviewAct::Reveal { token_hash, fact } => {
                let review = self.held(review, &token_hash)?;
                let data = json!({ "review_id": review.id, "fact": fact });
                self.event(EventType::FactRevealed, reviewer(&holder(&review)), data);
                Ok(())
            }
            ReviewAct::Heartbeat { token_hash } => {
                let review = self.held(review, &token_hash)?;
                let by = holder(&review);
                self.lease(review, by, token_hash)
            }
            ReviewAct::Release { token_hash, reason } => {
                let review = self.held(review, &token_hash)?;
                let by = holder(&review);
                self.event(
                    EventType::ReviewReleased,
                    reviewer(&by),
                    json!({ "review_id": review.id, "reason": reason }),
                );
                self.put(Review { state: ReviewState::Open, lease: None, ..review })
            }
            ReviewAct::Escalate { token_hash } => {
                let review = self.held(review, &token_hash)?;
                let by = holder(&review);
                self.event(EventType::ReviewEscalated, reviewer(&by), json!({ "review_id": review.id }));
                let priority = review.priority.saturating_add(ESCALATION);
                self.put(Review { state: ReviewState::Open, lease: None, supervisor_only: true, priority, ..review })
            }
            ReviewAct::Decide { token_hash, verdict, reasons, evidence_hash, undo, signed_in } => {
                if let Some(made) = review.decisions().find(|made| made.token_hash == token_hash) {
                    let same = made.says(verdict, &reasons);
                    return Err(if same { Refusal::Nothing } else { Refusal::ReviewDecided });
                }
                if review.decision.is_some() {
                    return Err(Refusal::ReviewDecided);
                }
                let review = self.held(review, &token_hash)?;
                if evidence_hash.is_some_and(|seen| seen != review.evidence.hash) {
                    return Err(Refusal::StaleEvidence);
                }
                let decision = ReviewDecision {
                    verdict,
                    reasons,
                    reviewer: holder(&review),
                    token_hash,
                    decided_at: self.cx.now,
                    takes_effect_at: self.later(undo),
                    effective: false,
                    sampled: signed_in && review.is_sampled(self.cx.timing.second_look_share),
                };
                self.decide_review(review, decision)
            }
            ReviewAct::Undo { token_hash } => self.undo(review, token_hash),
        }
    }

    fn claim(&mut self, review: Review, by: Claimant, token_hash: String) -> Result<(), Refusal> {
        let lapsed = self.has_lapsed(&review);
        if review.state != ReviewState::Open && !lapsed {
            return Err(Refusal::AlreadyClaimed);
        }
        self.admit_reviewer(&review, &by)?;
        if self.cx.claims >= self.cx.timing.claim_limit {
            return Err(Refusal::ClaimLimit);
        }
        let review = if lapsed { self.lapse(review) } else { review };
        self.event(EventType::ReviewClaimed, reviewer(&by.name), json!({ "review_id": review.id }));
        self.lease(review, by.name, token_hash)
    }

    /// Whether a person may review the task at all.
    pub(super) fn admit_reviewer(&self, review: &Review, by: &Claimant) -> Result<(), Refusal> {
        if review.supervisor_only && !by.supervisor {
            return Err(Refusal::SupervisorOnly);
        }
        let app = self.app_ref();
        let is_own = by.document.as_ref().is_some_and(|document| *document == app.holder);
        if is_own || app.reviewed_by.contains(&by.name) || review.was_decided_by(&by.name) {
            return Err(Refusal::ConflictOfInterest);
        }
        if !by.supervisor && review.assigned_to.as_ref().is_some_and(|to| *to != by.name) {
            return Err(Refusal::AssignedToOther);
        }
        Ok(())
    }

    /// Grants or extends a lease.
    pub(super) fn lease(&mut self, review: Review, reviewer: String, token_hash: String) -> Result<(), Refusal> {
        let expires_at = self.later(self.cx.timing.review_lease);
        self.put(Review {
            state: ReviewState::Claimed,
            lease: Some(ReviewLease { reviewer, token_hash, expires_at }),
            postponed_until: None,
            ..review
        })
    }

    fn held(&self, review: Review, token_hash: &str) -> Result<Review, Refusal> {
        if review.is_held_by(token_hash, self.cx.now) { Ok(review) } else { Err(Refusal::LeaseLost) }
    }

    fn decide_review(&mut self, review: Review, decision: ReviewDecision) -> Result<(), Refusal> {
        let data = json!({
            "review_id": review.id, "round": review.round, "decision": decision.verdict, "reasons": decision.reasons,
            "evidence_hash": review.evidence.hash, "takes_effect_at": decision.takes_effect_at,
        });
        self.event(EventType::ReviewDecided, reviewer(&decision.reviewer), data);
        let at_once = decision.takes_effect_at <= self.cx.now;
        self.put(Review { state: ReviewState::Decided, lease: None, decision: Some(decision), ..review })?;
        if at_once { self.take_effect() } else { Ok(()) }
    }

    /// The decision moves the application, unless somebody else has to look first.
    fn take_effect(&mut self) -> Result<(), Refusal> {
        let Some(review) = self.plan.after.review.clone() else { return Err(Refusal::Nothing) };
        let Some(decision) = review.decision.clone() else { return Err(Refusal::Nothing) };
        let reasons = match review.next_look(&decision) {
            NextLook::Nobody(reasons) => reasons,
            NextLook::SecondPerson => return self.ask_another(review, decision, false),
            NextLook::Supervisor => return self.ask_another(review, decision, true),
        };
        let decision = ReviewDecision { effective: true, ..decision };
        self.note_overturned(&review, &decision);
        self.app().waiting = None;
        self.remember_reviewers(review.earlier.iter().chain([&decision]));
        self.plan.after.review = Some(Review { decision: Some(decision.clone()), ..review });
        match decision.verdict {
            Verdict::Approve => {
                let job = Job::due(Slot::Main, Stage::PhotoReview, self.cx.now, 0, 0);
                self.advance(&job, outcome::APPROVED, Finding::Approved { reviewer: decision.reviewer });
            }
            Verdict::Reject => {
                let rejection =
                    Rejection { reasons, ..Rejection::new(OutcomeCode::PhotoRejected, "rejected by a reviewer") };
                self.end_rejected(reviewer(&decision.reviewer), rejection);
            }
        }
        Ok(())
    }

    /// Who decided does not decide again on this application.
    pub(super) fn remember_reviewers<'d>(&mut self, decisions: impl IntoIterator<Item = &'d ReviewDecision>) {
        let names = &mut self.app().reviewed_by;
        for ReviewDecision { reviewer, .. } in decisions {
            if !names.contains(reviewer) {
                names.push(reviewer.clone());
            }
        }
    }

    fn undo(&mut self, review: Review, token_hash: String) -> Result<(), Refusal> {
        let Some(decision) = pending(&review).filter(|decision| decision.takes_effect_at > self.cx.now) else {
            let was_decided =
                review.decision.is_some() || review.earlier.iter().any(|decision| decision.token_hash == token_hash);
            return Err(if was_decided { Refusal::ReviewDecided } else { Refusal::LeaseLost });
        };
        if decision.token_hash != token_hash {
            return Err(Refusal::LeaseLost);
        }
        let by = decision.reviewer.clone();
        self.event(EventType::ReviewUndone, reviewer(&by), json!({ "review_id": review.id }));
        self.lease(Review { decision: None, ..review }, by, token_hash)
    }

    pub(super) fn review_clock(&mut self) -> Result<(), Refusal> {
        let review = self.plan.after.review.clone().ok_or(Refusal::Nothing)?;
        if pending(&review).is_some_and(|decision| decision.takes_effect_at <= self.cx.now) {
            return self.take_effect();
        }
        if !self.has_lapsed(&review) {
            return Err(Refusal::Nothing);
        }
        let review = self.lapse(review);
        self.put(review)
    }

    pub(super) fn has_lapsed(&self, review: &Review) -> bool {
        review.state == ReviewState::Claimed
            && review.lease.as_ref().is_some_and(|lease| lease.expires_at <= self.cx.now)
    }

    /// A lease that lapsed is counted and returns the task; it is never a failed attempt.
    pub(super) fn lapse(&mut self, review: Review) -> Review {
        let by = holder(&review);
        self.system_event(EventType::ReviewLeaseLapsed, json!({ "review_id": review.id, "reviewer": by }));
        Review { state: ReviewState::Open, lease: None, lapsed_leases: review.lapsed_leases + 1, ..review }
    }

    /// The application ends without the reviewer.
    pub(super) fn withdraw_review(&mut self) {
        if self.app().status != Status::InReview {
            return;
        }
        if let Some(review) = self.plan.after.review.take() {
            self.system_event(EventType::ReviewWithdrawn, json!({ "review_id": review.id }));
            self.plan.after.review = Some(Review { state: ReviewState::Withdrawn, lease: None, ..review });
        }
    }

    pub(super) fn put(&mut self, review: Review) -> Result<(), Refusal> {
        self.plan.after.review = Some(review);
        Ok(())
    }
}

/// The decision that waits for the end of its undo window. A cancelled application's review has none any more.
fn pending(review: &Review) -> Option<&ReviewDecision> {
    review.decision.as_ref().filter(|decision| review.state == ReviewState::Decided && !decision.effective)
}

pub(super) fn holder(review: &Review) -> String {
    review.lease.as_ref().map(|lease| lease.reviewer.clone()).unwrap_or_default()
}

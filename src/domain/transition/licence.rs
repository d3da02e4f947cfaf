//! What happens to a licence after its issue: the registry's word changes, its card is refused or drawn again, it is
//! checked, its service ends.

use serde_json::json;

use crate::domain::{
    application::{Channel, Notice, NoticeState, Status},
    cause::Refusal,
    event::{Actor, EventType},
    ids::LicenceId,
    job::{Job, Slot},
    licence_watch::{CardProblem, LicenceWatch, is_known, shown_as},
    plan::AlertKind,
    presentation::{Purpose, Refused},
};

use super::Draft;

impl Draft<'_> {
    /// Notes what is new. Operators and the holder hear that the licence is shown otherwise, and the holder once that a
    /// reissue is needed.
    pub(super) fn registry_saw(
        &mut self,
        issued: &str,
        status: String,
        unknown: Option<String>,
        reissue_needed: bool,
    ) -> Result<(), Refusal> {
        let licence_id = self.app_ref().licence_id;
        let watch = self.watch()?;
        let known = watch.status.take().unwrap_or_else(|| issued.to_owned());
        if watch.terminated || (known == status && watch.reissue_needed == reissue_needed) {
            return Err(Refusal::Nothing);
        }
        let data = json!({ "licence_id": licence_id, "from": known, "to": status, "reissue_needed": reissue_needed });
        let changed = shown_as(&known) != shown_as(&status);
        let tells_status = changed && is_known(&known) && is_known(&status);
        watch.status = Some(status);
        watch.reissue_needed = reissue_needed;
        let tells_reissue = reissue_needed && watch.notices.is_empty();
        self.system_event(EventType::LicenceStatusChanged, data);
        if let Some(letters) = unknown {
            self.alert_of_status(letters);
        }
        if changed {
            self.alert(AlertKind::LicenceStatusChanged);
        }
        if tells_status {
            let notices = self.plan_notices(Slot::status);
            let watch = self.watch()?;
            // One that is not sent yet has nothing else to say: this one takes its place.
            watch.status_notices = notices;
            watch.status_round += 1;
        }
        if tells_reissue {
            // These stay for ever: who has them was told.
            let notices = self.plan_notices(Slot::reapply);
            self.watch()?.notices = notices;
        }
        Ok(())
    }

    /// Jobs that tell the holder by the channels that told of the issue.
    fn plan_notices(&mut self, slot_of: impl Fn(Channel) -> Slot) -> Vec<Notice> {
        let (now, notices) = (self.cx.now, &self.cx.workflow.notices);
        let channels = notices.after(Status::Issued).map_or(Vec::new(), |notice| notice.channels.clone());
        let stage = notices.stage;
        let priority = self.app_ref().priority;
        let plan = |channel| {
            let slot = slot_of(channel);
            // Above that of every earlier job, so that whoever runs one of them settles nothing of this.
            let earlier = self.plan.after.job(slot).map_or(0, |job| job.fence);
            let fence = self.app_ref().last_fence.max(earlier);
            self.plan.after.put_job(Job::due(slot, stage, now, fence, priority));
            Notice { channel, state: NoticeState::Pending, attempts: 0, planned_at_fence: fence }
        };
        channels.into_iter().map(plan).collect()
    }

    /// Operators hear of each reason once, however often the holder asks for the card.
    pub(super) fn card_refused(&mut self, problem: CardProblem) -> Result<(), Refusal> {
        if self.watch()?.card_problem.replace(problem) == Some(problem) {
            return Err(Refusal::Nothing);
        }
        let licence_id = self.app_ref().licence_id;
        self.system_event(EventType::CardRefused, json!({ "licence_id": licence_id, "reason": problem }));
        self.alert(AlertKind::CardRefused);
        Ok(())
    }

    /// What was mended needs nobody any more.
    pub(super) fn card_drawn(&mut self) -> Result<(), Refusal> {
        self.watch()?.card_problem.take().ok_or(Refusal::Nothing)?;
        let licence_id = self.app_ref().licence_id;
        self.system_event(EventType::CardDrawn, json!({ "licence_id": licence_id }));
        Ok(())
    }

    pub(super) fn terminate(&mut self, actor: Actor, licence: LicenceId, reason: &str) -> Result<(), Refusal> {
        if self.app_ref().licence_id != Some(licence) {
            return Err(Refusal::LicenceNotCurrent);
        }
        let watch = self.watch()?;
        if std::mem::replace(&mut watch.terminated, true) {
            return Err(Refusal::LicenceNotCurrent);
        }
        self.event(EventType::LicenceTerminated, actor, json!({ "licence_id": licence, "reason": reason }));
        Ok(())
    }

    pub(super) fn verified(
        &mut self,
        actor: Actor,
        key_id: Option<&str>,
        verifier: &str,
        purpose: Purpose,
        refused: Option<Refused>,
    ) -> Result<(), Refusal> {
        let licence_id = self.app_ref().licence_id.ok_or(Refusal::LicenceNotCurrent)?;
        let data = json!({
            "licence_id": licence_id, "verifier": verifier, "key_id": key_id, "purpose": purpose, "valid": refused.is_none(), "reason": refused,
        });
        self.event(EventType::LicenceVerified, actor, data);
        Ok(())
    }

    fn watch(&mut self) -> Result<&mut LicenceWatch, Refusal> {
        if self.app_ref().licence_id.is_none() {
            return Err(Refusal::LicenceNotCurrent);
        }
        Ok(self.app().watch.get_or_insert_default())
    }
}

//! 资格核查: whether the holder may have an electronic licence, and this photo, at all (R04, R05, R13–R21).

use async_trait::async_trait;

use crate::{
    domain::{
        application::{Kind, OutcomeCode, PhotoSource},
        calendar::local_date,
        deadline::six_months_after,
        decision::{Decision, Finding, LicenceFacts, Rejection},
        stage::{Stage, outcome},
    },
    engine::run::{Run, StageRunner},
    licences::record::facts,
    providers::Licence,
};

use super::{Tools, interrupted, registry::eligible_licence};

pub(super) struct Eligibility(pub(super) Tools);

#[async_trait]
impl StageRunner for Eligibility {
    fn stage(&self) -> Stage {
        Stage::Eligibility
    }

    async fn run(&self, run: &Run) -> Decision {
        self.decide(run).await.unwrap_or_else(|instead| instead)
    }
}

impl Eligibility {
    async fn decide(&self, run: &Run) -> Result<Decision, Decision> {
        let licence = eligible_licence(&self.0, run).await?;
        let application = run.application();
        retained_photo(application.photo.source, &licence)?;
        let licence_facts = facts(&licence);
        if application.kind != Kind::FirstIssue {
            self.issued_before(run, &licence_facts).await?;
        }
        Ok(Decision::Advance {
            outcome: outcome::ELIGIBLE,
            finding: Finding::Eligible { status: licence.status, licence: licence_facts },
        })
    }

    /// What a reissue and a photo change need of the licence that was issued before.
    async fn issued_before(&self, run: &Run, now: &LicenceFacts) -> Result<(), Decision> {
        let (store, application) = (&self.0.store, run.application());
        let current = store.current_licence(&application.holder).await.map_err(|error| interrupted(&error))?;
        if application.kind == Kind::Reissue {
            return match current {
                Some(current) if current.facts.same_as(now) => {
                    reject(OutcomeCode::Unchanged, "nothing changed since the issue")
                }
                None if application.photo.source == PhotoSource::Previous => {
                    reject(OutcomeCode::NotIssued, "there is no licence whose photo could be used again")
                }
                _ => Ok(()),
            };
        }
        if current.is_none() {
            return reject(OutcomeCode::NotIssued, "no electronic licence is issued");
        }
        // Only approved changes count: those that ended in a new record.
        let last =
            store.last_issued(&application.holder, Kind::PhotoChange).await.map_err(|error| interrupted(&error))?;
        match last {
            Some(last) if local_date(application.submitted_at) < six_months_after(local_date(last)) => {
                reject(OutcomeCode::PhotoChangeTooSoon, "the last photo change is less than six months ago")
            }
            _ => Ok(()),
        }
    }
}

fn retained_photo(source: PhotoSource, licence: &Licence) -> Result<(), Decision> {
    let photo = licence.retained_photo;
    match source {
        PhotoSource::Retained if !photo.available => {
            reject(OutcomeCode::RetainedPhotoUnsuitable, "there is no retained photo")
        }
        PhotoSource::Retained if !photo.suitable => {
            reject(OutcomeCode::RetainedPhotoUnsuitable, "the retained photo is not suitable")
        }
        _ => Ok(()),
    }
}

fn reject<T>(code: OutcomeCode, detail: &str) -> Result<T, Decision> {
    Err(Decision::Reject(Rejection::new(code, detail)))
}

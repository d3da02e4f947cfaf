//! 资格核查: whether the holder may have an electronic licence, and this photo, at all (R04, R05, R13–R21, R30).

use async_trait::async_trait;

use crate::{
    domain::{
        application::{OutcomeCode, PhotoSource},
        decision::{Decision, Finding},
        stage::{Stage, outcome},
    },
    engine::run::{Run, StageRunner},
    licences::record::facts,
    providers::Licence,
};

use super::{Tools, held::superseded, registry::eligible_licence, reject};

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
        retained_photo(run.application().photo.source, &licence)?;
        let licence_facts = facts(&licence);
        superseded(&self.0, run, &licence_facts).await?;
        Ok(Decision::Advance {
            outcome: outcome::ELIGIBLE,
            finding: Finding::Eligible { status: licence.status, licence: licence_facts },
        })
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

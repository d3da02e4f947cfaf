//! 生成: looks at the licence status once more and writes the licence record.

use async_trait::async_trait;

use crate::{
    domain::{
        application::{Photo, PhotoSource},
        decision::{Decision, Failure},
        stage::Stage,
    },
    engine::run::{Run, StageRunner},
    licences::record::Record,
};

use super::{Tools, interrupted, registry::eligible_licence};

pub(super) struct Generation(pub(super) Tools);

#[async_trait]
impl StageRunner for Generation {
    fn stage(&self) -> Stage {
        Stage::Generation
    }

    async fn run(&self, run: &Run) -> Decision {
        self.generate(run).await.unwrap_or_else(|instead| instead)
    }
}

impl Generation {
    async fn generate(&self, run: &Run) -> Result<Decision, Decision> {
        let licence = eligible_licence(&self.0, run).await?;
        let photo = self.portrait(run).await?;
        let record = Record::new(run.application(), run.applicant(), &licence, photo);
        match record.seal(&self.0.secrets) {
            Ok(sealed) => Ok(Decision::Issue(Box::new(sealed))),
            Err(error) => Err(Decision::Stall(Failure::new("record_not_sealed", error.to_string()))),
        }
    }

    /// The photo of the record: `previous` is the one of the licence that this one supersedes.
    async fn portrait(&self, run: &Run) -> Result<Photo, Decision> {
        let application = run.application();
        if application.photo.source != PhotoSource::Previous {
            return Ok(application.photo.clone());
        }
        let current = self.0.store.current_licence(&application.holder).await.map_err(|error| interrupted(&error))?;
        let gone = || {
            Decision::Stall(Failure::new("previous_photo_missing", "the previous licence has no photo to use again"))
        };
        let current = current.ok_or_else(gone)?;
        Record::open(&self.0.secrets, current.id, &current.sealed).map(|record| record.photo).map_err(|_| gone())
    }
}

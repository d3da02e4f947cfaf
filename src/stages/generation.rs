//! 生成: looks at the licence status and at what the holder has once more, keeps the portrait and writes the licence record.

use async_trait::async_trait;

use crate::{
    domain::{
        application::{OutcomeCode, Photo, PhotoSource},
        decision::{Decision, Failure, NewLicence},
        licence_watch::CardProblem,
        stage::Stage,
    },
    engine::run::{Run, StageRunner},
    licences::record::{Record, facts},
    photos::VaultError,
    store::types::LicenceRecord,
};

use super::{
    Tools, failure,
    held::superseded,
    interrupted,
    registry::{document, eligible_licence},
    reject, unanswered,
};

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
        let current = superseded(&self.0, run, &facts(&licence)).await?;
        let photo = self.portrait(run, current.as_ref()).await?;
        let mut record = Record::new(run.application(), run.applicant(), &licence, photo);
        record.supersedes = current.map(|current| current.id);
        // A name that cannot be drawn is no fault of its holder: operators know of it before anybody asks for the card.
        let card_problem = (!self.0.cards.missing(record.printed()).is_empty()).then_some(CardProblem::GlyphMissing);
        match record.seal(&self.0.secrets) {
            Ok(licence) => Ok(Decision::Issue(Box::new(NewLicence { card_problem, ..licence }))),
            Err(error) => Err(Decision::Stall(Failure::new("record_not_sealed", error.to_string()))),
        }
    }

    /// The photo of the record: `previous` is the one of the licence that this one supersedes, and every one is stored.
    async fn portrait(&self, run: &Run, current: Option<&LicenceRecord>) -> Result<Photo, Decision> {
        match run.application().photo.source {
            PhotoSource::Camera | PhotoSource::Album => Ok(run.application().photo.clone()),
            PhotoSource::Retained => self.retained(run).await,
            PhotoSource::Previous => self.previous(run, current).await,
        }
    }

    /// The photo of the licence that this one supersedes.
    async fn previous(&self, run: &Run, current: Option<&LicenceRecord>) -> Result<Photo, Decision> {
        let Some(current) = current else {
            let missing = Failure::new("previous_photo_missing", "the previous licence has no photo to use again");
            return Err(Decision::Stall(missing));
        };
        // A key that this machine lacks, or a changed record: nothing that the counter could mend.
        let record = Record::open(&self.0.secrets, current.id, &current.sealed)
            .map_err(|error| Decision::Stall(Failure::new("record_not_opened", error.to_string())))?;
        // An earlier version named the registry's picture without keeping it.
        if record.photo.photo_id.is_none() { self.retained(run).await } else { Ok(record.photo) }
    }

    /// The registry's picture, kept: the card needs it long after this moment.
    async fn retained(&self, run: &Run) -> Result<Photo, Decision> {
        let (application, tools) = (run.application(), &self.0);
        let request_id = format!("{}:photo", application.id);
        let picture = tools
            .providers
            .registry
            .query_photo(document(run.applicant()), &request_id)
            .await
            .map_err(|error| unanswered(error, |error| Decision::Stall(failure(error))))?;
        let Some(picture) = picture else {
            return reject(OutcomeCode::RetainedPhotoUnsuitable, "the registry has no retained photo any more");
        };
        match tools.photos.keep_retained(&application.owner, &picture).await {
            Ok(id) => Ok(Photo { source: PhotoSource::Retained, photo_id: Some(id) }),
            Err(VaultError::Store(error)) => Err(interrupted(&error)),
            Err(VaultError::Unreadable) => {
                Err(retry("retained_photo_unreadable", "the registry's retained photo cannot be read"))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a retained photo was not kept");
                Err(retry("photo_store_unavailable", "the photo store did not take the retained photo"))
            }
        }
    }
}

fn retry(code: &str, detail: &str) -> Decision {
    Decision::Retry { after: None, error: Failure::new(code, detail) }
}

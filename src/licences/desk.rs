//! The desk where issued licences are shown: the record, how it stands, and what the registry says now.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::{
    domain::{
        application::Application,
        cause::Cause,
        identity::DocumentNumber,
        ids::{ApplicationId, LicenceId},
        licence_display::{Display, LicenceState, Look, Seen},
        licence_status::LicenceStatus,
        licence_watch::{CardProblem, NOT_FOUND},
        personal::{HOLDER_INDEX, holder_key},
    },
    engine::{Engine, commit::ApplyError, sweep::licences::LicenceSource},
    photos::{PhotoVault, VaultError},
    providers::{CallError, DocumentRef, Registry},
    secrets::SignatureError,
    store::{StoreError, types::LicenceRecord},
    telemetry::metrics::LICENCE_CHANGES,
};

use super::{
    record::{Record, RecordError},
    status::Statuses,
};

/// Why the desk has no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record does not open.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The portrait.
    #[error(transparent)]
    Photo(#[from] VaultError),
    /// A code cannot be signed.
    #[error("the presentation cannot be signed")]
    Signature(#[from] SignatureError),
    /// What must be recorded was not.
    #[error(transparent)]
    Commit(#[from] ApplyError),
}

/// Configuration of the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long the registry's word may be shown again without asking.
    pub status_cache: Duration,
    /// How long a presentation code is good.
    pub presentation: Duration,
}

/// An issued licence, as it stands at this moment. Holds personal data.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The licence's id.
    pub id: LicenceId,
    /// The owner of the application that it was issued for.
    pub owner: String,
    /// That application.
    pub application_id: ApplicationId,
    /// How it stands.
    pub state: LicenceState,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When its service was ended.
    pub terminated_at: Option<DateTime<Utc>>,
    /// What was issued.
    pub record: Record,
    /// How it is shown now.
    pub display: Display,
    /// Why its card cannot be drawn, as operators were told.
    pub card_problem: Option<CardProblem>,
}

/// Shows issued licences. Cheap to clone.
#[derive(Clone)]
pub struct Desk(pub(super) Arc<Parts>);

/// The parts of [`Desk`].
pub(super) struct Parts {
    pub(super) engine: Engine,
    pub(super) settings: Settings,
    photos: PhotoVault,
    registry: Arc<dyn Registry>,
    statuses: Statuses,
}

impl Desk {
    /// A desk over the engine's store that asks this registry.
    pub fn new(engine: Engine, photos: PhotoVault, registry: Arc<dyn Registry>, settings: Settings) -> Self {
        let statuses = Statuses::new(Arc::clone(&registry), engine.clone(), settings.status_cache);
        Self(Arc::new(Parts { engine, settings, photos, registry, statuses }))
    }

    /// The photo that the registry retains (留存照片) of a document's holder, a JPEG; none where it has none.
    ///
    /// # Errors
    /// When the registry cannot be asked now.
    pub async fn retained(&self, document: &DocumentNumber) -> Result<Option<Vec<u8>>, CallError> {
        let asked =
            DocumentRef { document_type: document.document_type().as_str(), document_number: document.as_str() };
        self.0.registry.query_photo(asked, &uuid::Uuid::now_v7().to_string()).await
    }

    /// A licence as it is shown now; none when there is no such licence.
    ///
    /// # Errors
    /// [`DeskError`]. A registry that is away is none: the display says so.
    pub async fn show(&self, id: LicenceId) -> Result<Option<Shown>, DeskError> {
        match self.0.engine.shared.store.licence(id).await? {
            Some(licence) => self.look(licence).await,
            None => Ok(None),
        }
    }

    /// The licence that was issued last to the holder of a document, as it is shown now; of one owner's applications if
    /// one is named.
    ///
    /// # Errors
    /// As [`Desk::show`].
    pub async fn find(&self, document: &DocumentNumber, owner: Option<&str>) -> Result<Option<Shown>, DeskError> {
        let shared = &self.0.engine.shared;
        let holder = shared.secrets.blind_index_hex(HOLDER_INDEX, &holder_key(document));
        match shared.store.latest_licence(&holder, owner).await? {
            Some(licence) => self.look(licence).await,
            None => Ok(None),
        }
    }

    /// The portrait of a record, a JPEG or PNG; none when it names no picture that is stored.
    ///
    /// # Errors
    /// [`DeskError::Photo`].
    pub async fn portrait(&self, record: &Record) -> Result<Option<Vec<u8>>, DeskError> {
        match record.photo.photo_id {
            Some(id) => Ok(self.0.photos.picture(id).await?),
            None => Ok(None),
        }
    }

    async fn look(&self, licence: LicenceRecord) -> Result<Option<Shown>, DeskError> {
        let shared = &self.0.engine.shared;
        let Some(view) = shared.store.application(licence.application_id).await? else { return Ok(None) };
        let record = Record::open(&shared.secrets, licence.id, &licence.sealed)?;
        let look = match licence.state {
            LicenceState::Current => self.0.statuses.look(&licence.holder, &record).await,
            // Nobody needs the registry for what is not shown.
            LicenceState::Superseded | LicenceState::Terminated => Look::Away(None),
        };
        let look = match look {
            Look::Fresh(seen) => {
                self.note(&licence, &view.application, &seen).await;
                Look::Fresh(seen)
            }
            // Whoever asked last, this process or the sweep; at issue the registry was asked for certain.
            Look::Away(last) => Look::Away(last.max(licence.seen_at).or(Some(licence.issued_at))),
        };
        Ok(Some(Shown {
            id: licence.id,
            owner: view.application.owner,
            application_id: licence.application_id,
            state: licence.state,
            issued_at: licence.issued_at,
            terminated_at: licence.terminated_at,
            display: Display::of(licence.state, &licence.facts, look),
            card_problem: licence.card_problem,
            record,
        }))
    }

    /// Commits what the registry says, where it is news.
    async fn note(&self, licence: &LicenceRecord, application: &Application, seen: &Seen) {
        let watch = application.watch.as_ref();
        let issued = LicenceStatus::parse(&licence.status).to_string();
        let known = watch.and_then(|watch| watch.status.as_deref()).unwrap_or(&issued);
        let (status, reissue_needed) = news(licence, seen);
        if known == status && watch.is_some_and(|watch| watch.reissue_needed) == reissue_needed {
            return;
        }
        let unknown = seen.licence.as_ref().and_then(|(status, _)| status.unknown()).map(str::to_owned);
        if let Some(letters) = &unknown {
            tracing::warn!(application.id = %application.id, letters, "the registry answered an unknown licence status");
        }
        let cause = Cause::RegistrySaw { issued, status, unknown, reissue_needed };
        match self.0.engine.committer.apply(application.id, cause, None).await {
            Ok(_) => metrics::counter!(LICENCE_CHANGES).increment(1),
            Err(ApplyError::Refused(_)) => {}
            // The next look sees it again.
            Err(error) => {
                tracing::warn!(%error, application.id = %application.id, "a change of a licence was not noted");
            }
        }
    }
}

/// The status and whether a reissue is needed, as they are noted.
fn news(licence: &LicenceRecord, seen: &Seen) -> (String, bool) {
    match &seen.licence {
        Some((status, facts)) => (status.to_string(), !licence.facts.same_as(facts)),
        None => (NOT_FOUND.to_owned(), false),
    }
}

/// The status sweep asks here.
#[async_trait]
impl LicenceSource for Desk {
    async fn check(&self, licence: LicenceRecord) -> anyhow::Result<bool> {
        let shared = &self.0.engine.shared;
        let record = Record::open(&shared.secrets, licence.id, &licence.sealed)?;
        let seen = match self.0.statuses.ask(&record).await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::debug!(%error, licence.id = %licence.id, "the sweep was not answered");
                return Ok(false);
            }
        };
        shared.store.note_seen_status(licence.id, &news(&licence, &seen).0, seen.at).await?;
        if let Some(view) = shared.store.application(licence.application_id).await? {
            self.note(&licence, &view.application, &seen).await;
        }
        Ok(true)
    }
}

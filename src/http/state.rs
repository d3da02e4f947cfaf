//! What every handler looks at.

use std::{ops::Deref, sync::Arc, time::Duration};

use crate::{
    engine::Engine,
    hints::RateLimit,
    licences::{card::CardPress, desk::Desk},
    photos::Inspector,
    providers::blob::BlobStore,
    store::{self, types::Pause},
};

use super::{
    api::ops::{ForecastBody, OverviewBody},
    auth::KeyRing,
    cached::Cached,
    pages::sign_in::{Passwords, SignInLimit},
    session::SessionSettings,
};

/// Queues are paused by people: a second of delay is nothing, a question at every read of an application is much.
const PAUSES_KEPT: Duration = Duration::from_secs(1);
/// All dashboards together cost one look in this time.
const OVERVIEW_KEPT: Duration = Duration::from_secs(1);
/// It changes with the figures of a minute.
const FORECAST_KEPT: Duration = Duration::from_secs(15);

/// Configuration of the HTTP interface.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether callbacks may point to private addresses and use http.
    pub allow_private_callbacks: bool,
    /// Requests per API key; none for no limit.
    pub request_limit: Option<RateLimit>,
    /// The longest time a handler may take.
    pub time_limit: Duration,
    /// How long the console's decisions can be taken back.
    pub undo: Duration,
    /// Sessions of people.
    pub session: SessionSettings,
    /// Failures to sign in.
    pub sign_in: SignInLimit,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_private_callbacks: false,
            request_limit: RateLimit::new(2000.0, 4000).ok(),
            time_limit: Duration::from_secs(90),
            undo: Duration::from_secs(10),
            session: SessionSettings::default(),
            sign_in: SignInLimit::default(),
        }
    }
}

/// What every handler looks at. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of [`AppState`].
pub struct Parts {
    /// Admits and changes applications.
    pub engine: Engine,
    /// Inspects uploads.
    pub photos: Inspector,
    /// Keeps them.
    pub blobs: BlobStore,
    /// Shows issued licences.
    pub licences: Desk,
    /// Draws their cards.
    pub cards: CardPress,
    /// Configuration.
    pub settings: Settings,
    pub(super) keys: KeyRing,
    pub(super) overview: Cached<OverviewBody>,
    pub(super) forecast: Cached<ForecastBody>,
    pub(super) passwords: Passwords,
    pauses: Cached<Arc<[Pause]>>,
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl AppState {
    /// Puts the parts together.
    pub fn new(
        engine: Engine,
        photos: Inspector,
        blobs: BlobStore,
        licences: Desk,
        cards: CardPress,
        settings: Settings,
    ) -> Self {
        Self(Arc::new(Parts {
            engine,
            photos,
            blobs,
            licences,
            cards,
            settings,
            keys: KeyRing::default(),
            overview: Cached::new(OVERVIEW_KEPT),
            forecast: Cached::new(FORECAST_KEPT),
            passwords: Passwords::default(),
            pauses: Cached::new(PAUSES_KEPT),
        }))
    }

    /// The paused queues, at most a second old.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pauses(&self) -> store::Result<Arc<[Pause]>> {
        self.pauses.get(async || self.engine.shared.store.pauses().await.map(Arc::from)).await
    }

    /// After a pause or its end: this process knows at once.
    pub(super) async fn forget_pauses(&self) {
        self.pauses.forget().await;
    }
}

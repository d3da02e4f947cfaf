//! Erases and deletes what was kept for its time: photos that nobody needs, mailed alerts, bulk acts that are done, webhooks
//! that were delivered or given up, checks of presentations. Makes room for the coming months' events.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use crate::{
    domain::retention::{PhotoFate, PhotoRules},
    engine::Engine,
    store::retention::AgedPhoto,
};

use super::{Reconciler, Sweep, Swept};

/// So many photos are looked at in one run: each may cost a call to the file store.
const PHOTOS: usize = 100;
/// So many rows of a table are deleted in one run, so that no statement holds locks for long.
const ROWS: usize = 1000;

/// The photo files.
#[async_trait]
pub trait PhotoFiles: Send + Sync {
    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// It may still be there.
    async fn remove(&self, key: &str) -> anyhow::Result<()>;
}

/// How long what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Uploaded photos.
    pub photos: PhotoRules,
    /// Mailed alerts.
    pub alerts: TimeDelta,
    /// Bulk acts that are done.
    pub batches: TimeDelta,
    /// Delivered webhooks.
    pub deliveries: TimeDelta,
    /// Webhooks that were given up.
    pub dead_webhooks: TimeDelta,
    /// Checks of presentations; longer than any presentation is good.
    pub verifications: TimeDelta,
}

/// The retention reconciler.
pub struct Retention {
    engine: Engine,
    files: Box<dyn PhotoFiles>,
    settings: Settings,
}

impl Retention {
    /// Forgets what the engine's store holds, and these files.
    pub fn new(engine: Engine, files: Box<dyn PhotoFiles>, settings: Settings) -> Self {
        Self { engine, files, settings }
    }
}

#[async_trait]
impl Sweep for Retention {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Retention
    }

    fn period(&self) -> Duration {
        Duration::from_secs(600)
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let (store, now) = (&self.engine.shared.store, self.engine.shared.clock.now());
        store.prepare_partitions().await?;
        let photos = store.aged_photos(now, PHOTOS).await?;
        for photo in &photos {
            self.settle(photo).await?;
        }
        let photos = Swept::batch(photos.len(), PHOTOS);
        let kept = &self.settings;
        let rows = [
            store.forget_alerts(now - kept.alerts, ROWS).await?,
            store.forget_batches(now - kept.batches, ROWS).await?,
            store.forget_deliveries(now - kept.deliveries, ROWS).await?,
            store.forget_dead_webhooks(now - kept.dead_webhooks, ROWS).await?,
            store.forget_verifications(now - kept.verifications, ROWS).await?,
        ];
        Ok(Swept {
            items: photos.items + rows.iter().sum::<u64>(),
            more: photos.more || rows.iter().any(|&forgotten| forgotten >= ROWS as u64),
        })
    }
}

impl Retention {
    /// The file goes before its record: a process that ends between the two, or a file store that is away, leaves a photo
    /// that is still condemned, and whose turn comes again.
    async fn settle(&self, photo: &AgedPhoto) -> anyhow::Result<()> {
        let (store, now) = (&self.engine.shared.store, self.engine.shared.clock.now());
        let mut fate = PhotoFate::of(photo.created_at, photo.condemned_at, photo.used, &self.settings.photos, now);
        if fate == PhotoFate::Erased {
            match self.files.remove(&photo.blob).await {
                Ok(()) => tracing::info!(photo.id = %photo.id, "a photo whose time is over was erased"),
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(photo.id = %photo.id, error, "a photo whose time is over is erased later");
                    fate = PhotoFate::put_off(now);
                }
            }
        }
        store.settle_photo(photo.id, fate, now).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    };

    use serde_json::json;

    use super::*;
    use crate::{
        domain::{application::PhotoSource, ids::PhotoId},
        engine::fixture::Site,
        store::types::{AlertKind, NewAlert, PhotoRecord},
    };

    /// A file store that can be away.
    #[derive(Default)]
    struct Files {
        away: AtomicBool,
        removed: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl PhotoFiles for Arc<Files> {
        async fn remove(&self, key: &str) -> anyhow::Result<()> {
            anyhow::ensure!(!self.away.load(Ordering::Relaxed), "the file store is away");
            self.removed.lock().unwrap().push(key.to_owned());
            Ok(())
        }
    }

    struct Bench {
        site: Site,
        files: Arc<Files>,
        retention: Retention,
    }

    impl Bench {
        async fn new() -> Self {
            let (site, files) = (Site::start().await, Arc::new(Files::default()));
            let month = TimeDelta::days(30);
            let settings = Settings {
                photos: PhotoRules { unused: TimeDelta::hours(24), rejected: month },
                alerts: month,
                batches: month,
                deliveries: month,
                dead_webhooks: month,
                verifications: month,
            };
            let retention = Retention::new(site.engine.clone(), Box::new(Arc::clone(&files)), settings);
            Self { site, files, retention }
        }

        async fn upload(&self) -> PhotoId {
            let id = PhotoId::new();
            let photo = PhotoRecord {
                id,
                owner: "upstream".to_owned(),
                source: PhotoSource::Camera,
                width: 520,
                height: 756,
                sha256: "0".repeat(64),
                checks: json!([]),
                face: None,
                thresholds: "2026-01".to_owned(),
                blob: format!("photos/{id}"),
                condemned: false,
                created_at: self.site.engine.shared.clock.now(),
            };
            self.site.store().put_photo(&photo).await.unwrap();
            id
        }

        async fn run_after(&self, wait: TimeDelta) -> Swept {
            self.site.engine.shared.clock.advance(wait);
            self.retention.run().await.unwrap()
        }

        async fn photo(&self, id: PhotoId) -> PhotoRecord {
            self.site.store().photo(id).await.unwrap().unwrap()
        }
    }

    #[tokio::test]
    async fn a_file_store_that_is_away_holds_up_nothing_else() {
        let bench = Bench::new().await;
        let id = bench.upload().await;
        bench.run_after(TimeDelta::hours(23)).await;
        assert!(!bench.photo(id).await.condemned);
        bench.run_after(TimeDelta::hours(2)).await;
        assert!(bench.photo(id).await.condemned && bench.photo(id).await.has_file());

        bench.site.store().raise_alert(&NewAlert::from(AlertKind::ProviderRefuses)).await.unwrap();
        let alert = bench.site.store().unmailed_alerts(1).await.unwrap().remove(0);
        bench.site.store().mark_alerts_mailed(&[alert.id]).await.unwrap();
        bench.files.away.store(true, Ordering::Relaxed);
        assert_eq!(bench.run_after(TimeDelta::days(31)).await, Swept { items: 2, more: false });
        assert!(bench.photo(id).await.has_file(), "its turn comes again");
        bench.files.away.store(false, Ordering::Relaxed);
        assert_eq!(bench.run_after(TimeDelta::minutes(1)).await, Swept::of(0), "and not at once");
        assert_eq!(bench.run_after(TimeDelta::minutes(10)).await, Swept::of(1));
        assert!(!bench.photo(id).await.has_file());
        assert_eq!(*bench.files.removed.lock().unwrap(), [format!("photos/{id}")]);
        assert_eq!(bench.run_after(TimeDelta::days(365)).await, Swept::of(0));
    }

    #[tokio::test]
    async fn many_photos_are_done_in_steps() {
        let bench = Bench::new().await;
        for _ in 0..=PHOTOS {
            bench.upload().await;
        }
        let most = u64::try_from(PHOTOS).unwrap();
        assert_eq!(bench.run_after(TimeDelta::hours(25)).await, Swept { items: most, more: true });
        assert_eq!(bench.run_after(TimeDelta::zero()).await, Swept::of(1));
        assert_eq!(bench.run_after(TimeDelta::zero()).await, Swept::of(0));
    }
}

//! Signs the heads of the audit chains at intervals, so that a log that was cut off is found out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    domain::checkpoint::{Checkpoint, CheckpointHead},
    engine::Engine,
    store::types::StoredCheckpoint,
};

use super::{Reconciler, Sweep, Swept};

/// Events are stamped a moment before their commit; one that is stamped earlier than this is in the table.
const SETTLED: TimeDelta = TimeDelta::seconds(2);
/// How far a checkpoint looks back over the one before: a commit that was offered again for long carries an old stamp.
const OVERLAP: TimeDelta = TimeDelta::seconds(30);

/// So many copies are written at once.
const COPIES: usize = 100;

/// The checkpoint reconciler.
pub struct Checkpoints {
    /// The engine.
    pub engine: Engine,
    /// Time between two checkpoints.
    pub period: Duration,
    /// Receives a copy of every checkpoint, outside the database.
    pub folder: Option<PathBuf>,
}

#[async_trait]
impl Sweep for Checkpoints {
    fn reconciler(&self) -> Reconciler {
        Reconciler::Checkpoints
    }

    fn period(&self) -> Duration {
        self.period
    }

    async fn run(&self) -> anyhow::Result<Swept> {
        let taken = take(&self.engine, self.engine.shared.clock.now() - SETTLED).await?;
        Ok(Swept { items: u64::from(taken.is_some()), more: self.copy().await? })
    }
}

impl Checkpoints {
    /// The last checkpoint of a process that ends in order: over what this process wrote too. What others write at this
    /// moment, the next checkpoint finds by looking back.
    ///
    /// # Errors
    /// As [`take`], and when a copy cannot be written.
    pub async fn close(&self) -> anyhow::Result<()> {
        take(&self.engine, self.engine.shared.clock.now()).await?;
        while self.copy().await? {}
        Ok(())
    }

    /// Writes the copies that the folder lacks, in order: after a failure the next run goes on from there. True when
    /// there are more.
    async fn copy(&self) -> anyhow::Result<bool> {
        let Some(folder) = &self.folder else { return Ok(false) };
        tokio::fs::create_dir_all(folder).await.with_context(|| format!("`{}`", folder.display()))?;
        let last = last_copy(folder).await.with_context(|| format!("`{}`", folder.display()))?;
        let missing = self.engine.shared.store.checkpoints(last, COPIES).await?;
        for checkpoint in &missing {
            let file = folder.join(format!("{:08}.json", checkpoint.id));
            // A copy is whole or not there.
            let written = file.with_extension("part");
            tokio::fs::write(&written, &checkpoint.document)
                .await
                .with_context(|| format!("`{}`", written.display()))?;
            tokio::fs::rename(&written, &file).await.with_context(|| format!("`{}`", file.display()))?;
        }
        Ok(missing.len() == COPIES)
    }
}

/// The highest number of a copy in the folder, 0 for none.
async fn last_copy(folder: &Path) -> std::io::Result<i64> {
    let mut last = 0;
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// Takes one checkpoint over everything up to `until`; none when nothing happened since the last, or when another
/// scheduler was faster.
///
/// # Errors
/// When the database or the signer does not answer.
pub async fn take(engine: &Engine, until: DateTime<Utc>) -> anyhow::Result<Option<StoredCheckpoint>> {
    let shared = &engine.shared;
    let last = shared.store.last_checkpoint().await?;
    let from = last.as_ref().map_or(DateTime::UNIX_EPOCH, |last| last.until - OVERLAP);
    let heads = shared.store.heads_between(from, until).await?;
    let known = match &last {
        Some(last) => {
            Some(serde_json::from_str::<Checkpoint>(&last.document).context("the last checkpoint does not parse")?)
        }
        None => None,
    };
    let heads: Vec<CheckpointHead> = heads
        .into_iter()
        .map(|head| CheckpointHead { application_id: head.application_id, seq: head.seq, hash: head.hash })
        .collect();
    let news = known.as_ref().is_none_or(|known| heads.iter().any(|head| !known.heads.contains(head)));
    if heads.is_empty() || !news {
        return Ok(None);
    }
    let signer = shared.secrets.checkpoint_signer();
    let unsigned = Checkpoint::unsigned(known.as_ref(), until, heads, signer.key_id());
    let signature = signer.sign(&unsigned.digest())?;
    let checkpoint = unsigned.signed(&signature);
    let document = serde_json::to_string(&checkpoint)?;
    let id = checkpoint.id;
    let stored = StoredCheckpoint { id, until, document };
    if !shared.store.append_checkpoint(&stored).await? {
        return Ok(None);
    }
    // The digest in the log outside the database is what an edited database cannot reach.
    let digest = hex::encode(checkpoint.digest());
    tracing::info!(checkpoint.id = id, checkpoint.digest = digest, chains = checkpoint.heads.len(), "audit checkpoint");
    Ok(Some(stored))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixture::Site;

    fn checkpoints(site: &Site, folder: &Path) -> Checkpoints {
        Checkpoints { engine: site.engine.clone(), period: Duration::from_secs(60), folder: Some(folder.to_owned()) }
    }

    #[tokio::test]
    async fn a_copy_that_could_not_be_written_is_written_later() {
        let site = Site::start().await;
        let folder = std::env::temp_dir().join(format!("greenlane-checkpoints-{}", uuid::Uuid::new_v4()));
        let checkpoints = checkpoints(&site, &folder);
        // A file stands where the folder should be.
        std::fs::write(&folder, "").unwrap();
        site.admit(1).await;
        checkpoints.close().await.unwrap_err();
        site.admit(2).await;
        checkpoints.close().await.unwrap_err();
        std::fs::remove_file(&folder).unwrap();
        checkpoints.run().await.unwrap();
        for stored in site.store().checkpoints(0, 10).await.unwrap() {
            let copy = std::fs::read_to_string(folder.join(format!("{:08}.json", stored.id))).unwrap();
            assert_eq!(copy, stored.document);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        checkpoints.run().await.unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}

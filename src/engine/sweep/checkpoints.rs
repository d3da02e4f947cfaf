//! Signs the heads of the audit chains at intervals, so that a log that was cut off is found out.

use std::{path::PathBuf, time::Duration};

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
        let until = self.engine.shared.clock.now() - SETTLED;
        let Some(checkpoint) = take(&self.engine, until).await? else { return Ok(Swept::of(0)) };
        if let Some(folder) = &self.folder {
            tokio::fs::create_dir_all(folder).await?;
            let file = folder.join(format!("{:08}.json", checkpoint.id));
            tokio::fs::write(&file, &checkpoint.document).await.with_context(|| format!("`{}`", file.display()))?;
        }
        Ok(Swept::of(1))
    }
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

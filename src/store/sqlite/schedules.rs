//! How reconcilers ran last.

use async_trait::async_trait;
use sqlx::query;

use super::{
    super::{
        Result,
        schedules::{Schedules, SweepRun},
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, to_document},
};

#[async_trait]
impl Schedules for SqliteStore {
    async fn note_sweeps(&self, runs: &[SweepRun]) -> Result<()> {
        self.within(async {
            let mut rows = Vec::with_capacity(runs.len());
            for run in runs {
                let document = to_document("run of a reconciler", run)?;
                rows.push(vec![run.name.clone(), run.kind.to_string(), stamp(run.at), document]);
            }
            query(
                "INSERT INTO sweep_runs (name, kind, at, document) \
                 SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true \
                 ON CONFLICT (name, kind) DO UPDATE SET at = excluded.at, document = excluded.document \
                 WHERE excluded.at >= sweep_runs.at",
            )
            .bind(list(rows))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn sweep_runs(&self) -> Result<Vec<SweepRun>> {
        self.within(async {
            let rows = query("SELECT document FROM sweep_runs ORDER BY name, kind").fetch_all(&self.readers).await?;
            rows.iter().map(|row| row.document("run of a reconciler", "document")).collect()
        })
        .await
    }
}

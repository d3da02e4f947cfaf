//! How reconcilers ran last.

use async_trait::async_trait;
use sqlx::query;

use super::{PostgresStore, row};
use crate::store::{
    Result, StoreError,
    schedules::{Schedules, SweepRun},
};

#[async_trait]
impl Schedules for PostgresStore {
    async fn note_sweeps(&self, runs: &[SweepRun]) -> Result<()> {
        let document = |run: &SweepRun| {
            serde_json::to_string(run).map_err(|source| StoreError::Corrupt { what: "run of a reconciler", source })
        };
        // In one order, so that two processes that write the same rows never wait for each other in a circle.
        let insert = query(
            "INSERT INTO sweep_runs (name, kind, at, document)
             SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) run (name, kind, at, document)
             ORDER BY name, kind
             ON CONFLICT (name, kind) DO UPDATE SET at = excluded.at, document = excluded.document
             WHERE excluded.at >= sweep_runs.at",
        )
        .bind(runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>())
        .bind(runs.iter().map(|run| run.kind.to_string()).collect::<Vec<_>>())
        .bind(runs.iter().map(|run| run.at).collect::<Vec<_>>())
        .bind(runs.iter().map(document).collect::<Result<Vec<_>>>()?);
        self.execute(insert).await?;
        Ok(())
    }

    async fn sweep_runs(&self) -> Result<Vec<SweepRun>> {
        let rows = self.rows(query("SELECT document FROM sweep_runs ORDER BY name, kind")).await?;
        rows.iter().map(|found| row::document(found, "document", "run of a reconciler")).collect()
    }
}

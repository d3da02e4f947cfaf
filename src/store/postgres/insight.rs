//! What dashboards look at.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, query};

use super::{PostgresStore, row, webhooks::record};
use crate::{
    domain::ids::ApplicationId,
    store::{
        Result,
        insight::{Figure, GROUPED, Insight, Slot, StalledGroup},
        types::WebhookRecord,
    },
};

#[async_trait]
impl Insight for PostgresStore {
    async fn put_figures(&self, figures: &[Figure]) -> Result<()> {
        let insert = query(
            "INSERT INTO figures (series, minute, value) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
             ON CONFLICT DO NOTHING",
        )
        .bind(figures.iter().map(|figure| figure.series.clone()).collect::<Vec<_>>())
        .bind(figures.iter().map(|figure| figure.minute).collect::<Vec<_>>())
        .bind(figures.iter().map(|figure| figure.value).collect::<Vec<_>>());
        self.execute(insert).await?;
        Ok(())
    }

    async fn figures(&self, series: &str, from: i64, step: i64) -> Result<Vec<Slot>> {
        let select = query(
            "SELECT minute / $3 * $3 AS slot, sum(value)::bigint AS sum, max(value) AS most, count(*) AS minutes
             FROM figures WHERE series = $1 AND minute >= $2 GROUP BY 1 ORDER BY 1",
        );
        let rows = self.rows(select.bind(series).bind(from).bind(step.max(1))).await?;
        rows.iter()
            .map(|row| {
                Ok(Slot {
                    minute: row.try_get("slot")?,
                    sum: row.try_get("sum")?,
                    most: row.try_get("most")?,
                    minutes: row.try_get("minutes")?,
                })
            })
            .collect()
    }

    async fn forget_figures(&self, before: i64) -> Result<()> {
        self.execute(query("DELETE FROM figures WHERE minute < $1").bind(before)).await?;
        Ok(())
    }

    async fn count_events(&self, kind: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64> {
        let select = query("SELECT count(*) AS count FROM events WHERE at >= $1 AND at < $2 AND kind = $3");
        let counted = self.row(select.bind(from).bind(until).bind(kind)).await?;
        counted.map_or(Ok(0), |counted| row::count(&counted, "count"))
    }

    async fn stalled_groups(&self) -> Result<Vec<StalledGroup>> {
        let select = query(
            "SELECT stage, code, count(*) AS count, min(at) AS first_at, max(at) AS last_at FROM (
                SELECT coalesce(d #>> '{last_error,stage}', stage) AS stage, coalesce(error_code, '') AS code,
                    coalesce((d #>> '{last_error,at}')::timestamptz, submitted_at) AS at
                FROM (SELECT stage, error_code, submitted_at, document::json AS d FROM applications
                    WHERE needs_operator ORDER BY id DESC LIMIT $1) newest) waiting
             GROUP BY stage, code ORDER BY count(*) DESC, stage, code",
        );
        let rows = self.rows(select.bind(row::at_most(GROUPED))).await?;
        rows.iter()
            .map(|found| {
                Ok(StalledGroup {
                    stage: found.try_get("stage")?,
                    error_code: found.try_get("code")?,
                    count: row::count(found, "count")?,
                    first_at: found.try_get("first_at")?,
                    last_at: found.try_get("last_at")?,
                })
            })
            .collect()
    }

    async fn open_dues(&self, limit: usize) -> Result<Vec<DateTime<Utc>>> {
        let select = query(
            "SELECT due_at FROM (
                (SELECT due_at FROM reviews WHERE state = 'open' AND due_at < 'infinity' ORDER BY due_at LIMIT $1)
                UNION ALL
                (SELECT due_at FROM reviews WHERE state = 'claimed' AND due_at < 'infinity' ORDER BY due_at LIMIT $1)
             ) undecided ORDER BY due_at LIMIT $1",
        );
        let rows = self.rows(select.bind(row::at_most(limit))).await?;
        rows.iter().map(|row| Ok(row.try_get("due_at")?)).collect()
    }

    async fn webhooks_of(&self, application: ApplicationId, limit: usize) -> Result<Vec<WebhookRecord>> {
        let select = query(
            "SELECT id, application_id, url, dead, attempts, due_at, last_error, created_at, seq FROM webhooks
             WHERE application_id = $1 AND NOT dead
             UNION ALL
             SELECT id, application_id, url, dead, attempts, due_at, last_error, created_at, seq FROM webhooks
             WHERE application_id = $1 AND dead
             ORDER BY seq LIMIT $2",
        );
        self.rows(select.bind(application.0).bind(row::at_most(limit))).await?.iter().map(record).collect()
    }
}

//! What dashboards look at.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Row as _, query};

use super::{
    super::{
        Result,
        insight::{Figure, GROUPED, Insight, Slot, StalledGroup},
        types::WebhookRecord,
    },
    SqliteStore,
    codec::{Columns as _, list, stamp},
    webhooks::record,
};
use crate::domain::ids::ApplicationId;

#[async_trait]
impl Insight for SqliteStore {
    async fn put_figures(&self, figures: &[Figure]) -> Result<()> {
        self.within(async {
            query(
                "INSERT INTO figures (series, minute, value) \
                 SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
            )
            .bind(list(figures.iter().map(|figure| json!([figure.series, figure.minute, figure.value]))))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn figures(&self, series: &str, from: i64, step: i64) -> Result<Vec<Slot>> {
        self.within(async {
            let rows = query(
                "SELECT minute / ?3 * ?3 AS slot, sum(value) AS sum, max(value) AS most, count(*) AS minutes \
                 FROM figures WHERE series = ?1 AND minute >= ?2 GROUP BY slot ORDER BY slot",
            )
            .bind(series)
            .bind(from)
            .bind(step.max(1))
            .fetch_all(&self.readers)
            .await?;
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
        })
        .await
    }

    async fn forget_figures(&self, before: i64) -> Result<()> {
        self.within(async {
            query("DELETE FROM figures WHERE minute < ?1").bind(before).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    async fn count_events(&self, kind: &str, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64> {
        self.within(async {
            query("SELECT count(*) AS count FROM events WHERE at >= ?1 AND at < ?2 AND kind = ?3")
                .bind(stamp(from))
                .bind(stamp(until))
                .bind(kind)
                .fetch_one(&self.readers)
                .await?
                .number("count")
        })
        .await
    }

    async fn stalled_groups(&self) -> Result<Vec<StalledGroup>> {
        self.within(async {
            let rows = query(
                "SELECT stage, code, count(*) AS count, min(at) AS first_at, max(at) AS last_at FROM ( \
                    SELECT coalesce(document ->> '$.last_error.stage', stage) AS stage, coalesce(error_code, '') AS code, \
                        coalesce(document ->> '$.last_error.at', submitted_at) AS at \
                    FROM applications WHERE needs_operator ORDER BY id DESC LIMIT ?1) \
                 GROUP BY stage, code ORDER BY count(*) DESC, stage, code",
            )
            .bind(i64::try_from(GROUPED).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            rows.iter()
                .map(|row| {
                    Ok(StalledGroup {
                        stage: row.text("stage")?,
                        error_code: row.text("code")?,
                        count: row.number("count")?,
                        first_at: row.parsed("first_at")?,
                        last_at: row.parsed("last_at")?,
                    })
                })
                .collect()
        })
        .await
    }

    async fn open_dues(&self, limit: usize) -> Result<Vec<DateTime<Utc>>> {
        self.within(async {
            let rows = query(
                "SELECT due_at FROM ( \
                    SELECT * FROM (SELECT due_at FROM reviews WHERE state = 'open' AND coalesce(due_at, '~') < '~' \
                        ORDER BY coalesce(due_at, '~') LIMIT ?1) UNION ALL \
                    SELECT * FROM (SELECT due_at FROM reviews WHERE state = 'claimed' AND coalesce(due_at, '~') < '~' \
                        ORDER BY coalesce(due_at, '~') LIMIT ?1)) ORDER BY due_at LIMIT ?1",
            )
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(|row| row.parsed("due_at")).collect()
        })
        .await
    }

    async fn webhooks_of(&self, application: ApplicationId, limit: usize) -> Result<Vec<WebhookRecord>> {
        self.within(async {
            // Said twice, so that each half has the words of its partial index.
            let rows = query(
                "SELECT * FROM webhooks WHERE application_id = ?1 AND NOT dead UNION ALL \
                 SELECT * FROM webhooks WHERE application_id = ?1 AND dead ORDER BY seq LIMIT ?2",
            )
            .bind(application.to_string())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(|row| record(row).map(|(_, record)| record)).collect()
        })
        .await
    }
}

//! What dashboards look at.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Row as _, query};

use super::{
    super::{
        Result,
        insight::{Figure, GROUPED, Insight, QUARTER, Slot, StalledGroup},
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, texts},
};
use crate::domain::stage::outcome;

#[async_trait]
impl Insight for SqliteStore {
    async fn put_figures(&self, figures: &[Figure]) -> Result<()> {
        self.within(async {
            let mut writer = self.writer().await?;
            let mut tx = writer.begin().await?;
            let put = query(
                "INSERT INTO figures (series, minute, value) \
                 SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING \
                 RETURNING series, minute, value",
            )
            .bind(list(figures.iter().map(|figure| json!([figure.series, figure.minute, figure.value]))))
            .fetch_all(&mut *tx)
            .await?;
            let new = put
                .iter()
                .map(|row| {
                    let (minute, value): (i64, i64) = (row.try_get("minute")?, row.try_get("value")?);
                    Ok(json!([row.text("series")?, minute, value]))
                })
                .collect::<Result<Vec<_>>>()?;
            query(
                "INSERT INTO figure_quarters (series, minute, sum, most, minutes) \
                 SELECT value ->> 0, (value ->> 1) / ?2 * ?2 AS quarter, sum(value ->> 2), max(value ->> 2), count(*) \
                 FROM json_each(?1) WHERE true GROUP BY value ->> 0, quarter \
                 ON CONFLICT DO UPDATE SET sum = sum + excluded.sum, most = max(most, excluded.most), \
                    minutes = minutes + excluded.minutes",
            )
            .bind(list(new))
            .bind(QUARTER)
            .execute(&mut *tx)
            .await?;
            tx.commit().await?;
            writer.settle();
            Ok(())
        })
        .await
    }

    async fn figures(&self, series: &[&str], from: i64, step: i64) -> Result<BTreeMap<String, Vec<Slot>>> {
        self.within(async {
            let select = if step % QUARTER == 0 {
                "SELECT series, minute / ?3 * ?3 AS slot, sum(sum) AS sum, max(most) AS most, sum(minutes) AS minutes \
                 FROM figure_quarters WHERE series IN (SELECT value FROM json_each(?1)) AND minute >= ?2 \
                 GROUP BY series, slot ORDER BY series, slot"
            } else {
                "SELECT series, minute / ?3 * ?3 AS slot, sum(value) AS sum, max(value) AS most, count(*) AS minutes \
                 FROM figures WHERE series IN (SELECT value FROM json_each(?1)) AND minute >= ?2 \
                 GROUP BY series, slot ORDER BY series, slot"
            };
            let rows = query(select).bind(texts(series)).bind(from).bind(step.max(1)).fetch_all(&self.readers).await?;
            let mut found: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
            for row in rows {
                found.entry(row.text("series")?).or_default().push(Slot {
                    minute: row.try_get("slot")?,
                    sum: row.try_get("sum")?,
                    most: row.try_get("most")?,
                    minutes: row.try_get("minutes")?,
                });
            }
            Ok(found)
        })
        .await
    }

    async fn last_figure(&self, series: &str) -> Result<Option<i64>> {
        self.within(async {
            let row = query("SELECT max(minute) AS minute FROM figures WHERE series = ?1")
                .bind(series)
                .fetch_one(&self.readers)
                .await?;
            Ok(row.try_get("minute")?)
        })
        .await
    }

    async fn forget_figures(&self, minutes: i64, quarters: i64) -> Result<()> {
        self.within(async {
            query("DELETE FROM figures WHERE minute < ?1").bind(minutes).execute(&self.writer).await?;
            query("DELETE FROM figure_quarters WHERE minute < ?1").bind(quarters).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    async fn reviews_settled(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<BTreeMap<i64, i64>> {
        self.within(async {
            let rows = query(
                "SELECT unixepoch(at) / 60 AS minute, count(*) AS count FROM events \
                 WHERE at >= ?1 AND at < ?2 AND stage = 'photo_review' \
                    AND (kind = 'stage_completed' AND data ->> '$.outcome' = ?3 OR kind = 'rejected' AND actor_kind = 'reviewer') \
                 GROUP BY 1",
            )
            .bind(stamp(from))
            .bind(stamp(until))
            .bind(outcome::APPROVED)
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(|row| Ok((row.try_get("minute")?, row.try_get("count")?))).collect()
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
}

//! What dashboards look at.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, query};

use super::{PostgresStore, row};
use crate::{
    domain::stage::outcome,
    store::{
        Result,
        insight::{Figure, GROUPED, Insight, QUARTER, Slot, StalledGroup},
    },
};

#[async_trait]
impl Insight for PostgresStore {
    async fn put_figures(&self, figures: &[Figure]) -> Result<()> {
        let insert = query(
            "WITH put AS (
                INSERT INTO figures (series, minute, value) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
                ON CONFLICT DO NOTHING RETURNING series, minute, value)
             INSERT INTO figure_quarters AS q (series, minute, sum, most, minutes)
             SELECT series, minute / $4 * $4, sum(value), max(value), count(*) FROM put GROUP BY 1, 2 ORDER BY 1, 2
             ON CONFLICT (series, minute) DO UPDATE SET sum = q.sum + excluded.sum, most = greatest(q.most, excluded.most),
                minutes = q.minutes + excluded.minutes",
        )
        .bind(figures.iter().map(|figure| figure.series.clone()).collect::<Vec<_>>())
        .bind(figures.iter().map(|figure| figure.minute).collect::<Vec<_>>())
        .bind(figures.iter().map(|figure| figure.value).collect::<Vec<_>>())
        .bind(QUARTER);
        self.execute(insert).await?;
        Ok(())
    }

    async fn figures(&self, series: &[&str], from: i64, step: i64) -> Result<BTreeMap<String, Vec<Slot>>> {
        let select = if step % QUARTER == 0 {
            "SELECT series, minute / $3 * $3 AS slot, sum(sum)::bigint AS sum, max(most) AS most, sum(minutes)::bigint AS minutes
             FROM figure_quarters WHERE series = ANY($1) AND minute >= $2 GROUP BY 1, 2 ORDER BY 1, 2"
        } else {
            "SELECT series, minute / $3 * $3 AS slot, sum(value)::bigint AS sum, max(value) AS most, count(*) AS minutes
             FROM figures WHERE series = ANY($1) AND minute >= $2 GROUP BY 1, 2 ORDER BY 1, 2"
        };
        let rows = self.rows(query(select).bind(series).bind(from).bind(step.max(1))).await?;
        let mut found: BTreeMap<String, Vec<Slot>> = BTreeMap::new();
        for row in rows {
            found.entry(row.try_get("series")?).or_default().push(Slot {
                minute: row.try_get("slot")?,
                sum: row.try_get("sum")?,
                most: row.try_get("most")?,
                minutes: row.try_get("minutes")?,
            });
        }
        Ok(found)
    }

    async fn last_figure(&self, series: &str) -> Result<Option<i64>> {
        let found = self.row(query("SELECT max(minute) AS minute FROM figures WHERE series = $1").bind(series)).await?;
        Ok(found.map(|found| found.try_get("minute")).transpose()?.flatten())
    }

    async fn forget_figures(&self, minutes: i64, quarters: i64) -> Result<()> {
        self.execute(query("DELETE FROM figures WHERE minute < $1").bind(minutes)).await?;
        self.execute(query("DELETE FROM figure_quarters WHERE minute < $1").bind(quarters)).await?;
        Ok(())
    }

    async fn reviews_settled(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<BTreeMap<i64, i64>> {
        let select = query(
            "SELECT floor(extract(epoch FROM at) / 60)::bigint AS minute, count(*) AS count FROM events
             WHERE at >= $1 AND at < $2 AND stage = 'photo_review'
                AND (kind = 'stage_completed' AND data::json ->> 'outcome' = $3 OR kind = 'rejected' AND actor_kind = 'reviewer')
             GROUP BY 1",
        );
        let rows = self.rows(select.bind(from).bind(until).bind(outcome::APPROVED)).await?;
        rows.iter().map(|row| Ok((row.try_get("minute")?, row.try_get("count")?))).collect()
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
}

//! Due times and forecasts.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, query, sqlite::SqliteRow};

use super::{
    super::{
        Result,
        forecasts::{Forecasts, hour},
    },
    SqliteStore,
    codec::{Columns as _, stamp},
};
use crate::domain::{
    forecast::{Due, Said},
    stage::Stage,
};

#[async_trait]
impl Forecasts for SqliteStore {
    async fn open_dues(&self, limit: u64) -> Result<Vec<Due>> {
        self.within(async {
            let rows = query(
                "SELECT due_at, authority, count(*) AS count FROM ( \
                    SELECT due_at, authority FROM reviews INDEXED BY reviews_undecided \
                    WHERE state IN ('open', 'claimed') AND due_at IS NOT NULL \
                    ORDER BY due_at, authority LIMIT ?1) \
                 GROUP BY due_at, authority ORDER BY due_at, authority",
            )
            .bind(whole(limit))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(due).collect()
        })
        .await
    }

    async fn dues_at(&self, stage: Stage, limit: u64) -> Result<Vec<Due>> {
        self.within(async {
            let rows = query(
                "SELECT a.due_at, a.authority, count(*) AS count \
                 FROM (SELECT DISTINCT application_id FROM jobs WHERE stage = ?1 AND lease IS NULL LIMIT ?2) j \
                 JOIN applications a ON a.id = j.application_id \
                 WHERE a.stage = ?1 AND a.calendar IS NOT NULL AND a.due_at IS NOT NULL \
                 GROUP BY a.due_at, a.authority ORDER BY a.due_at, a.authority",
            )
            .bind(stage.as_str())
            .bind(whole(limit))
            .fetch_all(&self.readers)
            .await?;
            rows.iter().map(due).collect()
        })
        .await
    }

    async fn put_forecast(&self, said: &Said) -> Result<()> {
        self.within(async {
            query(
                "INSERT INTO forecasts (hour, at, until, open, missed, at_best, at_worst) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(hour(said.at))
            .bind(stamp(said.at))
            .bind(stamp(said.until))
            .bind(whole(said.open))
            .bind(whole(said.missed))
            .bind(whole(said.at_best))
            .bind(whole(said.at_worst))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn forecasts(&self, from: DateTime<Utc>) -> Result<Vec<Said>> {
        self.within(async {
            let rows = query("SELECT * FROM forecasts WHERE hour >= ?1 AND at >= ?2 ORDER BY hour")
                .bind(hour(from))
                .bind(stamp(from))
                .fetch_all(&self.readers)
                .await?;
            rows.iter().map(said).collect()
        })
        .await
    }

    async fn missed_between(&self, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64> {
        self.within(async {
            query(
                "SELECT count(*) AS count FROM reviews \
                 WHERE coalesce(due_at, '~') > ?1 AND coalesce(due_at, '~') <= ?2 AND state <> 'withdrawn' \
                    AND julianday(document ->> '$.opened_at') <= julianday(?1) \
                    AND (state <> 'decided' OR julianday(document ->> '$.decision.takes_effect_at') > julianday(due_at))",
            )
            .bind(stamp(at))
            .bind(stamp(until))
            .fetch_one(&self.readers)
            .await?
            .number("count")
        })
        .await
    }

    async fn judge_forecast(&self, at: DateTime<Utc>, came: u64) -> Result<()> {
        self.within(async {
            query("UPDATE forecasts SET came = ?2 WHERE hour = ?1 AND came IS NULL")
                .bind(hour(at))
                .bind(whole(came))
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    async fn forget_forecasts(&self, before: DateTime<Utc>) -> Result<()> {
        self.within(async {
            query("DELETE FROM forecasts WHERE hour < ?1").bind(hour(before)).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn due(row: &SqliteRow) -> Result<Due> {
    let authority: Option<String> = row.try_get("authority")?;
    // A text that is no authority, which only the registry could have sent, has no region.
    let authority = authority.and_then(|text| text.try_into().ok());
    Ok(Due { at: row.parsed("due_at")?, authority, count: row.number("count")? })
}

fn said(row: &SqliteRow) -> Result<Said> {
    let came: Option<i64> = row.try_get("came")?;
    Ok(Said {
        at: row.parsed("at")?,
        until: row.parsed("until")?,
        open: row.number("open")?,
        missed: row.number("missed")?,
        at_best: row.number("at_best")?,
        at_worst: row.number("at_worst")?,
        came: came.and_then(|came| u64::try_from(came).ok()),
    })
}

//! Due times and forecasts.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow, query};

use super::{PostgresStore, row};
use crate::{
    domain::{
        forecast::{Due, Said},
        stage::Stage,
    },
    store::{
        Result,
        forecasts::{Forecasts, hour},
    },
};

#[async_trait]
impl Forecasts for PostgresStore {
    async fn open_dues(&self, limit: u64) -> Result<Vec<Due>> {
        let select = query(
            r#"SELECT due_at, authority COLLATE "C" AS authority, count(*) AS count FROM (
                SELECT due_at, authority FROM reviews WHERE state IN ('open', 'claimed') AND due_at < 'infinity'
                ORDER BY due_at, authority LIMIT $1) undecided
             GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST"#,
        );
        self.rows(select.bind(whole(limit))).await?.iter().map(due).collect()
    }

    async fn dues_at(&self, stage: Stage, limit: u64) -> Result<Vec<Due>> {
        let select = query(
            r#"SELECT a.due_at, a.authority COLLATE "C" AS authority, count(*) AS count
             FROM (SELECT DISTINCT application_id FROM jobs WHERE stage = $1 AND lease IS NULL LIMIT $2) j
             JOIN applications a ON a.id = j.application_id
             JOIN deadlines d ON d.application_id = a.id
             WHERE a.stage = $1 AND a.due_at IS NOT NULL
             GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST"#,
        );
        self.rows(select.bind(stage.as_str()).bind(whole(limit))).await?.iter().map(due).collect()
    }

    async fn put_forecast(&self, said: &Said) -> Result<()> {
        let insert = query(
            "INSERT INTO forecasts (hour, at, until, open, missed, at_best, at_worst) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT DO NOTHING",
        )
        .bind(hour(said.at))
        .bind(said.at)
        .bind(said.until)
        .bind(whole(said.open))
        .bind(whole(said.missed))
        .bind(whole(said.at_best))
        .bind(whole(said.at_worst));
        self.execute(insert).await?;
        Ok(())
    }

    async fn forecasts(&self, from: DateTime<Utc>) -> Result<Vec<Said>> {
        let select = query("SELECT * FROM forecasts WHERE hour >= $1 AND at >= $2 ORDER BY hour");
        self.rows(select.bind(hour(from)).bind(from)).await?.iter().map(said).collect()
    }

    async fn missed_between(&self, at: DateTime<Utc>, until: DateTime<Utc>) -> Result<u64> {
        let select = query(
            "SELECT count(*) AS count FROM reviews
             WHERE due_at > $1 AND due_at <= $2 AND state <> 'withdrawn'
                AND (document::json ->> 'opened_at')::timestamptz <= $1
                AND (state <> 'decided' OR (document::json #>> '{decision,takes_effect_at}')::timestamptz > due_at)",
        );
        let counted = self.row(select.bind(at).bind(until)).await?;
        counted.map_or(Ok(0), |counted| row::count(&counted, "count"))
    }

    async fn judge_forecast(&self, at: DateTime<Utc>, came: u64) -> Result<()> {
        let update = query("UPDATE forecasts SET came = $2 WHERE hour = $1 AND came IS NULL");
        self.execute(update.bind(hour(at)).bind(whole(came))).await?;
        Ok(())
    }

    async fn forget_forecasts(&self, before: DateTime<Utc>) -> Result<()> {
        self.execute(query("DELETE FROM forecasts WHERE hour < $1").bind(hour(before))).await?;
        Ok(())
    }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn due(found: &PgRow) -> Result<Due> {
    let authority: Option<String> = found.try_get("authority")?;
    // A text that is no authority, which only the registry could have sent, has no region.
    let authority = authority.and_then(|text| text.try_into().ok());
    Ok(Due { at: found.try_get("due_at")?, authority, count: row::count(found, "count")? })
}

fn said(found: &PgRow) -> Result<Said> {
    let came: Option<i64> = found.try_get("came")?;
    Ok(Said {
        at: found.try_get("at")?,
        until: found.try_get("until")?,
        open: row::count(found, "open")?,
        missed: row::count(found, "missed")?,
        at_best: row::count(found, "at_best")?,
        at_worst: row::count(found, "at_worst")?,
        came: came.and_then(|came| u64::try_from(came).ok()),
    })
}

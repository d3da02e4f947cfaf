//! The ceiling of the benchmark: the same number of state changes as an application has, written as plainly as possible.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use sqlx::{Connection as _, query};
use uuid::Uuid;

use super::PostgresStore;
use crate::store::{
    Result,
    types::{CEILING_STEPS, Ceiling},
};

impl PostgresStore {
    pub(super) async fn ceiling(&self, ceiling: &Ceiling) -> Result<Duration> {
        self.drop_ceiling().await?;
        self.execute(query("CREATE TABLE ceiling_states (id uuid PRIMARY KEY, step integer NOT NULL, state text NOT NULL) WITH (fillfactor = 80)"))
            .await?;
        self.execute(query("CREATE TABLE ceiling_events (id uuid NOT NULL, step integer NOT NULL, event text NOT NULL, PRIMARY KEY (id, step))"))
            .await?;
        let writers = ceiling.writers.max(1);
        let share = Ceiling { applications: ceiling.applications / writers, ..*ceiling };
        let started = Instant::now();
        try_join_all((0..writers).map(|_| self.write_share(share))).await?;
        let elapsed = started.elapsed();
        self.drop_ceiling().await?;
        Ok(elapsed)
    }

    async fn write_share(&self, share: Ceiling) -> Result<()> {
        let (state, event) = ("s".repeat(share.state_bytes), "e".repeat(share.event_bytes));
        let mut lent = self.lend_to_write().await?;
        let mut left = share.applications;
        while left > 0 {
            let count = left.min(share.batch.max(1));
            left -= count;
            let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
            query("INSERT INTO ceiling_states SELECT id, 0, $2 FROM unnest($1::uuid[]) AS t(id)")
                .bind(&ids)
                .bind(&state)
                .execute(&mut *lent)
                .await?;
            for step in 1..=i32::try_from(CEILING_STEPS).unwrap_or(i32::MAX) {
                let mut transaction = lent.begin().await?;
                query("UPDATE ceiling_states SET step = $2, state = $3 WHERE id = ANY($1)")
                    .bind(&ids)
                    .bind(step)
                    .bind(&state)
                    .execute(&mut *transaction)
                    .await?;
                query("INSERT INTO ceiling_events SELECT id, $2, $3 FROM unnest($1::uuid[]) AS t(id)")
                    .bind(&ids)
                    .bind(step)
                    .bind(&event)
                    .execute(&mut *transaction)
                    .await?;
                transaction.commit().await?;
            }
        }
        lent.give_back();
        Ok(())
    }

    async fn drop_ceiling(&self) -> Result<()> {
        self.execute(query("DROP TABLE IF EXISTS ceiling_states")).await?;
        self.execute(query("DROP TABLE IF EXISTS ceiling_events")).await?;
        Ok(())
    }
}

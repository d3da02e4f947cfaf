//! Users, sessions, tries to sign in.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow, query};

use super::{PostgresStore, row};
use crate::store::{
    Result,
    users::{Assignment, Changed, Sessions, StoredSession, User, Users},
};

#[async_trait]
impl Users for PostgresStore {
    async fn create_user(&self, user: &User) -> Result<bool> {
        let insert = query(
            "INSERT INTO users (name, password, role, authority, other_authorities, document, epoch, created_at, disabled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO NOTHING",
        )
        .bind(&user.name)
        .bind(&user.password)
        .bind(user.role.as_str())
        .bind(&user.authority)
        .bind(user.other_authorities)
        .bind(&user.document)
        .bind(user.epoch)
        .bind(user.created_at)
        .bind(user.disabled_at);
        Ok(self.execute(insert).await? == 1)
    }

    async fn user(&self, name: &str) -> Result<Option<User>> {
        let row = self.row(query("SELECT * FROM users WHERE name = $1").bind(name)).await?;
        row.as_ref().map(user).transpose()
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.rows(query("SELECT * FROM users ORDER BY name")).await?.iter().map(user).collect()
    }

    // Locking the administrators, always in one order, lets no two of them remove each other.
    async fn disable_user(&self, name: &str, keep_admin: bool) -> Result<Changed> {
        let disable = query(
            "WITH admins AS (SELECT name FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY name FOR UPDATE)
             UPDATE users SET disabled_at = now(), epoch = epoch + 1 WHERE name = $1 AND disabled_at IS NULL
                AND (NOT $2 OR role <> 'admin' OR (SELECT count(*) FROM admins WHERE name <> $1) > 0)",
        );
        if self.execute(disable.bind(name).bind(keep_admin)).await? == 1 {
            return Ok(Changed::Done);
        }
        let is_kept = self.user(name).await?.is_some_and(|user| user.disabled_at.is_none());
        Ok(if is_kept { Changed::LastAdmin } else { Changed::Nobody })
    }

    async fn enable_user(&self, name: &str) -> Result<bool> {
        let enable = query("UPDATE users SET disabled_at = NULL WHERE name = $1 AND disabled_at IS NOT NULL");
        Ok(self.execute(enable.bind(name)).await? == 1)
    }

    async fn assign_user(&self, name: &str, assignment: &Assignment, keep_admin: bool) -> Result<Changed> {
        let assign = query(
            "WITH admins AS (SELECT name FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY name FOR UPDATE)
             UPDATE users SET role = $1, authority = $2, other_authorities = $3, document = $4 WHERE name = $5
                AND (NOT $6 OR role <> 'admin' OR $1 = 'admin' OR disabled_at IS NOT NULL
                    OR (SELECT count(*) FROM admins WHERE name <> $5) > 0)",
        )
        .bind(assignment.role.as_str())
        .bind(&assignment.authority)
        .bind(assignment.other_authorities)
        .bind(&assignment.document)
        .bind(name)
        .bind(keep_admin);
        if self.execute(assign).await? == 1 {
            return Ok(Changed::Done);
        }
        Ok(if self.user(name).await?.is_some() { Changed::LastAdmin } else { Changed::Nobody })
    }

    async fn set_password(&self, name: &str, password: &str) -> Result<Option<i64>> {
        let update = query("UPDATE users SET password = $1, epoch = epoch + 1 WHERE name = $2 RETURNING epoch");
        let row = self.row(update.bind(password).bind(name)).await?;
        Ok(row.map(|row| row.try_get("epoch")).transpose()?)
    }
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn create_session(&self, session: &StoredSession) -> Result<bool> {
        let insert =
            query("INSERT INTO sessions (id, data, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING")
                .bind(&session.id)
                .bind(&session.data)
                .bind(session.expires_at);
        Ok(self.execute(insert).await? == 1)
    }

    async fn save_session(&self, session: &StoredSession) -> Result<()> {
        let update = query("UPDATE sessions SET data = $1, expires_at = $2 WHERE id = $3")
            .bind(&session.data)
            .bind(session.expires_at)
            .bind(&session.id);
        self.execute(update).await?;
        Ok(())
    }

    async fn session(&self, id: &str) -> Result<Option<StoredSession>> {
        let row = self.row(query("SELECT * FROM sessions WHERE id = $1 AND expires_at > now()").bind(id)).await?;
        row.map(|row| {
            Ok(StoredSession {
                id: row.try_get("id")?,
                data: row.try_get("data")?,
                expires_at: row.try_get("expires_at")?,
            })
        })
        .transpose()
    }

    async fn delete_session(&self, id: &str) -> Result<()> {
        self.execute(query("DELETE FROM sessions WHERE id = $1").bind(id)).await?;
        Ok(())
    }

    async fn count_try(&self, subjects: &[String], limit: u32, window: Duration) -> Result<Option<DateTime<Utc>>> {
        // In one order, so that two tries with the same subjects never wait for each other.
        let count = query(
            "INSERT INTO sign_in_tries AS t (subject, tries, ends_at)
             SELECT DISTINCT subject, 1, now() + make_interval(secs => $2) FROM unnest($1::text[]) subject ORDER BY subject
             ON CONFLICT (subject) DO UPDATE SET
                tries = CASE WHEN t.ends_at <= now() THEN 1 ELSE t.tries + 1 END,
                ends_at = CASE WHEN t.ends_at <= now() THEN excluded.ends_at ELSE t.ends_at END
             RETURNING tries, ends_at",
        );
        let mut wait = None;
        for row in self.rows(count.bind(subjects).bind(window.as_secs_f64())).await? {
            if row::count::<u64>(&row, "tries")? > u64::from(limit) {
                wait = wait.max(Some(row.try_get("ends_at")?));
            }
        }
        Ok(wait)
    }

    async fn uncount_try(&self, subjects: &[String]) -> Result<()> {
        let uncount = query(
            "UPDATE sign_in_tries SET tries = greatest(tries - 1, 0) WHERE subject IN
             (SELECT subject FROM sign_in_tries WHERE subject = ANY($1) ORDER BY subject FOR UPDATE)",
        );
        self.execute(uncount.bind(subjects)).await?;
        Ok(())
    }

    async fn tidy_sessions(&self) -> Result<()> {
        self.execute(query("DELETE FROM sessions WHERE expires_at <= now()")).await?;
        self.execute(query("DELETE FROM sign_in_tries WHERE ends_at <= now()")).await?;
        Ok(())
    }
}

fn user(row: &PgRow) -> Result<User> {
    Ok(User {
        name: row.try_get("name")?,
        password: row.try_get("password")?,
        role: row::name(row, "role")?,
        authority: row.try_get("authority")?,
        other_authorities: row.try_get("other_authorities")?,
        document: row.try_get("document")?,
        epoch: row.try_get("epoch")?,
        created_at: row.try_get("created_at")?,
        disabled_at: row.try_get("disabled_at")?,
    })
}

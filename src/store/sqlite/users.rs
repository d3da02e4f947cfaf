//! Users, sessions, tries to sign in.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Row as _, query, sqlite::SqliteRow};

use super::{
    super::{
        Result,
        users::{Assignment, Changed, Sessions, StoredSession, User, Users},
    },
    SqliteStore,
    codec::{Columns as _, list, stamp, stamp_opt},
    now,
};

#[async_trait]
impl Users for SqliteStore {
    async fn create_user(&self, user: &User) -> Result<bool> {
        self.within(async {
            let inserted = query(
                "INSERT INTO users (name, password, role, authority, other_authorities, document, epoch, created_at, disabled_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (name) DO NOTHING",
            )
            .bind(&user.name)
            .bind(&user.password)
            .bind(user.role.as_str())
            .bind(&user.authority)
            .bind(user.other_authorities)
            .bind(&user.document)
            .bind(user.epoch)
            .bind(stamp(user.created_at))
            .bind(stamp_opt(user.disabled_at))
            .execute(&self.writer)
            .await?;
            Ok(inserted.rows_affected() == 1)
        })
        .await
    }

    async fn user(&self, name: &str) -> Result<Option<User>> {
        self.within(async {
            let row = query("SELECT * FROM users WHERE name = ?1").bind(name).fetch_optional(&self.readers).await?;
            row.as_ref().map(user).transpose()
        })
        .await
    }

    async fn users(&self) -> Result<Vec<User>> {
        self.within(async {
            let rows = query("SELECT * FROM users ORDER BY name").fetch_all(&self.readers).await?;
            rows.iter().map(user).collect()
        })
        .await
    }

    async fn disable_user(&self, name: &str, keep_admin: bool) -> Result<Changed> {
        let disabled = self.within(async {
            let disable = query(
                "UPDATE users SET disabled_at = ?1, epoch = epoch + 1 WHERE name = ?2 AND disabled_at IS NULL \
                    AND (NOT ?3 OR role <> 'admin' OR EXISTS (SELECT 1 FROM users other \
                        WHERE other.role = 'admin' AND other.disabled_at IS NULL AND other.name <> ?2))",
            );
            Ok(disable.bind(stamp(now())).bind(name).bind(keep_admin).execute(&self.writer).await?.rows_affected() == 1)
        });
        if disabled.await? {
            return Ok(Changed::Done);
        }
        let is_kept = self.user(name).await?.is_some_and(|user| user.disabled_at.is_none());
        Ok(if is_kept { Changed::LastAdmin } else { Changed::Nobody })
    }

    async fn enable_user(&self, name: &str) -> Result<bool> {
        self.within(async {
            let enable = query("UPDATE users SET disabled_at = NULL WHERE name = ?1 AND disabled_at IS NOT NULL");
            Ok(enable.bind(name).execute(&self.writer).await?.rows_affected() == 1)
        })
        .await
    }

    async fn assign_user(&self, name: &str, assignment: &Assignment, keep_admin: bool) -> Result<Changed> {
        let assigned = self.within(async {
            let assign = query(
                "UPDATE users SET role = ?1, authority = ?2, other_authorities = ?3, document = ?4 WHERE name = ?5 \
                    AND (NOT ?6 OR role <> 'admin' OR ?1 = 'admin' OR disabled_at IS NOT NULL \
                        OR EXISTS (SELECT 1 FROM users other \
                            WHERE other.role = 'admin' AND other.disabled_at IS NULL AND other.name <> ?5))",
            )
            .bind(assignment.role.as_str())
            .bind(&assignment.authority)
            .bind(assignment.other_authorities)
            .bind(&assignment.document)
            .bind(name)
            .bind(keep_admin);
            Ok(assign.execute(&self.writer).await?.rows_affected() == 1)
        });
        if assigned.await? {
            return Ok(Changed::Done);
        }
        Ok(if self.user(name).await?.is_some() { Changed::LastAdmin } else { Changed::Nobody })
    }

    async fn set_password(&self, name: &str, password: &str) -> Result<Option<i64>> {
        self.within(async {
            let row = query("UPDATE users SET password = ?1, epoch = epoch + 1 WHERE name = ?2 RETURNING epoch")
                .bind(password)
                .bind(name)
                .fetch_optional(&self.writer)
                .await?;
            Ok(row.map(|row| row.try_get("epoch")).transpose()?)
        })
        .await
    }
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn create_session(&self, session: &StoredSession) -> Result<bool> {
        self.within(async {
            let inserted =
                query("INSERT INTO sessions (id, data, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING")
                    .bind(&session.id)
                    .bind(&session.data)
                    .bind(stamp(session.expires_at))
                    .execute(&self.writer)
                    .await?;
            Ok(inserted.rows_affected() == 1)
        })
        .await
    }

    async fn save_session(&self, session: &StoredSession) -> Result<()> {
        self.within(async {
            query("UPDATE sessions SET data = ?1, expires_at = ?2 WHERE id = ?3")
                .bind(&session.data)
                .bind(stamp(session.expires_at))
                .bind(&session.id)
                .execute(&self.writer)
                .await?;
            Ok(())
        })
        .await
    }

    async fn session(&self, id: &str) -> Result<Option<StoredSession>> {
        self.within(async {
            let row = query("SELECT * FROM sessions WHERE id = ?1 AND expires_at > ?2")
                .bind(id)
                .bind(stamp(now()))
                .fetch_optional(&self.readers)
                .await?;
            row.map(|row| {
                Ok(StoredSession {
                    id: row.text("id")?,
                    data: row.text("data")?,
                    expires_at: row.parsed("expires_at")?,
                })
            })
            .transpose()
        })
        .await
    }

    async fn delete_session(&self, id: &str) -> Result<()> {
        self.within(async {
            query("DELETE FROM sessions WHERE id = ?1").bind(id).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    async fn count_try(&self, subjects: &[String], limit: u32, window: Duration) -> Result<Option<DateTime<Utc>>> {
        self.within(async {
            let now = now();
            let rows = query(
                "INSERT INTO sign_in_tries (subject, tries, ends_at) SELECT value, 1, ?2 FROM json_each(?1) WHERE true \
                 ON CONFLICT (subject) DO UPDATE SET \
                 tries = CASE WHEN ends_at <= ?3 THEN 1 ELSE tries + 1 END, \
                 ends_at = CASE WHEN ends_at <= ?3 THEN excluded.ends_at ELSE ends_at END \
                 RETURNING tries, ends_at",
            )
            .bind(list(subjects.iter().map(String::as_str)))
            .bind(stamp(now + window))
            .bind(stamp(now))
            .fetch_all(&self.writer)
            .await?;
            let mut wait = None;
            for row in rows {
                if row.number::<u64>("tries")? > u64::from(limit) {
                    wait = wait.max(Some(row.parsed("ends_at")?));
                }
            }
            Ok(wait)
        })
        .await
    }

    async fn uncount_try(&self, subjects: &[String]) -> Result<()> {
        self.within(async {
            query(
                "UPDATE sign_in_tries SET tries = max(tries - 1, 0) WHERE subject IN (SELECT value FROM json_each(?1))",
            )
            .bind(list(subjects.iter().map(String::as_str)))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn tidy_sessions(&self) -> Result<()> {
        self.within(async {
            query("DELETE FROM sessions WHERE expires_at <= ?1").bind(stamp(now())).execute(&self.writer).await?;
            query("DELETE FROM sign_in_tries WHERE ends_at <= ?1").bind(stamp(now())).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }
}

fn user(row: &SqliteRow) -> Result<User> {
    Ok(User {
        name: row.text("name")?,
        password: row.text("password")?,
        role: row.parsed("role")?,
        authority: row.try_get("authority")?,
        other_authorities: row.try_get("other_authorities")?,
        document: row.try_get("document")?,
        epoch: row.try_get("epoch")?,
        created_at: row.parsed("created_at")?,
        disabled_at: row.parsed_opt("disabled_at")?,
    })
}

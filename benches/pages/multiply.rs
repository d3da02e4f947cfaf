//! Many applications out of a few: their rows are copied set by set, each copy with ids and times of its own.

use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, PgPool, SqlitePool};

use super::{Template, support};

/// Copies are spread over so many milliseconds.
const SPAN: u64 = 15 * 24 * 3_600_000;
/// Numbers of one statement.
const AT_ONCE: u64 = 100_000;
/// One of so many applications has a webhook that is dead.
const DEAD: u64 = 200;

/// One moment for all statements, so that each table has the same ids.
static NOW: LazyLock<u64> = LazyLock::new(|| u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap());

/// The tables with rows of an application, and the column that names it.
const TABLES: &[(&str, &str)] = &[
    ("applications", "id"),
    ("applicants", "application_id"),
    ("events", "application_id"),
    ("reviews", "application_id"),
    ("licences", "application_id"),
];
/// Those that only PostgreSQL has.
const APART: &[(&str, &str)] = &[("deadlines", "application_id"), ("unfinished", "application_id")];

pub enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Database {
    pub async fn open(database: &support::Database) -> Self {
        if database.is_postgres() {
            Self::Postgres(PgPool::connect(database.url()).await.unwrap())
        } else {
            Self::Sqlite(SqlitePool::connect(database.url()).await.unwrap())
        }
    }

    async fn execute(&self, sql: String) {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
            Self::Postgres(pool) => sqlx::raw_sql(sql).execute(pool).await.map(|_| ()),
        }
        .unwrap();
    }

    async fn texts(&self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap(),
        }
    }

    async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Postgres(pool) => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
        }
    }

    pub async fn events(&self) -> i64 {
        self.number("SELECT count(*) FROM events").await
    }

    /// The columns that a copy has a value of; what the database numbers itself is left out.
    async fn columns(&self, table: &str) -> Vec<String> {
        self.texts(match self {
            Self::Sqlite(_) => {
                format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'seq' OR '{table}' = 'events'")
            }
            Self::Postgres(_) => format!(
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'
                 AND is_identity = 'NO' ORDER BY ordinal_position"
            ),
        })
        .await
    }

    /// The milliseconds of copy `n.n`, since 1970.
    fn moment(total: u64) -> String {
        let (first, step) = (*NOW - SPAN, SPAN / total.max(1));
        format!("({first} + n.n * {step})")
    }

    /// An id of version 7 with the time of the copy; `sort` tells ids of one copy apart.
    fn id(&self, total: u64, sort: u32) -> String {
        let moment = Self::moment(total);
        match self {
            Self::Sqlite(_) => format!(
                "(substr(printf('%012x', {moment}), 1, 8) || '-' || substr(printf('%012x', {moment}), 9, 4) || \
                 '-7000-8{sort:03}-' || printf('%012x', n.n))"
            ),
            Self::Postgres(_) => format!(
                "(substr(lpad(to_hex({moment}), 12, '0'), 1, 8) || '-' || substr(lpad(to_hex({moment}), 12, '0'), 9, 4) || \
                 '-7000-8{sort:03}-' || lpad(to_hex(n.n), 12, '0'))"
            ),
        }
    }

    fn time(&self, total: u64) -> String {
        let moment = Self::moment(total);
        match self {
            Self::Sqlite(_) => format!("strftime('%Y-%m-%dT%H:%M:%f000Z', {moment} / 1000.0, 'unixepoch')"),
            Self::Postgres(_) => format!("to_timestamp({moment} / 1000.0)"),
        }
    }

    /// The numbers from one until before another, as the table `n`.
    fn numbers(&self, from: u64, until: u64) -> String {
        match self {
            Self::Sqlite(_) => format!(
                "(WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {until}) SELECT n FROM s) AS n"
            ),
            Self::Postgres(_) => format!("generate_series({from}::bigint, {until}::bigint - 1) AS n(n)"),
        }
    }

    /// Makes copies of the templates, their sorts mixed.
    pub async fn multiply(&self, templates: &[Template], total: u64) {
        let apart = APART.iter().filter(|_| matches!(self, Self::Postgres(_)));
        let tables: Vec<_> = TABLES.iter().chain(apart).collect();
        let mut from = 0;
        while from < total {
            let until = total.min(from + AT_ONCE);
            let mut first = 0;
            for template in templates {
                let which = format!("n.n % 1000 >= {first} AND n.n % 1000 < {}", first + template.share);
                first += template.share;
                for (table, key) in &tables {
                    self.copy(table, key, template, &self.numbers(from, until), &which, total).await;
                }
            }
            from = until;
        }
        self.webhooks(&templates[0].id, total).await;
        self.execute("DELETE FROM counters".to_owned()).await;
        self.execute(
            "INSERT INTO counters (shard, status, stage, count)
             SELECT 0, status, stage, count(*) FROM applications GROUP BY status, stage"
                .to_owned(),
        )
        .await;
    }

    async fn copy(&self, table: &str, key: &str, template: &Template, numbers: &str, which: &str, total: u64) {
        let (id, review, licence) = (self.id(total, 0), self.id(total, 1), self.id(total, 2));
        let (cast, time) = (self.cast(), self.time(total));
        let document =
            template.review.iter().fold(format!("replace(t.document, '{}', {id})", template.id), |text, old| {
                format!("replace({text}, '{old}', {review})")
            });
        let columns = self.columns(table).await;
        let value = |column: &String| match (table, column.as_str()) {
            (_, column) if column == key => format!("{id}{cast}"),
            ("reviews", "id") => format!("{review}{cast}"),
            ("licences", "id") => format!("{licence}{cast}"),
            (_, "holder" | "idempotency_key") => format!("t.{column} || '-' || n.n"),
            (_, "document") => document.clone(),
            ("events", "at") | (_, "submitted_at" | "completed_at" | "issued_at") => {
                format!("CASE WHEN t.{column} IS NULL THEN NULL ELSE {time} END")
            }
            (_, column) => format!("t.{column}"),
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        self.execute(format!(
            "INSERT INTO {table} ({}) SELECT {} FROM {table} t CROSS JOIN {numbers} WHERE t.{key} = '{}' AND {which}",
            columns.join(", "),
            values.join(", "),
            template.id,
        ))
        .await;
    }

    fn cast(&self) -> &'static str {
        if matches!(self, Self::Postgres(_)) { "::uuid" } else { "" }
    }

    /// Dead webhooks of some of the copies, and a delivered one of each.
    async fn webhooks(&self, template: &str, total: u64) {
        let (id, webhook, time, cast) = (self.id(total, 0), self.id(total, 3), self.time(total), self.cast());
        let numbers = self.numbers(0, total);
        self.execute(format!(
            "INSERT INTO webhooks (id, application_id, url, document, attempts, due_at, dead, last_error, created_at)
             SELECT {webhook}{cast}, {id}{cast}, 'https://upstream.example/hooks', t.document, 12, {time}, true,
                'the receiver answered 503', {time}
             FROM applications t CROSS JOIN {numbers} WHERE t.id = '{template}' AND n.n % {DEAD} = 0"
        ))
        .await;
        let webhook = self.id(total, 4);
        self.execute(format!(
            "INSERT INTO delivered_webhooks (id, application_id, url, attempts, status, created_at, delivered_at)
             SELECT {webhook}{cast}, {id}{cast}, 'https://upstream.example/hooks', 1, 204, {time}, {time}
             FROM {numbers}"
        ))
        .await;
    }

    /// Figures of 15 days by the minute and by the quarter of an hour, of about as many series as there are.
    pub async fn figures(&self) {
        let now = *NOW / 60_000;
        let named: &[&str] = &[
            "reviews.open",
            "reviews.claimed",
            "reviews.reviewers",
            "reviews.decided",
            "deadlines.at_risk",
            "deadlines.breached",
            "webhooks.pending",
            "stalled",
        ];
        let families = ["ready", "oldest", "runs", "wait_p95", "run_p95"];
        let stages = ["eligibility", "face_verification", "photo_review", "generation", "notification"];
        let by_stage = families.iter().flat_map(|family| stages.iter().map(move |stage| format!("{family}.{stage}")));
        for series in named.iter().map(|series| (*series).to_owned()).chain(by_stage) {
            let (minutes, quarters) = (self.numbers(0, 2 * 24 * 60), self.numbers(0, 15 * 24 * 4));
            self.execute(format!(
                "INSERT INTO figures (series, minute, value)
                 SELECT '{series}', {now} - 2880 + n.n, n.n % 37 FROM {minutes} WHERE true ON CONFLICT DO NOTHING"
            ))
            .await;
            self.execute(format!(
                "INSERT INTO figure_quarters (series, minute, sum, most, minutes)
                 SELECT '{series}', ({now} / 15 - 1440 + n.n) * 15, n.n % 200, n.n % 37, 15 FROM {quarters}
                 WHERE true ON CONFLICT DO NOTHING"
            ))
            .await;
        }
    }

    /// As a database in daily use is: with statistics.
    pub async fn analyse(&self) {
        match self {
            Self::Sqlite(_) => {
                self.execute("PRAGMA optimize = 0x10002; PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await;
            }
            Self::Postgres(_) => self.execute("VACUUM ANALYZE".to_owned()).await,
        }
    }
}

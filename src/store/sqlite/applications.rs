//! Admission and reading of applications, photos and licences.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{QueryBuilder, Sqlite, query, sqlite::SqliteRow};

use super::{
    super::{
        Applications, Result,
        rows::{Known, SEARCHED, after, cursor, cursor_key, is_search, listed, searched},
        types::{
            Admission, Admitted, ApplicationFilter, ApplicationView, DONE, LicenceRecord, Listed, Page, PhotoRecord,
        },
    },
    SqliteStore, Writer, admit,
    codec::{Columns as _, from_document, jobs, stamp, stamp_opt, to_document},
};
use crate::domain::{
    application::Kind,
    ids::{ApplicationId, LicenceId, PhotoId},
    stage::Stage,
};

const VIEW: &str = concat!(
    "SELECT a.document, ",
    jobs!(),
    ", p.key_id, p.wrapped_key, p.ciphertext FROM applications a JOIN applicants p ON p.application_id = a.id WHERE true"
);

#[async_trait]
impl Applications for SqliteStore {
    async fn admit(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (pool, batch) = (self.writer.clone(), batch.to_vec());
        self.apart(async move {
            let mut writer = Writer::of(&pool).await?;
            let mut tx = writer.begin().await?;
            let judged = admit::known(&mut tx, &batch).await?.judge(&batch);
            let created = Known::created(&batch, &judged);
            if created.is_empty() {
                tx.rollback().await?;
            } else {
                admit::insert(&mut tx, &created).await?;
                tx.commit().await?;
            }
            writer.settle();
            Ok(judged)
        })
        .await
    }

    async fn application(&self, id: ApplicationId) -> Result<Option<ApplicationView>> {
        self.within(async {
            let mut select = QueryBuilder::<Sqlite>::new(VIEW);
            select.push(" AND a.id = ").push_bind(id.to_string());
            let row = select.build().fetch_optional(&self.readers).await?;
            row.as_ref().map(view).transpose()
        })
        .await
    }

    async fn by_key(&self, owner: &str, idempotency_key: &str) -> Result<Option<(ApplicationId, String)>> {
        self.within(async {
            let row = query("SELECT id, request_hash FROM applications WHERE owner = ?1 AND idempotency_key = ?2")
                .bind(owner)
                .bind(idempotency_key)
                .fetch_optional(&self.readers)
                .await?;
            row.map(|row| Ok((row.parsed("id")?, row.text("request_hash")?))).transpose()
        })
        .await
    }

    async fn applications(&self, filter: &ApplicationFilter, page: &Page) -> Result<Listed<ApplicationView>> {
        self.within(async {
            let from = after(page)?.map(|[id]| cursor_key::<ApplicationId>(&id)).transpose()?;
            let edge = if is_search(filter) && !is_undecided(filter) { self.edge(filter, from).await? } else { None };
            let mut select = QueryBuilder::<Sqlite>::new(VIEW);
            restrict(&mut select, filter);
            if let Some(from) = from {
                select.push(" AND a.id < ").push_bind(from.to_string());
            }
            if let Some(edge) = &edge {
                select.push(" AND a.id >= ").push_bind(edge.clone());
            }
            select.push(" ORDER BY a.id DESC LIMIT ").push_bind(one_more(page));
            let rows = select.build().fetch_all(&self.readers).await?;
            let views = rows.iter().map(view).collect::<Result<Vec<_>>>()?;
            let listed = listed(views, page, |last| cursor([&last.application.id.to_string()]));
            Ok(searched(listed, edge.as_deref()))
        })
        .await
    }

    async fn count_applications(&self, filter: &ApplicationFilter, cap: u64) -> Result<u64> {
        self.within(async {
            let mut select =
                QueryBuilder::<Sqlite>::new("SELECT count(*) AS count FROM (SELECT 1 FROM applications a WHERE true");
            restrict(&mut select, filter);
            select.push(" LIMIT ").push_bind(i64::try_from(cap).unwrap_or(i64::MAX)).push(")");
            select.build().fetch_one(&self.readers).await?.number("count")
        })
        .await
    }

    async fn put_photo(&self, photo: &PhotoRecord) -> Result<()> {
        self.within(async {
            query(
                "INSERT INTO photos (id, owner, source, width, height, sha256, checks, thresholds, blob, created_at, face, check_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (id) DO NOTHING",
            )
            .bind(photo.id.to_string())
            .bind(&photo.owner)
            .bind(photo.source.as_str())
            .bind(photo.width)
            .bind(photo.height)
            .bind(&photo.sha256)
            .bind(photo.checks.to_string())
            .bind(&photo.thresholds)
            .bind(&photo.blob)
            .bind(stamp(photo.created_at))
            .bind(photo.face.map(|face| to_document("face", &face)).transpose()?)
            .bind(stamp_opt(photo.source.is_upload().then_some(photo.created_at)))
            .execute(&self.writer)
            .await?;
            Ok(())
        })
        .await
    }

    async fn photo(&self, id: PhotoId) -> Result<Option<PhotoRecord>> {
        self.within(async {
            let row =
                query("SELECT * FROM photos WHERE id = ?1").bind(id.to_string()).fetch_optional(&self.readers).await?;
            row.as_ref().map(photo).transpose()
        })
        .await
    }

    async fn application_of_photo(&self, id: PhotoId) -> Result<Option<ApplicationId>> {
        self.within(async {
            let row = query(
                "SELECT max(id) AS id FROM (SELECT id FROM applications WHERE photo_id = ?1 \
                 UNION ALL SELECT application_id FROM reviews WHERE photo_id = ?1)",
            )
            .bind(id.to_string())
            .fetch_one(&self.readers)
            .await?;
            row.parsed_opt("id")
        })
        .await
    }

    async fn current_licence(&self, holder: &str) -> Result<Option<LicenceRecord>> {
        self.within(async {
            let row = query("SELECT * FROM licences WHERE holder = ?1 AND state = 'current'")
                .bind(holder)
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(licence).transpose()
        })
        .await
    }

    async fn licence(&self, id: LicenceId) -> Result<Option<LicenceRecord>> {
        self.within(async {
            let row = query("SELECT * FROM licences WHERE id = ?1")
                .bind(id.to_string())
                .fetch_optional(&self.readers)
                .await?;
            row.as_ref().map(licence).transpose()
        })
        .await
    }

    async fn last_issued(&self, holder: &str, kind: Kind) -> Result<Option<DateTime<Utc>>> {
        self.within(async {
            let issued: Option<DateTime<Utc>> =
                query("SELECT max(issued_at) AS at FROM licences WHERE holder = ?1 AND kind = ?2")
                    .bind(holder)
                    .bind(kind.as_str())
                    .fetch_one(&self.readers)
                    .await?
                    .parsed_opt("at")?;
            Ok(issued)
        })
        .await
    }
}

impl SqliteStore {
    /// The last application that a page of a search reads, which begins below `from`; none when it reads all there are.
    async fn edge(&self, filter: &ApplicationFilter, from: Option<ApplicationId>) -> Result<Option<String>> {
        let mut select = QueryBuilder::<Sqlite>::new("SELECT id FROM applications WHERE true");
        if let Some(owner) = &filter.owner {
            select.push(" AND owner = ").push_bind(owner.clone());
        }
        if let Some(from) = from {
            select.push(" AND id < ").push_bind(from.to_string());
        }
        select.push(" ORDER BY id DESC LIMIT 1 OFFSET ").push_bind(i64::try_from(SEARCHED - 1).unwrap_or(i64::MAX));
        let row = select.build().fetch_optional(&self.readers).await?;
        row.map(|row| row.text("id")).transpose()
    }
}

/// Whether a partial index finds the applications with the filter's status.
fn is_undecided(filter: &ApplicationFilter) -> bool {
    filter.status.is_some_and(|status| !status.is_decided())
}

/// How many rows to fetch so that the end of a list is known.
pub(super) fn one_more(page: &Page) -> i64 {
    i64::try_from(page.limit).unwrap_or(i64::MAX).saturating_add(1)
}

fn restrict(select: &mut QueryBuilder<Sqlite>, filter: &ApplicationFilter) {
    let texts = [
        (" AND a.owner = ", filter.owner.clone()),
        (" AND a.status = ", filter.status.map(|status| status.to_string())),
        (" AND a.stage = ", filter.done.then(|| DONE.to_owned())),
        (" AND a.kind = ", filter.kind.map(|kind| kind.to_string())),
        (" AND a.upstream_ref = ", filter.upstream_ref.clone()),
        (" AND a.holder = ", filter.holder.clone()),
        (" AND a.error_code = ", filter.error_code.clone()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            select.push(condition).push_bind(value);
        }
    }
    match filter.stage {
        // Given up: the application itself may have come to its end.
        Some(Stage::Notification) if filter.needs_operator => {
            select.push(" AND a.stage IN ('notification', 'done')");
        }
        Some(stage) => {
            select.push(" AND a.stage = ").push_bind(stage.as_str());
        }
        None => {}
    }
    // Said again in the words of the partial indexes, which are small where the table is not.
    if is_undecided(filter) {
        select.push(" AND a.open");
    }
    if filter.needs_operator {
        select.push(" AND a.needs_operator");
    }
}

fn view(row: &SqliteRow) -> Result<ApplicationView> {
    Ok(ApplicationView {
        application: row.document("application", "document")?,
        jobs: row.jobs()?,
        applicant: row.sealed()?,
    })
}

fn photo(row: &SqliteRow) -> Result<PhotoRecord> {
    Ok(PhotoRecord {
        id: row.parsed("id")?,
        owner: row.text("owner")?,
        source: row.parsed("source")?,
        width: row.number("width")?,
        height: row.number("height")?,
        sha256: row.text("sha256")?,
        checks: row.document("photo checks", "checks")?,
        face: sqlx::Row::try_get::<Option<&str>, _>(row, "face")?
            .map(|text| from_document("face", text))
            .transpose()?,
        thresholds: row.text("thresholds")?,
        blob: row.text("blob")?,
        condemned: sqlx::Row::try_get::<Option<&str>, _>(row, "condemned_at")?.is_some(),
        created_at: row.parsed("created_at")?,
    })
}

pub(super) fn licence(row: &SqliteRow) -> Result<LicenceRecord> {
    Ok(LicenceRecord {
        id: row.parsed("id")?,
        application_id: row.parsed("application_id")?,
        holder: row.text("holder")?,
        state: row.parsed("state")?,
        facts: row.document("licence facts", "facts")?,
        status: row.text("status")?,
        sealed: row.sealed()?,
        issued_at: row.parsed("issued_at")?,
        terminated_at: row.parsed_opt("terminated_at")?,
        seen_at: row.parsed_opt("seen_at")?,
        seen_status: row.parsed_opt("seen_status")?,
        card_problem: row.parsed_opt("card_problem")?,
    })
}

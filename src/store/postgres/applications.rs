//! Applications: admission and reading.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row as _, postgres::PgRow, query};
use uuid::Uuid;

use super::{PostgresStore, row};
use crate::{
    domain::{
        application::Kind,
        ids::{ApplicationId, LicenceId, PhotoId},
        stage::Stage,
    },
    store::{
        Applications, Result,
        rows::{SEARCHED, after, cursor, cursor_key, is_search, listed, searched},
        types::{
            Admission, Admitted, ApplicationFilter, ApplicationView, DONE, LicenceRecord, Listed, Page, PhotoRecord,
        },
    },
};

/// Follows a subquery `a` of applications: one row per job, or one without.
const VIEW: &str = " JOIN applicants p ON p.application_id = a.id LEFT JOIN jobs j ON j.application_id = a.id
    ORDER BY a.id DESC, j.slot DESC";

/// Precedes that subquery.
const VIEWED: &str =
    "SELECT a.id, a.document, p.key_id, p.wrapped_key, p.ciphertext, j.slot, j.stage, j.due_at, j.lease,
    j.fence, j.attempts, j.crashes, j.priority FROM ";

#[async_trait]
impl Applications for PostgresStore {
    async fn admit(&self, batch: &[Admission]) -> Result<Vec<Admitted>> {
        self.admit_batch(batch).await
    }

    async fn application(&self, id: ApplicationId) -> Result<Option<ApplicationView>> {
        let mut select = QueryBuilder::new(VIEWED);
        select.push("(SELECT id, document FROM applications WHERE id = ").push_bind(id.0).push(") a").push(VIEW);
        Ok(views(&self.rows(select.build()).await?)?.pop())
    }

    async fn by_key(&self, owner: &str, idempotency_key: &str) -> Result<Option<(ApplicationId, String)>> {
        // Found by the key alone, as in an admission.
        let select = query("SELECT id, request_hash FROM applications WHERE idempotency_key = $2 AND owner || '' = $1");
        let row = self.row(select.bind(owner).bind(idempotency_key)).await?;
        row.map(|row| Ok((ApplicationId(row.try_get(0)?), row.try_get(1)?))).transpose()
    }

    async fn applications(&self, filter: &ApplicationFilter, page: &Page) -> Result<Listed<ApplicationView>> {
        let from = after(page)?.map(|[id]| cursor_key::<Uuid>(&id)).transpose()?;
        let edge = if is_search(filter) { self.edge(filter, from).await? } else { None };
        let mut select = QueryBuilder::new(VIEWED);
        select.push("(SELECT id, document FROM applications WHERE true");
        restrict(&mut select, filter);
        within(&mut select, "id", from, edge);
        if is_among_unfinished(filter) {
            // Few of all applications, so that the search begins with them.
            select.push(" AND id IN (SELECT application_id FROM unfinished WHERE true");
            within(&mut select, "application_id", from, edge);
            select.push(")");
        }
        select.push(" ORDER BY id DESC LIMIT ").push_bind(row::limit(page.limit)).push(") a").push(VIEW);
        let items = views(&self.rows(select.build()).await?)?;
        let listed = listed(items, page, |item| cursor([&item.application.id.to_string()]));
        Ok(searched(listed, edge.map(|edge| edge.to_string()).as_deref()))
    }

    async fn count_applications(&self, filter: &ApplicationFilter, cap: u64) -> Result<u64> {
        let mut select = QueryBuilder::new("SELECT count(*) FROM (SELECT FROM applications WHERE true");
        restrict(&mut select, filter);
        select.push(" LIMIT ").push_bind(i64::try_from(cap).unwrap_or(i64::MAX)).push(") matching");
        self.row(select.build()).await?.map_or(Ok(0), |row| row::count(&row, "count"))
    }

    async fn put_photo(&self, photo: &PhotoRecord) -> Result<()> {
        let insert = query(
            "INSERT INTO photos (id, owner, source, width, height, sha256, checks, thresholds, blob, created_at, face, check_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING",
        )
        .bind(photo.id.0)
        .bind(&photo.owner)
        .bind(photo.source.as_str())
        .bind(row::signed(photo.width))
        .bind(row::signed(photo.height))
        .bind(&photo.sha256)
        .bind(row::text(&photo.checks)?)
        .bind(&photo.thresholds)
        .bind(&photo.blob)
        .bind(photo.created_at)
        .bind(photo.face.as_ref().map(row::text).transpose()?)
        .bind(photo.source.is_upload().then_some(photo.created_at));
        self.execute(insert).await?;
        Ok(())
    }

    async fn photo(&self, id: PhotoId) -> Result<Option<PhotoRecord>> {
        let row = self.row(query("SELECT * FROM photos WHERE id = $1").bind(id.0)).await?;
        row.map(|row| photo(&row)).transpose()
    }

    async fn application_of_photo(&self, id: PhotoId) -> Result<Option<ApplicationId>> {
        let select = query(
            "SELECT id FROM applications WHERE photo_id = $1
             UNION ALL SELECT application_id FROM reviews WHERE photo_id = $1
             ORDER BY id DESC LIMIT 1",
        );
        let row = self.row(select.bind(id.0)).await?;
        row.map(|row| Ok(ApplicationId(row.try_get(0)?))).transpose()
    }

    async fn current_licence(&self, holder: &str) -> Result<Option<LicenceRecord>> {
        let select = query("SELECT * FROM licences WHERE holder = $1 AND state = 'current'");
        self.row(select.bind(holder)).await?.map(|row| licence(&row)).transpose()
    }

    async fn licence(&self, id: LicenceId) -> Result<Option<LicenceRecord>> {
        let row = self.row(query("SELECT * FROM licences WHERE id = $1").bind(id.0)).await?;
        row.map(|row| licence(&row)).transpose()
    }

    async fn last_issued(&self, holder: &str, kind: Kind) -> Result<Option<DateTime<Utc>>> {
        let select =
            query("SELECT issued_at FROM licences WHERE holder = $1 AND kind = $2 ORDER BY issued_at DESC LIMIT 1");
        let row = self.row(select.bind(holder).bind(kind.as_str())).await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

impl PostgresStore {
    /// The last application that a page of a search reads, which begins below `from`; none when it reads all there are.
    async fn edge(&self, filter: &ApplicationFilter, from: Option<Uuid>) -> Result<Option<Uuid>> {
        let mut select = QueryBuilder::new("SELECT ");
        if is_among_unfinished(filter) {
            select.push("application_id FROM unfinished WHERE true");
            within(&mut select, "application_id", from, None);
        } else {
            select.push("id FROM applications WHERE true");
            within(&mut select, "id", from, None);
            if let Some(owner) = &filter.owner {
                select.push(" AND owner = ").push_bind(owner.clone());
            }
        }
        select.push(" ORDER BY 1 DESC LIMIT 1 OFFSET ").push_bind(row::at_most(SEARCHED - 1));
        self.row(select.build()).await?.map(|row| Ok(row.try_get(0)?)).transpose()
    }
}

/// Whether only unfinished applications can meet the filter.
fn is_among_unfinished(filter: &ApplicationFilter) -> bool {
    filter.status.is_some_and(|status| !status.is_decided()) || (filter.stage.is_some() && !filter.needs_operator)
}

/// Adds what a page may read: ids below `from`, down to `edge`.
fn within(select: &mut QueryBuilder<Postgres>, id: &str, from: Option<Uuid>, edge: Option<Uuid>) {
    if let Some(from) = from {
        select.push(format_args!(" AND {id} < ")).push_bind(from);
    }
    if let Some(edge) = edge {
        select.push(format_args!(" AND {id} >= ")).push_bind(edge);
    }
}

/// Adds the conditions of a filter. Where a condition implies what a partial index is restricted to, it says so.
fn restrict(select: &mut QueryBuilder<Postgres>, filter: &ApplicationFilter) {
    if let Some(owner) = &filter.owner {
        select.push(" AND owner = ").push_bind(owner.clone());
    }
    if let Some(status) = filter.status {
        select.push(" AND status = ").push_bind(status.as_str());
    }
    match filter.stage {
        // Given up: the application itself may have come to its end.
        Some(Stage::Notification) if filter.needs_operator => {
            select.push(" AND stage IN ('notification', 'done')");
        }
        Some(stage) => {
            select.push(" AND stage = ").push_bind(stage.as_str());
        }
        None => {}
    }
    if filter.done {
        select.push(" AND stage = ").push_bind(DONE);
    }
    if let Some(kind) = filter.kind {
        select.push(" AND kind = ").push_bind(kind.as_str());
    }
    if let Some(upstream_ref) = &filter.upstream_ref {
        select.push(" AND upstream_ref = ").push_bind(upstream_ref.clone());
    }
    if let Some(holder) = &filter.holder {
        select.push(" AND holder = ").push_bind(holder.clone());
    }
    if let Some(code) = &filter.error_code {
        select.push(" AND needs_operator AND error_code = ").push_bind(code.clone());
    }
    if filter.needs_operator {
        select.push(" AND needs_operator");
    }
}

/// Applications with their jobs, from rows of one job each.
fn views(rows: &[PgRow]) -> Result<Vec<ApplicationView>> {
    let mut views: Vec<ApplicationView> = Vec::new();
    for row in rows {
        let id = ApplicationId(row.try_get("id")?);
        let seen = views.last().is_some_and(|view| view.application.id == id);
        if !seen {
            views.push(ApplicationView {
                application: row::application(row)?,
                jobs: Vec::new(),
                applicant: row::sealed(row)?,
            });
        }
        let has_job = row.try_get::<Option<&str>, _>("slot")?.is_some();
        if let Some(view) = views.last_mut().filter(|_| has_job) {
            view.jobs.push(row::job(row)?);
        }
    }
    Ok(views)
}

fn photo(row: &PgRow) -> Result<PhotoRecord> {
    Ok(PhotoRecord {
        id: PhotoId(row.try_get("id")?),
        owner: row.try_get("owner")?,
        source: row::name(row, "source")?,
        width: row::unsigned(row, "width")?,
        height: row::unsigned(row, "height")?,
        sha256: row.try_get("sha256")?,
        checks: row::document(row, "checks", "photo check")?,
        face: row.try_get::<Option<&str>, _>("face")?.map(|text| row::parse("face", text)).transpose()?,
        thresholds: row.try_get("thresholds")?,
        blob: row.try_get("blob")?,
        condemned: row.try_get::<Option<DateTime<Utc>>, _>("condemned_at")?.is_some(),
        created_at: row.try_get("created_at")?,
    })
}

pub(super) fn licence(row: &PgRow) -> Result<LicenceRecord> {
    Ok(LicenceRecord {
        id: LicenceId(row.try_get("id")?),
        application_id: row::application_id(row)?,
        holder: row.try_get("holder")?,
        state: row::name(row, "state")?,
        facts: row::document(row, "facts", "licence")?,
        status: row.try_get("status")?,
        sealed: row::sealed(row)?,
        issued_at: row.try_get("issued_at")?,
        terminated_at: row.try_get("terminated_at")?,
        seen_at: row.try_get("seen_at")?,
        seen_status: row.try_get("seen_status")?,
        card_problem: row::name_opt(row, "card_problem")?,
    })
}

//! One task with everything that a reviewer looks at: facts, masked; the promise and its calendar; earlier rounds.

use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        applicant::FileNumber,
        application::{Application, Kind, OutcomeCode, PhotoSource},
        authority::IssuingAuthority,
        calendar::DayTrace,
        cause::{Cause, MaskedFact, ReviewAct},
        deadline::due,
        event::{Actor, ActorKind},
        identity::DocumentType,
        ids::{ApplicationId, PhotoId, ReviewId},
        personal::Applicant,
        photo_check::FaceBox,
        photo_reason::PhotoReason,
    },
    http::{
        auth::{self, Authorised},
        body::Json,
        params::Named,
        problem::{Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
    licences::record::Record,
    store::types::{ApplicationFilter, ApplicationView, Page, PhotoRecord},
};

use super::{
    super::{change, photos},
    act,
    body::{ReviewBody, Viewer},
    claim::token_hash,
    history::{self, FormerRoundBody, NoteBody, StepBody},
    promise::Promise,
    task,
};

/// Earlier applications of the same holder that are shown.
const EARLIER: usize = 5;

/// A task with everything that a reviewer looks at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewDetail)]
pub struct DetailBody {
    /// The task.
    #[serde(flatten)]
    pub review: ReviewBody,
    /// What is applied for.
    pub kind: Kind,
    /// Where the photo comes from.
    pub photo_source: PhotoSource,
    /// The picture's size in pixels, and where a face was found in it; null once the photo is erased.
    pub picture: Option<PictureBody>,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// The applicant, masked; null once the personal data is erased.
    pub facts: Option<FactsBody>,
    /// The licence data, once the registry has answered.
    pub licence: Option<LicenceBody>,
    /// How the due time came about; null without one.
    pub promise: Option<PromiseBody>,
    /// Earlier applications of the same holder, newest first, at most 5.
    pub earlier: Vec<EarlierBody>,
    /// What colleagues wrote, oldest first; to a second person, who looks without prejudice, nothing that goes with a
    /// decision.
    pub notes: Vec<NoteBody>,
    /// Rounds before this one, oldest first; nothing for a second person.
    pub former: Vec<FormerRoundBody>,
    /// For supervisors: why the task was given back, put off, reassigned or opened again, oldest first.
    pub steps: Vec<StepBody>,
    /// Whether Greenlane has a photo to compare with, the one of the current licence; the registry may have another one.
    pub has_comparison: bool,
}

/// The picture under review.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewPicture)]
pub struct PictureBody {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The largest face that was found, in pixels of the picture; null where none was, or the photo was inspected before
    /// places were kept.
    pub face: Option<FaceBox>,
}

/// What is known of an applicant, masked. `POST /v1/reviews/{id}/reveal` shows one of them, and is recorded.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewFacts)]
pub struct FactsBody {
    /// 证件类型.
    pub document_type: DocumentType,
    /// E.g. `张*`.
    pub name: String,
    /// E.g. `1101**********002X`.
    pub document_number: String,
    /// E.g. `138****8000`.
    pub mobile: String,
    /// E.g. `150******456`; null for a photo change.
    pub file_number: Option<String>,
}

/// The licence data of an application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewLicence)]
pub struct LicenceBody {
    /// 准驾车型.
    pub classes: String,
    /// 有效期始.
    pub valid_from: Option<NaiveDate>,
    /// 有效期止; null for 长期.
    pub valid_until: Option<NaiveDate>,
}

/// Why the due time is what it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviewPromise)]
pub struct PromiseBody {
    /// When face verification passed.
    pub started_at: DateTime<Utc>,
    /// The due time.
    pub due_at: DateTime<Utc>,
    /// Every day that was looked at, the last one being the due day.
    pub trace: Vec<DayTrace>,
    /// The version of the calendar.
    pub calendar: String,
}

/// An earlier application of the same holder.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EarlierRound)]
pub struct EarlierBody {
    /// The application.
    pub application_id: ApplicationId,
    /// What was applied for.
    pub kind: Kind,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// How it ended; null while it has not.
    pub outcome: Option<OutcomeCode>,
    /// Why the photo was refused.
    pub reasons: Vec<PhotoReason>,
}

/// Look at a task.
#[utoipa::path(get, path = "/v1/reviews/{id}", operation_id = "get_review", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses((status = 200, description = "The task", body = DetailBody)))]
pub(super) async fn get(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Named(id): Named<ReviewId>,
) -> Result<Json<DetailBody>, Problem> {
    detail(&state, id, &reviewer.viewer()).await.map(Json)
}

/// A task with everything that a reviewer looks at.
///
/// # Errors
/// 404 when there is no such task.
pub async fn detail(state: &AppState, id: ReviewId, viewer: &Viewer) -> Result<DetailBody, Problem> {
    let shared = &state.engine.shared;
    let review = task(state, id).await?;
    let view = shared.store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
    let application = &view.application;
    Ok(DetailBody {
        kind: application.kind,
        photo_source: application.photo.source,
        picture: shared
            .store
            .photo(review.evidence.photo_id)
            .await?
            .filter(PhotoRecord::has_file)
            .map(|photo| PictureBody { width: photo.width, height: photo.height, face: photo.face }),
        submitted_at: application.submitted_at,
        // A record that does not open is erased or moved: the photo can be judged without it.
        facts: shared.open_applicant(application.id, &view.applicant).ok().map(|applicant| FactsBody::of(&applicant)),
        licence: application.licence.as_ref().map(|facts| LicenceBody {
            classes: facts.classes.clone(),
            valid_from: facts.valid_from,
            valid_until: facts.valid_until,
        }),
        promise: promise(state, application),
        earlier: earlier(state, application).await?,
        notes: history::notes(state, &review).await?,
        former: history::former(&review),
        steps: history::steps(state, application.id, viewer).await?,
        has_comparison: comparison_photo(state, &view).await?.is_some(),
        review: ReviewBody::of(review, &Promise::of(state), viewer),
    })
}

impl FactsBody {
    fn of(applicant: &Applicant) -> Self {
        Self {
            document_type: applicant.document.document_type(),
            name: applicant.name.masked(),
            document_number: applicant.document.masked(),
            mobile: applicant.mobile.masked(),
            file_number: applicant.file_number.as_ref().map(FileNumber::masked),
        }
    }
}

/// Why the due time is what it is; none while there is none.
pub fn promise(state: &AppState, application: &Application) -> Option<PromiseBody> {
    let deadline = application.deadline.as_ref()?;
    let shared = &state.engine.shared;
    let workflows = shared.workflows();
    let rule = &workflows.get(&application.workflow)?.deadline;
    let authority = application.authority().and_then(|text| IssuingAuthority::parse(text).ok());
    let due = due(&shared.calendar(), rule, deadline.started_at, authority.as_ref()).ok()?;
    Some(PromiseBody {
        started_at: deadline.started_at,
        due_at: deadline.due_at?,
        trace: due.trace,
        calendar: due.calendar_version,
    })
}

async fn earlier(state: &AppState, application: &Application) -> Result<Vec<EarlierBody>, Problem> {
    let filter = ApplicationFilter { holder: Some(application.holder.clone()), ..ApplicationFilter::default() };
    let page = Page { limit: EARLIER + 1, after: None };
    let found = state.engine.shared.store.applications(&filter, &page).await?;
    let others = found.items.into_iter().map(|view| view.application).filter(|other| other.id != application.id);
    let body = |other: Application| EarlierBody {
        application_id: other.id,
        kind: other.kind,
        submitted_at: other.submitted_at,
        outcome: other.outcome.as_ref().map(|outcome| outcome.code),
        reasons: other.outcome.map(|outcome| outcome.reasons).unwrap_or_default(),
    };
    Ok(others.take(EARLIER).map(body).collect())
}

/// Which fact.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RevealBody {
    lease_token: String,
    /// Which fact.
    fact: MaskedFact,
}

/// A fact in full.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevealedFact)]
pub(super) struct RevealedBody {
    /// Which.
    fact: MaskedFact,
    /// Its value; null where there is none.
    value: Option<String>,
}

/// Look at a masked fact of a task that one holds. It is recorded before it is shown.
#[utoipa::path(post, path = "/v1/reviews/{id}/reveal", operation_id = "reveal_fact", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path)), request_body = RevealBody,
    responses(
        (status = 200, description = "The fact", body = RevealedBody),
        (status = 409, description = "`lease_lost`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn reveal(
    State(state): State<AppState>,
    _caller: Authorised<auth::Review>,
    Named(id): Named<ReviewId>,
    Json(body): Json<RevealBody>,
) -> Result<Json<RevealedBody>, Problem> {
    let shared = &state.engine.shared;
    let seen = ReviewAct::Reveal { token_hash: token_hash(&body.lease_token), fact: body.fact };
    let review = act(&state, id, seen, None).await?;
    let view = shared.store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
    let applicant =
        shared.open_applicant(review.application_id, &view.applicant).map_err(|error| Problem::internal(&error))?;
    let value = match body.fact {
        MaskedFact::Name => Some(applicant.name.as_str().to_owned()),
        MaskedFact::DocumentNumber => Some(applicant.document.as_str().to_owned()),
        MaskedFact::Mobile => Some(applicant.mobile.as_str().to_owned()),
        MaskedFact::FileNumber => applicant.file_number.map(|number| number.as_str().to_owned()),
    };
    Ok(Json(RevealedBody { fact: body.fact, value }))
}

/// Look at the photo to compare with: the one of the holder's current licence, else the one that the registry retains
/// (留存照片). Every view is recorded.
#[utoipa::path(get, path = "/v1/reviews/{id}/comparison", operation_id = "get_review_comparison", tag = "reviews", security(("key" = ["reviews"])),
    params(("id" = ReviewId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses(
        (status = 200, description = "The picture", body = String, content_type = "image/jpeg"),
        (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`registry_unavailable`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn comparison(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Named(id): Named<ReviewId>,
) -> Result<Response, Problem> {
    let review = task(&state, id).await?;
    let view = state.engine.shared.store.application(review.application_id).await?.ok_or_else(Problem::not_found)?;
    if let Some(photo) = comparison_photo(&state, &view).await? {
        return photos::shown(&state, reviewer.name, photo).await;
    }
    let shared = &state.engine.shared;
    let applicant = shared.open_applicant(view.application.id, &view.applicant).map_err(|_| Problem::not_found())?;
    let retained = state.licences.retained(&applicant.document).await.map_err(|error| {
        tracing::warn!(application.id = %view.application.id, error = &error as &dyn std::error::Error, "no comparison photo");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "registry_unavailable", "the registry cannot be asked, try again")
    })?;
    let picture = retained.ok_or_else(Problem::not_found)?;
    // Recorded before it is shown: what cannot be recorded is not shown.
    let viewed = Cause::PhotoViewed { actor: Actor::new(ActorKind::Reviewer, reviewer.name), photo: None };
    let (_, refusal) = change(&state, view.application.id, viewed, None).await?;
    refusal.map_or_else(|| Ok(photos::picture(picture)), |refusal| Err(refusal.into()))
}

/// The photo of the holder's current licence, where Greenlane has it.
async fn comparison_photo(state: &AppState, view: &ApplicationView) -> Result<Option<PhotoId>, Problem> {
    let shared = &state.engine.shared;
    let Some(licence) = shared.store.current_licence(&view.application.holder).await? else { return Ok(None) };
    let record = Record::open(&shared.secrets, licence.id, &licence.sealed).ok();
    Ok(record.and_then(|record| record.photo.photo_id).filter(|id| Some(*id) != view.application.photo.photo_id))
}

//! `/v1/photos`: uploading photos, and looking at them.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Multipart, Request, State, multipart::MultipartError},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    domain::{
        application::PhotoSource,
        cause::Cause,
        event::{Actor, ActorKind},
        ids::PhotoId,
        photo_check::Check,
    },
    http::{
        auth::{Authorised, WriteApplications},
        body::{Json, media_type, read, unsupported},
        params::{Named, Params},
        problem::{Fault, Problem, ProblemBody},
        reviewer::AsReviewer,
        state::AppState,
    },
    photos::{InspectError, Inspected, MAX_BYTES, Rejected, photo_file},
    providers::blob::BlobError,
    store::types::{OperatorAction, PhotoRecord},
};

use super::change;

/// What a form adds around its file at most.
const FORM_EXTRA: usize = 64 * 1024;
/// The form's one field.
const FIELD: &str = "photo";

/// The routes of this module.
pub(in crate::http) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(upload)).routes(routes!(image))
}

/// Where the photo comes from.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadParams {
    /// `camera` unless said otherwise.
    #[serde(default)]
    #[param(inline)]
    source: UploadSource,
}

/// Where an uploaded photo comes from.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum UploadSource {
    /// 拍照.
    #[default]
    Camera,
    /// 相册选择.
    Album,
}

impl From<UploadSource> for PhotoSource {
    fn from(source: UploadSource) -> Self {
        match source {
            UploadSource::Camera => Self::Camera,
            UploadSource::Album => Self::Album,
        }
    }
}

/// An accepted photo.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Photo)]
struct PhotoBody {
    /// Goes into `photo.photo_id` of an application.
    photo_id: PhotoId,
    /// Pixels.
    width: u32,
    /// Pixels.
    height: u32,
    /// SHA-256 (hex) of the re-encoded picture, which is what reviewers see.
    sha256: String,
    /// What the automatic checks found.
    checks: Vec<Check>,
}

/// A form with a photo.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the form for the OpenAPI document")]
struct PhotoForm {
    /// A JPEG or PNG file of at most 10 MiB.
    #[schema(value_type = String, format = Binary)]
    photo: Vec<u8>,
}

/// Upload a photo, as a form (`multipart/form-data`, field `photo`) or as it is (`image/jpeg`, `image/png`).
#[utoipa::path(post, path = "/v1/photos", operation_id = "upload_photo", tag = "applications", security(("key" = ["applications:write"])),
    params(UploadParams), request_body(content((PhotoForm = "multipart/form-data"), (String = "image/jpeg"), (String = "image/png"))),
    responses(
        (status = 201, description = "Taken", body = PhotoBody),
        (status = 422, description = "`photo_rejected`, with every reason in `errors`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
async fn upload(
    State(state): State<AppState>,
    caller: Authorised<WriteApplications>,
    Params(params): Params<UploadParams>,
    request: Request,
) -> Result<(StatusCode, Json<PhotoBody>), Problem> {
    let file = receive(request).await?;
    let (shared, source) = (&state.engine.shared, PhotoSource::from(params.source));
    let inspected = state.photos.inspect_async(file, source, shared.clock.now()).await.map_err(refused)?;
    let Inspected { jpeg, width, height, sha256, checks, face, thresholds_version } = inspected;
    let id = PhotoId::new();
    let record = PhotoRecord {
        id,
        owner: caller.owner.clone(),
        source,
        width,
        height,
        sha256: sha256.clone(),
        checks: json!(checks),
        face,
        thresholds: thresholds_version,
        blob: photo_file::blob_key(id),
        condemned: false,
        created_at: shared.clock.now(),
    };
    let sealed = photo_file::seal(&shared.secrets, id, &jpeg).map_err(|error| Problem::internal(&error))?;
    // The file before its record: a record always has a file, and a file without one is rubbish that nobody sees.
    state.blobs.put(&record.blob, sealed).await.map_err(|error| away(&error))?;
    shared.store.put_photo(&record).await?;
    Ok((StatusCode::CREATED, Json(PhotoBody { photo_id: id, width, height, sha256, checks })))
}

/// The file of either kind of body.
async fn receive(request: Request) -> Result<Bytes, Problem> {
    let file = match media_type(request.headers()).as_str() {
        "image/jpeg" | "image/png" => read(request.into_body(), MAX_BYTES).await?,
        "multipart/form-data" => form_file(request).await?,
        _ => return Err(unsupported("`multipart/form-data`, `image/jpeg` or `image/png`")),
    };
    if file.len() > MAX_BYTES {
        let detail = format!("the photo has more than {MAX_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    Ok(file)
}

async fn form_file(request: Request) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = read(body, MAX_BYTES + FORM_EXTRA).await?;
    let request = Request::from_parts(parts, Body::from(bytes));
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| broken_form())?;
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        if field.name() != Some(FIELD) {
            return Err(Problem::field("", "unknown_field", "the form has the field `photo` only"));
        }
        if file.is_some() {
            return Err(Problem::field(format!("/{FIELD}"), "duplicate_field", "must be given once"));
        }
        file = Some(field.bytes().await.map_err(|error| broken(&error))?);
    }
    file.ok_or_else(|| Problem::field(format!("/{FIELD}"), "missing", "is required"))
}

fn broken(error: &MultipartError) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "the form is too large");
    }
    broken_form()
}

fn broken_form() -> Problem {
    Problem::bad_request("malformed_form", "the body is not a well-formed form")
}

fn refused(error: InspectError) -> Problem {
    match error {
        InspectError::Rejected(Rejected { reasons, .. }) => {
            let pointer = format!("/{FIELD}");
            let faults = reasons
                .iter()
                .map(|check| Fault::new(pointer.as_str(), check.code.as_str(), check.code.en()))
                .collect();
            let detail = "the photo cannot be used";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "photo_rejected", detail).with_errors(faults)
        }
        InspectError::Interrupted => Problem::unavailable(),
    }
}

fn away(error: &BlobError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "the blob store failed");
    Problem::unavailable()
}

/// Look at a photo. Every view is recorded.
#[utoipa::path(get, path = "/v1/photos/{photo_id}/image", operation_id = "get_photo_image", tag = "reviews", security(("key" = ["reviews"])),
    params(("photo_id" = PhotoId, Path), ("X-Reviewer" = Option<String>, Header, description = "The person behind the key")),
    responses((status = 200, description = "The re-encoded picture", body = String, content_type = "image/jpeg")))]
async fn image(
    State(state): State<AppState>,
    reviewer: AsReviewer,
    Named(id): Named<PhotoId>,
) -> Result<Response, Problem> {
    shown(&state, reviewer.name, id).await
}

/// A picture as an answer, its view recorded.
pub(super) async fn shown(state: &AppState, reviewer: String, id: PhotoId) -> Result<Response, Problem> {
    let shared = &state.engine.shared;
    let photo = shared.store.photo(id).await?.filter(PhotoRecord::has_file).ok_or_else(Problem::not_found)?;
    let file = state.blobs.get(&photo.blob).await.map_err(|error| away(&error))?.ok_or_else(Problem::not_found)?;
    let picture = photo_file::open(&shared.secrets, id, &file).map_err(|error| Problem::internal(&error))?;
    // Recorded before it is shown: what cannot be recorded is not shown.
    record_view(state, reviewer, id).await?;
    Ok(self::picture(picture))
}

/// A picture as an answer that nobody keeps.
pub(super) fn picture(jpeg: Vec<u8>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "image/jpeg"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_DISPOSITION, "inline"),
    ];
    (headers, jpeg).into_response()
}

async fn record_view(state: &AppState, reviewer: String, photo: PhotoId) -> Result<(), Problem> {
    let shared = &state.engine.shared;
    let actor = Actor::new(ActorKind::Reviewer, reviewer);
    if let Some(application) = shared.store.application_of_photo(photo).await? {
        let (_, refusal) = change(state, application, Cause::PhotoViewed { actor, photo: Some(photo) }, None).await?;
        return refusal.map_or(Ok(()), |refusal| Err(refusal.into()));
    }
    let data = json!({ "photo_id": photo });
    let action = OperatorAction { at: shared.clock.now(), actor, kind: "photo_viewed".to_owned(), data };
    Ok(shared.store.record_action(&action).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{photo_check::CheckResult, photo_reason::PhotoReason};

    fn form(body: &'static str) -> Request {
        Request::builder()
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .body(Body::from(body))
            .unwrap()
    }

    #[tokio::test]
    async fn a_form_has_one_photo() {
        let field = |name: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n");
        let text = |fields: &[&str]| -> &'static str {
            let fields: String = fields.iter().map(|name| field(name)).collect();
            format!("{fields}--b--\r\n").leak()
        };
        assert_eq!(receive(form(text(&["photo"]))).await.unwrap(), "x");
        for (fields, code) in
            [(&["photo", "photo"][..], "duplicate_field"), (&["file"], "unknown_field"), (&[], "missing")]
        {
            let problem = receive(form(text(fields))).await.unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.errors()[0].code), (422, code));
        }
        for body in ["", "--b\r\n", "nonsense"] {
            assert_eq!(receive(form(body)).await.unwrap_err().code(), "malformed_form", "{body}");
        }
    }

    #[tokio::test]
    async fn other_bodies_are_not_taken() {
        for (content_type, code) in
            [("application/json", "unsupported_media_type"), ("multipart/form-data", "malformed_form")]
        {
            let request = Request::builder().header(header::CONTENT_TYPE, content_type).body(Body::from("x")).unwrap();
            assert_eq!(receive(request).await.unwrap_err().code(), code);
        }
    }

    #[test]
    fn a_rejected_photo_tells_every_reason() {
        let reasons = [PhotoReason::ResolutionTooLow, PhotoReason::ImageBlurred]
            .map(|code| Check::new(code, CheckResult::Fail, 1.0, 2.0))
            .to_vec();
        let problem = refused(Rejected { reasons, thresholds_version: "1".to_owned() }.into());
        assert_eq!(problem.code(), "photo_rejected");
        let codes: Vec<_> = problem.errors().iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["resolution_too_low", "image_blurred"]);
    }
}

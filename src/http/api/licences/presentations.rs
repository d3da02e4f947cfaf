//! 亮码: codes of a minute, and their checks.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    domain::{
        ids::LicenceId,
        presentation::{Purpose, Refused},
    },
    http::{
        auth::{Authorised, PresentLicences, VerifyLicences},
        body::Json,
        params::Named,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    licences::presentation::{Checked, Verifier},
};

use super::{body::CheckedLicenceBody, shown_to};

/// A code to show.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Presentation)]
pub(super) struct PresentationBody {
    /// The code's text, opaque; it can be checked once.
    token: String,
    /// The code as a picture: black, or red while the status is abnormal.
    qr_svg: String,
    /// 生成时间.
    generated_at: DateTime<Utc>,
    /// It is good until before this moment.
    expires_at: DateTime<Utc>,
}

/// Present a licence: a code for whoever checks it.
#[utoipa::path(post, path = "/v1/licences/{id}/presentations", operation_id = "present_licence", tag = "licences", security(("key" = ["licences:present"])),
    params(("id" = LicenceId, Path)),
    responses(
        (status = 201, description = "The code", body = PresentationBody),
        (status = 409, description = "`not_presentable`", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn present(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Named(id): Named<LicenceId>,
) -> Result<(StatusCode, Json<PresentationBody>), Problem> {
    let shown = shown_to(&state, &caller, id).await?;
    let Some(presentation) = state.licences.present(&shown)? else {
        let detail = if shown.display.available {
            format!("the licence is `{}` and shown as `{}`", shown.state, shown.display.mode)
        } else {
            "the registry cannot be asked for the licence's status".to_owned()
        };
        return Err(Problem::conflict("not_presentable", detail));
    };
    let body = PresentationBody {
        token: presentation.token,
        qr_svg: presentation.qr_svg,
        generated_at: presentation.generated_at,
        expires_at: presentation.expires_at,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// What is checked, and what for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationRequest)]
pub(super) struct VerifyBody {
    /// The code's text.
    token: String,
    /// What for.
    purpose: Purpose,
}

/// How a check ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Checked)]
pub(super) struct CheckedBody {
    /// Whether the licence is good at this moment.
    valid: bool,
    /// Why not; null when it is.
    reason: Option<Refused>,
    /// The reason in the verifier's words.
    message_zh: Option<&'static str>,
    /// When it was checked.
    checked_at: DateTime<Utc>,
    /// The licence; null where it is not shown.
    licence: Option<CheckedLicenceBody>,
}

impl CheckedBody {
    fn of(checked: &Checked) -> Self {
        Self {
            valid: checked.refused.is_none(),
            reason: checked.refused,
            message_zh: checked.refused.map(Refused::message_zh),
            checked_at: checked.at,
            licence: checked.licence.as_ref().map(CheckedLicenceBody::of),
        }
    }
}

/// Check a code. A code can be checked once, and every check is recorded with the key and the purpose.
#[utoipa::path(post, path = "/v1/presentations/verify", operation_id = "verify_presentation", tag = "licences", security(("key" = ["licences:verify"])),
    request_body = VerifyBody, responses((status = 200, description = "Good, or why not", body = CheckedBody)))]
pub(super) async fn verify(
    State(state): State<AppState>,
    caller: Authorised<VerifyLicences>,
    Json(body): Json<VerifyBody>,
) -> Result<Json<CheckedBody>, Problem> {
    let key_id = caller.person.is_none().then(|| caller.key_id.clone());
    let verifier = Verifier { key: caller.name.clone(), key_id, owner: caller.owner.clone() };
    let checked = state.licences.verify(&body.token, body.purpose, &verifier).await?;
    Ok(Json(CheckedBody::of(&checked)))
}

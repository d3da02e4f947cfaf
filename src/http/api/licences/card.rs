//! `/v1/licences/{id}/card.*`: the card (驾驶证电子版), drawn at the moment of asking and never kept.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    domain::{cause::Cause, ids::LicenceId, mask},
    http::{
        api::change,
        auth::{Authorised, PresentLicences},
        params::Named,
        problem::{Problem, ProblemBody},
        state::AppState,
    },
    licences::{
        card::{CardData, CardError},
        desk::Shown,
    },
};

use super::shown_to;

/// The card as SVG, with the moment of its generation. Good for showing now, not for keeping.
#[utoipa::path(get, path = "/v1/licences/{id}/card.svg", operation_id = "get_card_svg", tag = "licences", security(("key" = ["licences:present"])),
    params(("id" = LicenceId, Path)),
    responses(
        (status = 200, description = "The card", body = String, content_type = "image/svg+xml"),
        (status = 409, description = "`not_presentable`, or `glyph_missing`, `text_too_long`, `portrait_unusable`: operators were told", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn card_svg(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Named(id): Named<LicenceId>,
) -> Result<Response, Problem> {
    let shown = shown_to(&state, &caller, id).await?;
    let drawn = match data(&state, &shown).await? {
        Ok(data) => state.cards.svg(data).await,
        Err(error) => Err(error),
    };
    answer(&state, &shown, "image/svg+xml", drawn).await
}

/// The card as PNG, 1080 pixels wide. As [`card_svg`], drawn with the program's own fonts.
#[utoipa::path(get, path = "/v1/licences/{id}/card.png", operation_id = "get_card_png", tag = "licences", security(("key" = ["licences:present"])),
    params(("id" = LicenceId, Path)),
    responses(
        (status = 200, description = "The card", body = String, content_type = "image/png"),
        (status = 409, description = "As for the SVG", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn card_png(
    State(state): State<AppState>,
    caller: Authorised<PresentLicences>,
    Named(id): Named<LicenceId>,
) -> Result<Response, Problem> {
    let shown = shown_to(&state, &caller, id).await?;
    let drawn = match data(&state, &shown).await? {
        Ok(data) => state.cards.png(data).await,
        Err(error) => Err(error),
    };
    answer(&state, &shown, "image/png", drawn).await
}

/// What the card shows: the record as it was issued, the status as the registry has it now.
async fn data(state: &AppState, shown: &Shown) -> Result<Result<CardData, CardError>, Problem> {
    let display = &shown.display;
    let (Some(status), Some(presentation)) = (display.status.clone(), state.licences.present(shown)?) else {
        return Ok(Err(CardError::NotShown));
    };
    let record = &shown.record;
    let Some(portrait) = state.licences.portrait(record).await? else {
        return Ok(Err(CardError::PortraitUnusable));
    };
    let facts = &record.facts;
    Ok(Ok(CardData {
        name: record.name.as_str().to_owned(),
        document_number: mask::number(record.document.as_str()),
        sex: record.sex.clone(),
        nationality: record.nationality.clone(),
        address: record.address.clone(),
        birth_date: record.birth_date,
        first_issued_on: record.first_issued_on,
        classes: facts.classes.clone(),
        valid_from: facts.valid_from,
        valid_until: facts.valid_until,
        authority: facts.authority.clone(),
        file_number: record.file_number.clone(),
        portrait,
        status,
        notice: display.message_zh.clone(),
        code: presentation.token,
        generated_at: presentation.generated_at,
    }))
}

async fn answer(
    state: &AppState,
    shown: &Shown,
    media_type: &'static str,
    drawn: Result<impl IntoResponse, CardError>,
) -> Result<Response, Problem> {
    match drawn {
        Ok(card) => {
            if shown.card_problem.is_some() {
                change(state, shown.application_id, Cause::CardDrawn, None).await?;
            }
            let headers = [
                (header::CONTENT_TYPE, media_type),
                (header::CACHE_CONTROL, "no-store"),
                (header::CONTENT_DISPOSITION, "inline"),
                // Opened on its own in a browser the drawing may load nothing and run nothing.
                (
                    header::CONTENT_SECURITY_POLICY,
                    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox",
                ),
            ];
            Ok((headers, card).into_response())
        }
        Err(CardError::NotShown) => {
            Err(Problem::conflict("not_presentable", "the licence is not shown in its present state"))
        }
        Err(error) => match error.problem() {
            Some(problem) => {
                // Told once; asking again changes nothing.
                change(state, shown.application_id, Cause::CardRefused { problem }, None).await?;
                Err(Problem::new(StatusCode::CONFLICT, error.code(), error.to_string()))
            }
            None => Err(Problem::internal(&error)),
        },
    }
}

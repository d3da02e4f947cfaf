//! The page of one task: the photo, what is known, and the decision.

use askama::Template;
use axum::{extract::State, response::Response};

use crate::{
    domain::{ids::ReviewId, photo_reason::PhotoReason, review::ReviewState},
    http::{
        api::reviews::{
            body::{ReviewBody, Viewer},
            detail::{DetailBody, PictureBody, detail},
            history::FormerRoundBody,
        },
        auth,
        pages::{
            chip::Chip,
            page::{Page, html},
        },
        params::Named,
        person::Person,
        problem::Problem,
        state::AppState,
    },
};

use super::{
    reasons::{self, Group},
    view::{self, CheckChip},
};

/// Width of the photo in millimetres; the guides are drawn in the same unit (GA 482).
const WIDTH_MM: f64 = 22.0;
/// Its height where nothing else is known.
const HEIGHT_MM: f64 = 32.0;

#[derive(Template)]
#[template(path = "review/task.html")]
struct TaskPage {
    page: Page,
    detail: DetailBody,
    deadline: Chip,
    checks: Vec<CheckChip>,
    groups: Vec<Group>,
    earlier: Vec<Earlier>,
    overlay: Overlay,
    /// Whether the person may see what the task is about: its holder, and supervisors.
    sees: bool,
    is_mine: bool,
    supervises: bool,
    now: i64,
    lease_ends: i64,
    lease_seconds: u64,
    undo_seconds: u64,
}

/// An earlier application of the holder.
struct Earlier {
    when: String,
    kind: String,
    outcome: String,
    reasons: Vec<&'static str>,
}

/// A task.
pub(super) async fn task(
    State(state): State<AppState>,
    page: Page,
    person: Person<auth::Review>,
    Named(id): Named<ReviewId>,
) -> Result<Response, Problem> {
    let detail = detail(&state, id, &Viewer::person(&person)).await?;
    let review = &detail.review;
    let is_mine = review.claimed_by.as_ref() == Some(&person.name);
    let supervises = page.may("reviews:supervise");
    let sees = is_mine || (supervises && review.second_look != Some(true));
    let earlier = detail.earlier.iter().map(|other| Earlier {
        when: page.time(&other.submitted_at),
        kind: page.t_of("kind.", other.kind),
        outcome: other
            .outcome
            .map_or_else(|| page.t("task.in_progress").to_owned(), |code| page.t_of("outcome.", code)),
        reasons: other.reasons.iter().map(|reason| reasons::label(&page, *reason)).collect(),
    });
    let milliseconds = |at: chrono::DateTime<chrono::Utc>| at.timestamp_millis();
    let shared = &state.engine.shared;
    Ok(html(&TaskPage {
        earlier: earlier.collect(),
        deadline: view::deadline(&page, review),
        checks: view::checks(&page, &review.checks),
        groups: reasons::groups(&page),
        overlay: Overlay::of(detail.picture.as_ref()),
        sees,
        is_mine,
        supervises,
        now: milliseconds(shared.clock.now()),
        lease_ends: review.lease_expires_at.map(milliseconds).unwrap_or_default(),
        lease_seconds: shared.settings.timing.review_lease.as_secs(),
        undo_seconds: state.settings.undo.as_secs(),
        page,
        detail,
    }))
}

/// The guides' part of a task: millimetres of a photo that is 22 mm wide.
struct Overlay {
    /// Height of the photo.
    height: String,
    /// Left, top, width and height of the face that was found.
    face: Option<[String; 4]>,
}

impl Overlay {
    fn of(picture: Option<&PictureBody>) -> Self {
        let millimetres = |value: f64| format!("{value:.3}");
        let Some(picture) = picture.filter(|picture| picture.width > 0) else {
            return Self { height: millimetres(HEIGHT_MM), face: None };
        };
        let scaled = |pixels: u32| millimetres(WIDTH_MM * f64::from(pixels) / f64::from(picture.width));
        Self {
            height: scaled(picture.height),
            face: picture.face.map(|face| [face.left, face.top, face.width, face.height].map(scaled)),
        }
    }
}

#[derive(Template)]
#[template(path = "chip.html")]
struct DeadlinePart {
    deadline: Chip,
}

/// The deadline's chip, which a page asks for again every minute.
pub(super) async fn deadline(
    State(state): State<AppState>,
    page: Page,
    person: Person<auth::Review>,
    Named(id): Named<ReviewId>,
) -> Result<Response, Problem> {
    let review: ReviewBody = detail(&state, id, &Viewer::person(&person)).await?.review;
    Ok(html(&DeadlinePart { deadline: view::deadline(&page, &review) }))
}

impl TaskPage {
    fn reopened(&self, round: &FormerRoundBody) -> String {
        self.page.fill("former.reopened", &[&round.reopened_by, &round.reason])
    }

    fn name_of(&self, reason: &PhotoReason) -> &'static str {
        reasons::label(&self.page, *reason)
    }

    /// Whether somebody else could be taken the task from, or it could be taken up again.
    fn is(&self, state: ReviewState) -> bool {
        self.detail.review.state == state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::photo_check::FaceBox;

    #[test]
    fn the_face_is_drawn_in_the_unit_of_the_guides() {
        let face = Some(FaceBox { left: 130, top: 260, width: 260, height: 286 });
        let overlay = Overlay::of(Some(&PictureBody { width: 520, height: 780, face }));
        assert_eq!(
            (overlay.height.as_str(), overlay.face),
            ("33.000", Some(["5.500", "11.000", "11.000", "12.100"].map(str::to_owned)))
        );
        assert_eq!(Overlay::of(None).height, "32.000");
    }
}

//! What the licence that the holder has already means for an application (R13, R14, R16, R30).

use crate::{
    domain::{
        application::{Kind, OutcomeCode, PhotoSource},
        calendar::local_date,
        deadline::six_months_after,
        decision::{Decision, LicenceFacts},
        licence_display::LicenceState,
    },
    engine::run::Run,
    store::types::LicenceRecord,
};

use super::{Tools, interrupted, reject};

/// The holder's current licence, whose place the new one takes; none where the holder has none. Asked at eligibility and
/// again at generation: a licence may end in between.
///
/// A first issue for a holder who has a licence is a reissue in all but name, and needs a change as one does. Otherwise it
/// would be the way around the six months of a photo change.
///
/// # Errors
/// The decision that ends the run instead.
pub(super) async fn superseded(
    tools: &Tools,
    run: &Run,
    now: &LicenceFacts,
) -> Result<Option<LicenceRecord>, Decision> {
    let application = run.application();
    let latest = tools.latest.of(&application.holder).await?;
    let ended = latest.as_ref().and_then(|latest| latest.terminated_at);
    let current = latest.filter(|latest| latest.state == LicenceState::Current);
    match (application.kind, current) {
        (Kind::PhotoChange, None) => reject(OutcomeCode::NotIssued, "no electronic licence is issued"),
        (Kind::PhotoChange, Some(current)) => {
            photo_may_change(tools, run).await?;
            Ok(Some(current))
        }
        // Whoever ended the service did not know of this application, or meant it too.
        _ if ended.is_some_and(|ended| ended >= application.submitted_at) => {
            reject(OutcomeCode::RejectedByOperator, "the service was ended after the application was made")
        }
        (_, Some(current)) if current.facts.same_as(now) => {
            reject(OutcomeCode::Unchanged, "nothing changed since the issue")
        }
        (_, None) if application.photo.source == PhotoSource::Previous => {
            reject(OutcomeCode::NotIssued, "there is no licence whose photo could be used again")
        }
        (_, current) => Ok(current),
    }
}

/// Only approved changes count: those that ended in a new record.
async fn photo_may_change(tools: &Tools, run: &Run) -> Result<(), Decision> {
    let application = run.application();
    let last = tools.store.last_issued(&application.holder, Kind::PhotoChange).await;
    match last.map_err(|error| interrupted(&error))? {
        Some(last) if local_date(application.submitted_at) < six_months_after(local_date(last)) => {
            reject(OutcomeCode::PhotoChangeTooSoon, "the last photo change is less than six months ago")
        }
        _ => Ok(()),
    }
}

//! What eligibility and generation both ask of the registry: found, filed, the same holder, a status that allows.

use crate::{
    domain::{
        application::OutcomeCode,
        decision::{Decision, Rejection},
        licence_status::LicenceStatus,
        personal::Applicant,
    },
    engine::run::Run,
    providers::{DocumentRef, Licence},
};

use super::{Tools, failure, reject, unanswered};

/// The registry's document reference of an applicant.
pub(super) fn document(applicant: &Applicant) -> DocumentRef<'_> {
    DocumentRef {
        document_type: applicant.document.document_type().as_str(),
        document_number: applicant.document.as_str(),
    }
}

/// The licence as the registry has it now, if its holder may have an electronic one.
///
/// # Errors
/// The decision that ends the run instead.
pub(super) async fn eligible_licence(tools: &Tools, run: &Run) -> Result<Licence, Decision> {
    let applicant = run.applicant();
    let request_id = format!("{}:{}", run.application().id, run.job().stage);
    let answer = tools
        .providers
        .registry
        .query_licence(document(applicant), &request_id)
        .await
        .map_err(|error| unanswered(error, |error| Decision::Stall(failure(error))))?;
    let licence = match answer.licence {
        _ if !answer.found => {
            return reject(OutcomeCode::LicenceNotFound, "the registry knows no licence of this document");
        }
        _ if !answer.filed => return reject(OutcomeCode::NotFiled, "the licence is not filed"),
        Some(licence) => licence,
        None => return reject(OutcomeCode::LicenceNotFound, "the registry gave no licence"),
    };
    if licence.holder_name != applicant.name.as_str() {
        return reject(OutcomeCode::IdentityMismatch, "the holder's name is another one");
    }
    if applicant.file_number.as_ref().is_some_and(|number| number.as_str() != licence.file_number) {
        return reject(OutcomeCode::IdentityMismatch, "the file number is another one");
    }
    let status = LicenceStatus::parse(&licence.status);
    if let Some(letters) = status.unknown() {
        tracing::warn!(application.id = %run.application().id, letters, "the registry answered an unknown licence status");
    }
    if !status.may_apply() {
        let letter = status.deciding_letter();
        return Err(Decision::Reject(Rejection {
            message_zh: status.apply_message_zh(),
            unknown_status: status.unknown().map(str::to_owned),
            ..Rejection::new(
                OutcomeCode::StatusNotEligible,
                format!("licence status `{letter}` ({})", letter.name_en()),
            )
        }));
    }
    Ok(licence)
}

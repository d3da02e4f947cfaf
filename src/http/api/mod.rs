//! The handlers of the API by resource, each with the shapes that it takes and gives beside it.

pub mod applications;
pub mod audit;
pub mod health;
pub mod licences;
pub mod ops;
pub mod photos;
pub mod reviews;

use std::sync::Arc;

use crate::{
    domain::cause::Refusal,
    domain::{applicant::FieldError, cause::Cause, decision::SealedRecord, ids::ApplicationId, plan::Snapshot},
    engine::planner::{Answer, Item},
};

use super::{problem::Problem, state::AppState};

/// Changes an application; a refusal comes with the state that it was made in.
pub(in crate::http) async fn change(
    state: &AppState,
    application: ApplicationId,
    cause: Cause,
    note: Option<SealedRecord>,
) -> Result<(Snapshot, Option<Refusal>), Problem> {
    match state.engine.committer.answer(Item { application, cause, note, applicant: None, began: None }).await? {
        Answer::Done(snapshot) => Ok((Arc::unwrap_or_clone(snapshot), None)),
        Answer::Refused(refusal, snapshot) => Ok((Arc::unwrap_or_clone(snapshot), Some(refusal))),
        Answer::NotFound => Err(Problem::not_found()),
    }
}

/// A text that people write: 1 to `most` characters, not only spaces, no control characters but line breaks.
fn written(text: &str, most: usize) -> Result<(), FieldError> {
    if text.trim().is_empty() {
        return Err(FieldError::new("blank", "must not be blank"));
    }
    if text.chars().count() > most {
        return Err(FieldError::new("length_wrong", format!("must have 1 to {most} characters")));
    }
    if text.chars().any(|letter| letter.is_control() && letter != '\n') {
        return Err(FieldError::new("character_not_allowed", "no control characters"));
    }
    Ok(())
}

/// [`written`] as the answer to a wrong field.
pub(in crate::http) fn written_field(pointer: &str, text: &str, most: usize) -> Result<(), Problem> {
    written(text, most).map_err(|error| Problem::field(pointer, error.code, error.detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_texts() {
        assert!(written("duplicate\nsee 17", 20).is_ok());
        for (text, code) in
            [("", "blank"), (" \n", "blank"), ("aaaa", "length_wrong"), ("a\0", "character_not_allowed")]
        {
            assert_eq!(written(text, 3).unwrap_err().code, code);
        }
    }
}

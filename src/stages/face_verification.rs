//! 实人认证: whether the applicant is the holder. The promise's clock starts when it passes (R09).

use async_trait::async_trait;
use chrono::{DateTime, Days, NaiveTime, Utc};

use crate::{
    domain::{
        application::{OutcomeCode, WaitReason},
        calendar::{instant, local_date},
        decision::{Decision, Failure, Finding, Rejection, Until},
        provider_error::{ErrorClass, code},
        stage::{Stage, outcome},
        transition::FACE_MANUAL,
    },
    engine::run::{Run, StageRunner},
    providers::{CallError, DocumentRef, FaceAnswer, FaceQuery, FaceState},
};

use super::{Tools, unanswered};

/// Daily limits end at midnight, and clocks differ: a little later is surely the next day.
const AFTER_MIDNIGHT: NaiveTime = match NaiveTime::from_hms_opt(0, 5, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

pub(super) struct FaceVerification(pub(super) Tools);

#[async_trait]
impl StageRunner for FaceVerification {
    fn stage(&self) -> Stage {
        Stage::FaceVerification
    }

    async fn run(&self, run: &Run) -> Decision {
        let applicant = run.applicant();
        let query = FaceQuery {
            face_token: applicant.face_token.as_str(),
            document: DocumentRef {
                document_type: applicant.document.document_type().as_str(),
                document_number: applicant.document.as_str(),
            },
            name: applicant.name.as_str(),
        };
        let request_id = format!("{}:{}", run.application().id, Stage::FaceVerification);
        match self.0.providers.face.query_verification(query, &request_id).await {
            Ok(answer) => self.decide(answer).await,
            // The provider's own codes for `manual`; a code that nobody knows says nothing about the applicant.
            Err(CallError::Failed(error)) if error.class == ErrorClass::Manual && error.code != code::UNKNOWN_CODE => {
                Decision::Stall(Failure::new(FACE_MANUAL, error.detail))
            }
            Err(error) => unanswered(error, |error| not_verified(&error.code)),
        }
    }
}

impl FaceVerification {
    async fn decide(&self, answer: FaceAnswer) -> Decision {
        let sub_code = Some(answer.sub_code).filter(|code| !code.is_empty());
        match answer.state {
            FaceState::Passed => {
                Decision::Advance { outcome: outcome::PASSED, finding: Finding::Face { sub_code, score: answer.score } }
            }
            FaceState::Failed => not_verified(sub_code.as_deref().unwrap_or("none")),
            FaceState::Pending => Decision::Wait {
                until: Until::After(self.0.face_poll),
                reason: WaitReason::FacePending,
                detail: "face verification has no result yet".to_owned(),
            },
            FaceState::BlockedToday => match self.0.store.now().await {
                Ok(now) => Decision::Wait {
                    until: Until::At(next_day(now)),
                    reason: WaitReason::FacePending,
                    detail: "face verification allows no more tries today".to_owned(),
                },
                Err(error) => super::interrupted(&error),
            },
            FaceState::Manual => {
                let detail = format!(
                    "face verification asks for a check at the counter (sub code `{}`)",
                    sub_code.unwrap_or_default()
                );
                Decision::Stall(Failure::new(FACE_MANUAL, detail))
            }
        }
    }
}

fn not_verified(code: &str) -> Decision {
    Decision::Reject(Rejection::new(OutcomeCode::FaceNotVerified, format!("face verification answered `{code}`")))
}

/// The first moments of the next day in China.
fn next_day(now: DateTime<Utc>) -> DateTime<Utc> {
    local_date(now)
        .checked_add_days(Days::new(1))
        .and_then(|day| instant(day.and_time(AFTER_MIDNIGHT)))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

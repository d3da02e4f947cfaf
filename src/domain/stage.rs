//! The stages (环节) that a workflow is made of, and the outcomes that each can answer.

use super::{application::Application, wire::wire_enum};

wire_enum! {
    /// A registered stage. The wire name is also the name of its job queue.
    pub enum Stage as "stage" {
        /// 资格核查: filed, found, holder matches, licence status allows.
        Eligibility = "eligibility",
        /// 实人认证: the applicant is the holder.
        FaceVerification = "face_verification",
        /// 照片审核: a person looks at a new photo.
        PhotoReview = "photo_review",
        /// 生成: the licence record is written.
        Generation = "generation",
        /// 通知: the result goes out by SMS and app.
        Notification = "notification",
    }
}

impl Stage {
    /// The outcomes with which the stage can advance; a workflow maps each to what comes next.
    /// Rejections are decisions of their own and are not listed.
    pub const fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::Eligibility => &[outcome::ELIGIBLE],
            Self::FaceVerification => &[outcome::PASSED],
            Self::PhotoReview => &[outcome::NOT_NEEDED, outcome::APPROVED],
            Self::Generation => &[outcome::ISSUED],
            Self::Notification => &[outcome::SETTLED],
        }
    }

    /// The outcome that is certain before the stage runs, so that nothing has to run: a retained or previous photo
    /// needs no review (R33).
    pub const fn foregone(self, application: &Application) -> Option<&'static str> {
        match self {
            Self::PhotoReview if !application.photo.source.is_upload() => Some(outcome::NOT_NEEDED),
            _ => None,
        }
    }

    /// Whether a run of the stage has no effect outside: it asks, what it asks may be asked again, and its answer counts
    /// only once it is committed. Such a run may begin before the state that it follows from is durable.
    pub const fn only_asks(self) -> bool {
        !matches!(self, Self::Notification)
    }
}

/// Wire names of the outcomes.
pub mod outcome {
    /// Eligibility: every precondition holds.
    pub const ELIGIBLE: &str = "eligible";
    /// Face verification: the applicant is the holder.
    pub const PASSED: &str = "passed";
    /// Photo review: a retained or previous photo needs no person.
    pub const NOT_NEEDED: &str = "not_needed";
    /// Photo review: a person approved the photo.
    pub const APPROVED: &str = "approved";
    /// Generation: the licence record is written.
    pub const ISSUED: &str = "issued";
    /// Notification: every channel is settled.
    pub const SETTLED: &str = "settled";
}

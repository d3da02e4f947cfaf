//! What an application (申请) is, as far as every part of the program must agree on it.

use super::wire::wire_enum;

wire_enum! {
    /// What is applied for.
    pub enum Kind as "kind" {
        /// 首次申领.
        FirstIssue = "first_issue",
        /// 重新申领, after the licence data changed.
        Reissue = "reissue",
        /// 换照片 on an issued licence.
        PhotoChange = "photo_change",
    }
}

wire_enum! {
    /// Where an application stands.
    pub enum Status as "status" {
        /// A stage runs or waits to retry.
        InProgress = "in_progress",
        /// A person must decide.
        InReview = "in_review",
        /// Retries are exhausted; an operator must act. Nothing is lost.
        Stalled = "stalled",
        /// Decided: the licence is issued.
        Issued = "issued",
        /// Decided: refused.
        Rejected = "rejected",
        /// Withdrawn by the upstream system before a decision.
        Cancelled = "cancelled",
    }
}

impl Status {
    /// Whether the decision is made, so that nothing but notification can follow.
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Issued | Self::Rejected | Self::Cancelled)
    }
}

wire_enum! {
    /// Where the photo comes from.
    pub enum PhotoSource as "photo source" {
        /// 留存照片: the one the registry holds.
        Retained = "retained",
        /// The photo of the licence that is issued now; reissue only.
        Previous = "previous",
        /// 拍照.
        Camera = "camera",
        /// 相册选择.
        Album = "album",
    }
}

impl PhotoSource {
    /// Whether the source is allowed for the kind of application (R07, R13, R18, R32).
    pub const fn allowed_for(self, kind: Kind) -> bool {
        match self {
            Self::Retained => !matches!(kind, Kind::PhotoChange),
            Self::Previous => matches!(kind, Kind::Reissue),
            Self::Camera | Self::Album => true,
        }
    }

    /// Whether the applicant uploads a new photo, which always meets a person.
    pub const fn is_upload(self) -> bool {
        matches!(self, Self::Camera | Self::Album)
    }
}

wire_enum! {
    /// How an application ended.
    pub enum OutcomeCode as "outcome" {
        /// The licence was issued.
        Issued = "issued",
        /// 未备案.
        NotFiled = "not_filed",
        /// The registry knows no such licence.
        LicenceNotFound = "licence_not_found",
        /// Holder name or file number is another one.
        IdentityMismatch = "identity_mismatch",
        /// The licence status forbids an electronic licence.
        StatusNotEligible = "status_not_eligible",
        /// A reissue although nothing changed.
        Unchanged = "unchanged",
        /// A photo change without an issued licence.
        NotIssued = "not_issued",
        /// The last approved photo change is less than six months ago.
        PhotoChangeTooSoon = "photo_change_too_soon",
        /// There is no suitable retained photo.
        RetainedPhotoUnsuitable = "retained_photo_unsuitable",
        /// 实人认证未通过.
        FaceNotVerified = "face_not_verified",
        /// A reviewer rejected the photo.
        PhotoRejected = "photo_rejected",
        /// An operator rejected a stalled application.
        RejectedByOperator = "rejected_by_operator",
        /// The upstream system withdrew it.
        CancelledByUpstream = "cancelled_by_upstream",
    }
}

wire_enum! {
    /// Why nothing is running for an application right now.
    pub enum WaitReason as "wait reason" {
        /// A failed attempt is repeated later.
        Retry = "retry",
        /// A person must decide on the photo.
        Review = "review",
        /// A provider's rate limit.
        RateLimit = "rate_limit",
        /// A provider's circuit breaker is open.
        CircuitOpen = "circuit_open",
        /// The stage's queue is paused by an operator.
        Paused = "paused",
        /// The face verification has no answer yet.
        FacePending = "face_pending",
        /// An operator must act.
        Operator = "operator",
    }
}

wire_enum! {
    /// A way to tell the applicant.
    pub enum Channel as "channel" {
        /// 短信.
        Sms = "sms",
        /// 交管12123 APP.
        App = "app",
    }
}

wire_enum! {
    /// How a notification stands.
    pub enum NoticeState as "notification state" {
        /// Not yet settled.
        Pending = "pending",
        /// Accepted by the provider.
        Sent = "sent",
        /// Refused for good, or given up.
        Failed = "failed",
    }
}

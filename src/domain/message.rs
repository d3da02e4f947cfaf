//! What applicants and upstream systems are told: one fixed text per outcome.
//!
//! SMS gateways approve templates beforehand and forbid variables in notices, so the SMS names no
//! reason; the app does.

use super::application::OutcomeCode;
use super::wire::wire_enum;

/// 申请已提交: what the applicant sees when face verification has passed.
pub const SUBMITTED_ZH: &str = "申请已提交";

/// The prompt of a first application, which uses the retained photo.
pub const FIRST_ISSUE_PROMPT_ZH: &str = "首次申领驾驶证电子版，将直接使用信息系统里已留存的照片来生成";

/// The rule for photo changes.
pub const PHOTO_CHANGE_LIMIT_ZH: &str = "驾驶证电子版照片六个月内只可以更换一次";

/// The applicant's liability for the photo.
pub const LIABILITY_ZH: &str =
    "违反上述规定导致后果及责任由本人承担，公安交管部门有权终止驾驶证（电子版）服务，并保留追诉权力。";

/// What a holder is told when the licence data changed and an application is needed again.
pub const REAPPLY_NEEDED_ZH: &str = "您的驾驶证信息已变更，请登录“交管12123”APP重新申领驾驶证电子版。";

/// The title of that in the app.
pub const REAPPLY_TITLE_ZH: &str = "驾驶证电子版需要重新申领";

/// What a holder is told when the licence is shown otherwise now. It does not say how: whoever has the telephone reads it.
pub const STATUS_CHANGED_ZH: &str = "您的驾驶证状态发生变化，请登录“交管12123”APP查看驾驶证电子版。";

/// The title of that in the app.
pub const STATUS_CHANGED_TITLE_ZH: &str = "驾驶证状态发生变化";

/// The notice on the licence that there are cases in which only the paper licence serves (R31).
pub const PAPER_NEEDED_ZH: &str = "特定情况下，仍需使用纸质驾驶证。";

/// The notice on the licence that a screenshot is worth nothing.
pub const SCREENSHOT_INVALID_ZH: &str = "电子驾驶证应当实时出示，截图无效。";

wire_enum! {
    /// The template of a notice, as the SMS gateway knows it.
    pub enum NoticeTemplate as "notice template" {
        /// The licence was issued.
        Issued = "issued",
        /// Anything else.
        Rejected = "rejected",
        /// The licence data changed: a reissue is needed.
        Reapply = "reapply",
        /// The licence is shown otherwise now.
        StatusChanged = "status_changed",
    }
}

/// The template that goes with an outcome.
pub const fn template(outcome: OutcomeCode) -> NoticeTemplate {
    match outcome {
        OutcomeCode::Issued => NoticeTemplate::Issued,
        _ => NoticeTemplate::Rejected,
    }
}

/// The English message of an outcome, for upstream systems.
///
/// `status_not_eligible` and `photo_rejected` have more to say: the licence status
/// ([`super::licence_status::LicenceStatus::apply_message`]) and the photo reasons.
pub const fn message(outcome: OutcomeCode) -> &'static str {
    match outcome {
        OutcomeCode::Issued => "the electronic licence was issued",
        OutcomeCode::NotFiled => "the licence is not filed with the app yet",
        OutcomeCode::LicenceNotFound => "the registry knows no licence for this document",
        OutcomeCode::IdentityMismatch => "name or file number is not the one in the registry",
        OutcomeCode::StatusNotEligible => "the licence status does not allow an electronic licence",
        OutcomeCode::Unchanged => "the licence data has not changed since the licence was issued",
        OutcomeCode::NotIssued => "there is no issued electronic licence whose photo could be changed",
        OutcomeCode::PhotoChangeTooSoon => "the photo can be changed once in six months",
        OutcomeCode::RetainedPhotoUnsuitable => "the registry holds no suitable photo; a new one is needed",
        OutcomeCode::FaceNotVerified => "the face verification did not pass",
        OutcomeCode::PhotoRejected => "the photo was rejected by the review",
        OutcomeCode::RejectedByOperator => "the application was rejected by an operator",
        OutcomeCode::CancelledByUpstream => "the application was cancelled by the upstream system",
    }
}

/// The Chinese message of an outcome, for the applicant. See [`message`].
pub const fn message_zh(outcome: OutcomeCode) -> &'static str {
    match outcome {
        OutcomeCode::Issued => "您申领的驾驶证电子版已生成。",
        OutcomeCode::NotFiled => "您尚未备案驾驶证，请先备案驾驶证后再申领驾驶证电子版。",
        OutcomeCode::LicenceNotFound => "未查询到您的驾驶证信息，请核对身份证明后再申领驾驶证电子版。",
        OutcomeCode::IdentityMismatch => "您填写的姓名或档案编号与驾驶证登记信息不一致，请核对后再申领驾驶证电子版。",
        OutcomeCode::StatusNotEligible => super::licence_status::APPLY_REFUSED_ZH,
        OutcomeCode::Unchanged => "您的驾驶证信息未发生变更，无需重新申领驾驶证电子版。",
        OutcomeCode::NotIssued => "您尚未申领驾驶证电子版，请先申领后再更换照片。",
        OutcomeCode::PhotoChangeTooSoon => "驾驶证电子版照片六个月内只可以更换一次。",
        OutcomeCode::RetainedPhotoUnsuitable => "没有符合要求的留存照片，请拍摄照片或从相册选择证件照片后重新申领。",
        OutcomeCode::FaceNotVerified => "实人认证未通过，请在光线充足处重新认证。",
        OutcomeCode::PhotoRejected => "您提交的照片未通过审核，请查看原因并重新提交。",
        OutcomeCode::RejectedByOperator => "您的驾驶证电子版申请未通过，请联系驾驶证发证地公安交管部门。",
        OutcomeCode::CancelledByUpstream => "您的驾驶证电子版申请已撤销。",
    }
}

/// The text of the SMS.
pub const fn sms_text(outcome: OutcomeCode) -> &'static str {
    match outcome {
        OutcomeCode::Issued => "您申领的驾驶证电子版已生成，请登录“交管12123”APP查看。",
        OutcomeCode::PhotoRejected => {
            "您申领驾驶证电子版提交的照片未通过审核，请登录“交管12123”APP查看原因并重新提交。"
        }
        OutcomeCode::CancelledByUpstream => "您的驾驶证电子版申请已撤销，详情请登录“交管12123”APP查看。",
        _ => "您的驾驶证电子版申请未通过，请登录“交管12123”APP查看原因。",
    }
}

/// The title of the app notification.
pub const fn app_title(outcome: OutcomeCode) -> &'static str {
    match outcome {
        OutcomeCode::Issued => "驾驶证电子版申领成功",
        OutcomeCode::CancelledByUpstream => "驾驶证电子版申请已撤销",
        _ => "驾驶证电子版申请未通过",
    }
}

/// The body of the app notification. See [`message`] for what can be said instead.
pub const fn app_body(outcome: OutcomeCode) -> &'static str {
    match outcome {
        OutcomeCode::Issued => "您申领的驾驶证电子版已生成，点击查看。",
        _ => message_zh(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_every_text() {
        for outcome in OutcomeCode::ALL.iter().copied() {
            let english = message(outcome);
            assert!(english.is_ascii() && !english.ends_with('.'), "{outcome}");
            for text in [message_zh(outcome), sms_text(outcome), app_body(outcome)] {
                assert!(text.ends_with('。'), "{outcome}");
                // Full-width punctuation, and nothing left to be filled in.
                assert!(!text.contains([',', '{', '"']), "{outcome}");
            }
            // One SMS holds 70 characters.
            assert!(sms_text(outcome).chars().count() <= 60, "{outcome}");
            assert!(!app_title(outcome).is_empty());
            assert_eq!(template(outcome) == NoticeTemplate::Issued, outcome == OutcomeCode::Issued);
        }
    }

    #[test]
    fn messages_differ_by_outcome() {
        for (texts, name) in [(message as fn(OutcomeCode) -> &'static str, "message"), (message_zh, "message_zh")] {
            let mut seen: Vec<_> = OutcomeCode::ALL.iter().map(|outcome| texts(*outcome)).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), OutcomeCode::ALL.len(), "{name}");
        }
        assert!(message_zh(OutcomeCode::PhotoChangeTooSoon).contains(PHOTO_CHANGE_LIMIT_ZH));
    }
}

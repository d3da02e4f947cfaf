//! An application as upstream systems see it: the same in answers of the API and in webhooks, personal data masked.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    domain::{
        application::{
            Application, Channel, Kind, Notice, NoticeState, Outcome, OutcomeCode, PhotoSource, Status, WaitReason,
        },
        ids::{ApplicationId, LicenceId, PhotoId},
        job::Job,
        message,
        personal::Applicant,
        photo_reason::PhotoReason,
        stage::Stage,
    },
    store::types::{DONE, Pause},
};

/// `due_problem` while the calendar has no data for the due time.
pub const CALENDAR_MISSING: &str = "calendar_missing";

/// What an application's jobs and queues say at this moment, beside the stored state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Live {
    /// A job of it runs now.
    pub leased: bool,
    /// The queue of a job of it is paused.
    pub paused: bool,
}

impl Live {
    /// From its jobs and the queues that are paused.
    pub fn of(jobs: &[Job], pauses: &[Pause]) -> Self {
        let waits_for_resume = |job: &Job| pauses.iter().any(|pause| pause.stage == job.stage);
        Self { leased: jobs.iter().any(|job| job.lease.is_some()), paused: jobs.iter().any(waits_for_resume) }
    }
}

/// An application (申请) as upstream systems see it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Application)]
pub struct ApplicationBody {
    /// The application's id.
    pub id: ApplicationId,
    /// What is applied for.
    pub kind: Kind,
    /// The workflow version that it keeps.
    #[schema(example = "first_issue@1")]
    pub workflow: String,
    /// Where it stands.
    pub status: Status,
    /// The stage, or `done` once everything is settled.
    #[schema(value_type = String, example = "eligibility")]
    pub stage: &'static str,
    /// How it ended; null before the decision.
    pub outcome: Option<OutcomeBody>,
    /// The photo that it is made with.
    pub photo: PhotoBody,
    /// The licence that was issued.
    pub licence_id: Option<LicenceId>,
    /// When it was accepted.
    pub submitted_at: DateTime<Utc>,
    /// The one-working-day promise (一个工作日); null until face verification passes.
    pub due_at: Option<DateTime<Utc>>,
    /// `calendar_missing`: the promise runs, but the calendar has no data for the due time yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "calendar_missing")]
    pub due_problem: Option<&'static str>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
    /// When every notification was settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// One per channel.
    pub notifications: Vec<NotificationBody>,
    /// Why nothing runs now; null while something does.
    pub waiting_for: Option<WaitingBody>,
    /// The upstream system's own reference.
    pub upstream_ref: Option<String>,
    /// The applicant, masked.
    pub applicant: ApplicantBody,
}

/// How an application ended.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Outcome)]
pub struct OutcomeBody {
    /// The stable code.
    pub code: OutcomeCode,
    /// For upstream systems, in English.
    pub message: String,
    /// For the applicant, in Chinese.
    pub message_zh: String,
    /// Why a photo was rejected; empty otherwise.
    pub reasons: Vec<ReasonBody>,
}

/// Why a photo was rejected (审核不通过原因).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonBody {
    /// The stable code.
    pub code: PhotoReason,
    /// In English.
    pub message: String,
    /// For the applicant, in Chinese.
    pub message_zh: String,
}

/// The photo of an application.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ApplicationPhoto)]
pub struct PhotoBody {
    /// Where it comes from.
    pub source: PhotoSource,
    /// The upload, for `camera` and `album`.
    pub photo_id: Option<PhotoId>,
}

/// A notification of the result.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationBody {
    /// By which way.
    pub channel: Channel,
    /// How it stands.
    pub state: NoticeState,
    /// Tries that reached a result.
    pub attempts: u32,
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = WaitingFor)]
pub struct WaitingBody {
    /// The reason.
    pub reason: WaitReason,
    /// Until when, if a moment is known.
    pub until: Option<DateTime<Utc>>,
    /// One sentence.
    pub detail: String,
}

/// The applicant, masked: enough to recognise, too little to use.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = MaskedApplicant)]
pub struct ApplicantBody {
    /// 姓名, e.g. `张*`.
    #[schema(example = "张*")]
    pub name: String,
    /// 证件号码.
    #[schema(example = "1101**********002X")]
    pub document_number: String,
    /// 手机号.
    #[schema(example = "138****8000")]
    pub mobile: String,
}

impl ApplicationBody {
    /// The representation of a state. `live` is what its jobs say now; none tells the stored state alone, the same
    /// at any time, as webhooks need it.
    pub fn new(application: &Application, applicant: &Applicant, live: Option<Live>) -> Self {
        let deadline = application.deadline.as_ref();
        let due_at = deadline.and_then(|deadline| deadline.due_at);
        Self {
            id: application.id,
            kind: application.kind,
            workflow: application.workflow.to_string(),
            status: application.status,
            stage: application.stage.map_or(DONE, Stage::as_str),
            outcome: application.outcome.as_ref().map(OutcomeBody::from),
            photo: PhotoBody { source: application.photo.source, photo_id: application.photo.photo_id },
            licence_id: application.licence_id,
            submitted_at: application.submitted_at,
            due_at,
            due_problem: (deadline.is_some() && due_at.is_none()).then_some(CALENDAR_MISSING),
            decided_at: application.decided_at,
            completed_at: application.completed_at,
            notifications: application.notices.iter().map(NotificationBody::from).collect(),
            waiting_for: waiting_for(application, live.unwrap_or_default()),
            upstream_ref: application.upstream_ref.clone(),
            applicant: ApplicantBody {
                name: applicant.name.masked(),
                document_number: applicant.document.masked(),
                mobile: applicant.mobile.masked(),
            },
        }
    }
}

/// The stored reason stays until the next commit, so a job that runs again meanwhile overrules it.
fn waiting_for(application: &Application, live: Live) -> Option<WaitingBody> {
    let stored = application.waiting.as_ref();
    let needs_person =
        stored.is_some_and(|waiting| matches!(waiting.reason, WaitReason::Review | WaitReason::Operator));
    if live.leased && !needs_person {
        return None;
    }
    if live.paused && !needs_person {
        let detail = "the queue was paused by an operator".to_owned();
        return Some(WaitingBody { reason: WaitReason::Paused, until: None, detail });
    }
    stored.map(|waiting| WaitingBody { reason: waiting.reason, until: waiting.until, detail: waiting.detail.clone() })
}

impl From<&Outcome> for OutcomeBody {
    fn from(outcome: &Outcome) -> Self {
        let usual = || message::message_zh(outcome.code).to_owned();
        Self {
            code: outcome.code,
            message: message::message(outcome.code).to_owned(),
            message_zh: outcome.message_zh.clone().unwrap_or_else(usual),
            reasons: outcome.reasons.iter().copied().map(ReasonBody::from).collect(),
        }
    }
}

impl From<PhotoReason> for ReasonBody {
    fn from(reason: PhotoReason) -> Self {
        Self { code: reason, message: reason.en().to_owned(), message_zh: reason.applicant_zh().to_owned() }
    }
}

impl From<&Notice> for NotificationBody {
    fn from(notice: &Notice) -> Self {
        Self { channel: notice.channel, state: notice.state, attempts: notice.attempts }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn application(changes: &Value) -> Application {
        let mut document = json!({
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "owner": "upstream", "kind": "first_issue",
            "workflow": "first_issue@1", "status": "in_progress", "stage": "eligibility", "outcome": null,
            "photo": { "source": "retained", "photo_id": null }, "licence_id": null, "holder": "", "licence": null,
            "submitted_at": "2026-11-20T02:00:00Z", "deadline": null, "decided_at": null, "notified_at": null,
            "completed_at": null, "waiting": null, "last_error": null, "priority": 0, "review_rounds": 0,
            "notices": [{ "channel": "sms", "state": "pending", "attempts": 0 }, { "channel": "app", "state": "pending", "attempts": 0 }],
            "review_id": null, "reviewed_by": [], "callback_url": null, "upstream_ref": "X-1",
            "chain": { "seq": 1, "hash": "" },
        });
        for (key, value) in changes.as_object().unwrap() {
            document[key] = value.clone();
        }
        serde_json::from_value(document).unwrap()
    }

    fn body(changes: &Value, live: Option<Live>) -> Value {
        let applicant = json!({
            "document": { "document_type": "A", "document_number": "11010519491231002X" }, "name": "张三", "mobile": "13800138000",
            "app_user": "u-123", "file_number": null, "face_token": "ft-ok",
            "consent": { "version": "2026-01", "given_at": "2026-11-20T02:00:00Z" },
        });
        let applicant: Applicant = serde_json::from_value(applicant).unwrap();
        serde_json::to_value(ApplicationBody::new(&application(changes), &applicant, live)).unwrap()
    }

    #[test]
    fn a_fresh_application_has_the_shape_of_the_contract() {
        let expected = json!({
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "kind": "first_issue", "workflow": "first_issue@1",
            "status": "in_progress", "stage": "eligibility", "outcome": null,
            "photo": { "source": "retained", "photo_id": null }, "licence_id": null,
            "submitted_at": "2026-11-20T02:00:00Z", "due_at": null, "decided_at": null, "completed_at": null,
            "notifications": [{ "channel": "sms", "state": "pending", "attempts": 0 }, { "channel": "app", "state": "pending", "attempts": 0 }],
            "waiting_for": null, "upstream_ref": "X-1",
            "applicant": { "name": "张*", "document_number": "1101**********002X", "mobile": "138****8000" },
        });
        assert_eq!(body(&json!({}), None), expected);
    }

    #[test]
    fn a_decision_is_told_in_both_languages() {
        let rejected = json!({ "status": "rejected", "stage": null, "outcome": { "code": "photo_rejected", "reasons": ["hat_worn"] } });
        let body = body(&rejected, None);
        assert_eq!(body["stage"], "done");
        assert_eq!(
            body["outcome"],
            json!({
                "code": "photo_rejected", "message": "the photo was rejected by the review",
                "message_zh": "您提交的照片未通过审核，请查看原因并重新提交。",
                "reasons": [{ "code": "hat_worn", "message": "hat / not bareheaded", "message_zh": "请摘下帽子，提交免冠照片" }],
            })
        );
    }

    #[test]
    fn an_outcome_with_a_text_of_its_own_keeps_it() {
        let body =
            body(&json!({ "outcome": { "code": "status_not_eligible", "message_zh": "您的驾驶证状态异常。" } }), None);
        assert_eq!(body["outcome"]["message_zh"], "您的驾驶证状态异常。");
        assert_eq!(body["outcome"]["reasons"], json!([]));
    }

    #[test]
    fn a_promise_without_calendar_says_so() {
        let deadline = |due: Value| json!({ "deadline": { "started_at": "2026-12-31T02:00:00Z", "due_at": due, "checks": [], "passed": 0, "calendar": "cn" } });
        let missing = body(&deadline(Value::Null), None);
        assert_eq!((&missing["due_at"], &missing["due_problem"]), (&Value::Null, &json!("calendar_missing")));
        let set = body(&deadline(json!("2027-01-04T09:00:00Z")), None);
        assert_eq!(set["due_at"], "2027-01-04T09:00:00Z");
        assert!(set.get("due_problem").is_none());
    }

    #[test]
    fn what_runs_or_is_paused_now_overrules_a_stored_retry_but_no_person() {
        let waiting =
            |reason: &str| json!({ "waiting": { "reason": reason, "until": "2026-11-20T02:05:00Z", "detail": "x" } });
        let (leased, paused) = (Live { leased: true, paused: true }, Live { leased: false, paused: true });
        let told = |reason, live| body(&waiting(reason), live)["waiting_for"]["reason"].clone();
        assert_eq!(told("retry", None), "retry");
        assert_eq!(told("retry", Some(Live::default())), "retry");
        assert_eq!(told("retry", Some(paused)), "paused");
        assert_eq!(told("retry", Some(leased)), Value::Null);
        for reason in ["review", "operator"] {
            assert_eq!(told(reason, Some(leased)), reason);
            assert_eq!(told(reason, Some(paused)), reason);
        }
    }
}

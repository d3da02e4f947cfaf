use chrono::Utc;
use serde_json::Value;

use super::*;
use crate::http::strict;

fn sample() -> Value {
    json!({
        "kind": "first_issue",
        "applicant": {
            "document_type": "A", "document_number": "11010519491231002X", "name": "张三",
            "mobile": "13800138000", "app_user": "u-123",
        },
        "licence": { "file_number": "150300123456" },
        "photo": { "source": "retained" },
        "face_token": "ft-ok",
        "consent": { "version": "2026-01", "given_at": "2026-11-20T10:00:00+08:00" },
    })
}

fn upload(owner: &str, source: PhotoSource) -> PhotoRecord {
    PhotoRecord {
        id: PhotoId::new(),
        owner: owner.to_owned(),
        source,
        width: 520,
        height: 756,
        sha256: String::new(),
        checks: Value::Null,
        face: None,
        thresholds: String::new(),
        blob: String::new(),
        condemned: false,
        created_at: Utc::now(),
    }
}

fn check(body: &Value, upload: Option<&PhotoRecord>) -> Result<Checked, Problem> {
    let submission: Submission = strict::decode(body.to_string().as_bytes())?;
    let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
    submission.check(&Surroundings { owner: "mine", upload, today, allow_private_callbacks: false })
}

fn with(pointer: &str, value: Value) -> Value {
    let mut body = sample();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[field] = value;
    body
}

fn refusal(body: &Value, upload: Option<&PhotoRecord>) -> Problem {
    check(body, upload).err().unwrap()
}

#[test]
fn a_good_submission_is_taken() {
    let checked = check(&sample(), None).unwrap();
    assert_eq!((checked.kind, checked.photo.source), (Kind::FirstIssue, PhotoSource::Retained));
    assert_eq!(checked.applicant.consent.given_at.to_rfc3339(), "2026-11-20T02:00:00+00:00");
}

#[test]
fn one_request_has_one_fingerprint() {
    let canonical = |body: &Value| check(body, None).unwrap().canonical().unwrap();
    let usual = canonical(&sample());
    assert_eq!(canonical(&with("/applicant/document_number", json!("11010519491231002x"))), usual);
    assert_eq!(canonical(&with("/consent/given_at", json!("2026-11-20T02:00:00Z"))), usual);
    assert_eq!(canonical(&with("/upstream_ref", Value::Null)), usual);
    assert_ne!(canonical(&with("/applicant/mobile", json!("13800138001"))), usual);
    assert_ne!(canonical(&with("/upstream_ref", json!("X-1"))), usual);
}

#[test]
fn wrong_fields_are_named() {
    for (pointer, value, code) in [
        ("/kind", json!("renewal"), "unknown_value"),
        ("/applicant/document_type", json!("N"), "unknown_value"),
        ("/applicant/document_number", json!("110105194912310021"), "check_digit_wrong"),
        ("/applicant/mobile", json!("1"), "mobile_invalid"),
        ("/applicant/name", json!("  "), "blank"),
        ("/applicant/app_user", json!(""), "length_wrong"),
        ("/licence/file_number", json!("1"), "file_number_invalid"),
        ("/licence/file_number", Value::Null, "missing"),
        ("/licence", Value::Null, "missing"),
        ("/photo/source", json!("scanner"), "unknown_value"),
        ("/photo/source", json!("previous"), "source_not_allowed"),
        ("/photo/photo_id", json!(PhotoId::new()), "photo_not_expected"),
        ("/face_token", json!(""), "length_wrong"),
        ("/consent/version", json!(""), "length_wrong"),
        ("/consent/given_at", json!("2026-11-20T10:00:00"), "time_invalid"),
        ("/callback_url", json!("not a url"), "url_invalid"),
        ("/callback_url", json!(format!("https://a.example/{}", "x".repeat(3000))), "length_wrong"),
        ("/upstream_ref", json!(""), "length_wrong"),
        ("/upstream_ref", json!("x".repeat(201)), "length_wrong"),
        ("/upstream_ref", json!("a\nb"), "character_not_allowed"),
    ] {
        let problem = refusal(&with(pointer, value), None);
        assert_eq!(problem.errors(), [Fault::new(pointer, code, problem.errors()[0].detail.clone())]);
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let mut body = with("/applicant/mobile", json!("1"));
    body["licence"]["file_number"] = json!("1");
    body["applicant"]["document_number"] = json!("1");
    body["callback_url"] = json!("https://localhost/");
    let problem = refusal(&body, None);
    assert_eq!((problem.code(), problem.errors().len()), ("validation_failed", 4));
}

#[test]
fn a_callback_that_is_not_allowed_has_its_own_code() {
    for url in ["http://upstream.example/", "https://127.0.0.1/hook", "file:///etc/passwd"] {
        let problem = refusal(&with("/callback_url", json!(url)), None);
        assert_eq!((problem.code(), problem.errors()[0].pointer.as_str()), ("callback_not_allowed", "/callback_url"));
    }
    assert!(check(&with("/callback_url", json!("https://upstream.example/hook")), None).is_ok());
}

#[test]
fn uploads_must_be_ones_own_and_from_the_same_source() {
    let mine = upload("mine", PhotoSource::Camera);
    let body = |source: &str| with("/photo", json!({ "source": source, "photo_id": mine.id }));
    assert_eq!(check(&body("camera"), Some(&mine)).ok().unwrap().photo.photo_id, Some(mine.id));
    assert_eq!(refusal(&body("album"), Some(&mine)).errors()[0].code, "source_differs");
    assert_eq!(refusal(&body("camera"), Some(&upload("other", PhotoSource::Camera))).errors()[0].code, "photo_unknown");
    assert_eq!(refusal(&body("camera"), None).errors()[0].pointer, "/photo/photo_id");
    let without = with("/photo", json!({ "source": "camera" }));
    assert_eq!(refusal(&without, None).errors()[0].code, "missing");
}

#[test]
fn a_photo_change_needs_a_new_photo_and_no_file_number() {
    let mine = upload("mine", PhotoSource::Album);
    let mut body = with("/photo", json!({ "source": "album", "photo_id": mine.id }));
    body["kind"] = json!("photo_change");
    body.as_object_mut().unwrap().remove("licence");
    assert!(check(&body, Some(&mine)).is_ok());
    body["photo"] = json!({ "source": "retained" });
    assert_eq!(refusal(&body, None).errors()[0].pointer, "/photo/source");
}

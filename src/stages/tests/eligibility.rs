//! R04, R05, R13 to R21: who may have an electronic licence, and this photo.

use super::{bench::Bench, outside::licence};
use crate::{
    domain::{
        application::{Kind, OutcomeCode, Photo, PhotoSource},
        decision::{Decision, Finding, LicenceFacts},
        stage::{Stage, outcome},
    },
    licences::record::facts,
    providers::{Licence, RetainedPhoto},
};

const STAGE: Stage = Stage::Eligibility;

#[tokio::test]
async fn a_holder_in_order_is_eligible() {
    let bench = Bench::new().await;
    let finding = Finding::Eligible { status: "A".to_owned(), licence: facts(&licence()) };
    assert_eq!(bench.run(STAGE).await, Decision::Advance { outcome: outcome::ELIGIBLE, finding });
    assert_eq!(bench.outside.called(), ["registry"]);
}

#[tokio::test]
async fn letters_that_nobody_knows_are_told_to_operations() {
    let bench = Bench::new().await;
    for (status, told) in [("L", None), ("A?", Some("A?")), ("", Some("")), ("张三", Some("??"))] {
        bench.outside.registered(|licence| licence.status = status.to_owned());
        let Decision::Reject(rejection) = bench.run(STAGE).await else { unreachable!("`{status}` is refused") };
        assert_eq!(rejection.unknown_status.as_deref(), told, "`{status}`");
    }
}

#[tokio::test]
async fn every_status_letter() {
    let bench = Bench::new().await;
    let refused = "您的驾驶证状态异常，无法申领驾驶证电子版，请联系驾驶证发证地公安交管部门。";
    // Whether it may apply, and the exact message where the trade has one.
    for (status, may_apply, message) in [
        ("A", true, None),
        ("H", true, None),
        ("I", true, None),
        ("N", true, None),
        ("P", true, None),
        ("T", true, None),
        ("HI", true, None),
        ("B", false, None),
        ("D", false, None),
        ("K", false, None),
        ("U", false, None),
        ("M", false, None),
        ("S", false, None),
        ("E", false, None),
        ("F", false, None),
        ("G", false, None),
        ("R", false, None),
        ("C", false, None),
        ("L", false, Some(refused)),
        ("J", false, Some(refused)),
        ("Z", false, Some(refused)),
        ("", false, Some(refused)),
        ("?", false, Some(refused)),
        ("a", false, Some(refused)),
        ("SH", false, None),
        ("AB", false, None),
        ("A?", false, Some(refused)),
        ("ML", false, Some(refused)),
    ] {
        bench.outside.registered(|licence| licence.status = status.to_owned());
        match bench.run(STAGE).await {
            Decision::Advance { finding: Finding::Eligible { status: found, .. }, .. } => {
                assert!(may_apply, "`{status}`");
                assert_eq!(found, status);
            }
            Decision::Reject(rejection) => {
                assert!(!may_apply, "`{status}`");
                assert_eq!(rejection.code, OutcomeCode::StatusNotEligible, "`{status}`");
                assert!(message.is_none() || rejection.message_zh.as_deref() == message, "`{status}`");
                assert!(rejection.message_zh.is_some(), "`{status}`");
            }
            other => assert_eq!(format!("{other:?}"), "advance or reject", "`{status}`"),
        }
    }
}

#[tokio::test]
async fn who_is_not_the_holder_of_a_filed_licence() {
    let bench = Bench::new().await;
    // Found comes before filed, filed before identity, identity before status: nobody learns of another's status.
    bench.outside.registered(|licence| licence.status = "L".to_owned());
    bench.outside.registered(|licence| licence.file_number = "150300999999".to_owned());
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::IdentityMismatch));
    bench.outside.registered(|licence| licence.file_number = "150300123456".to_owned());
    bench.outside.registered(|licence| licence.holder_name = "李四".to_owned());
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::IdentityMismatch));
    bench.outside.registry.lock().unwrap().filed = false;
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::NotFiled));
    bench.outside.registry.lock().unwrap().found = false;
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::LicenceNotFound));
}

#[tokio::test]
async fn a_photo_change_needs_no_file_number() {
    let bench = Bench::new().await.of(Kind::PhotoChange, PhotoSource::Camera);
    bench.has_this_licence(Kind::FirstIssue, "2026-11-01T00:00:00Z").await;
    bench.outside.registered(|licence| licence.file_number = "150300999999".to_owned());
    assert_eq!(bench.rejection(STAGE).await, None);
    bench.outside.registered(|licence| licence.holder_name = "李四".to_owned());
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::IdentityMismatch));
}

#[tokio::test]
async fn only_a_suitable_retained_photo_can_be_used() {
    let mut bench = Bench::new().await;
    for (available, suitable) in [(true, true), (true, false), (false, false), (false, true)] {
        bench.outside.registered(|licence| licence.retained_photo = RetainedPhoto { available, suitable });
        for (kind, source) in [
            (Kind::FirstIssue, PhotoSource::Retained),
            (Kind::FirstIssue, PhotoSource::Camera),
            (Kind::FirstIssue, PhotoSource::Album),
            (Kind::Reissue, PhotoSource::Retained),
        ] {
            bench = bench.of(kind, source);
            let unsuitable = source == PhotoSource::Retained && !(available && suitable);
            let wanted = unsuitable.then_some(OutcomeCode::RetainedPhotoUnsuitable);
            assert_eq!(bench.rejection(STAGE).await, wanted, "{kind} {source} {available} {suitable}");
        }
    }
}

#[tokio::test]
async fn a_reissue_needs_a_change() {
    let bench = Bench::new().await.of(Kind::Reissue, PhotoSource::Camera);
    assert_eq!(bench.rejection(STAGE).await, None, "nothing was issued that could be unchanged");
    bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
    let unchanged = Some(OutcomeCode::Unchanged);
    assert_eq!(bench.rejection(STAGE).await, unchanged);

    type Change = fn(&mut Licence);
    let changes: [(Change, Option<OutcomeCode>); 7] = [
        (|licence| licence.classes = "DC1".to_owned(), unchanged),
        (|licence| licence.points = 9, unchanged),
        (|licence| licence.classes = "A2D".to_owned(), None),
        (|licence| licence.valid_from = licence.valid_from.succ_opt().unwrap(), None),
        (|licence| licence.valid_until = None, None),
        (|licence| licence.issuing_authority = "京A".to_owned(), None),
        (|licence| licence.classes = "?".to_owned(), None),
    ];
    for (nr, (change, wanted)) in changes.into_iter().enumerate() {
        bench.outside.registered(|registered| *registered = licence());
        bench.outside.registered(change);
        assert_eq!(bench.rejection(STAGE).await, wanted, "change {nr}");
    }
}

#[tokio::test]
async fn a_first_issue_of_a_holder_who_has_a_licence_is_a_reissue() {
    let mut bench = Bench::new().await;
    bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
    // With the data unchanged it would be a photo change that waits for no six months.
    for source in [PhotoSource::Retained, PhotoSource::Camera, PhotoSource::Album] {
        bench = bench.of(Kind::FirstIssue, source);
        assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::Unchanged), "{source}");
    }
    bench.outside.registered(|licence| licence.classes = "A2D".to_owned());
    assert_eq!(bench.rejection(STAGE).await, None, "whatever the photo is");
    bench.has_this_licence(Kind::PhotoChange, "2026-11-19T00:00:00Z").await;
    assert_eq!(bench.rejection(STAGE).await, None, "a photo of a changed licence is no photo change");
}

#[tokio::test]
async fn who_applies_after_the_end_of_the_service_begins_anew() {
    let mut bench = Bench::new().await;
    bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
    bench.ends_the_service().await;
    let terminated = bench.terminated_at().await;
    // As it is told of an application that was made before, and of one that was made after.
    for (kind, source, before, after) in [
        (Kind::FirstIssue, PhotoSource::Retained, OutcomeCode::RejectedByOperator, None),
        (Kind::Reissue, PhotoSource::Retained, OutcomeCode::RejectedByOperator, None),
        (Kind::Reissue, PhotoSource::Previous, OutcomeCode::RejectedByOperator, Some(OutcomeCode::NotIssued)),
        (Kind::PhotoChange, PhotoSource::Album, OutcomeCode::NotIssued, Some(OutcomeCode::NotIssued)),
    ] {
        bench = bench.of(kind, source);
        bench.application.submitted_at = terminated;
        assert_eq!(bench.rejection(STAGE).await, Some(before), "{kind} {source}");
        bench.application.submitted_at = terminated + chrono::TimeDelta::milliseconds(1);
        assert_eq!(bench.rejection(STAGE).await, after, "{kind} {source}");
    }
}

#[tokio::test]
async fn the_previous_photo_needs_a_previous_licence() {
    let bench = Bench::new().await.of(Kind::Reissue, PhotoSource::Previous);
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::NotIssued));
    bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
    bench.outside.registered(|licence| licence.classes = "A2".to_owned());
    assert_eq!(bench.rejection(STAGE).await, None);
}

#[tokio::test]
async fn a_photo_changes_once_in_six_months() {
    let mut bench = Bench::new().await.of(Kind::PhotoChange, PhotoSource::Album);
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::NotIssued));
    // Neither the first issue nor a reissue is a change of the photo.
    for kind in [Kind::FirstIssue, Kind::Reissue] {
        bench.has_this_licence(kind, "2026-11-19T00:00:00Z").await;
        assert_eq!(bench.rejection(STAGE).await, None, "{kind}");
    }
    // The last change, the application, and whether it comes too soon: dates in China, the month's end if it is shorter.
    for (last, submitted, too_soon) in [
        ("2027-01-15T10:00:00+08:00", "2027-07-14T23:59:59+08:00", true),
        ("2027-01-15T10:00:00+08:00", "2027-07-15T00:00:00+08:00", false),
        ("2027-03-31T10:00:00+08:00", "2027-09-29T12:00:00+08:00", true),
        ("2027-03-31T10:00:00+08:00", "2027-09-30T00:00:00+08:00", false),
        ("2027-08-31T10:00:00+08:00", "2028-02-28T23:59:59+08:00", true),
        ("2027-08-31T10:00:00+08:00", "2028-02-29T00:00:00+08:00", false),
        ("2028-08-30T10:00:00+08:00", "2029-02-27T23:00:00+08:00", true),
        ("2028-08-30T10:00:00+08:00", "2029-02-28T00:00:00+08:00", false),
        // 23:30 in London is the next day in China.
        ("2029-05-31T23:30:00+00:00", "2029-11-30T15:00:00+00:00", true),
        ("2029-05-31T23:30:00+00:00", "2029-11-30T16:00:00+00:00", false),
        ("2030-01-01T00:00:00+08:00", "2030-01-01T00:00:01+08:00", true),
    ] {
        bench.has_this_licence(Kind::PhotoChange, last).await;
        bench.application.submitted_at = submitted.parse().unwrap();
        let wanted = too_soon.then_some(OutcomeCode::PhotoChangeTooSoon);
        assert_eq!(bench.rejection(STAGE).await, wanted, "{last} then {submitted}");
    }
}

#[tokio::test]
async fn what_was_issued_is_compared_and_not_what_was_registered_then() {
    let bench = Bench::new().await.of(Kind::Reissue, PhotoSource::Retained);
    let issued = LicenceFacts { authority: "京A".to_owned(), ..facts(&licence()) };
    let photo = Photo { source: PhotoSource::Retained, photo_id: None };
    bench.has_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z", issued, photo).await;
    assert_eq!(bench.rejection(STAGE).await, None);
}

//! The last look at the registry, and the record.

use std::sync::Arc;

use super::{bench::Bench, outside::licence};
use crate::{
    domain::{
        application::{Kind, OutcomeCode, Photo, PhotoSource},
        decision::{Decision, NewLicence},
        ids::PhotoId,
        licence_watch::CardProblem,
        stage::Stage,
    },
    licences::record::{Record, facts},
    secrets::KeyMaterial,
};

const STAGE: Stage = Stage::Generation;

async fn issued(bench: &Bench) -> NewLicence {
    match bench.run(STAGE).await {
        Decision::Issue(licence) => *licence,
        other => unreachable!("{other:?}"),
    }
}

fn opened(bench: &Bench, licence: &NewLicence) -> Record {
    Record::open(&bench.tools.secrets, licence.id, &licence.sealed).unwrap()
}

#[tokio::test]
async fn the_record_says_what_the_registry_says_now() {
    let bench = Bench::new().await;
    bench.outside.registered(|licence| {
        licence.status = "H".to_owned();
        licence.classes = "A2".to_owned();
        licence.address = Some("内蒙古乌海市".to_owned());
    });
    let licence = issued(&bench).await;
    let wanted = bench.outside.registry.lock().unwrap().licence.clone().unwrap();
    assert_eq!((licence.status.as_str(), &licence.facts), ("H", &facts(&wanted)));
    let record = opened(&bench, &licence);
    assert_eq!((record.application_id, record.photo.source), (bench.application.id, PhotoSource::Retained));
    assert_eq!((record.registry, record.supersedes), (Some(wanted), None));
    let picture = bench.tools.photos.picture(record.photo.photo_id.unwrap()).await.unwrap();
    assert_eq!(picture, *bench.outside.picture.lock().unwrap(), "the portrait is kept");
    assert_eq!(record.address.as_deref(), Some("内蒙古乌海市"));
    assert_eq!(record.birth_date.map(|date| date.to_string()).as_deref(), Some("1949-12-31"), "from the number");
}

#[tokio::test]
async fn a_licence_that_was_lost_meanwhile_is_not_issued() {
    let bench = Bench::new().await;
    for (status, wanted) in
        [("A", None), ("D", Some(OutcomeCode::StatusNotEligible)), ("", Some(OutcomeCode::StatusNotEligible))]
    {
        bench.outside.registered(|licence| licence.status = status.to_owned());
        assert_eq!(bench.rejection(STAGE).await, wanted, "`{status}`");
    }
    bench.outside.registry.lock().unwrap().filed = false;
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::NotFiled));
}

#[tokio::test]
async fn a_retained_photo_that_is_gone_or_broken_is_told() {
    let bench = Bench::new().await;
    for (picture, retried) in
        [(b"<html>".to_vec(), Some("retained_photo_unreadable")), (Vec::new(), Some("retained_photo_unreadable"))]
    {
        *bench.outside.picture.lock().unwrap() = Some(picture);
        let decision = bench.run(STAGE).await;
        let code = match &decision {
            Decision::Retry { error, .. } => Some(error.code.as_str()),
            _ => None,
        };
        assert_eq!(code, retried, "{decision:?}");
    }
    *bench.outside.picture.lock().unwrap() = None;
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::RetainedPhotoUnsuitable));
}

#[tokio::test]
async fn the_previous_photo_is_that_of_the_licence_before() {
    let bench = Bench::new().await.of(Kind::Reissue, PhotoSource::Previous);
    assert_eq!(bench.rejection(STAGE).await, Some(OutcomeCode::NotIssued));
    let photo = Photo { source: PhotoSource::Album, photo_id: Some(PhotoId::new()) };
    bench.has_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z", facts(&licence()), photo.clone()).await;
    bench.outside.registered(|licence| licence.classes = "A2".to_owned());
    let before = bench.tools.store.current_licence(&bench.application.holder).await.unwrap().unwrap();
    let licence = issued(&bench).await;
    let record = opened(&bench, &licence);
    assert_eq!((record.photo, record.supersedes, licence.supersedes), (photo, Some(before.id), Some(before.id)));
}

#[tokio::test]
async fn a_previous_record_that_does_not_open_is_a_defect_and_no_missing_photo() {
    let mut bench = Bench::new().await.of(Kind::Reissue, PhotoSource::Previous);
    bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
    bench.outside.registered(|licence| licence.classes = "A2".to_owned());
    bench.tools.secrets = Arc::new(KeyMaterial::ephemeral().unwrap());
    let decision = bench.run(STAGE).await;
    assert!(matches!(&decision, Decision::Stall(failure) if failure.code == "record_not_opened"), "{decision:?}");
}

#[tokio::test]
async fn every_kind_says_whose_place_it_takes() {
    let mut bench = Bench::new().await;
    for (kind, source) in [
        (Kind::FirstIssue, PhotoSource::Retained),
        (Kind::Reissue, PhotoSource::Camera),
        (Kind::PhotoChange, PhotoSource::Album),
    ] {
        let issued_before = bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
        bench = bench.of(kind, source);
        bench.outside.registered(|licence| licence.classes = "A2".to_owned());
        assert_eq!(opened(&bench, &issued(&bench).await).supersedes, Some(issued_before), "{kind}");
    }
}

#[tokio::test]
async fn a_service_that_ended_meanwhile_is_not_brought_back() {
    for (kind, source, wanted) in [
        (Kind::PhotoChange, PhotoSource::Camera, OutcomeCode::NotIssued),
        (Kind::Reissue, PhotoSource::Retained, OutcomeCode::RejectedByOperator),
        (Kind::FirstIssue, PhotoSource::Camera, OutcomeCode::RejectedByOperator),
    ] {
        let bench = Bench::new().await.of(kind, source);
        bench.has_this_licence(Kind::FirstIssue, "2026-01-05T00:00:00Z").await;
        bench.outside.registered(|licence| licence.classes = "A2".to_owned());
        assert_eq!(bench.rejection(STAGE).await, None, "{kind}");
        bench.ends_the_service().await;
        assert_eq!(bench.rejection(STAGE).await, Some(wanted), "{kind}");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_drawn_is_issued_and_told() {
    let mut bench = Bench::new().await;
    assert_eq!(issued(&bench).await.card_problem, None);
    bench.applicant.name = serde_json::from_value("张𬭎".into()).unwrap();
    bench.outside.registered(|licence| licence.holder_name = "张𬭎".to_owned());
    assert_eq!(issued(&bench).await.card_problem, Some(CardProblem::GlyphMissing));
}

#[tokio::test]
async fn a_repeated_run_writes_the_same_under_another_id() {
    let bench = Bench::new().await;
    let (first, second) = (issued(&bench).await, issued(&bench).await);
    assert_ne!(first.id, second.id, "only the one that is committed exists");
    assert_eq!((&first.status, &first.facts), (&second.status, &second.facts));
    assert_eq!(opened(&bench, &first), opened(&bench, &second));
}

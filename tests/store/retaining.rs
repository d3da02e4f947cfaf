//! What is kept for a time only.

use chrono::{DateTime, Duration, Utc};
use greenlane::{
    domain::{
        application::{PhotoSource, Status},
        batch::{BatchAct, ItemVerdict},
        event::{Actor, ActorKind},
        ids::{ApplicationId, BatchId, LicenceId, PhotoId},
        photo_check::FaceBox,
        presentation::Purpose,
        retention::{PhotoFate, PhotoUse},
    },
    store::{
        batches::{NewBatch, SettledItem},
        licences::Verification,
        retention::AgedPhoto,
        types::{AlertKind, NewAlert, Page, PhotoRecord},
    },
};

use crate::{make, site::Site};

pub async fn photos_tell_who_needs_them(site: Site) {
    let now = site.now().await.unwrap();
    let photo = upload(&site, PhotoSource::Album, now).await;
    upload(&site, PhotoSource::Retained, now).await;
    let used = async || aged(&site, now).await.first().map(|photo| photo.used);
    assert_eq!(used().await, Some(PhotoUse::Nobody), "and a retained one has no turn");
    assert_eq!(aged(&site, now - Duration::seconds(1)).await, []);

    let (first, second) = (applied_with(&site, photo).await, applied_with(&site, photo).await);
    assert_eq!(used().await, Some(PhotoUse::Open));
    end(&site, first, Status::Rejected, now).await;
    assert_eq!(used().await, Some(PhotoUse::Open), "the other one needs it");
    end(&site, second, Status::Cancelled, now + Duration::hours(1)).await;
    assert_eq!(used().await, Some(PhotoUse::Refused(now + Duration::hours(1))));
    let third = applied_with(&site, photo).await;
    end(&site, third, Status::Issued, now).await;
    assert_eq!(used().await, Some(PhotoUse::Issued));

    // What an earlier version stored may have a turn, and is known for what it is.
    site.settle_photo(photo, PhotoFate::Kept, now).await.unwrap();
    site.raw.execute("UPDATE photos SET check_at = created_at WHERE source = 'retained'").await.unwrap();
    assert_eq!(used().await, Some(PhotoUse::Retained));
}

pub async fn a_photo_is_condemned_spared_and_erased(site: Site) {
    let now = site.now().await.unwrap();
    let later = now + Duration::minutes(10);
    let id = upload(&site, PhotoSource::Camera, now).await;
    let before = site.photo(id).await.unwrap().unwrap();
    for _ in 0..2 {
        site.settle_photo(id, PhotoFate::Condemned(later), now).await.unwrap();
    }
    assert_eq!(site.photo(id).await.unwrap().unwrap(), PhotoRecord { condemned: true, ..before.clone() });
    assert_eq!(aged(&site, now).await, [], "its turn comes later");
    assert_eq!(aged(&site, later).await[0].condemned_at, Some(now));
    site.settle_photo(id, PhotoFate::LookAt(later), now).await.unwrap();
    assert_eq!(site.photo(id).await.unwrap().unwrap(), before, "an application came for it");

    for _ in 0..2 {
        site.settle_photo(id, PhotoFate::Erased, later).await.unwrap();
        site.settle_photo(id, PhotoFate::LookAt(later), later).await.unwrap();
    }
    let gone = site.photo(id).await.unwrap().unwrap();
    assert!(gone.condemned && !gone.has_file());
    assert_eq!((gone.width, gone.height, gone.sha256.as_str(), gone.face), (0, 0, "", None));
    assert_eq!(gone.checks, serde_json::json!([]));
    assert_eq!((gone.owner, gone.source, gone.created_at), (before.owner, before.source, before.created_at));
    assert_eq!(aged(&site, later + Duration::days(1)).await, []);

    let kept = upload(&site, PhotoSource::Camera, now).await;
    site.settle_photo(kept, PhotoFate::Kept, now).await.unwrap();
    assert_eq!(aged(&site, later + Duration::days(1)).await, []);
}

pub async fn mailed_alerts_are_forgotten(site: Site) {
    for _ in 0..4 {
        site.raise_alert(&NewAlert::from(AlertKind::ProviderRefuses)).await.unwrap();
    }
    let alerts = site.unmailed_alerts(10).await.unwrap();
    site.mark_alerts_mailed(&[alerts[0].id, alerts[1].id, alerts[2].id]).await.unwrap();
    let later = site.now().await.unwrap() + Duration::days(1);
    assert_eq!(site.forget_alerts(alerts[0].at - Duration::days(1), 10).await.unwrap(), 0);
    assert_eq!(site.forget_alerts(later, 2).await.unwrap(), 2);
    assert_eq!(site.forget_alerts(later, 10).await.unwrap(), 1);
    assert_eq!(site.forget_alerts(later, 10).await.unwrap(), 0);
    assert_eq!(site.unmailed_alerts(10).await.unwrap(), alerts[3..], "nobody was told of this one");
}

pub async fn finished_batches_are_forgotten(site: Site) {
    let actor = Actor::new(ActorKind::Operator, "op");
    let (done, going, unverified) = (BatchId::new(), BatchId::new(), BatchId::new());
    let applications: Vec<ApplicationId> = (0..3).map(|_| ApplicationId::new()).collect();
    let now = site.now().await.unwrap();
    for id in [done, going, unverified] {
        let applications = applications.iter().map(|id| (*id, None)).collect();
        let batch = NewBatch { id, actor: actor.clone(), act: BatchAct::Retry, reason: None, applications };
        site.create_batch(&batch, &make::action("stalled_retried", now)).await.unwrap();
    }
    let settled = |batch, n: usize, verdict| SettledItem {
        batch,
        application_id: applications[n],
        result: "retried".to_owned(),
        verdict,
    };
    let failed = Some(ItemVerdict::Failed);
    site.settle_batch_items(&[0, 1, 2].map(|n| settled(done, n, failed))).await.unwrap();
    site.settle_batch_items(&[settled(going, 0, failed), settled(going, 1, failed)]).await.unwrap();
    site.settle_batch_items(&[(0, failed), (1, failed), (2, None)].map(|(n, verdict)| settled(unverified, n, verdict)))
        .await
        .unwrap();
    let later = site.now().await.unwrap() + Duration::days(1);
    assert_eq!(site.forget_batches(later - Duration::days(2), 10).await.unwrap(), 0);
    assert_eq!(site.forget_batches(later, 2).await.unwrap(), 2);
    assert!(site.batch(done).await.unwrap().is_some(), "an item is left");
    assert_eq!(site.forget_batches(later, 2).await.unwrap(), 1);
    assert_eq!(site.forget_batches(later, 2).await.unwrap(), 0);
    assert_eq!(site.batch(done).await.unwrap(), None);
    for batch in [going, unverified] {
        let items = site.batch_items(batch, &Page { limit: 10, after: None }).await.unwrap().items;
        assert_eq!(items.len(), 3, "nobody knows yet what became of one");
    }
}

pub async fn checks_of_presentations_are_forgotten(site: Site) {
    let (now, licence) = (site.now().await.unwrap(), LicenceId::new());
    let checked = async |nonce: u8, at: DateTime<Utc>| {
        let check = Verification {
            id: uuid::Uuid::now_v7(),
            licence_id: licence,
            at,
            key: "patrol-7".to_owned(),
            key_id: None,
            verifier: "traffic-police".to_owned(),
            purpose: Purpose::RoadCheck,
            refused: None,
        };
        site.record_verification(&check, Some([nonce; 16])).await.unwrap()
    };
    let old = now - Duration::days(6 * 365);
    for nonce in 1..=3 {
        assert!(checked(nonce, old).await);
    }
    assert!(checked(4, now).await);
    let before = now - Duration::days(1);
    assert_eq!(site.forget_verifications(old, 10).await.unwrap(), 0, "nothing is older");
    assert_eq!(site.forget_verifications(before, 2).await.unwrap(), 2);
    assert_eq!(site.forget_verifications(before, 10).await.unwrap(), 1);
    assert_eq!(site.forget_verifications(before, 10).await.unwrap(), 0);
    assert!(!checked(4, now).await, "what may still be good stays used up");
    let left = site.verifications(licence, &Page { limit: 10, after: None }).await.unwrap().items;
    assert_eq!(left.iter().map(|check| check.at).collect::<Vec<_>>(), [now]);
}

async fn upload(site: &Site, source: PhotoSource, created_at: DateTime<Utc>) -> PhotoId {
    let id = PhotoId::new();
    let photo = PhotoRecord {
        id,
        owner: "upstream".to_owned(),
        source,
        width: 520,
        height: 756,
        sha256: make::hash(5),
        checks: serde_json::json!([{ "code": "sharpness", "result": "pass" }]),
        thresholds: "2026-01".to_owned(),
        face: Some(FaceBox { left: 120, top: 200, width: 280, height: 290 }),
        blob: format!("photos/{id}"),
        condemned: false,
        created_at,
    };
    site.put_photo(&photo).await.unwrap();
    id
}

async fn aged(site: &Site, now: DateTime<Utc>) -> Vec<AgedPhoto> {
    site.aged_photos(now, 10).await.unwrap()
}

async fn applied_with(site: &Site, photo: PhotoId) -> ApplicationId {
    let mut new = make::admission(site.now().await.unwrap());
    new.application.photo.photo_id = Some(photo);
    site.admit_one(new).await
}

async fn end(site: &Site, id: ApplicationId, status: Status, at: DateTime<Utc>) {
    site.change(&[id], |write| {
        let application = &mut write.after_mut().application;
        (application.status, application.stage, application.completed_at) = (status, None, Some(at));
    })
    .await;
}

use greenlane::{
    domain::{
        application::{Kind, LastError, NoticeState, PhotoSource, Status},
        decision::{Failure, NewLicence},
        ids::{ApplicationId, LicenceId, PhotoId},
        photo_check::FaceBox,
        stage::Stage,
    },
    store::{
        StoreError,
        rows::SEARCHED,
        types::{ApplicationFilter, EventFilter, Page, PhotoRecord, ReviewFilter},
        webhooks::WebhookFilter,
    },
};

use crate::{make, site::Site};

pub async fn lists_newest_first_to_the_end(site: Site) {
    let mut ids = site.admit_many(7).await;
    ids.reverse();
    for limit in [1, 3, 7, 50] {
        assert_eq!(listed(&site, &ApplicationFilter::default(), limit).await, ids, "in pages of {limit}");
    }
    let page = site.applications(&ApplicationFilter::default(), &Page { limit: 7, after: None }).await.unwrap();
    assert_eq!(page.next, None, "nothing comes after");
    assert_eq!(page.items[0].jobs.len(), 1);
    assert_eq!(page.items[0].applicant, make::sealed("applicant"));
}

pub async fn a_search_reads_some_at_a_time_and_goes_on(site: Site) {
    let now = site.now().await.unwrap();
    let mut rare = make::admission(now);
    rare.application.kind = Kind::Reissue;
    let rare = site.admit_one(rare).await;
    for _ in 0..SEARCHED / 1000 {
        site.admit_many(1000).await;
    }
    let filter = ApplicationFilter { kind: Some(Kind::Reissue), ..ApplicationFilter::default() };
    let first = site.applications(&filter, &Page { limit: 5, after: None }).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_some(), "none among the newest, and more to read");
    let second = site.applications(&filter, &Page { limit: 5, after: first.next }).await.unwrap();
    assert_eq!(second.items.iter().map(|view| view.application.id).collect::<Vec<_>>(), [rare]);
    assert_eq!(second.next, None);
    // Whoever stands out is found at once.
    let undecided = ApplicationFilter { status: Some(Status::InProgress), ..filter };
    assert_eq!(listed(&site, &undecided, 5).await, [rare]);
}

pub async fn filters(site: Site) {
    let now = site.now().await.unwrap();
    let mut batch: Vec<_> = (0..4).map(|_| make::admission(now)).collect();
    batch[1].application.owner = "another".to_owned();
    batch[1].application.kind = Kind::Reissue;
    batch[2].application.upstream_ref = Some("X-1".to_owned());
    site.admit(&batch).await.unwrap();
    let ids: Vec<ApplicationId> = batch.iter().map(|new| new.application.id).collect();
    site.change(&ids[2..3], |write| {
        let application = &mut write.after_mut().application;
        application.status = Status::Stalled;
        application.stage = Some(Stage::FaceVerification);
        let failure = Failure::new("face_manual", "verified at the counter");
        application.last_error = Some(LastError { stage: Stage::FaceVerification, failure, attempts: 3, at: now });
    })
    .await;
    site.change(&ids[3..], |write| {
        let application = &mut write.after_mut().application;
        (application.status, application.stage) = (Status::Issued, Some(Stage::Notification));
        application.notices[0].state = NoticeState::Failed;
    })
    .await;
    site.change(&ids[..1], |write| {
        let application = &mut write.after_mut().application;
        (application.status, application.stage, application.completed_at) = (Status::Cancelled, None, Some(now));
    })
    .await;
    let completed = site.admit_many(1).await[0];
    site.change(&[completed], |write| {
        let application = &mut write.after_mut().application;
        (application.status, application.stage, application.completed_at) = (Status::Rejected, None, Some(now));
        application.notices[1].state = NoticeState::Failed;
    })
    .await;
    let ids: Vec<ApplicationId> = ids.into_iter().chain([completed]).collect();
    let any = ApplicationFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let cases: Vec<(ApplicationFilter, Vec<usize>)> = vec![
        (any(), vec![4, 3, 2, 1, 0]),
        (ApplicationFilter { owner: text("another"), ..any() }, vec![1]),
        (ApplicationFilter { owner: text("nobody"), ..any() }, vec![]),
        (ApplicationFilter { status: Some(Status::InProgress), ..any() }, vec![1]),
        (ApplicationFilter { status: Some(Status::Issued), ..any() }, vec![3]),
        (ApplicationFilter { status: Some(Status::Issued), owner: text("another"), ..any() }, vec![]),
        (ApplicationFilter { stage: Some(Stage::FaceVerification), ..any() }, vec![2]),
        (ApplicationFilter { done: true, ..any() }, vec![4, 0]),
        (ApplicationFilter { done: true, owner: text("another"), ..any() }, vec![]),
        (ApplicationFilter { kind: Some(Kind::Reissue), ..any() }, vec![1]),
        (ApplicationFilter { upstream_ref: text("X-1"), owner: text("upstream"), ..any() }, vec![2]),
        (ApplicationFilter { holder: Some(batch[0].application.holder.clone()), ..any() }, vec![0]),
        (ApplicationFilter { needs_operator: true, ..any() }, vec![4, 3, 2]),
        (ApplicationFilter { needs_operator: true, stage: Some(Stage::Notification), ..any() }, vec![4, 3]),
        (ApplicationFilter { stage: Some(Stage::Notification), ..any() }, vec![3]),
        (ApplicationFilter { needs_operator: true, stage: Some(Stage::FaceVerification), ..any() }, vec![2]),
        (
            ApplicationFilter {
                needs_operator: true,
                status: Some(Status::Stalled),
                stage: Some(Stage::Notification),
                ..any()
            },
            vec![],
        ),
        (ApplicationFilter { error_code: text("face_manual"), needs_operator: true, ..any() }, vec![2]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<ApplicationId> = expected.into_iter().map(|n| ids[n]).collect();
        assert_eq!(listed(&site, &filter, 1).await, expected, "{filter:?}");
        let count = site.count_applications(&filter, 100).await.unwrap();
        assert_eq!(usize::try_from(count).unwrap(), expected.len(), "{filter:?}");
    }
}

pub async fn counts_up_to_a_cap(site: Site) {
    site.admit_many(5).await;
    for (cap, counted) in [(0, 0), (3, 3), (5, 5), (100, 5)] {
        assert_eq!(site.count_applications(&ApplicationFilter::default(), cap).await.unwrap(), counted);
    }
}

pub async fn a_foreign_cursor_is_refused(site: Site) {
    site.admit_many(1).await;
    // Not text of a cursor, a cursor of nothing, a cursor of three wrong keys.
    for cursor in ["§", "", "AA", "eA", "eAp4Cng"] {
        let page = Page { limit: 10, after: Some(cursor.to_owned()) };
        let refused = [
            site.applications(&ApplicationFilter::default(), &page).await.map(drop),
            site.reviews(&ReviewFilter::default(), &page).await.map(drop),
            site.webhooks(&WebhookFilter::default(), &page).await.map(drop),
            site.event_page(ApplicationId::new(), &page).await.map(drop),
            site.search_events(&EventFilter::default(), &page).await.map(drop),
        ];
        for (n, refused) in refused.into_iter().enumerate() {
            assert!(matches!(refused, Err(StoreError::BadCursor)), "list {n}, cursor `{cursor}`: {refused:?}");
        }
    }
}

pub async fn photos_and_who_uses_them(site: Site) {
    let now = site.now().await.unwrap();
    let photo = PhotoRecord {
        id: PhotoId::new(),
        owner: "upstream".to_owned(),
        source: PhotoSource::Camera,
        width: 520,
        height: 756,
        sha256: make::hash(5),
        checks: serde_json::json!([{"code": "sharpness", "result": "pass", "value": 12.5, "limit": null}]),
        face: Some(FaceBox { left: 120, top: 200, width: 280, height: 290 }),
        thresholds: "2026-01".to_owned(),
        blob: "photos/1.jpg".to_owned(),
        condemned: false,
        created_at: now,
    };
    site.put_photo(&photo).await.unwrap();
    site.put_photo(&photo).await.unwrap();
    assert_eq!(site.photo(photo.id).await.unwrap().as_ref(), Some(&photo));
    assert_eq!(site.photo(PhotoId::new()).await.unwrap(), None);
    assert_eq!(site.application_of_photo(photo.id).await.unwrap(), None);

    let mut applications = Vec::new();
    for _ in 0..2 {
        let mut new = make::admission(now);
        new.application.photo.photo_id = Some(photo.id);
        applications.push(site.admit_one(new).await);
        assert_eq!(site.application_of_photo(photo.id).await.unwrap(), applications.last().copied());
    }
    let id = site.admit_many(1).await[0];
    let review = make::review(id, None);
    site.change(&[id], |write| write.after_mut().review = Some(review.clone())).await;
    assert_eq!(site.application_of_photo(review.evidence.photo_id).await.unwrap(), Some(id));
}

pub async fn licences_of_a_holder(site: Site) {
    let now = site.now().await.unwrap();
    assert_eq!(site.current_licence("one holder").await.unwrap(), None);
    assert_eq!(site.licence(LicenceId::new()).await.unwrap(), None);
    assert_eq!(site.last_issued("one holder", Kind::FirstIssue).await.unwrap(), None);
    for (day, kind) in [(1, Kind::FirstIssue), (2, Kind::PhotoChange), (3, Kind::FirstIssue)] {
        let mut new = make::admission(now);
        new.application.kind = kind;
        new.application.holder = "one holder".to_owned();
        let id = site.admit_one(new).await;
        let former = site.current_licence("one holder").await.unwrap().map(|former| former.id);
        site.change(&[id], |write| {
            write.after_mut().application.status = Status::Issued;
            write.licence = Some(NewLicence { supersedes: former, ..make::licence("C1") });
            make::append(write, "issued", now + chrono::Duration::days(day));
        })
        .await;
    }
    let issued = async |holder: &str, kind| site.last_issued(holder, kind).await.unwrap();
    assert_eq!(issued("one holder", Kind::FirstIssue).await, Some(now + chrono::Duration::days(3)));
    assert_eq!(issued("one holder", Kind::PhotoChange).await, Some(now + chrono::Duration::days(2)));
    assert_eq!(issued("one holder", Kind::Reissue).await, None);
    assert_eq!(issued("another", Kind::FirstIssue).await, None);
    assert!(site.current_licence("one holder").await.unwrap().is_some());
}

async fn listed(site: &Site, filter: &ApplicationFilter, limit: usize) -> Vec<ApplicationId> {
    let mut page = Page { limit, after: None };
    let mut all = Vec::new();
    loop {
        let listed = site.applications(filter, &page).await.unwrap();
        assert!(listed.items.len() <= limit);
        all.extend(listed.items.iter().map(|view| view.application.id));
        match listed.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

//! What dashboards look at: figures, forecasts, due times.

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use greenlane::{
    domain::{
        application::Status,
        event::{Actor, ActorKind},
        forecast::{Due, Said},
        job::Slot,
        review::ReviewState,
        stage::Stage,
    },
    store::insight::{Figure, Slot as Figures},
};

use crate::{make, reviewing::open, site::Site};

fn figure(series: &str, minute: i64, value: i64) -> Figure {
    Figure { series: series.to_owned(), minute, value }
}

fn slot(minute: i64, sum: i64, most: i64, minutes: i64) -> Figures {
    Figures { minute, sum, most, minutes }
}

pub async fn figures_are_rolled_up(site: Site) {
    let first = [figure("a", 30, 1), figure("a", 31, 5), figure("a", 44, 2), figure("b", 31, 7)];
    site.put_figures(&first).await.unwrap();
    // What is there stays, and counts once.
    site.put_figures(&[figure("a", 31, 100), figure("a", 45, 3), figure("a", 90, -1)]).await.unwrap();
    site.put_figures(&[]).await.unwrap();
    let all = site.figures(&["a", "b", "c"], 0, 15).await.unwrap();
    assert_eq!(all["a"], [slot(30, 8, 5, 3), slot(45, 3, 3, 1), slot(90, -1, -1, 1)]);
    assert_eq!(
        (all["b"].as_slice(), all.len()),
        ([slot(30, 7, 7, 1)].as_slice(), 2),
        "one without figures is left out"
    );
    assert_eq!(site.figures(&["a"], 45, 45).await.unwrap()["a"], [slot(45, 3, 3, 1), slot(90, -1, -1, 1)]);
    assert_eq!(site.figures(&["a"], 31, 1).await.unwrap()["a"].len(), 4);
    assert_eq!(site.figures(&["a"], 31, 10).await.unwrap()["a"][0], slot(30, 5, 5, 1));
    assert_eq!((site.last_figure("a").await.unwrap(), site.last_figure("c").await.unwrap()), (Some(90), None));
    site.forget_figures(90, 45).await.unwrap();
    assert_eq!(site.figures(&["a"], 0, 1).await.unwrap()["a"], [slot(90, -1, -1, 1)]);
    assert_eq!(site.figures(&["a"], 0, 15).await.unwrap()["a"].len(), 2);
}

pub async fn reviews_are_settled_once(site: Site) {
    let at = Utc.with_ymd_and_hms(2026, 11, 20, 2, 0, 30).unwrap();
    let id = site.admit_one(make::admission(at)).await;
    let approved = r#"{"outcome":"approved"}"#;
    let events = [
        ("review_decided", "photo_review", ActorKind::Reviewer, "{}", 0),
        ("review_undone", "photo_review", ActorKind::Reviewer, "{}", 0),
        ("stage_completed", "photo_review", ActorKind::System, r#"{"outcome":"not_needed"}"#, 0),
        ("stage_completed", "photo_review", ActorKind::System, approved, 0),
        ("stage_completed", "generation", ActorKind::System, approved, 0),
        ("rejected", "photo_review", ActorKind::Reviewer, "{}", 2),
        ("rejected", "photo_review", ActorKind::Operator, "{}", 2),
        ("stage_completed", "photo_review", ActorKind::System, approved, 2),
        ("stage_completed", "photo_review", ActorKind::System, approved, 5),
    ];
    site.change(&[id], |write| {
        for (kind, stage, actor, data, minutes) in events {
            make::append(write, kind, at + Duration::minutes(minutes));
            let event = write.events.last_mut().unwrap();
            event.stage = Some(stage.to_owned());
            event.actor = Actor::new(actor, "li");
            event.data = data.to_owned();
        }
    })
    .await;
    let minute = at.timestamp() / 60;
    let settled = site.reviews_settled(at - Duration::minutes(1), at + Duration::minutes(5)).await.unwrap();
    assert_eq!(settled.into_iter().collect::<Vec<_>>(), [(minute, 1), (minute + 2, 2)]);
}

pub async fn due_times_are_counted(site: Site) {
    let now = site.now().await.unwrap();
    let (soon, late) = (make::at("2026-11-20T09:00:00Z"), make::at("2026-11-23T09:00:00Z"));
    for due in [Some(late), Some(soon), Some(late), None] {
        open(&site, |review| review.due_at = due).await;
    }
    open(&site, |review| (review.due_at, review.authority) = (Some(late), None)).await;
    open(&site, |review| (review.due_at, review.state) = (Some(soon), ReviewState::Withdrawn)).await;
    let claimed = |reviewer: &'static str, minutes| {
        open(&site, move |review| {
            review.due_at = Some(late);
            make::lease(review, reviewer, now + Duration::minutes(minutes));
        })
    };
    claimed("li", 5).await;
    claimed("li", 4).await;
    claimed("wang", -1).await;
    let due = |at, authority: Option<&str>, count| {
        let authority = authority.map(|text| text.to_owned().try_into().unwrap());
        Due { at, authority, count }
    };
    let all = [due(soon, Some("蒙C"), 1), due(late, None, 1), due(late, Some("蒙C"), 5)];
    assert_eq!(site.open_dues(100).await.unwrap(), all);
    assert_eq!(site.open_dues(1).await.unwrap(), all[..1]);
    assert_eq!(site.backlog().await.unwrap().reviewers, 1, "whose lease holds");
}

pub async fn decided_ones_wait_at_a_stage(site: Site) {
    let now = site.now().await.unwrap();
    let due = make::at("2026-11-23T09:00:00Z");
    let ids = site.admit_many(5).await;
    let mut place = 0;
    site.change(&ids, |write| {
        let app = &mut write.after_mut().application;
        app.deadline = Some(make::deadline(due, 0, "2026-1"));
        app.stage = Some(Stage::Notification);
        app.status = Status::Rejected;
        match place {
            // Its promise is kept.
            0 => app.notified_at = Some(now),
            // A notice of something else.
            1 => app.stage = Some(Stage::PhotoReview),
            _ => {}
        }
        place += 1;
        let [sms, push] = [Slot::Sms, Slot::App].map(|slot| make::job(slot, Stage::Notification, now));
        write.after_mut().jobs = vec![sms, push];
    })
    .await;
    let found = site.dues_at(Stage::Notification, 100).await.unwrap();
    assert_eq!(found, [Due { at: due, authority: None, count: 3 }]);
    assert_eq!(site.dues_at(Stage::Generation, 100).await.unwrap(), []);
}

fn said(at: DateTime<Utc>, until: DateTime<Utc>) -> Said {
    Said { at, until, open: 9, missed: 4, at_best: 2, at_worst: 6, came: None }
}

pub async fn forecasts_are_kept_by_the_hour(site: Site) {
    let at = |text: &str| make::at(&format!("2026-11-20T{text}Z"));
    let [first, second] = [said(at("02:10:00"), at("09:00:00")), said(at("03:00:00"), at("09:00:00"))];
    for said in [&second, &first, &said(at("02:50:00"), at("08:00:00"))] {
        site.put_forecast(said).await.unwrap();
    }
    assert_eq!(site.forecasts(at("00:00:00")).await.unwrap(), [first.clone(), second.clone()], "one for each hour");
    assert_eq!(site.forecasts(at("02:30:00")).await.unwrap(), std::slice::from_ref(&second));
    site.judge_forecast(first.at, 5).await.unwrap();
    site.judge_forecast(first.at, 6).await.unwrap();
    let judged = Said { came: Some(5), ..first };
    assert_eq!(site.forecasts(at("00:00:00")).await.unwrap(), [judged, second.clone()], "judged once");
    site.forget_forecasts(at("03:00:00")).await.unwrap();
    assert_eq!(site.forecasts(at("00:00:00")).await.unwrap(), [second]);
}

pub async fn missed_due_times_are_counted(site: Site) {
    let at = |text: &str| make::at(&format!("2026-11-20T{text}Z"));
    let (said_at, due) = (at("03:00:00"), at("09:00:00"));
    // Opened at 02:00 unless said otherwise.
    let with = |change: fn(&mut greenlane::domain::review::Review)| {
        open(&site, move |review| {
            review.due_at = Some(make::at("2026-11-20T09:00:00Z"));
            change(review);
        })
    };
    with(|_| {}).await;
    with(|review| make::lease(review, "li", make::at("2026-11-20T10:00:00Z"))).await;
    with(|review| make::decide(review, make::at("2026-11-20T09:00:01.5Z"), true)).await;
    assert_eq!(site.missed_between(said_at, due).await.unwrap(), 3);
    with(|review| make::decide(review, make::at("2026-11-20T08:59:59.123456Z"), true)).await;
    with(|review| review.state = ReviewState::Withdrawn).await;
    with(|review| review.opened_at = make::at("2026-11-20T03:00:00.25Z")).await;
    with(|review| review.due_at = Some(make::at("2026-11-20T02:59:00Z"))).await;
    with(|review| review.due_at = Some(make::at("2026-11-21T09:00:00Z"))).await;
    with(|review| review.due_at = None).await;
    assert_eq!(site.missed_between(said_at, due).await.unwrap(), 3);
    assert_eq!(site.missed_between(said_at, at("08:00:00")).await.unwrap(), 0);
}

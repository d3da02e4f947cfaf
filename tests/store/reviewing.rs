use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Duration, Utc};
use greenlane::{
    domain::{
        ids::{ApplicationId, ReviewId},
        review::{Review, ReviewDecision, ReviewState},
    },
    store::{
        offers::{Claimant, Offer},
        types::{Page, Planner, ReviewFilter, Snapshot, Write},
    },
};

use crate::{make, site::Site};

const ANYBODY: Claimant<'_> = Claimant { reviewer: "ma", document: None, supervisor: false, authority: None };

fn of(authority: &str) -> Claimant<'_> {
    Claimant { authority: Some(authority), ..ANYBODY }
}

pub async fn lists_by_time_left(site: Site) {
    let now = site.now().await.unwrap();
    let due =
        [None, Some(now + Duration::hours(2)), Some(now - Duration::hours(1)), Some(now + Duration::hours(2)), None];
    let mut ids = Vec::new();
    for due in due {
        ids.push(open(&site, |review| review.due_at = due).await.id);
    }
    let expected = [2, 1, 3, 0, 4].map(|n| ids[n]);
    assert_eq!(listed(&site, &ReviewFilter::default(), 50).await, expected);
    for limit in [1, 2, 3, 4, 5] {
        assert_eq!(listed(&site, &ReviewFilter::default(), limit).await, expected, "in pages of {limit}");
    }
    let backlog = site.backlog().await.unwrap();
    assert_eq!((backlog.open, backlog.claimed, backlog.next_due), (5, 0, Some(now - Duration::hours(1))));
}

pub async fn filters_and_pages(site: Site) {
    let now = site.now().await.unwrap();
    let here = open(&site, |_| {}).await;
    let there = open(&site, |review| review.authority = Some("京A".to_owned())).await;
    let claimed = open(&site, |review| make::lease(review, "li", now + Duration::minutes(5))).await;
    let decided = open(&site, |review| make::decide(review, now, true)).await;
    let withdrawn = open(&site, |review| review.state = ReviewState::Withdrawn).await;
    let of = |state, authority: Option<&str>| ReviewFilter {
        state,
        authority: authority.map(str::to_owned),
        reviewer: None,
    };
    let cases = [
        (of(Some(ReviewState::Open), None), vec![here.id, there.id]),
        (of(Some(ReviewState::Open), Some("京A")), vec![there.id]),
        (of(Some(ReviewState::Claimed), None), vec![claimed.id]),
        (of(Some(ReviewState::Decided), Some("蒙C")), vec![decided.id]),
        (of(Some(ReviewState::Withdrawn), None), vec![withdrawn.id]),
        (of(None, Some("蒙C")), vec![here.id, claimed.id, decided.id, withdrawn.id]),
        (of(None, Some("沪A")), vec![]),
    ];
    for (filter, expected) in cases {
        assert_eq!(listed(&site, &filter, 2).await, expected, "{filter:?}");
        assert_eq!(site.count_reviews(&filter, 3).await.unwrap(), expected.len().min(3) as u64, "{filter:?}");
    }
    assert!(site.review(ReviewId::new()).await.unwrap().is_none());
    let backlog = site.backlog().await.unwrap();
    assert_eq!((backlog.open, backlog.claimed), (2, 1));
}

pub async fn hands_out_the_most_urgent(site: Site) {
    let now = site.now().await.unwrap();
    let late = Some(now + Duration::hours(3));
    let soon = Some(now + Duration::hours(1));
    let second = open(&site, |review| review.due_at = soon).await;
    let third = open(&site, |review| review.due_at = late).await;
    let last = open(&site, |review| review.due_at = None).await;
    let first = open(&site, |review| (review.due_at, review.priority) = (late, 5)).await;
    let elsewhere = open(&site, |review| (review.authority, review.priority) = (Some("京A".to_owned()), -1)).await;
    open(&site, |review| (review.supervisor_only, review.priority) = (true, 9)).await;
    open(&site, |review| make::lease(review, "li", now + Duration::hours(1))).await;
    let all = [&first, &second, &third, &last, &elsewhere].map(|review| review.id);
    assert_eq!(ids(&site.claimable(&ANYBODY, Offer::Usual, 10).await.unwrap()), all);
    assert_eq!(ids(&site.claimable(&ANYBODY, Offer::Usual, 2).await.unwrap()), all[..2]);
    assert_eq!(site.claimable(&of("京A"), Offer::Usual, 10).await.unwrap(), [elsewhere]);
    assert_eq!(site.claimable(&of("沪A"), Offer::Usual, 10).await.unwrap(), []);
}

pub async fn counts_leases_that_hold(site: Site) {
    let now = site.now().await.unwrap();
    for (reviewer, minutes) in [("li", 5), ("li", 1), ("li", -1), ("wang", 5)] {
        open(&site, |review| make::lease(review, reviewer, now + Duration::minutes(minutes))).await;
    }
    open(&site, |review| {
        make::lease(review, "li", now + Duration::minutes(5));
        make::decide(review, now, true);
    })
    .await;
    assert_eq!(site.claims_of("li").await.unwrap(), 2);
    assert_eq!(site.claims_of("wang").await.unwrap(), 1);
    assert_eq!(site.claims_of("nobody").await.unwrap(), 0);
}

pub async fn hands_supervisors_what_was_escalated(site: Site) {
    let usual = open(&site, |_| {}).await;
    let escalated = open(&site, |review| review.supervisor_only = true).await;
    let ahead = open(&site, |review| (review.supervisor_only, review.priority) = (true, 5)).await;
    let held = open(&site, |review| {
        review.supervisor_only = true;
        make::lease(review, "boss", Utc::now() + Duration::minutes(5));
    });
    let held = held.await;
    assert_eq!(site.claimable(&ANYBODY, Offer::Escalated, 10).await.unwrap(), [ahead, escalated]);
    assert_eq!(site.claimable(&ANYBODY, Offer::Usual, 10).await.unwrap(), [usual]);
    let mine = ReviewFilter { reviewer: Some("boss".to_owned()), ..ReviewFilter::default() };
    assert_eq!(listed(&site, &mine, 10).await, [held.id]);
}

pub async fn hands_supervisors_what_is_overdue(site: Site) {
    let now = site.now().await.unwrap();
    open(&site, |review| review.due_at = None).await;
    open(&site, |review| review.due_at = Some(now + Duration::hours(1))).await;
    assert_eq!(site.claimable(&ANYBODY, Offer::Overdue, 10).await.unwrap(), []);
    let past = |minutes| Some(now - Duration::minutes(minutes));
    let late = open(&site, |review| review.due_at = past(1)).await;
    let later = open(&site, |review| (review.due_at, review.supervisor_only) = (past(2), true)).await;
    open(&site, |review| (review.due_at, review.assigned_to) = (past(3), Some("wang".to_owned()))).await;
    let overdue = site.claimable(&ANYBODY, Offer::Overdue, 10).await.unwrap();
    assert_eq!(ids(&overdue), [later.id, late.id], "whoever they wait for");
}

/// What one may not claim never stands before what one may, however much of it there is.
pub async fn offers_what_one_may_claim(site: Site) {
    let now = site.now().await.unwrap();
    let decision = |name: &str| {
        let mut review = make::review(ApplicationId::new(), None);
        make::decide(&mut review, now, false);
        ReviewDecision { reviewer: name.to_owned(), ..review.decision.unwrap() }
    };
    let (mut decided, mut put_off) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        decided.push(open(&site, |review| (review.priority, review.earlier) = (9, vec![decision("li")])).await.id);
        let until = Some(now + Duration::minutes(5));
        put_off.push(open(&site, |review| (review.priority, review.postponed_until) = (8, until)).await.id);
    }
    let given = open(&site, |review| (review.priority, review.assigned_to) = (7, Some("wang".to_owned()))).await;
    let settled = open(&site, |review| {
        (review.assigned_to, review.supervisor_only) = (Some("wang".to_owned()), true);
    });
    let settled = settled.await;
    let own = open(&site, |review| review.priority = 6).await;
    let earlier_round = open(&site, |review| review.priority = 5).await;
    site.change(&[earlier_round.application_id], |write| {
        write.after_mut().application.reviewed_by = vec!["zhao".to_owned(), "li".to_owned()];
    })
    .await;
    let offered_again =
        open(&site, |review| (review.priority, review.postponed_until) = (4, Some(now - Duration::seconds(1)))).await;
    let document = format!("holder-of-{}", own.application_id);
    let who = |reviewer, document| Claimant { reviewer, document, ..ANYBODY };
    let usual = async |who: Claimant<'_>| ids(&site.claimable(&who, Offer::Usual, 50).await.unwrap());
    assert_eq!(usual(who("li", Some(document.as_str()))).await, [offered_again.id]);
    assert_eq!(usual(who("li", None)).await, [own.id, offered_again.id]);
    decided.sort();
    let all = [decided, vec![own.id, earlier_round.id, offered_again.id]].concat();
    assert_eq!(usual(who("wang", None)).await, all, "and in the order of urgency");
    let assigned = async |who: Claimant<'_>| ids(&site.claimable(&who, Offer::Assigned, 50).await.unwrap());
    assert_eq!(assigned(who("wang", None)).await, [given.id]);
    assert_eq!(assigned(Claimant { supervisor: true, ..who("wang", None) }).await, [given.id, settled.id]);
    assert_eq!(assigned(Claimant { authority: Some("京A"), ..who("wang", None) }).await, []);
    assert_eq!(assigned(who("li", None)).await, []);
}

/// Claims a task for `li` unless she holds one.
struct ClaimOne(u64);

impl Planner for ClaimOne {
    fn claimants(&self) -> BTreeSet<String> {
        ["li", "wang"].map(str::to_owned).into()
    }

    fn counted(&mut self, claims: &HashMap<String, u64>) {
        assert!(!claims.contains_key("wang"), "{claims:?}");
        self.0 = claims.get("li").copied().unwrap_or_default();
    }

    fn plan(&mut self, snapshots: Vec<Snapshot>) -> Vec<Write> {
        let claim = |snapshot| {
            let mut write = make::unchanged(snapshot);
            write.after_mut().application.revision += 1;
            make::lease(write.after_mut().review.as_mut().unwrap(), "li", Utc::now() + Duration::minutes(5));
            write
        };
        if self.0 == 0 { snapshots.into_iter().map(claim).collect() } else { Vec::new() }
    }
}

pub async fn leases_are_counted_by_one_commit_at_a_time(site: Site) {
    let mut applications = Vec::new();
    for _ in 0..8 {
        applications.push(open(&site, |_| {}).await.application_id);
    }
    open(&site, |review| make::lease(review, "li", Utc::now() - Duration::minutes(1))).await;
    let claims = applications.iter().map(async |id| {
        let mut planner = ClaimOne(0);
        site.commit(&[*id], &mut planner).await.unwrap();
        planner.0
    });
    let mut found = futures::future::join_all(claims).await;
    found.sort_unstable();
    assert_eq!(found, [0, 1, 1, 1, 1, 1, 1, 1], "each later one counts the first");
    assert_eq!(site.claims_of("li").await.unwrap(), 1);
}

pub async fn finds_lapsed_leases(site: Site) {
    let now = site.now().await.unwrap();
    let lapsed = open(&site, |review| make::lease(review, "li", now - Duration::minutes(1))).await;
    let longer = open(&site, |review| make::lease(review, "li", now - Duration::minutes(2))).await;
    open(&site, |review| make::lease(review, "li", now + Duration::minutes(1))).await;
    open(&site, |review| {
        make::lease(review, "li", now - Duration::minutes(1));
        make::decide(review, now, true);
    })
    .await;
    assert_eq!(
        sorted(site.lapsed_reviews(10).await.unwrap()),
        sorted(vec![lapsed.application_id, longer.application_id])
    );
    assert_eq!(site.lapsed_reviews(1).await.unwrap().len(), 1);
    site.change(&[lapsed.application_id, longer.application_id], |write| {
        let review = write.after_mut().review.as_mut().unwrap();
        review.state = ReviewState::Open;
        review.lease = None;
    })
    .await;
    assert_eq!(site.lapsed_reviews(10).await.unwrap(), []);
}

pub async fn finds_decisions_that_take_effect(site: Site) {
    let now = site.now().await.unwrap();
    let due = open(&site, |review| make::decide(review, now - Duration::seconds(1), false)).await;
    open(&site, |review| make::decide(review, now + Duration::minutes(1), false)).await;
    open(&site, |review| make::decide(review, now - Duration::seconds(1), true)).await;
    open(&site, |review| {
        make::decide(review, now - Duration::seconds(1), false);
        review.state = ReviewState::Withdrawn;
    })
    .await;
    assert_eq!(site.effective_reviews(10).await.unwrap(), [due.application_id]);
}

/// A review as `change` makes it, of an application of its own.
pub async fn open(site: &Site, change: impl FnOnce(&mut Review) + Send) -> Review {
    let id = site.admit_many(1).await[0];
    let due: DateTime<Utc> = make::at("2026-11-23T09:00:00Z");
    let mut review = make::review(id, Some(due));
    change(&mut review);
    site.change(&[id], |write| {
        write.after_mut().application.review_id = Some(review.id);
        write.after_mut().review = Some(review.clone());
    })
    .await;
    review
}

async fn listed(site: &Site, filter: &ReviewFilter, limit: usize) -> Vec<ReviewId> {
    let mut page = Page { limit, after: None };
    let mut all = Vec::new();
    loop {
        let listed = site.reviews(filter, &page).await.unwrap();
        assert!(listed.items.len() <= limit);
        all.extend(ids(&listed.items));
        match listed.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

fn ids(reviews: &[Review]) -> Vec<ReviewId> {
    reviews.iter().map(|review| review.id).collect()
}

fn sorted(mut ids: Vec<ApplicationId>) -> Vec<ApplicationId> {
    ids.sort();
    ids
}

use chrono::Duration;
use greenlane::domain::{application::Status, ids::ApplicationId};

use crate::{make, site::Site};

pub async fn finds_due_checks(site: Site) {
    let ids = site.admit_many(5).await;
    let now = site.now().await.unwrap();
    // Warned and due; first check due; nothing due; kept; cancelled.
    let due = [-1, 1, 9, -1, -1].map(|hours| now + Duration::hours(hours));
    for (n, id) in ids.iter().enumerate() {
        site.change(&[*id], |write| {
            let application = &mut write.after_mut().application;
            application.deadline = Some(make::deadline(due[n], usize::from(n == 0), "cn@1"));
            application.notified_at = (n == 3).then_some(now);
            application.status = if n == 4 { Status::Cancelled } else { Status::InProgress };
        })
        .await;
    }
    // Ordered by the moment: one hour ago was the second check of the first, and the first of the second.
    assert_eq!(sorted(site.due_deadlines(10).await.unwrap()), sorted(ids[..2].to_vec()));
    assert_eq!(site.due_deadlines(1).await.unwrap().len(), 1);
    site.change(&ids[..1], |write| write.after_mut().application.deadline = Some(make::deadline(due[0], 2, "cn@1")))
        .await;
    assert_eq!(site.due_deadlines(10).await.unwrap(), ids[1..2]);
}

pub async fn finds_promises_of_another_calendar(site: Site) {
    let ids = site.admit_many(4).await;
    let now = site.now().await.unwrap();
    for (id, calendar) in ids.iter().zip(["cn@1", "cn@2", "cn@3", "cn@1"]) {
        site.change(&[*id], |write| write.after_mut().application.deadline = Some(make::deadline(now, 0, calendar)))
            .await;
    }
    site.change(&ids[3..], |write| write.after_mut().application.notified_at = Some(now)).await;
    assert_eq!(sorted(site.outdated_deadlines("cn@2", 10).await.unwrap()), sorted(vec![ids[0], ids[2]]));
    assert_eq!(site.outdated_deadlines("cn@2", 1).await.unwrap().len(), 1);
    assert_eq!(site.outdated_deadlines("cn@1", 10).await.unwrap().len(), 2);
}

pub async fn counts_risk_and_breach(site: Site) {
    let ids = site.admit_many(6).await;
    let now = site.now().await.unwrap();
    for (id, passed) in ids.iter().zip([0, 1, 1, 2, 2, 2]) {
        site.change(&[*id], |write| write.after_mut().application.deadline = Some(make::deadline(now, passed, "cn@1")))
            .await;
    }
    let backlog = site.backlog().await.unwrap();
    assert_eq!((backlog.at_risk, backlog.breached), (2, 3));
    site.change(&ids[2..4], |write| write.after_mut().application.notified_at = Some(now)).await;
    let backlog = site.backlog().await.unwrap();
    assert_eq!((backlog.at_risk, backlog.breached), (1, 2));
}

pub async fn knows_the_promise_that_is_due_first(site: Site) {
    assert_eq!(site.backlog().await.unwrap().next_promise, None);
    let ids = site.admit_many(3).await;
    let now = site.now().await.unwrap();
    for (id, hours) in ids.iter().zip([3, 1, 2]) {
        let due = now + Duration::hours(hours);
        site.change(&[*id], |write| write.after_mut().application.deadline = Some(make::deadline(due, 0, "cn@1")))
            .await;
    }
    let next = async || site.backlog().await.unwrap().next_promise.map(|due| (due - now).num_hours());
    assert_eq!(next().await, Some(1));
    site.change(&ids[1..2], |write| write.after_mut().application.notified_at = Some(now)).await;
    assert_eq!(next().await, Some(2));
    // Another calendar, another moment.
    let later = now + Duration::hours(9);
    site.change(&ids[2..], |write| write.after_mut().application.deadline = Some(make::deadline(later, 0, "cn@2")))
        .await;
    assert_eq!(next().await, Some(3));
}

fn sorted(mut ids: Vec<ApplicationId>) -> Vec<ApplicationId> {
    ids.sort();
    ids
}

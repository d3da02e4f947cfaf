//! Users, their sessions, and their failed tries.

use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta};
use greenlane::{
    domain::user::Role,
    store::users::{Assignment, Changed, StoredSession, User},
};

use crate::site::Site;

async fn user(site: &Site, name: &str) -> User {
    User {
        name: name.to_owned(),
        password: "$argon2id$one".to_owned(),
        role: Role::Supervisor,
        authority: Some("蒙C".to_owned()),
        other_authorities: true,
        document: Some("00".repeat(32)),
        epoch: 0,
        created_at: site.now().await.unwrap().trunc_subsecs(6),
        disabled_at: None,
    }
}

async fn session(site: &Site, id: &str, seconds: i64) -> StoredSession {
    let expires_at = (site.now().await.unwrap() + TimeDelta::seconds(seconds)).trunc_subsecs(6);
    StoredSession { id: id.to_owned(), data: "{}".to_owned(), expires_at }
}

pub async fn users_are_kept_changed_and_disabled(site: Site) {
    let (wang, li) = (user(&site, "王五").await, user(&site, "li").await);
    assert!(site.create_user(&wang).await.unwrap() && site.create_user(&li).await.unwrap());
    assert!(!site.create_user(&User { role: Role::Admin, ..wang.clone() }).await.unwrap(), "the name is taken");
    assert_eq!(site.user("王五").await.unwrap(), Some(wang.clone()));
    assert_eq!(site.user("nobody").await.unwrap(), None);
    assert_eq!(site.users().await.unwrap(), [li, wang]);
    assert_eq!(site.set_password("li", "$argon2id$two").await.unwrap(), Some(1));
    assert_eq!(site.set_password("nobody", "x").await.unwrap(), None);
    assert_eq!(site.disable_user("li", true).await.unwrap(), Changed::Done);
    for name in ["li", "nobody"] {
        assert_eq!(site.disable_user(name, true).await.unwrap(), Changed::Nobody);
    }
    let disabled = site.user("li").await.unwrap().unwrap();
    assert_eq!((disabled.epoch, disabled.password.as_str()), (2, "$argon2id$two"));
    assert!(disabled.disabled_at.is_some());
    assert!(site.enable_user("li").await.unwrap());
    assert!(!site.enable_user("li").await.unwrap() && !site.enable_user("nobody").await.unwrap());
    let enabled = site.user("li").await.unwrap().unwrap();
    assert_eq!((enabled.epoch, enabled.disabled_at), (2, None), "the old sessions stay ended");
}

fn assignment(role: Role) -> Assignment {
    Assignment { role, authority: None, other_authorities: false, document: None }
}

pub async fn users_are_assigned(site: Site) {
    let wang = user(&site, "wang").await;
    site.create_user(&wang).await.unwrap();
    assert_eq!(site.assign_user("wang", &assignment(Role::Auditor), true).await.unwrap(), Changed::Done);
    assert_eq!(site.assign_user("nobody", &assignment(Role::Auditor), true).await.unwrap(), Changed::Nobody);
    let changed = User { role: Role::Auditor, authority: None, other_authorities: false, document: None, ..wang };
    assert_eq!(site.user("wang").await.unwrap(), Some(changed));
}

pub async fn the_last_administrator_stays(site: Site) {
    for name in ["one", "two", "gone"] {
        site.create_user(&User { role: Role::Admin, ..user(&site, name).await }).await.unwrap();
    }
    assert_eq!(site.disable_user("gone", true).await.unwrap(), Changed::Done);
    assert_eq!(site.assign_user("gone", &assignment(Role::Reviewer), true).await.unwrap(), Changed::Done);
    assert_eq!(site.assign_user("one", &assignment(Role::Operator), true).await.unwrap(), Changed::Done);
    assert_eq!(site.assign_user("two", &assignment(Role::Operator), true).await.unwrap(), Changed::LastAdmin);
    assert_eq!(site.disable_user("two", true).await.unwrap(), Changed::LastAdmin);
    assert_eq!(site.assign_user("two", &assignment(Role::Admin), true).await.unwrap(), Changed::Done);
    assert_eq!(site.disable_user("two", false).await.unwrap(), Changed::Done, "unless that is what is wanted");
}

pub async fn two_administrators_do_not_remove_each_other(site: Site) {
    for round in 0..10 {
        let (one, two) = (format!("a{round}"), format!("b{round}"));
        for name in [&one, &two] {
            site.create_user(&User { role: Role::Admin, ..user(&site, name).await }).await.unwrap();
        }
        let demoted = assignment(Role::Auditor);
        let (left, right) = tokio::join!(site.disable_user(&one, true), site.assign_user(&two, &demoted, true));
        let mut results = [left.unwrap(), right.unwrap()];
        results.sort_by_key(|result| *result != Changed::Done);
        assert_eq!(results, [Changed::Done, Changed::LastAdmin]);
        for name in [&one, &two] {
            site.disable_user(name, false).await.unwrap();
        }
    }
}

pub async fn an_ended_session_stays_ended(site: Site) {
    let one = session(&site, "one", 60).await;
    assert!(site.create_session(&one).await.unwrap() && !site.create_session(&one).await.unwrap());
    let changed = StoredSession { data: r#"{"who":1}"#.to_owned(), ..one.clone() };
    site.save_session(&changed).await.unwrap();
    assert!(site.session("one").await.unwrap().is_some_and(|found| found == changed));
    site.delete_session("one").await.unwrap();
    // A request that was under way when it ended.
    site.save_session(&changed).await.unwrap();
    assert!(site.session("one").await.unwrap().is_none());
    site.create_session(&session(&site, "old", -1).await).await.unwrap();
    site.create_session(&session(&site, "new", 60).await).await.unwrap();
    assert!(site.session("old").await.unwrap().is_none());
    site.tidy_sessions().await.unwrap();
    assert!(site.session("new").await.unwrap().is_some());
    assert!(site.create_session(&session(&site, "old", 60).await).await.unwrap(), "its row is gone");
}

pub async fn tries_are_counted_within_a_window(site: Site) {
    let subjects = |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
    let minute = Duration::from_secs(60);
    for _ in 0..3 {
        assert_eq!(site.count_try(&subjects(&["name", "here"]), 3, minute).await.unwrap(), None);
    }
    let until = site.count_try(&subjects(&["name", "there"]), 3, minute).await.unwrap().unwrap();
    let left = until - site.now().await.unwrap();
    assert!(left <= TimeDelta::seconds(60) && left > TimeDelta::zero(), "{left}");
    assert_eq!(site.count_try(&subjects(&["other", "there"]), 3, minute).await.unwrap(), None);
    // What was no failure is taken back.
    site.uncount_try(&subjects(&["here"])).await.unwrap();
    assert_eq!(site.count_try(&subjects(&["here"]), 3, minute).await.unwrap(), None);
    assert!(site.count_try(&subjects(&["here"]), 3, minute).await.unwrap().is_some());
    // A window that is over is forgotten.
    for _ in 0..5 {
        assert_eq!(site.count_try(&subjects(&["brief"]), 1, Duration::ZERO).await.unwrap(), None);
    }
}

pub async fn concurrent_tries_are_all_counted(site: Site) {
    let subjects = ["b".to_owned(), "a".to_owned()];
    let tries = (0..20).map(|_| site.count_try(&subjects, 10, Duration::from_secs(60)));
    let refused = futures::future::join_all(tries).await.into_iter().filter(|tried| tried.as_ref().unwrap().is_some());
    assert_eq!(refused.count(), 10);
}

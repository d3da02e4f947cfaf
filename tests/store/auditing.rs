use chrono::{DateTime, Duration, Utc};
use greenlane::{
    domain::{event::ActorKind, ids::ApplicationId},
    store::types::{EventFilter, Head, Page, StoredCheckpoint, StoredEvent},
};

use crate::{make, site::Site};

pub async fn the_log_is_append_only(site: Site) {
    let id = site.admit_many(1).await[0];
    let before = site.events(id).await.unwrap();
    for sql in [
        "UPDATE events SET actor_id = 'nobody'",
        "DELETE FROM events",
        "UPDATE events SET seq = 2",
        "DELETE FROM checkpoints",
        "UPDATE checkpoints SET document = ''",
    ] {
        let checkpoint = StoredCheckpoint { id: 1, until: make::at("2026-11-20T00:00:00Z"), document: "{}".to_owned() };
        site.append_checkpoint(&checkpoint).await.unwrap();
        let refused = site.raw.execute(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "`{sql}`: {refused}");
    }
    assert_eq!(site.events(id).await.unwrap(), before);
    assert_eq!(site.checkpoints(0, 10).await.unwrap().len(), 1);
}

pub async fn pages_of_one_application(site: Site) {
    let ids = site.admit_many(2).await;
    let now = site.now().await.unwrap();
    site.change(&ids, |write| {
        for n in 0..11 {
            make::append(write, &format!("event_{n}"), now);
        }
    })
    .await;
    let all = site.events(ids[0]).await.unwrap();
    assert_eq!(all.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    for limit in [1, 5, 12, 50] {
        let mut page = Page { limit, after: None };
        let mut paged: Vec<StoredEvent> = Vec::new();
        loop {
            let listed = site.event_page(ids[0], &page).await.unwrap();
            paged.extend(listed.items);
            match listed.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(paged, all, "in pages of {limit}");
    }
    assert_eq!(site.events(ApplicationId::new()).await.unwrap(), []);
}

/// Two applications with an event at each of some minutes; answers the minutes' times too.
async fn history(site: &Site) -> (Vec<ApplicationId>, Vec<DateTime<Utc>>) {
    let start = make::at("2026-11-20T02:00:00Z");
    let times: Vec<DateTime<Utc>> = (0..4).map(|minute| start + Duration::minutes(minute)).collect();
    let batch: Vec<_> = (0..2)
        .map(|_| {
            let mut new = make::admission(start);
            new.events[0].at = times[0];
            new
        })
        .collect();
    site.admit(&batch).await.unwrap();
    let ids: Vec<ApplicationId> = batch.iter().map(|new| new.application.id).collect();
    for (n, time) in times.iter().enumerate().skip(1) {
        site.change(&ids, |write| {
            make::append(write, if n == 3 { "issued" } else { "stage_completed" }, *time);
            if n == 2 {
                write.events[0].actor.kind = ActorKind::Reviewer;
                write.events[0].actor.id = "li".to_owned();
            }
        })
        .await;
    }
    (ids, times)
}

pub async fn search_by_actor_type_and_time(site: Site) {
    let (ids, times) = history(&site).await;
    let mut everything = Vec::new();
    for id in &ids {
        everything.extend(site.events(*id).await.unwrap());
    }
    everything.sort_by_key(|event| std::cmp::Reverse((event.at, event.application_id, event.seq)));
    assert_eq!(everything.len(), 8);
    let li = || Some("li".to_owned());
    let kind = |kind: &str| Some(kind.to_owned());
    let filters = [
        EventFilter::default(),
        EventFilter { actor: li(), ..EventFilter::default() },
        EventFilter { kind: kind("stage_completed"), ..EventFilter::default() },
        EventFilter { actor: li(), kind: kind("issued"), ..EventFilter::default() },
        EventFilter { from: Some(times[1]), to: Some(times[3]), ..EventFilter::default() },
        EventFilter { from: Some(times[3]), ..EventFilter::default() },
        EventFilter { to: Some(times[0]), ..EventFilter::default() },
    ];
    for (filter, count) in filters.iter().zip([8, 2, 4, 0, 4, 2, 0]) {
        let matches = |event: &&StoredEvent| {
            filter.actor.as_ref().is_none_or(|actor| *actor == event.actor.id)
                && filter.kind.as_ref().is_none_or(|kind| *kind == event.kind)
                && filter.from.is_none_or(|from| event.at >= from)
                && filter.to.is_none_or(|to| event.at < to)
        };
        let expected: Vec<&StoredEvent> = everything.iter().filter(matches).collect();
        assert_eq!(expected.len(), count);
        for limit in [1, 3, 50] {
            let found = searched(&site, filter, limit).await;
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?} in pages of {limit}");
        }
    }
}

async fn searched(site: &Site, filter: &EventFilter, limit: usize) -> Vec<StoredEvent> {
    let mut page = Page { limit, after: None };
    let mut all = Vec::new();
    loop {
        let listed = site.search_events(filter, &page).await.unwrap();
        all.extend(listed.items);
        match listed.next {
            Some(next) => page.after = Some(next),
            None => return all,
        }
    }
}

pub async fn walks_all_applications(site: Site) {
    let mut ids = site.admit_many(5).await;
    ids.sort();
    assert_eq!(site.audited_applications(None, 10).await.unwrap(), ids);
    assert_eq!(site.audited_applications(None, 2).await.unwrap(), ids[..2]);
    assert_eq!(site.audited_applications(Some(ids[1]), 2).await.unwrap(), ids[2..4]);
    assert_eq!(site.audited_applications(Some(ids[4]), 2).await.unwrap(), []);
}

pub async fn heads_of_a_span(site: Site) {
    let (ids, times) = history(&site).await;
    let head = |id: ApplicationId, seq| Head { application_id: id, seq, hash: make::hash(seq) };
    let heads = async |from, until| {
        let mut heads = site.heads_between(from, until).await.unwrap();
        heads.sort_by_key(|head| head.application_id);
        heads
    };
    let mut ids = ids;
    ids.sort();
    assert_eq!(heads(times[0], times[2]).await, [head(ids[0], 3), head(ids[1], 3)]);
    assert_eq!(heads(times[2], times[3]).await, [head(ids[0], 4), head(ids[1], 4)]);
    assert_eq!(heads(times[0] - Duration::microseconds(1), times[0]).await, [head(ids[0], 1), head(ids[1], 1)]);
    assert_eq!(heads(times[3], times[3] + Duration::days(1)).await, []);
}

pub async fn checkpoints_are_taken_once(site: Site) {
    assert_eq!(site.last_checkpoint().await.unwrap(), None);
    let checkpoint =
        |id| StoredCheckpoint { id, until: make::at("2026-11-20T02:00:00Z"), document: format!("{{\"id\": {id}}}") };
    for id in 1..=3 {
        assert!(site.append_checkpoint(&checkpoint(id)).await.unwrap());
    }
    let other = StoredCheckpoint { document: "{}".to_owned(), ..checkpoint(3) };
    assert!(!site.append_checkpoint(&other).await.unwrap());
    assert_eq!(site.last_checkpoint().await.unwrap(), Some(checkpoint(3)));
    assert_eq!(site.checkpoints(1, 10).await.unwrap(), [checkpoint(2), checkpoint(3)]);
    assert_eq!(site.checkpoints(0, 1).await.unwrap(), [checkpoint(1)]);
    site.prepare_partitions().await.unwrap();
    site.prepare_partitions().await.unwrap();
}

use std::time::Duration;

use greenlane::{
    domain::ids::{ApplicationId, WebhookId},
    store::{
        types::Page,
        webhooks::{DeliveryState, DueWebhook, WebhookFilter, WebhookRecord, WebhookResult},
    },
};

use crate::{make, site::Site};

const HOLD: Duration = Duration::from_secs(3600);
const DELIVERED: WebhookResult = WebhookResult::Delivered { status: 204 };

pub async fn one_per_application_in_order(site: Site) {
    let ids = site.admit_many(2).await;
    let (first, second) = (post(&site, ids[0]).await, post(&site, ids[0]).await);
    let other = post(&site, ids[1]).await;
    let due = claim(&site).await;
    assert_eq!(sorted(&due), sorted_ids(vec![first, other]));
    let webhook = due.iter().find(|webhook| webhook.id == first).unwrap();
    assert_eq!(webhook.application, site.view(ids[0]).await.application);
    assert_eq!((webhook.applicant.clone(), webhook.attempts), (make::sealed("applicant"), 0));
    assert_eq!(webhook.url, "https://upstream.example/hooks/1");
    site.settle_webhooks(&[(first, DELIVERED)]).await.unwrap();
    assert_eq!(sorted(&claim(&site).await), [second]);
    site.settle_webhooks(&[(second, DELIVERED), (other, DELIVERED)]).await.unwrap();
    site.settle_webhooks(&[(second, DELIVERED)]).await.unwrap();
    site.settle_webhooks(&[]).await.unwrap();
    assert!(claim(&site).await.is_empty());
    assert_eq!(listed(&site, Some(DeliveryState::Pending), None).await, []);
}

pub async fn a_held_one_is_not_taken_twice(site: Site) {
    for id in site.admit_many(30).await {
        post(&site, id).await;
    }
    let claiming: Vec<_> = (0..4)
        .map(|_| {
            let store = site.store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let due = store.claim_webhooks(4, HOLD).await.unwrap();
                    if due.is_empty() {
                        return mine;
                    }
                    mine.extend(due.iter().map(|webhook| webhook.id));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for mine in claiming {
        all.extend(mine.await.unwrap());
    }
    // On PostgreSQL a claim may find everything locked by another one and end early; what it left is still there.
    all.extend(site.claim_webhooks(100, HOLD).await.unwrap().iter().map(|webhook| webhook.id));
    let count = all.len();
    all = sorted_ids(all);
    all.dedup();
    assert_eq!((all.len(), count), (30, 30));

    // Whoever took one and died held it for a while only.
    let id = site.admit_many(1).await[0];
    let webhook = post(&site, id).await;
    for _ in 0..2 {
        let due = site.claim_webhooks(10, Duration::ZERO).await.unwrap();
        assert_eq!(sorted(&due), [webhook]);
    }
}

pub async fn a_failed_one_waits(site: Site) {
    let id = site.admit_many(1).await[0];
    let (first, _second) = (post(&site, id).await, post(&site, id).await);
    let now = site.now().await.unwrap();
    let later = now + chrono::Duration::hours(1);
    claim(&site).await;
    settle(&site, first, WebhookResult::Retry { at: later, error: "503".to_owned() }).await;
    assert!(claim(&site).await.is_empty(), "nothing overtakes it");
    let record = &listed(&site, Some(DeliveryState::Pending), None).await[0];
    assert_eq!(
        (record.id, record.state, record.attempts, record.due_at),
        (first, DeliveryState::Pending, 1, Some(later))
    );
    assert_eq!((record.application_id, record.last_error.as_deref()), (id, Some("503")));
    settle(&site, first, WebhookResult::Retry { at: now, error: "reset".to_owned() }).await;
    let due = claim(&site).await;
    assert_eq!((due[0].id, due[0].attempts), (first, 2));
}

pub async fn a_dead_one_does_not_block(site: Site) {
    let id = site.admit_many(1).await[0];
    let (first, second) = (post(&site, id).await, post(&site, id).await);
    claim(&site).await;
    settle(&site, first, WebhookResult::Dead { error: "410".to_owned() }).await;
    assert_eq!(sorted(&claim(&site).await), [second]);
    let dead = listed(&site, Some(DeliveryState::Dead), None).await;
    assert_eq!((dead.len(), dead[0].id, dead[0].last_error.as_deref()), (1, first, Some("410")));
    assert_eq!(dead[0].state, DeliveryState::Dead);
    let waiting = listed(&site, Some(DeliveryState::Pending), None).await;
    assert_eq!((waiting.len(), waiting[0].id), (1, second));
    let backlog = site.backlog().await.unwrap();
    assert_eq!((backlog.webhooks_pending, backlog.oldest_webhook), (1, Some(waiting[0].created_at)));
}

pub async fn a_dead_one_can_be_sent_again(site: Site) {
    let id = site.admit_many(1).await[0];
    let webhook = post(&site, id).await;
    let act = make::action("webhook_replayed", site.now().await.unwrap());
    assert!(!site.replay_webhook(webhook, &act).await.unwrap(), "it lives");
    claim(&site).await;
    settle(&site, webhook, WebhookResult::Dead { error: "410".to_owned() }).await;
    assert!(site.replay_webhook(webhook, &act).await.unwrap());
    assert!(!site.replay_webhook(webhook, &act).await.unwrap(), "once");
    assert!(!site.replay_webhook(WebhookId::new(), &act).await.unwrap());
    let due = claim(&site).await;
    assert_eq!((due[0].id, due[0].attempts), (webhook, 0));
}

pub async fn says_when_the_next_is_due(site: Site) {
    assert_eq!(site.next_webhook_due().await.unwrap(), None);
    let ids = site.admit_many(2).await;
    let (first, second) = (post(&site, ids[0]).await, post(&site, ids[0]).await);
    let now = site.now().await.unwrap();
    assert!(site.next_webhook_due().await.unwrap().is_some_and(|due| due <= now));
    claim(&site).await;
    assert!(site.next_webhook_due().await.unwrap().is_some_and(|due| due > now), "held, and the second waits behind");
    let later = now + chrono::Duration::hours(7);
    settle(&site, first, WebhookResult::Retry { at: later, error: "503".to_owned() }).await;
    assert_eq!(site.next_webhook_due().await.unwrap(), Some(later));
    settle(&site, first, WebhookResult::Dead { error: "410".to_owned() }).await;
    assert!(site.next_webhook_due().await.unwrap().is_some_and(|due| due <= now));
    settle(&site, second, DELIVERED).await;
    assert_eq!(site.next_webhook_due().await.unwrap(), None);
}

pub async fn lists_in_pages(site: Site) {
    let mut expected = Vec::new();
    for id in site.admit_many(5).await {
        expected.push(post(&site, id).await);
    }
    // Delivered ones stand where they stood.
    claim(&site).await;
    for id in [expected[1], expected[4]] {
        settle(&site, id, DELIVERED).await;
    }
    settle(&site, expected[2], WebhookResult::Dead { error: "410".to_owned() }).await;
    for limit in [1, 2, 5, 50] {
        let mut page = Page { limit, after: None };
        let mut all = Vec::new();
        loop {
            let listed = site.webhooks(&WebhookFilter::default(), &page).await.unwrap();
            all.extend(listed.items.iter().map(|webhook| webhook.id));
            match listed.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(all, expected, "in pages of {limit}");
    }
}

pub async fn delivered_ones_are_listed_for_a_time(site: Site) {
    let ids = site.admit_many(2).await;
    let (first, second, other) = (post(&site, ids[0]).await, post(&site, ids[0]).await, post(&site, ids[1]).await);
    claim(&site).await;
    let now = site.now().await.unwrap();
    settle(&site, first, WebhookResult::Retry { at: now, error: "503".to_owned() }).await;
    claim(&site).await;
    site.settle_webhooks(&[(first, DELIVERED), (other, DELIVERED)]).await.unwrap();
    let delivered = listed(&site, Some(DeliveryState::Delivered), None).await;
    assert_eq!(delivered.iter().map(|webhook| webhook.id).collect::<Vec<_>>(), [other, first], "newest first");
    let page = Page { limit: 1, after: None };
    let filter = WebhookFilter { state: Some(DeliveryState::Delivered), application: None };
    let after = site.webhooks(&filter, &page).await.unwrap().next;
    assert_eq!(site.webhooks(&filter, &Page { limit: 1, after }).await.unwrap().items, delivered[1..]);
    let record = &delivered[1];
    assert_eq!((record.state, record.attempts, record.status), (DeliveryState::Delivered, 2, Some(204)));
    assert_eq!((record.due_at, record.last_error.as_deref(), record.application_id), (None, None, ids[0]));
    assert!(record.delivered_at.is_some_and(|at| at >= now - chrono::Duration::seconds(5)));
    let of_first: Vec<_> =
        listed(&site, None, Some(ids[0])).await.iter().map(|webhook| (webhook.id, webhook.state)).collect();
    assert_eq!(of_first, [(first, DeliveryState::Delivered), (second, DeliveryState::Pending)]);
    assert_eq!(listed(&site, Some(DeliveryState::Dead), Some(ids[0])).await, []);

    let later = site.now().await.unwrap() + chrono::Duration::days(1);
    assert_eq!(site.forget_deliveries(later - chrono::Duration::days(2), 10).await.unwrap(), 0);
    assert_eq!(site.forget_deliveries(later, 1).await.unwrap(), 1);
    assert_eq!(site.forget_deliveries(later, 10).await.unwrap(), 1);
    let left: Vec<_> = listed(&site, None, None).await.iter().map(|webhook| webhook.id).collect();
    assert_eq!(left, [second], "what waits is not forgotten");
}

pub async fn dead_ones_are_forgotten_in_the_end(site: Site) {
    let id = site.admit_one(make::admission(site.now().await.unwrap())).await;
    let (first, second, third) = (post(&site, id).await, post(&site, id).await, post(&site, id).await);
    for webhook in [first, second] {
        claim(&site).await;
        settle(&site, webhook, WebhookResult::Dead { error: "410".to_owned() }).await;
    }
    let later = site.now().await.unwrap() + chrono::Duration::days(1);
    assert_eq!(site.forget_dead_webhooks(later - chrono::Duration::days(2), 10).await.unwrap(), 0);
    assert_eq!(site.forget_dead_webhooks(later, 1).await.unwrap(), 1);
    assert_eq!(site.forget_dead_webhooks(later, 10).await.unwrap(), 1);
    assert_eq!(site.forget_dead_webhooks(later, 10).await.unwrap(), 0);
    let left: Vec<_> = listed(&site, None, Some(id)).await.iter().map(|webhook| webhook.id).collect();
    assert_eq!(left, [third], "what waits is not forgotten");
}

async fn listed(site: &Site, state: Option<DeliveryState>, application: Option<ApplicationId>) -> Vec<WebhookRecord> {
    let page = Page { limit: 10, after: None };
    site.webhooks(&WebhookFilter { state, application }, &page).await.unwrap().items
}

/// Takes and delivers the next webhook of an application, if one is ready.
pub async fn next_of(site: &Site, id: ApplicationId) -> Option<WebhookId> {
    let due = site.claim_webhooks(100, Duration::ZERO).await.unwrap();
    let webhook = due.iter().find(|webhook| webhook.application.id == id)?.id;
    settle(site, webhook, DELIVERED).await;
    Some(webhook)
}

async fn post(site: &Site, id: ApplicationId) -> WebhookId {
    let now = site.now().await.unwrap();
    let mut posted = None;
    site.change(&[id], |write| {
        let webhook = make::webhook(&write.after.application, now);
        posted = Some(webhook.id);
        write.webhooks.push(webhook);
    })
    .await;
    posted.unwrap()
}

async fn claim(site: &Site) -> Vec<DueWebhook> {
    site.claim_webhooks(10, HOLD).await.unwrap()
}

async fn settle(site: &Site, id: WebhookId, result: WebhookResult) {
    site.settle_webhooks(&[(id, result)]).await.unwrap();
}

fn sorted(due: &[DueWebhook]) -> Vec<WebhookId> {
    sorted_ids(due.iter().map(|webhook| webhook.id).collect())
}

fn sorted_ids(mut ids: Vec<WebhookId>) -> Vec<WebhookId> {
    ids.sort();
    ids
}

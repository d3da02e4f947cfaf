use std::sync::Arc;

use super::*;
use crate::{
    domain::{
        ids::LeaseId,
        plan::{AlertKind, NewAlert},
    },
    engine::fixture::Site,
    store::types::Process,
};

/// Keeps the mails; refuses them while told to.
#[derive(Clone, Default)]
struct Mailbox(Arc<Mutex<Post>>);

#[derive(Default)]
struct Post {
    mails: Vec<(String, String)>,
    refuses: bool,
}

impl Mailbox {
    fn subjects(&self) -> Vec<String> {
        self.0.lock().unwrap().mails.iter().map(|(subject, _)| subject.clone()).collect()
    }

    fn refuse(&self, refuse: bool) {
        self.0.lock().unwrap().refuses = refuse;
    }
}

#[async_trait]
impl OperationsMail for Mailbox {
    async fn send(&self, subject: &str, body: &str) -> anyhow::Result<()> {
        let mut kept = self.0.lock().unwrap();
        anyhow::ensure!(!kept.refuses, "no mail today");
        kept.mails.push((subject.to_owned(), body.to_owned()));
        Ok(())
    }
}

async fn site(digest: Duration) -> (Site, Mailbox, Alerts) {
    let (site, mails) = (Site::start().await, Mailbox::default());
    let settings = Settings { digest, calendar_warn_days: 0 };
    let alerts = Alerts::new(site.engine.clone(), Box::new(mails.clone()), settings);
    (site, mails, alerts)
}

async fn raise(site: &Site, number: u32, kinds: &[AlertKind]) {
    let application = site.admit(number).await;
    site.change(application.id, |write| write.alerts.extend(kinds.iter().map(|kind| NewAlert::from(*kind)))).await;
}

#[tokio::test]
async fn what_happened_is_told_once_and_not_too_often() {
    let (site, mails, alerts) = site(Duration::from_secs(3600)).await;
    alerts.run().await.unwrap();
    assert!(mails.subjects().is_empty(), "nothing happened");

    raise(&site, 1, &[AlertKind::Stalled]).await;
    raise(&site, 2, &[AlertKind::Stalled, AlertKind::DeadlineBreached]).await;
    alerts.run().await.unwrap();
    raise(&site, 3, &[AlertKind::Stalled]).await;
    alerts.run().await.unwrap();
    assert_eq!(mails.subjects(), ["Greenlane: 1 deadline_breached, 2 stalled (3 条告警)"]);

    alerts.sent(|sent| sent.digest = None);
    alerts.run().await.unwrap();
    assert_eq!(mails.subjects().len(), 2, "the rest when the time has come");
    assert_eq!(mails.subjects()[1], "Greenlane: 1 stalled (1 条告警)");
    for (_, body) in &mails.0.lock().unwrap().mails {
        for personal in ["张三", "13800138000", "军字"] {
            assert!(!body.contains(personal), "{body}");
        }
    }
}

#[tokio::test]
async fn a_mail_that_was_not_taken_is_sent_again() {
    let (site, mails, alerts) = site(Duration::from_secs(3600)).await;
    raise(&site, 1, &[AlertKind::Stalled]).await;
    mails.refuse(true);
    assert!(alerts.run().await.is_err());
    mails.refuse(false);
    alerts.run().await.unwrap();
    assert_eq!(mails.subjects().len(), 1);
}

#[tokio::test]
async fn the_scheduler_that_started_first_mails() {
    let (site, mails, alerts) = site(Duration::ZERO).await;
    raise(&site, 1, &[AlertKind::Stalled]).await;
    let at = site.engine.shared.clock.now();
    let process = |lease, role: &str| Process {
        lease,
        roles: vec![role.to_owned()],
        host: String::new(),
        pid: 1,
        version: String::new(),
        started_at: at,
        seen_at: at,
        stats: serde_json::Value::Null,
    };
    let (first, hour) = (LeaseId(uuid::Uuid::nil()), Duration::from_secs(3600));
    for (role, mailed) in [("scheduler", 0), ("worker", 1)] {
        site.store().heartbeat(&process(first, role), hour).await.unwrap();
        site.store().heartbeat(&process(LeaseId::new(), "scheduler"), hour).await.unwrap();
        alerts.run().await.unwrap();
        assert_eq!(mails.subjects().len(), mailed, "the first one is a {role}");
    }
}

#[tokio::test]
async fn a_calendar_that_ends_soon_is_told_of_once_a_day() {
    let (site, mails, mut alerts) = site(Duration::ZERO).await;
    alerts.settings.calendar_warn_days = 100_000;
    alerts.run().await.unwrap();
    alerts.run().await.unwrap();
    assert_eq!(mails.subjects().len(), 1);
    assert!(mails.subjects()[0].contains("calendar"), "{:?}", mails.subjects());
    let version = site.engine.shared.calendar().version().to_owned();
    assert!(mails.0.lock().unwrap().mails[0].1.contains(&version));
}

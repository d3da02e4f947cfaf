//! Plays the stories over the HTTP API, many at a time, and says how each application ended.

use std::time::Duration;

use futures::{StreamExt, stream};
use reqwest::{Method, header};
use serde_json::Value;
use tokio::{sync::Semaphore, time::Instant};

use crate::domain::identity::DocumentType;

use super::{
    acts,
    cases::{Act, Case, Ends, Planned, ending},
    client::send,
    people::Person,
    photo::Pictures,
    progress::Progress,
    site::Site,
};

/// People that apply at the same time.
const AT_ONCE: usize = 64;
/// The longest an application may take to its next step, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(90);
/// Webhooks tell of changes of status; what else changes is looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// With these digits the simulated registry answers too late, at every attempt.
const SLOWEST: u16 = 912;
/// Open claims that one reviewer may have.
const CLAIMS: usize = 3;

/// What became of one application.
#[derive(Debug)]
pub(super) struct Ended {
    /// What was played.
    pub(super) case: Case,
    /// The application, if it was accepted.
    pub(super) id: Option<String>,
    /// The ending in words.
    pub(super) got: String,
}

impl Ended {
    /// Whether it ended as expected.
    pub(super) fn is_expected(&self) -> bool {
        self.got == self.case.expected()
    }
}

/// What the players share.
pub(super) struct Play<'a> {
    /// The installation.
    pub(super) site: &'a Site,
    /// Places of the robot reviewer.
    pub(super) claims: Semaphore,
    pictures: &'a Pictures,
    progress: &'a Progress,
}

impl<'a> Play<'a> {
    /// A play on an installation.
    pub(super) fn new(site: &'a Site, pictures: &'a Pictures, progress: &'a Progress) -> Self {
        Self { site, claims: Semaphore::new(CLAIMS), pictures, progress }
    }

    /// Plays everything; gives the endings in the order of the plan.
    pub(super) async fn all(&self, mut planned: Vec<Planned>) -> Vec<Ended> {
        // What takes longest begins first, so that nobody waits for it alone.
        planned.sort_by_key(|planned| planned.sequence != SLOWEST);
        let story = async |planned: Planned| (planned.serial, self.story(planned).await);
        let mut stories: Vec<_> = stream::iter(planned).map(story).buffer_unordered(AT_ONCE).collect().await;
        stories.sort_unstable_by_key(|(serial, _)| *serial);
        stories.into_iter().flat_map(|(_, ended)| ended).collect()
    }

    async fn story(&self, planned: Planned) -> Vec<Ended> {
        if planned.batch {
            return self.batch(&planned).await;
        }
        let mut ended = Vec::new();
        for (index, case) in planned.cases.iter().enumerate() {
            let reference = format!("demo-{}", planned.serial + index);
            // The same person throughout: the second application builds on the first.
            let played = match Person::new(planned.document, planned.serial, planned.sequence) {
                Ok(person) => self.case(&person, case, &reference).await,
                Err(error) => Err(error),
            };
            ended.push(self.ended(*case, played));
        }
        ended
    }

    fn ended(&self, case: Case, played: anyhow::Result<Value>) -> Ended {
        self.progress.ended();
        match played {
            Ok(application) => Ended { case, id: id_of(&application).ok(), got: got(&application) },
            Err(error) => Ended { case, id: None, got: format!("{error:#}") },
        }
    }

    async fn case(&self, person: &Person, case: &Case, reference: &str) -> anyhow::Result<Value> {
        let site = self.site;
        if let Some(change) = case.registry {
            acts::change_registry(site, person, change).await?;
        }
        let photo_id = if case.photo.is_upload() {
            Some(self.pictures.upload(&site.upstream, case.photo.as_str()).await?)
        } else {
            None
        };
        let body = person.application(case, photo_id.as_deref(), &site.sink.url, reference);
        let id = id_of(&self.submit(&body, reference).await?.expect(201)?)?;
        self.progress.submitted();
        if case.act == Act::Replay {
            let again = self.submit(&body, reference).await?;
            anyhow::ensure!(again.has_header("idempotency-replayed", "true"), "the repeat was not recognised");
            anyhow::ensure!(id_of(&again.expect(200)?)? == id, "the repeat is another application");
        }
        acts::act(self, person, case, &id, &body).await?;
        self.end_of(&id, case).await
    }

    /// Sends an application.
    pub(super) async fn submit(&self, body: &Value, key: &str) -> anyhow::Result<super::client::Answer> {
        let request = self.site.upstream.request(Method::POST, "/v1/applications");
        send(request.header("idempotency-key", key).json(body)).await
    }

    async fn end_of(&self, id: &str, case: &Case) -> anyhow::Result<Value> {
        let left = case.ends == Ends::InReview;
        self.until(id, |application| {
            application["completed_at"].is_string()
                || application["status"] == "stalled"
                || (left && application["status"] == "in_review")
        })
        .await
    }

    /// Waits for an application to satisfy the condition, woken by webhooks; gives it as it is then, or as it is when
    /// the patience is at its end.
    pub(super) async fn until(&self, id: &str, done: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.site.sink.seen();
        loop {
            let heard = seen.borrow_and_update().count(id);
            let application = self.site.upstream.get(&format!("/v1/applications/{id}")).await?.expect(200)?;
            if done(&application) || Instant::now() > deadline {
                return Ok(application);
            }
            let news = seen.wait_for(|seen| seen.count(id) > heard);
            // No news in this time is an answer too.
            let _no_news = tokio::time::timeout(LOOK_EVERY, news).await.is_err();
        }
    }

    async fn batch(&self, planned: &Planned) -> Vec<Ended> {
        let accepted = match self.send_batch(planned).await {
            Ok(accepted) => accepted,
            Err(error) => {
                let failed = |case: &Case| self.ended(*case, Err(anyhow::anyhow!("{error:#}")));
                return planned.cases.iter().map(failed).collect();
            }
        };
        let mut ended = Vec::new();
        for (case, id) in planned.cases.iter().zip(accepted) {
            let played = self.end_of(&id, case).await;
            ended.push(self.ended(*case, played));
        }
        ended
    }

    /// One line for each case and one that is wrong, which must not stop the others; gives the ids.
    async fn send_batch(&self, planned: &Planned) -> anyhow::Result<Vec<String>> {
        let mut lines = Vec::new();
        for (index, case) in planned.cases.iter().enumerate() {
            let serial = planned.serial + index;
            let person = Person::new(DocumentType::IdentityCard, serial, planned.sequence)?;
            let reference = format!("demo-{serial}");
            let mut line = person.application(case, None, &self.site.sink.url, &reference);
            line["idempotency_key"] = reference.into();
            lines.push(line);
        }
        let mut wrong = lines.first().cloned().unwrap_or_default();
        wrong["applicant"]["mobile"] = "1".into();
        wrong["idempotency_key"] = format!("demo-{}-wrong", planned.serial).into();
        lines.push(wrong);
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let request = self.site.upstream.request(Method::POST, "/v1/applications:batch");
        let answer = send(request.header(header::CONTENT_TYPE, "application/x-ndjson").body(body)).await?.text(200)?;
        let mut accepted = Vec::new();
        for (index, line) in answer.lines().filter(|line| !line.is_empty()).enumerate() {
            let result: Value = serde_json::from_str(line)?;
            let expected = if index < planned.cases.len() { 201 } else { 422 };
            anyhow::ensure!(result["status"] == expected, "a line of the batch was answered {line}");
            if expected == 201 {
                accepted.push(id_of(&result)?);
                self.progress.submitted();
            }
        }
        anyhow::ensure!(accepted.len() == planned.cases.len(), "the batch was answered with {} lines", accepted.len());
        Ok(accepted)
    }
}

/// The ending of an application in words.
fn got(application: &Value) -> String {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let status = text(&application["status"]);
    let code = (status == "rejected").then(|| text(&application["outcome"]["code"]));
    let notices = application["notifications"].as_array().into_iter().flatten();
    let failed = notices.filter(|notice| notice["state"] == "failed").map(|notice| text(&notice["channel"]));
    ending(&status, code.as_deref(), failed)
}

/// The id in an answer.
pub(super) fn id_of(answer: &Value) -> anyhow::Result<String> {
    answer["id"].as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("an answer has no `id`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn endings_are_read_from_applications() {
        let application = json!({
            "status": "rejected", "outcome": { "code": "not_filed" },
            "notifications": [{ "channel": "sms", "state": "failed" }, { "channel": "app", "state": "sent" }],
        });
        assert_eq!(got(&application), "rejected: not_filed, sms failed");
        assert_eq!(got(&json!({ "status": "issued", "outcome": { "code": "issued" } })), "issued");
    }
}

//! What reviewers, operators and upstream systems do with an application: each act over the public API.

use serde_json::{Value, json};

use crate::domain::photo_reason::PhotoReason;

use super::{
    cases::{Act, Case},
    people::Person,
    photo,
    play::{Play, id_of},
    site::Site,
};

/// Waits for the moment of the case's act and does it. An application that does not come to that moment is left
/// alone: its ending tells.
///
/// # Errors
/// A call was answered in another way than it must be.
pub(super) async fn act(play: &Play<'_>, person: &Person, case: &Case, id: &str, body: &Value) -> anyhow::Result<()> {
    let site = play.site;
    match case.act {
        Act::Nothing | Act::Leave | Act::Replay => {}
        Act::Approve | Act::Reject(_) | Act::Reconsider | Act::Suspend | Act::ApplyTwice => {
            if comes_to(play, id, |application| application["status"] == "in_review").await? {
                review(play, person, case.act, id, body).await?;
            }
        }
        Act::Cancel => {
            let waits = |application: &Value| {
                application["status"] == "in_review" || application["waiting_for"]["reason"] == "face_pending"
            };
            if comes_to(play, id, waits).await? {
                let reason = json!({ "reason": "the applicant withdrew" });
                site.upstream.post(&format!("/v1/applications/{id}/cancel"), &reason).await?.expect(200)?;
            }
        }
        Act::Accept | Act::OperatorReject | Act::Correct => {
            if comes_to(play, id, |application| application["status"] == "stalled").await? {
                operate(site, person, case.act, id).await?;
            }
        }
    }
    Ok(())
}

/// Whether the application comes to this before it ends.
async fn comes_to(play: &Play<'_>, id: &str, moment: impl Fn(&Value) -> bool) -> anyhow::Result<bool> {
    let application =
        play.until(id, |application| moment(application) || application["decided_at"].is_string()).await?;
    Ok(moment(&application))
}

/// Changes what the simulated registry answers about a person.
///
/// # Errors
/// The simulator refuses.
pub(super) async fn change_registry(site: &Site, person: &Person, change: &str) -> anyhow::Result<()> {
    let mut body: Value = serde_json::from_str(change)?;
    body["document_number"] = person.document_number().into();
    site.simulator.post("/control/registry", &body).await?.expect(200)?;
    Ok(())
}

async fn review(play: &Play<'_>, person: &Person, act: Act, id: &str, body: &Value) -> anyhow::Result<()> {
    let (site, _place) = (play.site, play.claims.acquire().await?);
    let task = claim(site, id).await?;
    if let Some(picture) = photo::path_of(&task) {
        site.reviewer.get(&picture).await?.text(200)?;
    }
    match act {
        Act::Reject(reasons) => decide(site, &task, reasons, 0).await?,
        Act::Reconsider => {
            decide(site, &task, &[PhotoReason::BackgroundNotWhite], 60).await?;
            let undo = json!({ "lease_token": task["lease_token"] });
            site.reviewer.post(&path(&task, "undo")?, &undo).await?.expect(200)?;
        }
        Act::Suspend => change_registry(site, person, r#"{"status": "D"}"#).await?,
        Act::ApplyTwice => {
            let second = play.submit(body, &format!("{id}-second")).await?.expect(409)?;
            anyhow::ensure!(
                second["code"] == "application_in_progress",
                "the second application was answered {second}"
            );
        }
        _ => {}
    }
    if !matches!(act, Act::Reject(_)) {
        decide(site, &task, &[], 0).await?;
    }
    Ok(())
}

async fn claim(site: &Site, application: &str) -> anyhow::Result<Value> {
    let mut page = "/v1/reviews?state=open&limit=200".to_owned();
    loop {
        let list = site.reviewer.get(&page).await?.expect(200)?;
        let mut tasks = list["items"].as_array().into_iter().flatten();
        if let Some(task) = tasks.find(|task| task["application_id"] == application) {
            return site.reviewer.post(&path(task, "claim")?, &json!({})).await?.expect(200);
        }
        let Some(next) = list["next_cursor"].as_str() else { anyhow::bail!("the review is not in the list") };
        page = format!("/v1/reviews?state=open&limit=200&cursor={next}");
    }
}

/// Approves, or rejects when there are reasons.
async fn decide(site: &Site, task: &Value, reasons: &[PhotoReason], undo_seconds: u64) -> anyhow::Result<()> {
    let body = json!({
        "lease_token": task["lease_token"],
        "decision": if reasons.is_empty() { "approve" } else { "reject" },
        "reasons": reasons,
        "evidence_hash": task["evidence_hash"],
        "undo_seconds": undo_seconds,
    });
    site.reviewer.post(&path(task, "decision")?, &body).await?.expect(200)?;
    Ok(())
}

fn path(task: &Value, action: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/reviews/{}/{action}", id_of(task)?))
}

async fn operate(site: &Site, person: &Person, act: Act, id: &str) -> anyhow::Result<()> {
    let (action, body) = match act {
        Act::Accept => ("accept", json!({ "reason": "identity card seen at the counter" })),
        Act::OperatorReject => ("reject", json!({ "reason": "the applicant was told to come to the counter" })),
        _ => {
            change_registry(site, person, "{}").await?;
            ("retry", json!({}))
        }
    };
    site.operator.post(&format!("/v1/ops/stalled/{id}/{action}"), &body).await?.expect(200)?;
    Ok(())
}

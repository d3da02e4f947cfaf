//! The table of what happened, and the checks over everything together.

use std::{collections::HashMap, time::Duration};

use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::Value;

use crate::{
    domain::{application::Channel, audit},
    store::{Store, types::StoredEvent},
};

use super::{play::Ended, site::Site};

/// The longest wait for the last webhooks.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something that must be true of the whole run.
pub(super) struct Check {
    name: &'static str,
    text: String,
    good: bool,
}

/// Whether all of it is as it must be.
pub(super) fn is_good(ended: &[Ended], checks: &[Check]) -> bool {
    ended.iter().all(Ended::is_expected) && checks.iter().all(|check| check.good)
}

/// The table and the totals, as text.
pub(super) fn render(ended: &[Ended], checks: &[Check]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["kind", "what happens", "count", "expected", "got"]);
    for row in rows(ended) {
        table.add_row([
            Cell::new(row.kind),
            Cell::new(row.family),
            Cell::new(row.count).set_alignment(CellAlignment::Right),
            Cell::new(row.expected),
            Cell::new(row.got.join("\n")),
        ]);
    }
    let mut totals = Table::new();
    totals.load_style(presets::NOTHING);
    for check in checks {
        totals.add_row([check.name, if check.good { "ok" } else { "WRONG" }, &check.text]);
    }
    format!("{table}\n{totals}")
}

struct Row {
    kind: &'static str,
    family: &'static str,
    count: usize,
    expected: String,
    /// Each different ending, with its count where there are several.
    got: Vec<String>,
}

/// One row for each family and ending, in the order of the stories.
fn rows(ended: &[Ended]) -> Vec<Row> {
    let mut rows: Vec<(Row, Vec<(String, usize)>)> = Vec::new();
    let mut places = HashMap::new();
    for one in ended {
        let key = (one.case.kind, one.case.family, one.case.expected());
        let place = *places.entry(key).or_insert(rows.len());
        if place == rows.len() {
            let (kind, expected) = (one.case.kind.as_str(), one.case.expected());
            rows.push((Row { kind, family: one.case.family, count: 0, expected, got: Vec::new() }, Vec::new()));
        }
        let Some((row, endings)) = rows.get_mut(place) else { continue };
        row.count += 1;
        match endings.iter_mut().find(|(got, _)| *got == one.got) {
            Some((_, count)) => *count += 1,
            None => endings.push((one.got.clone(), 1)),
        }
    }
    let named = |(mut row, endings): (Row, Vec<(String, usize)>)| {
        let several = endings.len() > 1;
        row.got =
            endings.into_iter().map(|(got, count)| if several { format!("{count} × {got}") } else { got }).collect();
        row
    };
    rows.into_iter().map(named).collect()
}

/// Holds everything together: applications, messages, webhooks, audit log.
///
/// # Errors
/// Something cannot be asked.
pub(super) async fn check(site: &Site, ended: &[Ended], refused_photo: String) -> anyhow::Result<Vec<Check>> {
    let expected = ended.iter().filter(|one| one.is_expected()).count();
    let photo = "422 photo_rejected: background_not_white";
    Ok(vec![
        Check {
            name: "applications that ended as expected",
            text: format!("{expected} of {}", ended.len()),
            good: expected == ended.len(),
        },
        Check { name: "photo before a red wall", good: refused_photo == photo, text: refused_photo },
        sent_once(site, ended, Channel::Sms).await?,
        sent_once(site, ended, Channel::App).await?,
        webhooks(site, ended).await,
        chains(site.server.engine.shared.store.as_ref()).await?,
    ])
}

/// What the provider says it sent: one message for each application that had to be told, none for any other.
async fn sent_once(site: &Site, ended: &[Ended], channel: Channel) -> anyhow::Result<Check> {
    let (name, log, key) = match channel {
        Channel::Sms => ("results sent once by SMS", "/control/log?provider=sms", "reference"),
        Channel::App => ("results sent once by app", "/control/log?provider=push", "cid"),
    };
    let log = site.simulator.get(log).await?.expect(200)?;
    let mut sent: HashMap<&str, usize> = HashMap::new();
    for entry in log["items"].as_array().into_iter().flatten().filter(|entry| entry["accepted"] == true) {
        let reference = entry["body"][key].as_str().unwrap_or_default();
        *sent.entry(reference.split(':').next().unwrap_or_default()).or_default() += 1;
    }
    let told = ended.iter().filter(|one| one.case.tells_by(channel)).filter_map(|one| one.id.as_deref());
    let (mut expected, mut once) = (0, 0);
    for id in told {
        expected += 1;
        once += usize::from(sent.remove(id) == Some(1));
    }
    let others: usize = sent.values().sum();
    let text = if others == 0 {
        format!("{once} of {expected}")
    } else {
        format!("{once} of {expected}, and {others} to others")
    };
    Ok(Check { name, text, good: once == expected && others == 0 })
}

/// Every webhook is genuine, and the last one of each application tells how it ended.
async fn webhooks(site: &Site, ended: &[Ended]) -> Check {
    let mut seen = site.sink.seen();
    let mut finals = Vec::new();
    for id in ended.iter().filter_map(|one| one.id.as_deref()) {
        if let Ok(Ok(application)) =
            site.upstream.get(&format!("/v1/applications/{id}")).await.map(|answer| answer.expect(200))
        {
            finals.push(application);
        }
    }
    let tells = |seen: &super::sink::Seen, application: &Value| {
        let last = seen.last(application["id"].as_str().unwrap_or_default());
        last.is_some_and(|last| ["status", "completed_at"].iter().all(|field| last[field] == application[field]))
    };
    let all = |seen: &super::sink::Seen| finals.iter().all(|application| tells(seen, application));
    // What is missing after that is counted below.
    let _late = tokio::time::timeout(PATIENCE, seen.wait_for(all)).await.is_err();
    let seen = seen.borrow();
    let told = finals.iter().filter(|application| tells(&seen, application)).count();
    let text = format!(
        "{} verified, {} forged, {} after a repeat; the last word is right of {told} of {}",
        seen.verified,
        seen.forged,
        seen.repeated,
        ended.len()
    );
    Check { name: "webhooks", text, good: seen.forged == 0 && told == ended.len() }
}

/// Every audit chain is intact.
async fn chains(store: &dyn Store) -> anyhow::Result<Check> {
    let (mut chains, mut count, mut broken) = (0, 0, 0);
    let mut after = None;
    loop {
        let ids = store.audited_applications(after, 500).await?;
        let Some(last) = ids.last() else { break };
        after = Some(*last);
        for id in ids {
            let events = store.events(id).await?;
            let links: Vec<audit::Link<'_>> = events.iter().map(link).collect();
            chains += 1;
            count += links.len();
            broken += usize::from(audit::verify_chain(id, &links).is_err());
        }
    }
    Ok(Check {
        name: "audit chains",
        text: format!("{} of {chains} intact, {count} events", chains - broken),
        good: broken == 0,
    })
}

fn link(event: &StoredEvent) -> audit::Link<'_> {
    let contents = audit::ChainEvent {
        application_id: event.application_id,
        seq: event.seq,
        at: event.at,
        kind: &event.kind,
        actor: &event.actor,
        stage: event.stage.as_deref(),
        data: &event.data,
    };
    audit::Link { event: contents, prev_hash: &event.prev_hash, hash: &event.hash }
}

//! The table of what happened, and the checks over everything together.

use std::{collections::HashMap, time::Duration};

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, LineStyle, Table, presets};
use serde_json::Value;

use crate::{cli::audit, domain::application::Channel};

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
    // On a terminal it fits; elsewhere it is as wide as it wants to be.
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["kind", "what happens", "count", "expected", "got"]);
    for row in rows(ended) {
        let got = Cell::new(row.got.join("\n"));
        table.add_row([
            Cell::new(row.kind),
            Cell::new(row.family),
            Cell::new(row.count).set_alignment(CellAlignment::Right),
            Cell::new(&row.expected),
            if row.got == [row.expected] { got } else { got.fg(Color::Red) },
        ]);
    }
    let mut totals = Table::new();
    totals.load_style(presets::NOTHING);
    for check in checks {
        totals.add_row([check.name, if check.good { "ok" } else { "WRONG" }, &check.text]);
    }
    format!("{}\n{}", table.trim_fmt(), totals.trim_fmt())
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
        chains(site).await?,
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

/// The audit log, with its checkpoints, as `greenlane audit verify` sees it.
async fn chains(site: &Site) -> anyhow::Result<Check> {
    let shared = &site.server.engine.shared;
    let (good, text) = audit::verify_whole(shared.store.as_ref(), &shared.secrets).await?;
    Ok(Check { name: "audit log", text, good })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::cases;

    fn ended(got: &[&str]) -> Vec<Ended> {
        let cases = cases::plan(got.len()).into_iter().flat_map(|planned| planned.cases);
        let one = |(case, got): (cases::Case, &&str)| Ended { case, id: None, got: (*got).to_owned() };
        cases.zip(got).map(one).collect()
    }

    #[test]
    fn every_difference_is_shown_and_counts() {
        let good = ended(&["issued", "issued", "rejected: photo_rejected"]);
        assert!(is_good(&good, &[]));
        assert!(!is_good(&good, &[Check { name: "webhooks", text: "0 of 1".to_owned(), good: false }]));
        let bad = ended(&["issued", "stalled", "rejected: photo_rejected"]);
        assert!(!is_good(&bad, &[]));
        let text = render(&bad, &[Check { name: "webhooks", text: "1 of 1".to_owned(), good: true }]);
        assert!(text.contains("stalled") && text.contains("webhooks"), "{text}");
    }

    #[test]
    fn a_family_is_one_row_with_its_different_endings() {
        let mut all = ended(&["issued"]);
        all.extend(ended(&["stalled"]));
        all.extend(ended(&["issued"]));
        let rows = rows(&all);
        assert_eq!(
            (rows.len(), rows[0].count, &rows[0].got[..]),
            (1, 3, &["2 × issued".to_owned(), "1 × stalled".to_owned()][..])
        );
    }
}

//! `greenlane audit`: proves the audit log intact, and exports an application's part of it.

mod verify;

use std::{process::ExitCode, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use serde::Serialize;
use serde_json::value::RawValue;

use super::output::line;
use crate::{
    domain::{
        checkpoint::{Checkpoint, FIRST_ID},
        event::Actor,
        ids::ApplicationId,
    },
    secrets::{Jwk, KeyMaterial},
    store::{Store, types::StoredEvent},
};
use verify::{Report, Verifier};

/// Checkpoints read at once.
const PAGE: usize = 100;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify the hash chains and the signed checkpoints; names the first bad event of every broken chain
    Verify {
        /// This application only
        #[arg(long)]
        application: Option<ApplicationId>,
        /// A checkpoint as the log outside the database has it, `ID:DIGEST`: finds checkpoints that were cut off
        #[arg(long)]
        anchor: Option<Anchor>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print an application's events, and with `--json` everything that proves them without this program
    Export {
        /// Which application
        #[arg(long)]
        application: ApplicationId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A checkpoint that somebody kept outside the database: its number and the digest that was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    id: i64,
    digest: String,
}

impl FromStr for Anchor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(id, digest)| Some((id.parse().ok()?, digest)));
        match parts {
            Some((id @ FIRST_ID.., digest)) if digest.len() == 64 && hex::decode(digest).is_ok() => {
                Ok(Self { id, digest: digest.to_ascii_lowercase() })
            }
            _ => Err("write the number of a checkpoint, a colon and 64 hexadecimal digits"),
        }
    }
}

impl AuditCommand {
    /// Runs the command: 0 intact, 1 broken or unknown.
    ///
    /// # Errors
    /// The database does not answer, or standard output cannot be written.
    pub async fn run(self, store: &dyn Store, secrets: &KeyMaterial) -> anyhow::Result<ExitCode> {
        match self {
            Self::Verify { application, anchor, json } => {
                let mut verifier = Verifier::new(store, secrets);
                verifier.read_checkpoints(application, anchor.as_ref()).await?;
                match application {
                    None => verifier.verify_all().await?,
                    Some(id) => verifier.verify_one(id).await?,
                }
                let report = verifier.into_report();
                print(&report, json)?;
                Ok(code(report.intact))
            }
            Self::Export { application, json } => export(store, secrets, application, json).await,
        }
    }
}

/// Verifies the whole log, as `audit verify` does: whether it is intact, and the verdict in a line.
///
/// # Errors
/// The database does not answer.
pub(super) async fn verify_whole(store: &dyn Store, secrets: &KeyMaterial) -> anyhow::Result<(bool, String)> {
    let mut verifier = Verifier::new(store, secrets);
    verifier.read_checkpoints(None, None).await?;
    verifier.verify_all().await?;
    let report = verifier.into_report();
    Ok((report.intact, verdict(&report)))
}

fn verdict(report: &Report) -> String {
    let verdict = if report.intact { "intact" } else { "broken" };
    let Report { applications, events, acts, checkpoints, .. } = report;
    format!(
        "{verdict}: {applications} applications, {events} events, {acts} operators' acts, {checkpoints} checkpoints"
    )
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        line(serde_json::to_string_pretty(report)?)?;
        return Ok(());
    }
    for found in &report.breaks {
        line(&found.text)?;
    }
    line(verdict(report))?;
    Ok(())
}

const fn code(intact: bool) -> ExitCode {
    if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An application's events with what proves them: each hash is SHA-256 over the RFC 8785 form of its event without
/// `hash` and with `application_id`; the checkpoints are signed by the keys.
#[derive(Serialize)]
struct Export<'a> {
    application_id: ApplicationId,
    intact: bool,
    events: Vec<ExportedEvent<'a>>,
    /// Those that list the application.
    checkpoints: Vec<Checkpoint>,
    keys: Vec<&'a Jwk>,
}

#[derive(Serialize)]
struct ExportedEvent<'a> {
    seq: i64,
    at: String,
    #[serde(rename = "type")]
    kind: &'a str,
    actor: &'a Actor,
    stage: Option<&'a str>,
    data: &'a RawValue,
    hash: &'a str,
    prev_hash: &'a str,
}

async fn export(store: &dyn Store, secrets: &KeyMaterial, id: ApplicationId, json: bool) -> anyhow::Result<ExitCode> {
    let mut verifier = Verifier::new(store, secrets);
    verifier.read_checkpoints(Some(id), None).await?;
    verifier.verify_one(id).await?;
    let report = verifier.into_report();
    for found in &report.breaks {
        eprintln!("{}", found.text);
    }
    let events = store.events(id).await?;
    if !json {
        for event in &events {
            let StoredEvent { seq, kind, actor, data, hash, .. } = event;
            let stage = event.stage.as_deref().unwrap_or("-");
            line(format_args!(
                "{seq}  {}  {kind}  {}:{}  {stage}  {hash}  {data}",
                stamp(event.at),
                actor.kind,
                actor.id
            ))?;
        }
        return Ok(code(report.intact));
    }
    let exported = Export {
        application_id: id,
        intact: report.intact,
        events: events.iter().map(exported).collect::<Result<_, _>>()?,
        checkpoints: checkpoints_with(store, id).await?,
        keys: secrets.checkpoint_signer().public_keys().collect(),
    };
    line(serde_json::to_string_pretty(&exported)?)?;
    Ok(code(report.intact))
}

fn exported(event: &StoredEvent) -> serde_json::Result<ExportedEvent<'_>> {
    Ok(ExportedEvent {
        seq: event.seq,
        at: stamp(event.at),
        kind: &event.kind,
        actor: &event.actor,
        stage: event.stage.as_deref(),
        data: serde_json::from_str(&event.data)?,
        hash: &event.hash,
        prev_hash: &event.prev_hash,
    })
}

async fn checkpoints_with(store: &dyn Store, id: ApplicationId) -> anyhow::Result<Vec<Checkpoint>> {
    let (mut found, mut after) = (Vec::new(), FIRST_ID - 1);
    loop {
        let page = store.checkpoints(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.id;
        let read = page.iter().filter_map(|stored| serde_json::from_str::<Checkpoint>(&stored.document).ok());
        found.extend(read.filter(|checkpoint| checkpoint.heads.iter().any(|head| head.application_id == id)));
    }
}

/// As the hash has it.
fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests;

//! What a process needs besides its database, made before anything is opened or started: what is wrong is refused, all of
//! it at once.

use crate::{
    config::{Config, workflow_files},
    domain::workflow::WorkflowSet,
    licences::card::CardPress,
    photos::{Inspector, Thresholds},
    providers::{
        blob::BlobStore,
        mail,
        operations_mail::{Addresses, OperationsMailer},
    },
};

use super::{exit::Refused, serve::Role, wiring::require_providers};

/// Photos inspected at once: each takes a core for a moment and a decoded picture's memory.
const INSPECTIONS: usize = 2;

/// The parts, as far as the roles need them.
pub(super) struct Prepared {
    /// The workflow files.
    pub(super) workflows: WorkflowSet,
    /// The photo files.
    pub(super) blobs: BlobStore,
    /// What cards are drawn by.
    pub(super) cards: CardPress,
    /// What uploaded photos are inspected by, for the role `api`.
    pub(super) inspector: Option<Inspector>,
    /// Mail to operations, for the role `scheduler`.
    pub(super) mailer: Option<OperationsMailer>,
}

impl Prepared {
    /// Makes the parts. Folders are made only when everything that can be checked without is right.
    ///
    /// # Errors
    /// One line for each problem.
    pub(super) fn of(config: &Config, roles: &[Role], calls_providers: bool) -> Result<Self, Refused<String>> {
        let mut problems = Problems::default();
        problems.take(config.secret_file_required().map_err(|problem| Refused(vec![problem]).lines()));
        if calls_providers {
            problems.take(require_providers(config));
        }
        let workflows = problems.take(workflows(config));
        let inspector = roles.contains(&Role::Api).then(|| problems.take(inspector(config))).flatten();
        let cards = problems.take(cards(config));
        let addresses = roles.contains(&Role::Scheduler).then(|| problems.take(addresses(config))).flatten();
        problems.end()?;
        let blobs = problems.take(blobs(config));
        let mailer = addresses.and_then(|addresses| problems.take(mailer(config, addresses)));
        problems.end()?;
        match (workflows, blobs, cards) {
            (Some(workflows), Some(blobs), Some(cards)) => Ok(Self { workflows, blobs, cards, inspector, mailer }),
            _ => Err(Refused(problems.0)),
        }
    }
}

/// The problems so far.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn take<T>(&mut self, made: Result<T, Refused<String>>) -> Option<T> {
        made.map_err(|refused| self.0.extend(refused.0)).ok()
    }

    fn end(&mut self) -> Result<(), Refused<String>> {
        if self.0.is_empty() { Ok(()) } else { Err(Refused(std::mem::take(&mut self.0))) }
    }
}

fn refused(problem: String) -> Refused<String> {
    Refused(vec![problem])
}

/// The workflow files.
///
/// # Errors
/// There is no folder, or what is wrong in each file.
pub(super) fn workflows(config: &Config) -> Result<WorkflowSet, Refused<String>> {
    config.workflow.require_folder().map_err(|problem| refused(problem.to_string()))?;
    workflow_files::load(&config.workflow.folder).map_err(|problems| Refused(problems).lines())
}

fn inspector(config: &Config) -> Result<Inspector, Refused<String>> {
    let thresholds: Thresholds = match &config.photos.thresholds {
        None => Thresholds::default(),
        Some(path) => {
            let wrong = |reason: String| refused(format!("photos.thresholds: {}: {reason}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            toml::from_str(&text).map_err(|error| wrong(error.to_string()))?
        }
    };
    thresholds.validate().map_err(|error| refused(format!("photos.thresholds: {error}")))?;
    Inspector::new(thresholds, INSPECTIONS).map_err(|error| refused(format!("the photo inspector: {error}")))
}

fn cards(config: &Config) -> Result<CardPress, Refused<String>> {
    CardPress::load(config.licence.font.as_deref()).map_err(|error| {
        let error = anyhow::Error::from(error);
        refused(format!("licence.font: {error:#}; name a font file, or none for the one that ships"))
    })
}

fn addresses(config: &Config) -> Result<Addresses, Refused<String>> {
    Addresses::parse(&config.mail.from, &config.mail.operations)
        .map_err(|error| refused(format!("mail.from, mail.operations: {error}")))
}

fn mailer(config: &Config, addresses: Addresses) -> Result<OperationsMailer, Refused<String>> {
    let settings = match &config.mail.url {
        Some(url) => mail::Settings::Smtp(url.expose().as_str().into()),
        None => mail::Settings::Folder(config.mail.file_dir.clone()),
    };
    let mailer = mail::mailer(&settings).map_err(|error| refused(format!("mail: {:#}", anyhow::Error::from(error))))?;
    Ok(OperationsMailer::new(mailer, addresses))
}

fn blobs(config: &Config) -> Result<BlobStore, Refused<String>> {
    let open = || anyhow::Ok(BlobStore::open(&config.blob.url.url()?)?);
    open().map_err(|error| refused(format!("blob.url: {error:#}")))
}

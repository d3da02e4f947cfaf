//! All definitions that a process knows.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Problem, Workflow, WorkflowId, text::line_of};
use crate::domain::{application::Kind, stage::Stage};

/// A definition with the place it was read from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file.
    pub file: PathBuf,
    /// Its definition.
    pub workflow: Workflow,
}

/// The workflows in use: the newest of each kind for new applications, and every known release by id
/// for the applications that started with it.
#[derive(Debug, Clone)]
pub struct WorkflowSet {
    first_issue: Arc<Workflow>,
    reissue: Arc<Workflow>,
    photo_change: Arc<Workflow>,
    releases: BTreeMap<WorkflowId, Arc<Workflow>>,
}

/// A release whose content is not the one that was released under its version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "workflow `{id}` was released with other content (hash `{pinned}`, now `{loaded}`): restore the file, or give the change a new version"
)]
pub struct EditedRelease {
    /// The release.
    pub id: WorkflowId,
    /// The hash that applications started with.
    pub pinned: String,
    /// The hash of the file.
    pub loaded: String,
}

impl WorkflowSet {
    /// Puts definitions together. Each kind needs exactly one name; its highest version serves new applications.
    ///
    /// # Errors
    /// Releases that exist twice, kinds that have two workflows or none; the latter at `origin`, the folder.
    pub fn new(found: Vec<Found>, origin: &Path) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut places: BTreeMap<WorkflowId, PathBuf> = BTreeMap::new();
        let mut newest: BTreeMap<Kind, Arc<Workflow>> = BTreeMap::new();
        let mut releases = BTreeMap::new();
        for Found { file, workflow } in found {
            let id = workflow.id();
            if let Some(other) = places.get(&id) {
                problems.push(Problem {
                    file,
                    line: line_of(&workflow.source, "version"),
                    reason: format!("`{id}` is also in `{}`", other.display()),
                });
                continue;
            }
            let rival = newest.get(&workflow.kind).filter(|rival| rival.name != workflow.name);
            let other_kind = releases
                .values()
                .find(|other: &&Arc<Workflow>| other.name == workflow.name && other.kind != workflow.kind);
            if let Some(rival) = rival {
                let reason = format!("kind `{}` already has the workflow `{}`", workflow.kind, rival.name);
                problems.push(Problem { file: file.clone(), line: line_of(&workflow.source, "applies_to"), reason });
            } else if let Some(other) = other_kind {
                let reason = format!("`{}` is for the kind `{}`: a workflow keeps its kind", other.id(), other.kind);
                problems.push(Problem { file: file.clone(), line: line_of(&workflow.source, "applies_to"), reason });
            }
            let workflow = Arc::new(workflow);
            places.insert(id.clone(), file);
            releases.insert(id, Arc::clone(&workflow));
            let best = newest.entry(workflow.kind).or_insert_with(|| Arc::clone(&workflow));
            if best.version < workflow.version {
                *best = workflow;
            }
        }
        let mut of_kind = |kind: Kind| {
            let workflow = newest.remove(&kind);
            if workflow.is_none() {
                problems.push(Problem {
                    file: origin.to_owned(),
                    line: 1,
                    reason: format!("no workflow for the kind `{kind}`"),
                });
            }
            workflow
        };
        let kinds = (of_kind(Kind::FirstIssue), of_kind(Kind::Reissue), of_kind(Kind::PhotoChange));
        match kinds {
            (Some(first_issue), Some(reissue), Some(photo_change)) if problems.is_empty() => {
                Ok(Self { first_issue, reissue, photo_change, releases })
            }
            _ => Err(problems),
        }
    }

    /// The release for new applications of a kind.
    pub const fn newest(&self, kind: Kind) -> &Arc<Workflow> {
        match kind {
            Kind::FirstIssue => &self.first_issue,
            Kind::Reissue => &self.reissue,
            Kind::PhotoChange => &self.photo_change,
        }
    }

    /// Starts of a stage per second over all processes and workflows: of the releases for new applications the lowest.
    pub fn rate(&self, stage: Stage) -> Option<f64> {
        let rate = |kind: &Kind| self.newest(*kind).rule(stage)?.rate;
        Kind::ALL.iter().filter_map(rate).min_by(f64::total_cmp)
    }

    /// A release by its id, from a file or pinned.
    pub fn get(&self, id: &WorkflowId) -> Option<&Arc<Workflow>> {
        self.releases.get(id)
    }

    /// Adds a release that applications in the database started with, parsed from the source stored there.
    /// It never becomes the newest: which release serves new applications is the files' choice.
    ///
    /// # Errors
    /// The files hold the same release with other content.
    pub fn add_pinned(&mut self, pinned: Workflow) -> Result<(), EditedRelease> {
        let id = pinned.id();
        match self.releases.get(&id) {
            Some(loaded) if loaded.hash != pinned.hash => {
                Err(EditedRelease { id, pinned: pinned.hash, loaded: loaded.hash.clone() })
            }
            Some(_) => Ok(()),
            None => {
                self.releases.insert(id, Arc::new(pinned));
                Ok(())
            }
        }
    }

    /// Every known release, by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Workflow>> {
        self.releases.values()
    }
}

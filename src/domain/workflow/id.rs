//! Which release of which workflow.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A workflow's name and version, written `first_issue@1` on the wire and in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WorkflowId {
    name: String,
    version: u32,
}

/// A text that is not `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a workflow id like `first_issue@1`: `{0}`")]
pub struct InvalidWorkflowId(pub String);

impl WorkflowId {
    /// The id of version `version` of the workflow called `name`.
    pub fn new(name: impl Into<String>, version: u32) -> Self {
        Self { name: name.into(), version }
    }

    /// The workflow's name, e.g. `first_issue`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The release, counted from 1.
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl FromStr for WorkflowId {
    type Err = InvalidWorkflowId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidWorkflowId(text.to_owned());
        let (name, version) = text.split_once('@').ok_or_else(invalid)?;
        // `+1` and `01` would be a second spelling of a key that is compared as text in the database.
        let version = match version.parse() {
            Ok(number @ 1..) if version == u32::to_string(&number) => number,
            _ => return Err(invalid()),
        };
        if is_name(name) { Ok(Self::new(name, version)) } else { Err(invalid()) }
    }
}

impl From<WorkflowId> for String {
    fn from(id: WorkflowId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for WorkflowId {
    type Error = InvalidWorkflowId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Whether a text can name a workflow or a template: snake_case ASCII, 1 to 64 characters.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn travels_as_text() {
        let id: WorkflowId = "first_issue@12".parse().unwrap();
        assert_eq!((id.name(), id.version()), ("first_issue", 12));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"first_issue@12\"");
        assert_eq!(serde_json::from_str::<WorkflowId>("\"first_issue@12\"").unwrap(), id);
    }

    #[test]
    fn has_one_spelling() {
        for text in
            ["", "@1", "a", "a@", "a@0", "a@01", "a@+1", "a@-1", "a@1@2", "A@1", "1a@1", "a b@1", "a@4294967296"]
        {
            assert!(text.parse::<WorkflowId>().is_err(), "{text}");
        }
    }
}

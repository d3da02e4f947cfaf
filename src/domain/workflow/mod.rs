//! Workflow definitions.

mod id;

pub use id::{InvalidWorkflowId, WorkflowId};

//! Configuration: one struct per concern, each with a `validate` that says rule and remedy.

pub mod workflow_files;

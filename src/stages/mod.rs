//! The stages of a workflow, each a question to a provider answered by a `Decision`.

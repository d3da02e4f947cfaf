//! The rules of the trade and the workflow, pure: no I/O, no clock, no randomness of its own.

pub mod application;
pub mod stage;
pub mod wire;

//! The rules of the trade and the workflow, pure: no I/O, no clock, no randomness of its own.

pub mod application;
pub mod photo_check;
pub mod photo_reason;
pub mod stage;
pub mod wire;

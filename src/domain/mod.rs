//! The rules of the trade and the workflow, pure: no I/O, no clock, no randomness of its own.

pub mod application;
pub mod decision;
pub mod event;
pub mod ids;
pub mod job;
pub mod photo_check;
pub mod photo_reason;
pub mod review;
pub mod stage;
pub mod wire;
pub mod workflow;

//! The rules of the trade and the workflow, pure: no I/O, no clock, no randomness of its own.

pub mod applicant;
pub mod application;
pub mod audit;
pub mod authority;
pub mod calendar;
pub mod checkpoint;
pub mod deadline;
pub mod cause;
pub mod decision;
pub mod event;
pub mod identity;
pub mod ids;
pub mod job;
pub mod licence_status;
pub mod mask;
pub mod message;
pub mod photo_check;
pub mod photo_reason;
pub mod provider_error;
pub mod retry;
pub mod plan;
pub mod review;
pub mod stage;
pub mod vehicle_class;
pub mod wire;
pub mod workflow;

//! Logs, metrics and their field names.
//!
//! A log line reads alone: a sentence, and dotted fields with units (see [`fields`]). Personal data
//! never appears in a log line, a metric or a label.

pub mod fields;
mod log;
pub mod metrics;

pub use log::{DEFAULT_FILTER, InvalidFilter, check, init};

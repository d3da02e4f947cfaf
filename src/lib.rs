//! Greenlane: the durable workflow processor behind the electronic driving licence (电子驾驶证).

pub mod administration;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod hints;
pub mod http;
pub mod licences;
pub mod photos;
pub mod providers;
pub mod secrets;
pub mod stages;
pub mod store;
pub mod telemetry;

//! Clients of the outside systems, the guard around them, and the simulator.
//!
//! A stage sees four ports ([`Registry`], [`Face`], [`Sms`], [`Push`]) bundled in [`Providers`]. Behind each is
//! an HTTP client under a guard (circuit breaker and rate limit), or, for measurements, [`noop`].

mod absent;
pub mod alarm;
mod answer;
pub mod blob;
pub mod breaker;
pub mod egress;
pub mod guard;
pub mod http;
pub mod mail;
pub mod noop;
pub mod operations_mail;
mod ports;
mod sample;
pub mod simulator;

pub use absent::Absent;
pub use answer::{FaceAnswer, FaceState, Licence, RegistryAnswer, RetainedPhoto, SmsReport, SmsState};
pub use ports::{
    CallError, DocumentRef, Face, FaceQuery, Providers, Push, PushNotification, Registry, Sms, SmsMessage,
};

//! Black-box tests of the program: the real binary, real databases, simulated providers.
//! The modules mirror the API; `journeys` follows applications from end to end, `support` has the tools.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "helpers take whatever the test has at hand")]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]

mod administration;
mod applications;
mod architecture;
mod audit;
mod auth;
mod card;
mod chaos;
mod cli;
mod console;
mod conventions;
mod dashboard;
mod fuzz_api;
mod journeys;
mod licences;
mod openapi;
mod ops;
#[path = "support/own_tests.rs"]
mod own_tests;
mod photos;
mod redis;
mod retention;
mod reviews;
mod sign_in;
mod simulator;
mod support;
mod webhooks;

//! The command line.

mod administration;
mod calendar;
mod demo;
mod serve;
mod workflow;

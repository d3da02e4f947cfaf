//! The HTTP interface: router, problem details, authentication, API handlers.
//!
//! A request passes [`layers`], names its caller by [`auth`], is read by [`body`] and [`params`], and is answered by a
//! handler of [`api`]; whatever goes wrong becomes a [`problem`].

pub mod api;
pub mod auth;
pub mod body;
mod cached;
pub mod console;
mod layers;
pub mod openapi;
pub mod ops;
pub mod pages;
pub mod params;
pub mod person;
pub mod problem;
pub mod reviewer;
mod router;
pub mod session;
pub mod state;
mod strict;

pub use pages::sign_in::SignInLimit;
pub use router::router;
pub use session::SessionSettings;
pub use state::{AppState, Settings};

#[cfg(test)]
mod tests;

//! One file per subcommand; `wiring` is the only composition root.

pub mod secret;
pub mod workflow;

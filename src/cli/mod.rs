//! One file per subcommand; `wiring` is the only composition root.

pub mod workflow;

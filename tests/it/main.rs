//! Black-box tests of the program: the real binary, real databases, simulated providers.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "modules of a test binary have no outside")]

mod architecture;
mod support;

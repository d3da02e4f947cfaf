//! Parses the command line, runs it, prints the cause chain of a failure once, and says the exit code.

use std::process::ExitCode;

/// Every commit carries many small texts; the C library's allocator took a quarter of the process's time under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    greenlane::cli::main()
}

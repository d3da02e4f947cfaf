//! Parses the command line, runs it, prints the cause chain of a failure once, and says the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    greenlane::cli::main()
}

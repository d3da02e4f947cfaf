//! Data goes to standard output, everything else to standard error.

use std::io::{self, Write};

/// Prints a line of data. A reader that went away (`| head`) is no failure.
///
/// # Errors
/// Standard output cannot be written.
pub fn line(text: impl std::fmt::Display) -> io::Result<()> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

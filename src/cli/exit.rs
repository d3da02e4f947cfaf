//! Exit codes: 0 ok, 1 failed, 2 usage, 78 configuration refused.

use std::{fmt, process::ExitCode};

use crate::store::StoreError;

/// sysexits `EX_CONFIG`: the configuration is refused and nothing was started.
pub const CONFIGURATION_REFUSED: u8 = 78;
/// What clap uses for a wrong command line.
pub const USAGE: u8 = 2;

/// The configuration is refused: one line per problem.
#[derive(Debug)]
pub struct Refused<P>(pub Vec<P>);

impl<P: fmt::Display> fmt::Display for Refused<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let end = if index + 1 == self.0.len() { "" } else { "\n" };
            write!(f, "{problem}{end}")?;
        }
        Ok(())
    }
}

impl<P: fmt::Display + fmt::Debug> std::error::Error for Refused<P> {}

impl<P: fmt::Display> Refused<P> {
    /// Forgets the problems' type.
    pub fn lines(self) -> Refused<String> {
        Refused(self.0.into_iter().map(|problem| problem.to_string()).collect())
    }
}

/// Prints a failure with its causes, once, and says the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(refused) = error.downcast_ref::<Refused<String>>() {
        eprintln!("{refused}");
        return CONFIGURATION_REFUSED.into();
    }
    eprintln!("error: {error:#}");
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Schema(_) | StoreError::Unsafe(_) | StoreError::Unusable(_)) => CONFIGURATION_REFUSED.into(),
        _ => ExitCode::FAILURE,
    }
}

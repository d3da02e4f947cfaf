//! Log lines to standard error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, IsTerminal},
    panic::{self, PanicHookInfo},
};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, registry, util::SubscriberInitExt};

/// What is logged without `RUST_LOG`: our own lines, and what libraries warn of.
pub const DEFAULT_FILTER: &str =
    "info,sqlx=warn,hyper=warn,reqwest=warn,rustls=warn,redis=warn,apalis=warn,apalis_core=warn";

/// The filter is not a list of `level` and `target=level`.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is not a log filter such as `info,greenlane=debug`")]
pub struct InvalidFilter {
    /// The text that was given.
    pub filter: String,
}

/// Starts logging to standard error, as JSON lines or for people, and logs panics. Called again in
/// the same process it changes nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn init(filter: &str, json: bool) -> Result<(), InvalidFilter> {
    let filter = read(filter)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = if json {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    if registry().with(lines.with_filter(filter)).try_init().is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Whether a filter can be read.
///
/// # Errors
/// It cannot.
pub fn check(filter: &str) -> Result<(), InvalidFilter> {
    read(filter).map(drop)
}

fn read(filter: &str) -> Result<EnvFilter, InvalidFilter> {
    EnvFilter::builder().parse(filter).map_err(|_| InvalidFilter { filter: filter.to_owned() })
}

/// Logs where a panic happened. Only a literal message is shown: a formatted one can quote what the
/// program was working on, which may be somebody's name.
fn log_panic(info: &PanicHookInfo<'_>) {
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let message = info.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown)");
    let thread = std::thread::current();
    let thread_name = thread.name().unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(
        panic.location = location,
        panic.message = message,
        panic.thread = thread_name,
        panic.backtrace = backtrace,
        "the program panicked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked() {
        assert!(EnvFilter::builder().parse(DEFAULT_FILTER).is_ok());
        let error = init("greenlane=loud", false).unwrap_err();
        assert_eq!(error.to_string(), "`greenlane=loud` is not a log filter such as `info,greenlane=debug`");
    }
}

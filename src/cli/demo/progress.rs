//! Says on standard error how far the demonstration is: one line that renews itself on a terminal, plain lines elsewhere.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;

use super::sink::Sink;

/// How often the line of a terminal is renewed.
const ON_TERMINAL: Duration = Duration::from_millis(100);
/// How often a plain line is written.
const PLAIN: Duration = Duration::from_secs(2);

/// Counts what the players did.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    submitted: AtomicUsize,
    ended: AtomicUsize,
    started: Instant,
}

impl Progress {
    /// Of so many applications.
    pub(super) fn of(total: usize) -> Self {
        Self { total, submitted: AtomicUsize::new(0), ended: AtomicUsize::new(0), started: Instant::now() }
    }

    /// One more was accepted.
    pub(super) fn submitted(&self) {
        self.submitted.fetch_add(1, Relaxed);
    }

    /// One more has ended.
    pub(super) fn ended(&self) {
        self.ended.fetch_add(1, Relaxed);
    }

    /// Since the first submission.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn line(&self, sink: &Sink) -> String {
        let seen = sink.seen();
        let seen = seen.borrow();
        format!(
            "{:5.1} s  submitted {}/{total}  ended {}/{total}  in review {}  stalled {}  webhooks {}",
            self.elapsed().as_secs_f64(),
            self.submitted.load(Relaxed),
            self.ended.load(Relaxed),
            seen.in_status("in_review"),
            seen.in_status("stalled"),
            seen.verified,
            total = self.total,
        )
    }

    /// Shows the progress of `work` until it is done, and gives what it gives.
    pub(super) async fn show<T>(&self, sink: &Sink, work: impl Future<Output = T>) -> T {
        let terminal = io::stderr().is_terminal();
        let mut tick = tokio::time::interval(if terminal { ON_TERMINAL } else { PLAIN });
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    print(terminal, &self.line(sink), "\n");
                    return done;
                }
                _ = tick.tick() => print(terminal, &self.line(sink), if terminal { "" } else { "\n" }),
            }
        }
    }
}

/// A standard error that is gone must not end the demonstration.
fn print(terminal: bool, line: &str, end: &str) {
    let start = if terminal { "\r\x1b[2K" } else { "" };
    let mut stderr = io::stderr().lock();
    let _gone = write!(stderr, "{start}{line}{end}").and_then(|()| stderr.flush()).is_err();
}

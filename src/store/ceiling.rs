//! What the benchmark compares itself with.

/// What the benchmark's ceiling writes: the minimal rows of applications, in tables of their own, by the simplest program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// How many applications.
    pub applications: usize,
    /// Applications per transaction.
    pub batch: usize,
    /// Transactions side by side.
    pub writers: usize,
    /// Size of a state row's text.
    pub state_bytes: usize,
    /// Size of an event row's text.
    pub event_bytes: usize,
}

/// Changes of state per application in the ceiling, each with an event.
pub const CEILING_STEPS: usize = 5;

//! Who asks for a task, and what is offered to them.

/// Which open tasks are offered to somebody who asks for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Those that a supervisor gave to the reviewer.
    Assigned,
    /// Those whose due time has passed: a breach is a supervisor's matter before it is anybody's.
    Overdue,
    /// Those that wait for a supervisor.
    Escalated,
    /// All others.
    Usual,
}

/// Who wants a task, and of which authority.
#[derive(Debug, Clone, Copy)]
pub struct Claimant<'a> {
    /// The reviewer's name.
    pub reviewer: &'a str,
    /// Blind index of the reviewer's own document, where it is known.
    pub document: Option<&'a str>,
    /// Whether that is a supervisor.
    pub supervisor: bool,
    /// Tasks of this issuing authority only.
    pub authority: Option<&'a str>,
}

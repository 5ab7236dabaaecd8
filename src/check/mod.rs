//! Checks: one kind of violation per file, each a pure function over history and ledger; and the verdict.
//!
//! Invariant: no I/O, no clock, no randomness. The same code judges a run, a saved history and an explored schedule.

mod abandoned;
mod case;
mod cause;
mod deviating;
mod duplicate;
mod late;
mod lost;
mod overlap;
mod reverted;
mod stale;
mod stuck;
mod tally;
#[cfg(test)]
pub(crate) mod testing;
mod verdict;
mod violation;
mod work;

pub use case::{Case, Evidence, Told};
pub use tally::Tally;
pub use verdict::{Inconclusive, Verdict, is_met};
pub use violation::{Cause, Violation};
pub use work::Work;

use crate::world::MessageId;

/// One broken guarantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub violation: Violation,
    pub message: MessageId,
    pub cause: Cause,
    /// What was found, in words.
    pub detail: String,
}

/// Finds every violation: at most one of each kind per message.
#[must_use]
pub fn findings(case: &Case<'_>) -> Vec<Finding> {
    let checks = [
        duplicate::find,
        lost::find,
        abandoned::find,
        late::find,
        deviating::find,
        stuck::find,
        overlap::find,
        stale::find,
        reverted::find,
    ];
    checks.iter().flat_map(|find| find(case)).collect()
}
